import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct MaskTests {
  @Test func aPixelsLabelIsThatOfItsLargestScore() {
    let scores = [0.0, 1, 0, 5, 5, 5, -3, -2, -2, -1, -2, 0]
    let mask = Mask(scores: scores, labels: 3, sides: Sides(height: 2, width: 2))
    #expect(mask.labels == [1, 0, 1, 2] && mask.pixels(3) == [1, 2, 1])
    #expect(mask.widestLabel(3) == 1)
    #expect(
      Mask(scores: [1, 0, 0, 1, 1, 0, 0, 1], labels: 2, sides: Sides(height: 2, width: 2)).widestLabel(2) == 0,
      "of equal ones the lower")
  }

  @Test func coloursOfAMaskAreHalfTransparent() {
    let color = LabelColor(labelIndex: 0)
    #expect(color.halfTransparent.count == 4 && color.halfTransparent[3] == 128)
    #expect(color.halfTransparent[0] == UInt8((color.red * 128).rounded()))
  }
}
