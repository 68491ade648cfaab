/// Readers of the recipe and of the tensors, which every schema writes alike but in other places.
enum TensorFields {
  private static let anyInteger = Int(Int32.min)...Int(Int32.max)

  /// Reads the recipe of a picture, whose fields stand among others.
  static func image(_ fields: inout Fields) throws -> ImageSpec {
    let channels = fields.has("channels") ? try fields.integer("channels", in: 1...4) : 3
    guard channels == 1 || channels == 3 else {
      throw FieldError(message: "expected 1 or 3 channels, which this app reads, found \(channels)")
    }
    _ = try fields.list("mean_byte", count: channels...channels) { try Fields.number($0, at: $1, in: 0...255) }
    _ = try fields.list("std_byte", count: channels...channels) { try Fields.number($0, at: $1, in: 1...1024) }
    return ImageSpec(
      sides: try sides(&fields), channels: channels, fit: try fields.choice("fit"),
      cropShare: try fields.number("crop_share", in: Double.leastNonzeroMagnitude...1))
  }

  /// Reads a side of a square, or height and width.
  private static func sides(_ fields: inout Fields) throws -> Sides {
    guard fields.isList("size_px") else {
      let side = try fields.integer("size_px", in: 8...4096)
      return Sides(height: side, width: side)
    }
    let both = try fields.list("size_px", count: 2...2) { try Fields.integer($0, at: $1, in: 8...4096) }
    return Sides(height: both[0], width: both[1])
  }

  /// Reads an array that a model takes in place of a picture.
  static func array(_ fields: inout Fields) throws -> ArraySpec {
    let array = ArraySpec(
      shape: try fields.list("shape", count: 1...3) { try Fields.integer($0, at: $1, in: 1...65536) },
      scale: try fields.number("scale", in: 0x1p-100...0x1p100),
      zeroPoint: try fields.integer("zero_point", in: -128...127))
    guard Double(Float(array.scale)) == array.scale else { throw FieldError(message: "expected a float32 as scale") }
    return array
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
