import Foundation
import Testing

@testable import MobileSDKDemoCore

/// Damaged bundles, with what both apps say of them.
private let refusals = [
  ("an-output-without-a-batch", "expected an output (1, …) with one to 4 sides behind the batch, found [10]"),
  (
    "an-output-of-six-sides",
    "expected an output (1, …) with one to 4 sides behind the batch, found [1, 1, 1, 1, 1, 10]"
  ),
  ("an-output-that-is-missing", "expected a golden tolerance for each of 1 outputs, found 0.0, 0.0"),
  ("a-tolerance-that-is-missing", "expected a golden tolerance for each of 2 outputs, found 0.0"),
  ("no-tolerances", "expected a golden tolerance for each of 2 outputs, found 0.0"),
  ("outputs-of-one-name", "expected outputs of different names, found scores, scores"),
  ("an-output-larger-than-any-memory", "expected at most 2147483647 bytes of all outputs, found more"),
  ("a-second-tolerance-of-codes", "expected a golden tolerance of at most 0.0 for codes, found 1.0"),
  ("features-of-65-outputs", "expected 1 to 64 outputs, found 65"),
  ("golden-features-without-the-second-output", "expected 330 bytes of golden/0.output.bin, found 10"),
  ("an-arrays-offset-of-nothing", "expected the byte_offset -128 for float32, found 0"),
  (
    "a-golden-array-with-infinity",
    "expected golden/0.values.bin to decode, found: expected finite numbers in an array, found NaN or infinity"
  ),
]

@Suite struct FeaturesTests {
  @Test func everyRuntimesBundlesOpenWithAllOutputsAndAToleranceEach() throws {
    let manifests = try Fixtures.features.map { try ModelBundle.open($0, decode: PNG.decode).manifest }
    #expect(Set(manifests.map(\.runtime)) == Set(ModelRuntime.allCases))
    #expect(manifests.allSatisfy { $0.task is Features && $0.labels.isEmpty })
    #expect(manifests.allSatisfy { $0.outputs.count == 2 && $0.golden.tolerances.count == 2 })
    #expect(Set(manifests.map(\.source.kind)) == ["png", "values.bin"])
    let outputs = try Fixtures.features("mixed.tflite").manifest.outputs
    #expect(outputs.map(\.type) == [.int8, .float32] && outputs.map(\.shape) == [[1, 10], [1, 8, 8, 5]])
    #expect(outputs[0].scale != nil && outputs[0].zeroPoint != nil)
    #expect(outputs[1].scale == nil && outputs[1].zeroPoint == nil)
  }

  @Test(arguments: refusals)
  func damagedFeaturesAreRefusedInTheWordsOfBothApps(name: String, message: String) throws {
    #expect(try Damage.named(name).refusal?.message == message)
  }

  @Test func goldenPicturesAndArraysGivePythonsRealValues() throws {
    let cases = try Fixtures.json("features.json").items
    #expect(Set(try cases.map { try $0.field("bundle").string }) == Set(Fixtures.features.map(\.lastPathComponent)))
    for each in cases {
      let bundle = try Fixtures.features(each.field("bundle").string)
      let found = try predicted(bundle, Int(try each.field("index").double))
      let expected = try each.field("arrays").items
      #expect(found.count == expected.count)
      for (array, other) in zip(found, expected) { try check(array, other) }
    }
  }

  private func predicted(_ bundle: ModelBundle, _ index: Int) throws -> [NamedArray] {
    let (runner, data) = (Answers(bundle: bundle), try bundle.goldenPicture(index))
    guard bundle.manifest.source.image == nil else {
      return try runner.predict(PNG.decode(data), by: bundle.manifest)
    }
    return try runner.predict(Self.numbers(in: data), by: bundle.manifest)
  }

  private static func numbers(in data: Data) -> [Float] {
    let floats = OutputSpec(name: "", type: .float32, shape: [], scale: nil, zeroPoint: nil)
    return ModelOutput(bytes: data, as: floats).raw.map { Float($0) }
  }

  private func check(_ found: NamedArray, _ expected: JSONValue) throws {
    #expect(try found.name == expected.field("name").string)
    #expect(try found.shape == expected.field("shape").items.map { Int(try $0.double) })
    #expect(try found.values == expected.field("values").items.map { try $0.double })
    #expect(try found.least == expected.field("least").double)
    #expect(try found.greatest == expected.field("greatest").double)
    #expect(abs(found.mean - (try expected.field("mean").double)) < 1e-12)
  }

  @Test func modelsOfArraysTakeNoPicturesAndTheOtherWayRound() throws {
    let arrays = try Fixtures.features("spectrum.executorch")
    let pictures = try Fixtures.features("heads.executorch")
    let picture = RGBPicture(width: 1, height: 1, bytes: [0, 0, 0])
    func refusal(_ bundle: ModelBundle, _ predict: (Answers) throws -> [NamedArray]) -> String? {
      do {
        _ = try predict(Answers(bundle: bundle))
        return nil
      } catch {
        return (error as? DemoError)?.message
      }
    }
    let (ofArrays, ofPictures) = (arrays.manifest, pictures.manifest)
    let numbers = [Float](repeating: 0, count: 60)
    #expect(refusal(arrays) { try $0.predict(picture, by: ofArrays) } == "this model reads arrays, not pictures")
    #expect(refusal(pictures) { try $0.predict(numbers, by: ofPictures) } == "this model reads pictures, not arrays")
    let short = refusal(arrays) { try $0.predict(numbers.dropLast(), by: ofArrays) }
    #expect(short == "expected an array of 60 numbers, found 59")
    let none = refusal(arrays) { try $0.predict(numbers.map { _ in .nan }, by: ofArrays) }
    #expect(none == "expected finite numbers in an array, found NaN or infinity")
  }

  @Test func anArrayWithNaNHasNaNForLeastGreatestAndMean() {
    let array = NamedArray(name: "a", shape: [3], values: [1, .nan, -1])
    #expect(array.least.isNaN && array.greatest.isNaN && array.mean.isNaN)
  }

  @Test func everyBundlePassesOnAModelThatGivesWhatItSays() throws {
    for folder in Fixtures.features {
      let bundle = try ModelBundle.open(folder, decode: PNG.decode)
      let replay = try replayed(bundle) { $0 }
      #expect(replay.agrees && replay.text.hasPrefix("golden passed: 3 of 3, "))
    }
  }

  @Test func everyOutputIsHeldToItsOwnTolerance() throws {
    let mixed = try Fixtures.features("mixed.tflite")
    let most = mixed.manifest.golden.tolerances[1]
    #expect(try replayed(mixed) { moved($0, 1, by: most / 2) }.agrees)
    #expect(try !replayed(mixed) { moved($0, 1, by: most * 2) }.agrees)
    let codes = try replayed(mixed) { moved($0, 0, by: most / 2) }
    #expect(!codes.agrees && codes.text.hasPrefix("golden failed: 0 of 3, scores: largest difference "))
    #expect(codes.text.contains("; rgb.side: largest difference 0.0 where \(most)"))
  }

  @Test func aMissingOutputAndWhatIsNoNumberAreInfinitelyFar() throws {
    let mixed = try Fixtures.features("mixed.tflite")
    let lost = try replayed(mixed) { Array($0.prefix(1)) }
    #expect(lost.outputs.map(\.largest) == [0, .infinity] && !lost.agrees)
    #expect(try replayed(mixed) { moved($0, 1, by: .nan) }.outputs[1].largest == .infinity)
  }

  private func replayed(
    _ bundle: ModelBundle, _ change: @escaping ([ModelOutput]) -> [ModelOutput]
  ) throws -> GoldenReplay {
    let pictures = try bundle.manifest.golden.pictures.indices.map { try bundle.goldenPixels($0, decode: PNG.decode) }
    return try GoldenReplay.run(bundle, pictures: pictures, on: Answers(bundle: bundle, change: change))
  }

  private func moved(_ outputs: [ModelOutput], _ index: Int, by distance: Double) -> [ModelOutput] {
    var moved = outputs
    moved[index] = outputs[index].moved(by: distance)
    return moved
  }

  @Test func aModelOfFeaturesShowsItsOutputsWithTheVerdict() async throws {
    let bundle = try Fixtures.features("mixed.tflite")
    let found = try await engine().recognize(bundle.goldenPicture(0), with: bundle, by: RunSettings(), count: 3)
    #expect(found.answer.features.map(\.name) == ["scores", "rgb.side"])
    #expect(found.answer.features.map(\.shape) == [[10], [8, 8, 5]])
    #expect(found.answer.shares.isEmpty && !found.answer.isPlaced)
    #expect(found.golden.text.hasPrefix("golden passed: 3 of 3, scores: "))
  }

  @Test func aModelOfArraysShowsWhatItGivesForItsFirstGoldenOne() async throws {
    let bundle = try Fixtures.features("spectrum.coreml")
    let found = try await engine().recognizeGolden(with: bundle, by: RunSettings(), count: 3)
    #expect(found.picture == nil && found.answer.features.map(\.name) == ["embedding", "map"])
    #expect(found.golden.agrees)
    await #expect(throws: DemoError("this model reads arrays, not pictures", hint: "choose another bundle")) {
      _ = try await engine().recognize(bundle.goldenPicture(0), with: bundle, by: RunSettings(), count: 3)
    }
    let other = try Fixtures.bundle(.execuTorch)
    #expect(try await engine().recognizeGolden(with: other, by: RunSettings(), count: 3).picture != nil)
  }

  private func engine() -> Engine {
    Engine(
      decode: PNG.decode,
      load: { bundle, _ in LoadedModel(runner: Answers(bundle: bundle), computesOn: "fake") })
  }
}

extension ModelOutput {
  /// The output with its last number moved.
  fileprivate func moved(by distance: Double) -> ModelOutput {
    ModelOutput(raw: raw.dropLast() + [raw[raw.count - 1] + distance], as: spec)
  }
}
