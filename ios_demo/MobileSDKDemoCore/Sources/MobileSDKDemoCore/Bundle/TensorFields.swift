/// Readers of the recipe and of the tensors, which every schema writes alike but in other places.
enum TensorFields {
  private static let anyInteger = Int(Int32.min)...Int(Int32.max)

  /// Reads the recipe of a picture, whose fields stand among others.
  static func image(_ fields: inout Fields) throws -> ImageSpec {
    _ = try fields.list("mean_byte", count: 3...3) { try Fields.number($0, at: $1, in: 0...255) }
    _ = try fields.list("std_byte", count: 3...3) { try Fields.number($0, at: $1, in: 1...1024) }
    return ImageSpec(
      sizePx: try fields.integer("size_px", in: 8...4096), fit: try fields.choice("fit"),
      cropShare: try fields.number("crop_share", in: Double.leastNonzeroMagnitude...1))
  }

  /// Refuses a filter that the app's recipe does not have.
  static func checkResize(_ fields: inout Fields) throws { _ = try fields.choice("resize", of: ["pillow-bilinear"]) }

  static func input(_ fields: Fields) throws -> InputSpec {
    var fields = fields
    let spec = InputSpec(
      name: try fields.string("name"), type: try fields.choice("dtype"), shape: try shape(&fields),
      layout: try fields.choice("layout"), byteOffset: try fields.integer("byte_offset", in: anyInteger))
    try fields.end()
    return spec
  }

  static func output(_ fields: Fields) throws -> OutputSpec {
    var fields = fields
    let spec = OutputSpec(
      name: try fields.string("name"), type: try fields.choice("dtype"), shape: try shape(&fields),
      scale: try fields.numberOrNil("scale"), zeroPoint: try fields.integerOrNil("zero_point", in: anyInteger))
    _ = try fields.choice("activation", of: ["none"])
    try fields.end()
    return spec
  }

  private static func shape(_ fields: inout Fields) throws -> [Int] {
    try fields.list("shape") { try Fields.integer($0, at: $1, in: anyInteger) }
  }
}
