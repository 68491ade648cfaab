import Foundation

/// One score a label, in the order of the labels.
public struct Scores: Equatable, Sendable {
  /// As the model gives them: int8 codes or float32 values. The golden tolerance is in this unit.
  public let raw: [Double]
  /// What they stand for: logits.
  public let logits: [Double]

  /// Traps where a code has no scale: opening a bundle has refused that.
  public init(raw: [Double], as spec: OutputSpec) {
    self.raw = raw
    switch spec.type {
    case .float32: logits = raw
    case .int8:
      guard let scale = spec.scale, let zeroPoint = spec.zeroPoint else { preconditionFailure("codes without a scale") }
      logits = raw.map { scale * ($0 - Double(zeroPoint)) }
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

  /// The index of the largest score; of equal ones the first; none where one is not a number.
  public var winner: Int? {
    guard let largest = raw.max(), !raw.contains(where: \.isNaN) else { return nil }
    return raw.firstIndex(of: largest)
  }

  /// The best `count` labels with their shares (softmax), best first, equal ones in the labels' order.
  public func top(_ count: Int, of labels: [String]) -> [Prediction] {
    guard let winner else { return [] }
    let weights = logits.map { exp($0 - logits[winner]) }
    let sum = weights.reduce(0, +)
    let order = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
    return order.prefix(count).map { Prediction(label: labels[$0], index: $0, share: weights[$0] / sum) }
  }
}

/// A label with its share of the softmax, 0..1.
public struct Prediction: Equatable, Sendable, Identifiable {
  public let label: String
  public let index: Int
  public let share: Double

  public var id: Int { index }
}
