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

  /// Returns the bytes of an array's float32 numbers, little-endian in the order of `shape`.
  func stored(_ numbers: Data) throws -> RGBPicture {
    let floats = OutputSpec(name: "", type: .float32, shape: shape, scale: nil, zeroPoint: nil)
    return try stored(ModelOutput(bytes: numbers, as: floats).raw.map { Float($0) })
  }

  /// Returns the bytes of an array's numbers in the order of `shape`: maps get their channels last.
  ///
  /// Throws `DemoError` for more or fewer numbers, and for such as are not finite.
  func stored(_ numbers: [Float]) throws -> RGBPicture {
    let count = shape.reduce(1, *)
    guard numbers.count == count else {
      throw DemoError("expected an array of \(count) numbers, found \(numbers.count)", hint: "give it whole")
    }
    guard numbers.allSatisfy(\.isFinite) else {
      throw DemoError("expected finite numbers in an array, found NaN or infinity", hint: "leave such samples out")
    }
    let channels = shape.count == 3 ? shape[0] : 1
    let places = count / channels
    let bytes = numbers.indices.map { index -> UInt8 in
      let number = Double(numbers[index % channels * places + index / channels])
      let code = (number / scale).rounded(.toNearestOrEven) + Double(zeroPoint)
      return UInt8(max(-128, min(127, code)) + 128)
    }
    return RGBPicture(width: places, height: 1, bytes: bytes, channels: channels)
  }
}
