/// The tensor that takes the picture, or the array. It holds `byte + byteOffset` for each byte, in `layout`.
public struct InputSpec: Equatable, Sendable {
  public enum ElementType: String, CaseIterable, Sendable {
    case uint8, int8, float32, image

    /// Bytes of one element; of a platform's own image, those of one channel of a pixel.
    public var byteCount: Int { self == .float32 ? 4 : 1 }
  }

  public enum Layout: String, CaseIterable, Sendable {
    case nhwc = "NHWC"
    case nchw = "NCHW"
    case nc = "NC"
    case ntc = "NTC"
  }

  public let name: String
  public let type: ElementType
  public let shape: [Int]
  public let layout: Layout
  public let byteOffset: Int

  var byteCount: Int { shape.reduce(type.byteCount, *) }
}

/// A tensor that comes out. An int8 code stands for `scale * (code - zeroPoint)`; of float32 both are nil.
public struct OutputSpec: Equatable, Sendable {
  public enum ElementType: String, CaseIterable, Sendable {
    case int8, float32

    public var byteCount: Int { self == .float32 ? 4 : 1 }
  }

  public let name: String
  public let type: ElementType
  public let shape: [Int]
  public let scale: Double?
  public let zeroPoint: Int?

  var byteCount: Int { shape.reduce(type.byteCount, *) }
}
