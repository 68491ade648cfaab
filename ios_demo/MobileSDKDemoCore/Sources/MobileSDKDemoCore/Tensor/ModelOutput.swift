import Foundation

/// The numbers of one of a model's outputs, flat. A task says what they mean.
public struct ModelOutput: Equatable, Sendable {
  /// As the model gives them: int8 codes or float32 values. The golden tolerance is in this unit.
  public let raw: [Double]
  let spec: OutputSpec

  public init(raw: [Double], as spec: OutputSpec) { (self.raw, self.spec) = (raw, spec) }

  /// The real values. Traps where a code has no scale: opening a bundle has refused that.
  public var logits: [Double] {
    guard spec.type == .int8 else { return raw }
    guard let scale = spec.scale, let zeroPoint = spec.zeroPoint else { preconditionFailure("codes without a scale") }
    return raw.map { scale * ($0 - Double(zeroPoint)) }
  }

  /// The real values, with the output's name and shape.
  public var named: NamedArray { NamedArray(name: spec.name, shape: Array(spec.shape.dropFirst()), values: logits) }

  /// Reads all outputs of a model, whose bytes follow each other.
  public static func all(in bytes: Data, as specs: [OutputSpec]) -> [ModelOutput] {
    var rest = bytes
    return specs.map { spec in
      defer { rest = rest.dropFirst(spec.byteCount) }
      return ModelOutput(bytes: rest.prefix(spec.byteCount), as: spec)
    }
  }

  /// Reads an output tensor's bytes, little-endian.
  public init(bytes: Data, as spec: OutputSpec) {
    let bytes = [UInt8](bytes)
    let raw: [Double] =
      switch spec.type {
      case .int8: bytes.map { Double(Int8(bitPattern: $0)) }
      case .float32:
        stride(from: 0, to: bytes.count - 3, by: 4).map { start in
          let pattern = bytes[start..<start + 4].reversed().reduce(UInt32(0)) { word, byte in word << 8 | UInt32(byte) }
          return Double(Float(bitPattern: pattern))
        }
      }
    self.init(raw: raw, as: spec)
  }
}
