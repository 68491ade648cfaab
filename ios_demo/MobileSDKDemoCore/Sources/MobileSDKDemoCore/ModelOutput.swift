import Foundation

/// What came out of a model, flat; what it says is the task's matter.
public struct ModelOutput: Equatable, Sendable {
  /// As the model gives them: int8 codes or float32 values. The golden tolerance is in this unit.
  public let raw: [Double]
  private let spec: OutputSpec

  public init(raw: [Double], as spec: OutputSpec) { (self.raw, self.spec) = (raw, spec) }

  /// What the numbers stand for. Traps where a code has no scale: opening a bundle has refused that.
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

  /// The index of the largest score of a classification; of equal ones the first; none where one is not a number.
  public var winner: Int? {
    guard let largest = raw.max(), !raw.contains(where: \.isNaN) else { return nil }
    return raw.firstIndex(of: largest)
  }

  /// The best `count` labels with their shares (softmax), best first, equal ones in the labels' order.
  public func top(_ count: Int, of labels: [String]) -> [Prediction] {
    guard winner != nil else { return [] }
    let shares = softmax(logits)
    let order = shares.indices.sorted { (shares[$1], $0) < (shares[$0], $1) }
    return order.prefix(count).map { Prediction(label: labels[$0], index: $0, share: shares[$0]) }
  }
}

/// A label with its share of the softmax, 0..1.
public struct Prediction: Equatable, Sendable, Identifiable {
  public let label: String
  public let index: Int
  public let share: Double

  public var id: Int { index }
}
