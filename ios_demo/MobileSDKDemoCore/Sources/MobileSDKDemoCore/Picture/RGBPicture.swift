/// An upright picture of 8-bit RGB: three bytes a pixel, row by row. What a model reads may have other `channels`.
public struct RGBPicture: Equatable, Sendable {
  public let width: Int
  public let height: Int
  public let bytes: [UInt8]
  public let channels: Int

  /// Traps where there are not so many bytes a pixel: a decoder that gives others is a bug.
  public init(width: Int, height: Int, bytes: [UInt8], channels: Int = 3) {
    precondition(width > 0 && height > 0 && bytes.count == width * height * channels, "expected whole pixels")
    (self.width, self.height, self.bytes, self.channels) = (width, height, bytes, channels)
  }

  /// In one channel, by Pillow's weights of red, green and blue.
  var grey: RGBPicture {
    var grey: [UInt8] = []
    grey.reserveCapacity(width * height)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let (red, green, blue) = (Int(bytes[start]), Int(bytes[start + 1]), Int(bytes[start + 2]))
      let sum: Int = 19595 * red + 38470 * green + 7471 * blue
      grey.append(UInt8((sum + 32768) >> 16))
    }
    return RGBPicture(width: width, height: height, bytes: grey, channels: 1)
  }

  /// In three channels, which a screen shows.
  var inColour: RGBPicture {
    guard channels == 1 else { return self }
    return RGBPicture(width: width, height: height, bytes: bytes.flatMap { [$0, $0, $0] })
  }
}
