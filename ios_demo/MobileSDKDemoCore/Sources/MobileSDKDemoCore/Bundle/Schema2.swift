/// The second schema: lists of inputs and outputs, though one input is all that is taken, and bits a layer.
///
/// The third is the second without the fields that nobody can check.
struct Schema2: ManifestSchema {
  static let mostOutputs = 64

  let number: Int
  let hasUnproven: Bool
  let hasOptions = true

  func tensors(_ fields: inout Fields) throws -> Tensors {
    let only = try Self.onlyInput(&fields)
    var given = only.fields
    let source: ModelSource
    if only.kind == "image" {
      try TensorFields.checkResize(&given)
      source = .picture(try TensorFields.image(&given))
    } else {
      source = .array(try TensorFields.array(&given))
    }
    let input = try TensorFields.input(given.inside("tensor"))
    try given.end()
    return Tensors(source: source, input: input, outputs: try Self.outputs(&fields))
  }

  func processors(_ fields: inout Fields) throws -> [String] {
    try fields.list("processors", count: 1...16) { try Fields.string($0, at: $1, like: "[a-z][a-z0-9_]{0,31}") }
  }

  func checkRecord(_ fields: inout Fields) throws {
    var quality = try fields.inside("quality")
    _ = try quality.string("measure", like: "(?s:.{1,64})")
    try checkResults(quality, value: "value", count: "images")
    var quantization = try fields.inside("quantization")
    try checkMethod(&quantization)
    for name in ["weight_bits", "activation_bits"] {
      _ = try quantization.map(name) { try Fields.integer($0, at: $1, in: 1...32) }
    }
    try quantization.end()
  }

  /// Reads the kind of an input first: the other fields of one of another kind are unknown here.
  private static func onlyInput(_ fields: inout Fields) throws -> (kind: String, fields: Fields) {
    var inputs = try fields.list("inputs") { try Fields($0, at: $1) }
    let kinds = try inputs.indices.map { try inputs[$0].string("kind") }
    guard kinds == ["image"] || kinds == ["tensor"] else {
      let found = kinds.isEmpty ? "none" : kinds.joined(separator: ", ")
      throw FieldError(message: "expected one image or tensor as input, found \(found)")
    }
    return (kinds[0], inputs[0])
  }

  private static func outputs(_ fields: inout Fields) throws -> [OutputSpec] {
    let outputs = try fields.list("outputs") { try Fields($0, at: $1) }
    guard (1...mostOutputs).contains(outputs.count) else {
      let found = outputs.isEmpty ? "none" : String(outputs.count)
      throw FieldError(message: "expected 1 to \(mostOutputs) outputs, found \(found)")
    }
    return try outputs.map(TensorFields.output)
  }
}
