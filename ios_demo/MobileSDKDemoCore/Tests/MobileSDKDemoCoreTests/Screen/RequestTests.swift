import Foundation
import Testing

@testable import MobileSDKDemoCore

/// What a harness asks for and what it finds in the app's Documents.
@Suite struct RequestTests {
  private static let id = "0123456789abcdef0123456789abcdef"

  @Test(arguments: [
    "mobilesdkdemo://run", "mobilesdkdemo://benchmark?colour=red", "mobilesdkdemo://benchmark?min_runs=0",
    "mobilesdkdemo://benchmark?min_runs=2147483647", "mobilesdkdemo://benchmark?enough_seconds=1e9",
    "mobilesdkdemo://benchmark?min_seconds=nan", "mobilesdkdemo://benchmark?min_seconds=-1",
    "mobilesdkdemo://benchmark?threads=0", "mobilesdkdemo://benchmark?threads=65",
    "mobilesdkdemo://benchmark?request=..%2F..%2FLibrary", "mobilesdkdemo://benchmark?request=",
    "mobilesdkdemo://benchmark?compute_units=toaster", "mobilesdkdemo://score", "mobilesdkdemo://forget?all=1",
    "https://example.org",
  ])
  func aURLThatAsksForSomethingElseIsRefused(text: String) throws {
    let url = try #require(URL(string: text))
    #expect(throws: DemoError.self) { try HarnessRequest(url) }
  }

  @Test func aURLAsksForABenchmark() throws {
    let fields = "bundle=a.coreml&bundle=b.coreml&min_runs=7&min_seconds=0.5&compute_units=cpu_only&threads=2"
    guard case .benchmark(let request) = try request("benchmark?\(fields)") else { throw JSONError(reason: "other") }
    #expect(request.bundles == ["a.coreml", "b.coreml"] && request.id == nil)
    #expect(request.settings == RunSettings(computeUnits: .cpuOnly, threads: 2))
    #expect(request.plan.minRuns == 7 && request.plan.minSeconds == 0.5 && request.plan.enoughSeconds == 60)
    let plain = BenchmarkRequest(bundles: [], settings: RunSettings())
    #expect(try self.request("benchmark") == .benchmark(plain))
    guard case .benchmark(let quick) = try self.request("benchmark?quick=1") else { throw JSONError(reason: "other") }
    #expect(quick.plan.isQuick && quick.plan.minRuns == 12 && quick.plan.minSeconds == 0)
  }

  @Test(arguments: [false, true])
  func inputsThatWereSentAreScoredToTheByte(isNested: Bool) async throws {
    let (documents, folder) = try sent("test.executorch", isNested: isNested)
    let bundle = try Fixtures.bundle(.execuTorch)
    let indices = bundle.manifest.golden.pictures.indices
    let pictures = try indices.map { try bundle.goldenPixels($0, decode: PNG.decode) }
    let inputs = pictures.map { InputTensor.bytes(of: $0, as: bundle.manifest.input) }.reduce(Data(), +)
    try inputs.write(to: folder.appendingPathComponent("inputs"))
    _ = try await harness(documents).answer(try request("score?request=\(Self.id)"), embedded: [])
    let answer = documents.appendingPathComponent("mobile-sdk/\(Self.id)")
    let expected = try indices.map { try bundle.golden($0, "output.bin") }.reduce(Data(), +)
    #expect(try Data(contentsOf: answer.appendingPathComponent("scores")) == expected)
    let result = try JSONValue(parsing: Data(contentsOf: answer.appendingPathComponent("result.json")))
    #expect(try result.field("pictures") == .integer(indices.count) && result.field("ran_on").string == "fake")
  }

  @Test func aFailureIsWrittenWhereTheResultWouldBe() async throws {
    let (documents, folder) = try sent("test.executorch", isNested: false)
    try Data([1, 2, 3]).write(to: folder.appendingPathComponent("inputs"))
    let result = folder.appendingPathComponent("result.json")
    try Data("an older result".utf8).write(to: result)
    await #expect(throws: DemoError.self) {
      _ = try await harness(documents).answer(try request("score?request=\(Self.id)"), embedded: [])
    }
    let failure = try JSONValue(parsing: Data(contentsOf: result))
    #expect(try failure.field("error").string == "MachineError")
    #expect(try failure.field("message").string.contains("found 3 bytes"))
    try Data("{}".utf8).write(to: folder.appendingPathComponent("bundles/test.executorch/bundle.json"))
    await #expect(throws: BundleRefusal.self) {
      _ = try await harness(documents).answer(try request("benchmark?request=\(Self.id)"), embedded: [])
    }
    #expect(try JSONValue(parsing: Data(contentsOf: result)).field("error").string == "BundleError")
  }

  @Test func anOldResultIsGoneBeforeAnotherIsMeasuredAndAllIsForgotten() async throws {
    let (documents, folder) = try sent("test.executorch", isNested: false)
    let numbers = documents.appendingPathComponent("bench.json")
    try Data("an older result".utf8).write(to: numbers)
    await #expect(throws: DemoError.self) {
      _ = try await harness(documents).answer(try request("benchmark?bundle=missing"), embedded: [])
    }
    #expect(try JSONValue(parsing: Data(contentsOf: numbers)).field("message").string.contains("missing"))
    let measured = try await harness(documents).answer(
      try request("benchmark?min_runs=50"), embedded: [try Fixtures.bundle(.coreML)])
    #expect(try JSONValue(parsing: Data(contentsOf: numbers)) == measured?.json)
    #expect(!FileManager.default.fileExists(atPath: folder.path))
    let (again, sent) = try sent("test.executorch", isNested: false)
    _ = try await harness(again).answer(.forget, embedded: [])
    #expect(!FileManager.default.fileExists(atPath: sent.path))
    #expect(!FileManager.default.fileExists(atPath: again.appendingPathComponent("bench.json").path))
  }

  @Test func scoresAreWrittenAsTheModelGaveThem() throws {
    let codes = OutputSpec(name: "a", type: .int8, shape: [1, 3], scale: 1, zeroPoint: 0)
    let floats = OutputSpec(name: "b", type: .float32, shape: [1, 2], scale: nil, zeroPoint: nil)
    let given = Data([0x80, 0, 0x7F, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x80])  // -128, 0, 127; 1, -0
    let outputs = ModelOutput.all(in: given, as: [codes, floats])
    #expect(try Scorer.bytes(of: outputs, as: [codes, floats]) == given)
    #expect(throws: DemoError.self) { try Scorer.bytes(of: [outputs[0]], as: [codes, floats]) }
    #expect(throws: DemoError.self) {
      try Scorer.bytes(of: [ModelOutput(raw: [1], as: codes), outputs[1]], as: [codes, floats])
    }
  }

  @Test func aBundleFromFilesIsKeptAndADamagedOneIsNot() async throws {
    let folder = try temporary()
    let engine = self.engine()
    try await engine.add(Fixtures.folder.appendingPathComponent("bundles/test.coreml"), to: folder)
    try await engine.add(Fixtures.folder.appendingPathComponent("bundles/test.coreml"), to: folder)
    #expect(await engine.bundles(in: folder).compactMap(\.bundle).map(\.name) == ["test.coreml"])
    await #expect(throws: BundleRefusal.self) {
      try await engine.add(Fixtures.folder.appendingPathComponent("damaged"), to: folder)
    }
    let both = await engine.bundles(in: Fixtures.folder.appendingPathComponent("bundles"), folder)
    #expect(both.filter { $0.name == "test.coreml" }.count == 1 && both.count > 1)
  }

  private func request(_ text: String) throws -> HarnessRequest {
    try HarnessRequest(try #require(URL(string: "mobilesdkdemo://\(text)")))
  }

  private func temporary() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  /// Documents in which a harness's request lies with a bundle, and the folder that the host has sent.
  private func sent(_ name: String, isNested: Bool) throws -> (documents: URL, folder: URL) {
    let documents = try temporary()
    let folder = documents.appendingPathComponent("mobile-sdk/\(Self.id)\(isNested ? "/\(Self.id)" : "")")
    let bundles = folder.appendingPathComponent("bundles")
    try FileManager.default.createDirectory(at: bundles, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: Fixtures.folder.appendingPathComponent("bundles/\(name)"), to: bundles.appendingPathComponent(name))
    return (documents, folder)
  }

  private func engine() -> Engine {
    let clock = Clock()
    return Engine(
      decode: PNG.decode,
      load: { bundle, _ in
        LoadedModel(runner: Answers(bundle: bundle, onRun: { clock.pass(2) }), computesOn: "fake", threads: 1)
      }, stopwatch: { clock.nowMs })
  }

  private func harness(_ documents: URL) -> Harness {
    Harness(
      engine: engine(), documents: documents, hooks: BenchmarkHooks(device: { EngineTests.snapshot() }))
  }
}
