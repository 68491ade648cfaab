import Foundation

/// The numbers that came out of a model, flat. A task says what they mean.
public struct ModelOutput: Equatable, Sendable {
  /// As the model gives them: int8 codes or float32 values. The golden tolerance is in this unit.
  public let raw: [Double]
  private let spec: OutputSpec

  public init(raw: [Double], as spec: OutputSpec) { (self.raw, self.spec) = (raw, spec) }

  /// The real values. Traps where a code has no scale: opening a bundle has refused that.
  public var logits: [Double] {
    guard spec.type == .int8 else { return raw }
    guard let scale = spec.scale, let zeroPoint = spec.zeroPoint else { preconditionFailure("codes without a scale") }
    return raw.map { scale * ($0 - Double(zeroPoint)) }
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
