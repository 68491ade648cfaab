import Foundation

/// An array that a model reads in place of a picture.
///
/// A number's code is `round(number / scale) + zeroPoint`, ties to even, no less than -128 and no more than 127. Codes
/// travel as bytes, `code + 128`, as pictures do.
public struct ArraySpec: Equatable, Sendable {
  public let shape: [Int]
  public let scale: Double
  public let zeroPoint: Int

  /// How many bytes the numbers of one array have, as float32.
  var byteCount: Int { shape.reduce(4, *) }

  /// Returns the bytes of an array's float32 numbers, little-endian in the order of `shape`: maps get their channels
  /// last. Nil where a number is none.
  func stored(_ numbers: Data) -> RGBPicture? {
    let floats = ModelOutput(
      bytes: numbers, as: OutputSpec(name: "", type: .float32, shape: shape, scale: nil, zeroPoint: nil)
    ).raw
    guard floats.count == shape.reduce(1, *), floats.allSatisfy(\.isFinite) else { return nil }
    let channels = shape.count == 3 ? shape[0] : 1
    let places = floats.count / channels
    let bytes = floats.indices.map { index -> UInt8 in
      let number = floats[index % channels * places + index / channels]
      let code = (number / scale).rounded(.toNearestOrEven) + Double(zeroPoint)
      return UInt8(max(-128, min(127, code)) + 128)
    }
    return RGBPicture(width: places, height: 1, bytes: bytes, channels: channels)
  }
}
