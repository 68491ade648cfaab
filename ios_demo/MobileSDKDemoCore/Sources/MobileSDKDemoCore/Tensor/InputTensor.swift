import Foundation

/// Makes the input tensor of a picture of the model's size.
public enum InputTensor {
  /// `byte + byteOffset` for each byte, in the layout and type that the bundle asks for, little-endian.
  public static func bytes(of picture: RGBPicture, as spec: InputSpec) -> Data {
    let ordered = spec.layout == .nchw ? planes(of: picture) : picture.bytes
    switch spec.type {
    case .image: return Data(picture.bytes)
    case .uint8, .int8: return Data(ordered.map { UInt8(truncatingIfNeeded: Int($0) + spec.byteOffset) })
    case .float32:
      return ordered.reduce(into: Data(capacity: ordered.count * spec.type.byteCount)) { data, byte in
        withUnsafeBytes(of: Float(Int(byte) + spec.byteOffset).bitPattern.littleEndian) { data.append(contentsOf: $0) }
      }
    }
  }

  private static func planes(of picture: RGBPicture) -> [UInt8] {
    (0..<picture.channels).flatMap { channel in
      stride(from: channel, to: picture.bytes.count, by: picture.channels).map { picture.bytes[$0] }
    }
  }
}
