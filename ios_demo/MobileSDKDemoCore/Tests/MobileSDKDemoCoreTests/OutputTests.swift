import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct OutputTests {
  private let codes = OutputSpec(name: "scores", type: .int8, shape: [1, 4], scale: 0.5, zeroPoint: -3)
  private let floats = OutputSpec(name: "scores", type: .float32, shape: [1, 4], scale: nil, zeroPoint: nil)

  private var classification: Classification {
    Classification(TaskContract(labels: ["a", "b", "c", "d"], sides: Sides(height: 8, width: 8), outputs: [floats]))
  }

  @Test func theGoldenOutputsHaveTheirWinners() throws {
    for folder in Fixtures.everyBundle {
      let bundle = try ModelBundle.open(folder, decode: PNG.decode)
      for (index, expected) in bundle.manifest.golden.pictures.enumerated() {
        let outputs = try bundle.goldenOutputs(index)
        #expect(bundle.manifest.task.winner(of: outputs) == expected.top1Index)
        guard bundle.manifest.task is Classification else { continue }
        #expect(bundle.manifest.task.answer(to: outputs, count: 1).shares.first?.labelIndex == expected.top1Index)
      }
    }
  }

  @Test func codesStandForLogits() {
    let scores = ModelOutput(bytes: Data([0x80, 0xFF, 0, 0x7F]), as: codes)
    #expect(scores.raw == [-128, -1, 0, 127])
    #expect(scores.logits == [-62.5, 1, 1.5, 65])
  }

  @Test func sharesAreASoftmax() {
    let scores = ModelOutput(raw: [1000, 1000 + log(3.0), 990, 1000], as: floats)
    let top = classification.answer(to: scores, count: 3).shares
    #expect(top.map(\.label) == ["b", "a", "d"])
    #expect(abs(top[0].share - 3 * top[1].share) < 1e-9)
    #expect(abs(classification.answer(to: scores, count: 4).shares.reduce(0) { $0 + $1.share } - 1) < 1e-12)
  }

  @Test func tiesGoToTheFirstAndNoNumberWins() {
    #expect(classification.winner(of: ModelOutput(raw: [1, 2, 2, 0], as: floats)) == 1)
    let none = ModelOutput(raw: [1, .nan, 2, 0], as: floats)
    #expect(classification.winner(of: none) == nil)
    #expect(classification.answer(to: none, count: 3).shares.isEmpty)
  }

  @Test func inputsFollowTypeAndLayout() {
    let picture = RGBPicture(width: 2, height: 1, bytes: [0, 1, 2, 253, 254, 255])
    func bytes(_ type: InputSpec.ElementType, _ layout: InputSpec.Layout, _ offset: Int) -> [UInt8] {
      let spec = InputSpec(name: "picture", type: type, shape: [], layout: layout, byteOffset: offset)
      return Array(InputTensor.bytes(of: picture, as: spec))
    }
    #expect(bytes(.uint8, .nhwc, 0) == [0, 1, 2, 253, 254, 255])
    #expect(bytes(.int8, .nchw, -128) == [128, 125, 129, 126, 130, 127])
    #expect(bytes(.image, .nhwc, 0) == picture.bytes)
    #expect(Array(bytes(.float32, .nhwc, -128).prefix(8)) == [0, 0, 0, 0xC3, 0, 0, 0xFE, 0xC2])
  }
}
