import Foundation
import Testing

@testable import MobileSDKDemoCore

/// Numbers as files store them become Python's `convert("RGB")`; what stands here is what Pillow gives.
@Suite struct StoredPixelsTests {
  @Test func numbersStayWhatTheyAreInWhateverOrderMemoryHasThem() {
    let expected: [UInt8] = [1, 2, 3, 4, 5, 6]
    #expect(rgb([1, 2, 3, 4, 5, 6], width: 2, .init([.red, .green, .blue])) == expected)
    #expect(rgb([3, 2, 1, 9, 6, 5, 4, 9], width: 2, .init([.blue, .green, .red, .unused])) == expected)
    #expect(rgb([9, 1, 2, 3, 9, 4, 5, 6], width: 2, .init([.unused, .red, .green, .blue])) == expected)
    #expect(rgb([7, 8], width: 2, .init([.grey])) == [7, 7, 7, 8, 8, 8])
  }

  @Test func rowsMayBeLongerThanTheirPixels() {
    let layout = StoredPixels(width: 1, height: 2, bytesPerRow: 5, bits: 8, components: [.red, .green, .blue])
    #expect([1, 2, 3, 0, 0, 4, 5, 6].map(UInt8.init).withUnsafeBytes(layout.rgb)?.bytes == [1, 2, 3, 4, 5, 6])
    #expect([1, 2, 3, 0, 0, 4, 5].map(UInt8.init).withUnsafeBytes(layout.rgb) == nil)
    let colourless = StoredPixels(width: 1, height: 1, bytesPerRow: 1, bits: 8, components: [.alpha])
    #expect([UInt8(1)].withUnsafeBytes(colourless.rgb) == nil)
  }

  @Test(arguments: [(0, 128, 127), (200, 1, 255), (37, 77, 189), (255, 0, 255), (128, 254, 128), (9, 255, 9)])
  func transparentPixelsLieOverWhite(value: UInt8, alpha: UInt8, expected: UInt8) {
    #expect(
      rgb([value, value, value, alpha], width: 1, .init([.red, .green, .blue, .alpha])) == [
        expected, expected, expected,
      ])
  }

  @Test func sixteenBitsKeepTheHighOnesAndGreyAloneIsRounded() {
    let big = Layout([.red, .green, .blue], bits: 16)
    #expect(rgb([1, 255, 2, 128, 3, 0], width: 1, big) == [1, 2, 3])
    let little = Layout([.red, .green, .blue], bits: 16, isLittleEndian: true)
    #expect(rgb([255, 1, 128, 2, 0, 3], width: 1, little) == [1, 2, 3])
    #expect(rgb([1, 255], width: 1, Layout([.grey], bits: 16)) == [2, 2, 2])
  }

  @Test(arguments: [
    (1, [0, 1, 2, 3, 4, 5]), (2, [2, 1, 0, 5, 4, 3]), (3, [5, 4, 3, 2, 1, 0]), (4, [3, 4, 5, 0, 1, 2]),
    (5, [0, 3, 1, 4, 2, 5]), (6, [3, 0, 4, 1, 5, 2]), (7, [5, 2, 4, 1, 3, 0]), (8, [2, 5, 1, 4, 0, 3]),
    (9, [0, 1, 2, 3, 4, 5]),
  ])
  func picturesAreTurnedAsTheirOrientationSays(orientation: Int, expected: [UInt8]) {
    let turned = RGBPicture(width: 3, height: 2, bytes: [0, 1, 2, 3, 4, 5], channels: 1).upright(orientation)
    #expect(turned.bytes == expected)
    #expect(turned.width == ((5...8).contains(orientation) ? 2 : 3))
  }

  private struct Layout {
    let components: [StoredPixels.Component]
    let bits: Int
    let isLittleEndian: Bool

    init(_ components: [StoredPixels.Component], bits: Int = 8, isLittleEndian: Bool = false) {
      (self.components, self.bits, self.isLittleEndian) = (components, bits, isLittleEndian)
    }
  }

  private func rgb(_ bytes: [UInt8], width: Int, _ layout: Layout) -> [UInt8]? {
    let stored = StoredPixels(
      width: width, height: 1, bytesPerRow: bytes.count, bits: layout.bits, components: layout.components,
      isLittleEndian: layout.isLittleEndian)
    return bytes.withUnsafeBytes(stored.rgb)?.bytes
  }
}
