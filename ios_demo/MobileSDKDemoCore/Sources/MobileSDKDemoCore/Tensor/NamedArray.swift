/// An output of a model for one picture: real values, flat, of an array of that `shape`, which has no batch.
public struct NamedArray: Equatable, Sendable, Identifiable {
  public let name: String
  public let shape: [Int]
  public let values: [Double]

  public var id: String { name }

  public var mean: Double { values.reduce(0, +) / Double(values.count) }

  /// The least value; NaN where one is.
  public var least: Double { values.contains(where: \.isNaN) ? .nan : values.min() ?? .nan }

  /// The greatest value; NaN where one is.
  public var greatest: Double { values.contains(where: \.isNaN) ? .nan : values.max() ?? .nan }
}
