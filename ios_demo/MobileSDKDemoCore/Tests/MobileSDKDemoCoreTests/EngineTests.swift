import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct EngineTests {
  @Test func aPictureIsRecognizedWithItsLatency() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    let found = try await engine().recognize(bundle.goldenPicture(0), with: bundle, on: .all, count: 3)
    let best = found.answer.shares
    #expect(best.count == 3 && !found.answer.isPlaced)
    #expect(best.first?.labelIndex == bundle.manifest.golden.pictures[0].top1Index)
    #expect(found.picture?.width == bundle.manifest.source.image?.sides.width)
    #expect(found.latencyMs == 2 && found.computesOn == "fake")
    #expect(found.golden.text == "golden passed: 3 of 3, largest difference 0.0 where 0.0 is allowed")
  }

  @Test func aDetectorShowsTheWholePictureWithWhatIsWhereInIt() async throws {
    let bundle = try Fixtures.detector(.coreML)
    let found = try await engine().recognize(bundle.goldenPicture(0), with: bundle, on: .all, count: 3)
    let things = found.answer.found
    #expect(!things.isEmpty && things.map(\.what) == found.answer.shares)
    #expect(things.map(\.what.share) == things.map(\.what.share).sorted(by: >))
    #expect(things.map(\.what.rank) == Array(things.indices))
    for thing in things {
      let sides = [thing.area.left, thing.area.top, thing.area.right, thing.area.bottom]
      #expect(sides.allSatisfy { (0...1).contains($0) } && thing.area.width > 0 && thing.area.height > 0)
      #expect(thing.box(width: 200, height: 100).right == thing.area.right * 200)
    }
    #expect(try found.picture == PNG.decode(bundle.goldenPicture(0)))
  }

  @Test func aSegmenterShowsTheWholePictureAndHowMuchOfItShowsWhat() async throws {
    let folder = try #require(Fixtures.segmenters.first { $0.lastPathComponent == "parts.tflite" })
    let bundle = try ModelBundle.open(folder, decode: PNG.decode)
    let engine = Engine(decode: PNG.decode, load: { bundle, _ in Self.model(of: bundle, Clock()) })
    let found = try await engine.recognize(bundle.goldenPicture(0), with: bundle, on: .all, count: 3)
    let (mask, parts) = (try #require(found.answer.mask), found.answer.shares)
    #expect(try Data(mask.labels) == bundle.golden(0, "mask.bin"))
    #expect(parts.count > 2 && parts.map(\.share) == parts.map(\.share).sorted(by: >))
    #expect(abs(parts.map(\.share).reduce(0, +) - 1) < 1e-9)
    #expect(parts.first?.labelIndex == bundle.manifest.golden.pictures[0].top1Index)
    #expect(try found.picture == PNG.decode(bundle.goldenPicture(0)))
  }

  @Test func aDetectorsBenchmarkComparesItsBoxes() async throws {
    let bundle = try Fixtures.detector(.execuTorch)
    let right = try await measured([bundle])
    #expect(try right.json.field("measurements").items[0].field("advice") == .null)
    let golden = try bundle.goldenOutputs(0)[0]
    let moved = ModelOutput(raw: [golden.raw[0] + 0.5] + golden.raw.dropFirst(), as: bundle.manifest.output)
    let wrong = try await measured([bundle]) { _, clock in
      LoadedModel(runner: FakeRunner([moved], onRun: { clock.pass(2) }), computesOn: "fake")
    }
    let advice = try wrong.json.field("measurements").items[0].field("advice").string
    #expect(advice.contains("where 0.0 is allowed"))
  }

  @Test func aPictureThatIsNoneIsAnError() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    await #expect(throws: PNG.Refusal.self) {
      _ = try await engine().recognize(Data("GIF89a".utf8), with: bundle, on: .all, count: 3)
    }
  }

  @Test func aModelIsLoadedOncePerBundleAndProcessor() async throws {
    let bundle = try Fixtures.bundle(.coreML)
    let loads = Counter()
    let engine = Engine(
      decode: PNG.decode,
      load: { _, _ in
        loads.next()
        return Self.model(of: bundle, Clock())
      })
    for units in [ComputeUnits.all, .all, .cpuOnly, .cpuOnly] {
      _ = try await engine.recognize(bundle.goldenPicture(0), with: bundle, on: units, count: 1)
    }
    #expect(loads.value == 2)
  }

  @Test func aBenchmarkMeasuresInRoundsUntilThePlanIsDone() async throws {
    let bundles = [try Fixtures.bundle(.coreML), try Fixtures.bundle(.execuTorch)]
    let report = try await measured(bundles)
    let measurements = try report.json.field("measurements").items
    #expect(measurements.count == 2 && report.lines.count == 2)
    for each in measurements {
      let samples = try each.field("samples")
      let rounds = try samples.field("rounds_ms").items.map { try $0.items.map { try $0.double } }
      #expect(rounds.count >= 10 && rounds.joined().count >= 50)
      #expect(rounds.joined().allSatisfy { $0 == 2 })
      #expect(try rounds.count == samples.field("rewarm_ms").items.count)
      #expect(try samples.field("seconds").double >= 1)
      #expect(try each.field("summary") == .null)
      #expect(try each.field("advice") == .null && each.field("not_run") == .null)
    }
  }

  @Test func aBundleThatCannotRunIsInTheReportWithItsReason() async throws {
    let bundles = [try Fixtures.bundle(.liteRT), try Fixtures.bundle(.coreML)]
    let report = try await measured(bundles)
    let first = try report.json.field("measurements").items[0]
    #expect(try first.field("not_run").string.contains("no LiteRT"))
    #expect(try first.field("samples") == .null && first.field("summary") == .null)
    #expect(report.lines[0].contains("no LiteRT") && report.lines[1].contains("median 2.0 ms"))
  }

  @Test func scoresThatAreNotTheExpectedOnesSupportNoVerdict() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    let classes = bundle.manifest.labels.count
    let report = try await measured([bundle]) { _, clock in
      let wrong = ModelOutput(raw: Array(repeating: 0, count: classes), as: bundle.manifest.output)
      return LoadedModel(runner: FakeRunner([wrong], onRun: { clock.pass(2) }), computesOn: "fake")
    }
    let advice = try report.json.field("measurements").items[0].field("advice").string
    #expect(advice.contains("largest difference") && advice.contains("where 0.0 is allowed"))
  }

  @Test func thermalStateAndWhatRanAreReported() async throws {
    let report = try await measured([try Fixtures.bundle(.coreML)])
    #expect(try report.json.field("state_before").field("thermal_status") == .integer(3))
    #expect(try report.json.field("environment").field("versions").field("test.coreml ran on").string == "fake")
    #expect(try report.json.field("device").string == "ios:iPhone99,1")
  }

  /// Python reads this file back with its own model; see tests/apps/ios/test_ios_demo.py.
  @Test func aReportIsWrittenForPython() async throws {
    let report = try await measured([try Fixtures.bundle(.coreML), try Fixtures.bundle(.liteRT)])
    let folder = try #require(ProcessInfo.processInfo.environment["DEMO_REPORTS"], "no folder for the report")
    try Data(report.json.text.utf8).write(to: URL(fileURLWithPath: folder).appendingPathComponent("bench.json"))
  }

  @Test(arguments: [
    "mobilesdkdemo://run", "mobilesdkdemo://benchmark?colour=red", "mobilesdkdemo://benchmark?min_runs=0",
    "mobilesdkdemo://benchmark?min_seconds=nan", "mobilesdkdemo://benchmark?min_seconds=-1",
    "mobilesdkdemo://benchmark?compute_units=toaster", "https://example.org",
  ])
  func aURLThatAsksForSomethingElseIsRefused(text: String) throws {
    let url = try #require(URL(string: text))
    #expect(throws: DemoError.self) { try BenchmarkRequest(url) }
  }

  @Test func aURLAsksForABenchmark() throws {
    let start = "mobilesdkdemo://benchmark?bundle=a.coreml&bundle=b.coreml"
    let text = "\(start)&min_runs=7&min_seconds=0.5&compute_units=cpu_only"
    let request = try BenchmarkRequest(try #require(URL(string: text)))
    #expect(request.bundles == ["a.coreml", "b.coreml"] && request.computeUnits == .cpuOnly)
    #expect(request.plan.minRuns == 7 && request.plan.minSeconds == 0.5)
    let plain = try BenchmarkRequest(try #require(URL(string: "mobilesdkdemo://benchmark")))
    #expect(plain.bundles.isEmpty && plain.plan == BenchmarkPlan())
  }

  private func measured(
    _ bundles: [ModelBundle], load: @escaping @Sendable (ModelBundle, Clock) -> LoadedModel = Self.model
  ) async throws -> BenchmarkReport {
    let clock = Clock()
    return try await engine(clock, load).benchmark(
      bundles, plan: BenchmarkPlan(), on: .all, device: { Self.device }, progress: { _, _ in })
  }

  private func engine(
    _ clock: Clock = Clock(), _ load: @escaping @Sendable (ModelBundle, Clock) -> LoadedModel = Self.model
  ) -> Engine {
    Engine(
      decode: PNG.decode,
      load: { bundle, _ in
        guard bundle.manifest.runtime != .liteRT else {
          throw DemoError("this app embeds no LiteRT", hint: "choose another bundle")
        }
        return load(bundle, clock)
      }, stopwatch: { clock.nowMs })
  }

  /// Answers with the first golden output, after two milliseconds on its clock.
  @Sendable private static func model(of bundle: ModelBundle, _ clock: Clock) -> LoadedModel {
    LoadedModel(runner: Answers(bundle: bundle, onRun: { clock.pass(2) }), computesOn: "fake")
  }

  private static let device = DeviceSnapshot(
    machine: "iPhone99,1", system: "iOS 99", kernel: "Darwin 99", memoryMiB: 8192, cores: 6, thermal: .serious,
    batteryShare: 0.5, charger: "charging")
}

/// Time that passes only when it is told to.
final class Clock: @unchecked Sendable {
  private let lock = NSLock()
  private var passedMs = 0.0

  var nowMs: Double { lock.withLock { passedMs } }

  func pass(_ ms: Double) { lock.withLock { passedMs += ms } }
}

final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0

  var value: Int { lock.withLock { count } }

  func next() { lock.withLock { count += 1 } }
}
