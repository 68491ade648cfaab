/// The first schema: one picture, and words for the bits.
struct Schema1: ManifestSchema {
  private static let kept = "kept layers float32"

  let number = 1
  let hasUnproven = true
  let hasOptions = false

  func tensors(_ fields: inout Fields) throws -> Tensors {
    try TensorFields.checkResize(&fields)
    var picture = try fields.inside("image")
    guard !picture.has("channels"), !picture.isList("size_px") else {
      throw FieldError(message: "expected a square of three channels, as all images were in this schema, found another")
    }
    let image = try TensorFields.image(&picture)
    try picture.end()
    var interface = try fields.inside("interface")
    let input = try TensorFields.input(interface.inside("input"))
    let output = try TensorFields.output(interface.inside("output"))
    try interface.end()
    return Tensors(source: .picture(image), input: input, outputs: [output])
  }

  func processors(_ fields: inout Fields) throws -> [String] { ["cpu"] }

  func checkRecord(_ fields: inout Fields) throws {
    try checkResults(fields.inside("accuracy"), value: "share", count: "pictures")
    var quantization = try fields.inside("quantization")
    try checkMethod(&quantization)
    _ = try quantization.choice("weights", of: ["int8 per channel", "float32", "int8 per channel, \(Self.kept)"])
    _ = try quantization.choice("activations", of: ["int8 per tensor", "float32", "int8 per tensor, \(Self.kept)"])
    try quantization.end()
  }
}
