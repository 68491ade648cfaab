/// An upright picture of 8-bit RGB: three bytes a pixel, row by row.
public struct RGBPicture: Equatable, Sendable {
  public let width: Int
  public let height: Int
  public let bytes: [UInt8]

  /// Traps where there are not three bytes a pixel: a decoder that gives others is a bug.
  public init(width: Int, height: Int, bytes: [UInt8]) {
    precondition(width > 0 && height > 0 && bytes.count == width * height * 3, "expected three bytes a pixel")
    (self.width, self.height, self.bytes) = (width, height, bytes)
  }
}
