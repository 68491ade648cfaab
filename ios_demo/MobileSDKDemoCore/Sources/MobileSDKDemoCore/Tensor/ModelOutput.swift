import Foundation

/// The numbers of one of a model's outputs, flat. A task says what they mean.
public struct ModelOutput: Equatable, Sendable {
  /// As the model gives them: int8 codes or float32 values. The golden tolerance is in this unit.
  public let raw: [Double]
  let spec: OutputSpec

  public init(raw: [Double], as spec: OutputSpec) { (self.raw, self.spec) = (raw, spec) }

  /// The real values; of codes without a scale, which opening a bundle refuses, the codes.
  public var logits: [Double] {
    guard spec.type == .int8, let scale = spec.scale, let zeroPoint = spec.zeroPoint else { return raw }
    return raw.map { scale * ($0 - Double(zeroPoint)) }
  }

  /// Says why these are no outputs of a model: too many or too few of them or of their numbers, or NaN or infinity.
  static func misfit(of outputs: [ModelOutput], as specs: [OutputSpec]) -> String? {
    guard outputs.count == specs.count else { return "expected \(specs.count) outputs, found \(outputs.count)" }
    for (spec, output) in zip(specs, outputs) {
      let count = spec.shape.reduce(1, *)
      guard output.raw.count == count else {
        return "expected \(count) numbers of \(spec.name), found \(output.raw.count)"
      }
      guard output.raw.allSatisfy(\.isFinite) else {
        return "expected finite numbers of \(spec.name), found NaN or infinity"
      }
    }
    return nil
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
