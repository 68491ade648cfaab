/// Reads the fields that one schema of `bundle.json` has and others do not. Every function throws `FieldError`.
protocol ManifestSchema: Sendable {
  var number: Int { get }

  /// True where it has the fields that nobody can check, `versions` and `label_index`, which are read over.
  var hasUnproven: Bool { get }

  /// Reads the picture that the model takes and the tensors that go in and come out.
  func tensors(_ fields: inout Fields) throws -> Tensors

  /// True where it has the fields `licence` and `form`, which may be left out.
  var hasOptions: Bool { get }

  /// Reads the kinds of processors that the model file can run on.
  func processors(_ fields: inout Fields) throws -> [String]

  /// Checks the record of quantization and quality, which only people read.
  func checkRecord(_ fields: inout Fields) throws
}

/// The table of schemas.
enum ManifestSchemas {
  /// Every schema that this app reads, the newest last.
  static let all: [any ManifestSchema] = [
    Schema1(), Schema2(number: 2, hasUnproven: true), Schema2(number: 3, hasUnproven: false),
  ]

  static var newest: Int { all.map(\.number).max() ?? 0 }
}

extension ManifestSchema {
  /// Refuses a way to int8 that is not known.
  func checkMethod(_ quantization: inout Fields) throws {
    _ = try quantization.choice("method", of: ["float32", "calibrated", "qat"])
  }

  /// Checks the two results of a record, each a share, called `value`, of a `count` of pictures, or null.
  func checkResults(_ fields: Fields, value: String, count: String) throws {
    var fields = fields
    for name in ["float32", "int8_reference"] {
      guard var result = try fields.insideOrNil(name) else { continue }
      _ = try result.number(value, in: 0...1)
      _ = try result.integer(count, in: 1...Int(Int32.max))
      try result.end()
    }
    try fields.end()
  }
}
