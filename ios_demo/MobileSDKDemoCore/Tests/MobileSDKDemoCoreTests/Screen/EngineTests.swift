import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct EngineTests {
  @Test func aPictureIsRecognizedWithItsLatency() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    let found = try await engine().recognize(bundle.goldenPicture(0), with: bundle, by: RunSettings(), count: 3)
    let best = found.answer.shares
    #expect(best.count == 3 && !found.answer.isPlaced)
    #expect(best.first?.labelIndex == bundle.manifest.golden.pictures[0].top1Index)
    #expect(found.picture?.width == bundle.manifest.source.image?.sides.width)
    #expect(found.latencyMs == 2 && found.latencyRuns == 15 && found.computesOn == "fake")
    #expect(found.golden.text == "golden passed: 3 of 3, largest difference 0.0 where 0.0 is allowed")
  }

  @Test func aDetectorShowsTheWholePictureWithWhatIsWhereInIt() async throws {
    let bundle = try Fixtures.detector(.coreML)
    let found = try await engine().recognize(bundle.goldenPicture(0), with: bundle, by: RunSettings(), count: 3)
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
    let found = try await engine.recognize(bundle.goldenPicture(0), with: bundle, by: RunSettings(), count: 3)
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
      LoadedModel(
        runner: FakeRunner([moved], input: bundle.manifest.input, onRun: { clock.pass(2) }), computesOn: "fake")
    }
    let advice = try wrong.json.field("measurements").items[0].field("advice").string
    #expect(advice.contains("where 0.0 is allowed"))
  }

  @Test func aPictureThatIsNoneIsAnError() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    await #expect(throws: PNG.Refusal.self) {
      _ = try await engine().recognize(Data("GIF89a".utf8), with: bundle, by: RunSettings(), count: 3)
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
      _ = try await engine.recognize(
        bundle.goldenPicture(0), with: bundle, by: RunSettings(computeUnits: units), count: 1)
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
      return LoadedModel(
        runner: FakeRunner([wrong], input: bundle.manifest.input, onRun: { clock.pass(2) }), computesOn: "fake")
    }
    let advice = try report.json.field("measurements").items[0].field("advice").string
    #expect(advice.contains("largest difference") && advice.contains("where 0.0 is allowed"))
  }

  @Test func thermalStateAndWhatRanAreReported() async throws {
    let report = try await measured([try Fixtures.bundle(.coreML)])
    #expect(try report.json.field("state_before").field("thermal_status") == .integer(0))
    #expect(try report.json.field("environment").field("versions").field("test.coreml ran on").string == "fake")
    #expect(try report.json.field("device").string == "ios:iPhone99,1")
  }

  /// Python reads this file back with its own model; see tests/apps/ios/test_ios_demo.py.
  @Test func aReportIsWrittenForPython() async throws {
    let report = try await measured([try Fixtures.bundle(.coreML), try Fixtures.bundle(.liteRT)])
    let folder = try #require(ProcessInfo.processInfo.environment["DEMO_REPORTS"], "no folder for the report")
    try Data(report.json.text.utf8).write(to: URL(fileURLWithPath: folder).appendingPathComponent("bench.json"))
  }

  private func measured(
    _ bundles: [ModelBundle], on device: DeviceSnapshot? = nil,
    load: @escaping @Sendable (ModelBundle, Clock) -> LoadedModel = Self.model
  ) async throws -> BenchmarkReport {
    let (clock, device) = (Clock(), device ?? Self.device)
    return try await engine(clock, load).benchmark(
      bundles, plan: Self.plan, with: RunSettings(), hooks: BenchmarkHooks(device: { device }))
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

  @Test func timesAreOfTheModelAloneAndTheWholeIsASecondFigure() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    let report = try await measured([bundle]) { bundle, clock in
      LoadedModel(
        runner: Answers(
          bundle: bundle, onInput: { clock.pass(5) }, onRun: { clock.pass(2) }, onRead: { clock.pass(1) }),
        computesOn: "fake", threads: 1, loadMs: 7, loadPartsMs: ["compile": 40], versions: ["fake": "1.0"])
    }
    let samples = try report.json.field("measurements").items[0].field("samples")
    for round in try samples.field("rounds_ms").items { #expect(try round.items.allSatisfy { try $0.double == 2 }) }
    let whole = try samples.field("end_to_end_ms").items
    #expect(try whole.count == 50 && whole.allSatisfy { try $0.double == 8 })
    #expect(try samples.field("load_ms").double == 7 && samples.field("load_parts_ms").field("compile").double == 40)
    #expect(try report.json.field("environment").field("versions").field("fake").string == "1.0")
    #expect(report.lines[0].contains("median 2.0 ms, end to end 8.0 ms"))
    #expect(report.bars.map(\.medianMs) == [2] && report.bars[0].p90Ms == 2)
  }

  @Test func onlyTheTopOfAPeakThatRoseIsReported() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    for (peaks, expected) in [([300.0, 350.0], 250.0 as Double?), ([300.0, 300.0], nil)] {
      let read = Counter()
      let memory: MemoryReader = {
        read.next()
        return MemoryUse(nowMiB: 100, peakMiB: peaks[min(read.value, 2) - 1])
      }
      let clock = Clock()
      let report = try await engine(clock).benchmark(
        [bundle], plan: Self.plan, with: RunSettings(), hooks: BenchmarkHooks(device: { Self.device }, memory: memory))
      let found = try report.json.field("measurements").items[0].field("samples").field("peak_mib")
      #expect(try expected == nil ? found == .null : found.double == expected)
    }
  }

  @Test func whatWouldMakeTheTimesLieIsSaidInsteadOfAVerdict() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    for (device, words) in [
      (Self.snapshot(isLowPower: true), "Low Power Mode"), (Self.snapshot(isDebugBuild: true), "debug build"),
    ] {
      let report = try await measured([bundle], on: device)
      #expect(try report.json.field("measurements").items[0].field("advice").string.contains(words))
    }
    let report = try await measured([bundle]) { bundle, clock in
      LoadedModel(runner: Answers(bundle: bundle, onRun: { clock.pass(2) }), computesOn: "fake")
    }
    #expect(
      try report.json.field("measurements").items[0].field("advice").string.contains("1 threads could not be set"))
  }

  @Test func aWarmDeviceIsWaitedForAndThenGivenUp() async throws {
    let (bundle, clock, slept) = (try Fixtures.bundle(.execuTorch), Clock(), Counter())
    let warm = BenchmarkHooks(device: { Self.snapshot(.fair) }, sleep: { _ in slept.next() })
    await #expect(throws: DemoError.self) {
      _ = try await engine(clock).benchmark([bundle], plan: Self.plan, with: RunSettings(), hooks: warm)
    }
    #expect(slept.value == 24)
    let cools = BenchmarkHooks(
      device: { Self.snapshot(slept.value < 26 ? .serious : .nominal) }, sleep: { _ in slept.next() })
    _ = try await engine(clock).benchmark([bundle], plan: Self.plan, with: RunSettings(), hooks: cools)
    #expect(slept.value == 26)
    _ = try await engine(clock).benchmark([bundle], plan: Self.plan.quick, with: RunSettings(), hooks: warm)
    #expect(slept.value == 26)
  }

  @Test func aNetThatTakesLongEndsAfterEnoughSecondsOfRuns() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    let report = try await measured([bundle]) { bundle, clock in
      LoadedModel(runner: Answers(bundle: bundle, onRun: { clock.pass(4000) }), computesOn: "fake", threads: 1)
    }
    let rounds = try report.json.field("measurements").items[0].field("samples").field("rounds_ms").items
    #expect(try rounds.count == 15 && rounds.allSatisfy { try $0.items.count == 1 })
  }

  @Test func aFrameIsAnsweredWithThePartOfItThatTheModelReads() async throws {
    let bundle = try Fixtures.bundle(.execuTorch)
    let golden = try PNG.decode(bundle.goldenPicture(0))
    let found = try await engine().answer(to: golden, with: bundle, by: RunSettings(), count: 2)
    #expect(found.modelMs == 2 && found.answer.shares.count == 2)
    #expect(found.aspect == Double(golden.width) / Double(golden.height))
    #expect(found.area.left >= 0 && found.area.right <= 1 && found.area.width > 0)
  }

  /// Answers with the first golden output, after two milliseconds on its clock.
  @Sendable private static func model(of bundle: ModelBundle, _ clock: Clock) -> LoadedModel {
    LoadedModel(runner: Answers(bundle: bundle, onRun: { clock.pass(2) }), computesOn: "fake", threads: 1)
  }

  private static var plan: BenchmarkPlan {
    var plan = BenchmarkPlan()
    plan.minRuns = 50
    return plan
  }

  private static let device = snapshot()

  static func snapshot(
    _ thermal: ThermalState = .nominal, isLowPower: Bool = false, isDebugBuild: Bool = false
  ) -> DeviceSnapshot {
    DeviceSnapshot(
      machine: "iPhone99,1", system: "iOS 99", kernel: "Darwin 99", memoryMiB: 8192, cores: 6, thermal: thermal,
      batteryShare: 0.5, charger: "charging", isLowPower: isLowPower, isDebugBuild: isDebugBuild)
  }
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
