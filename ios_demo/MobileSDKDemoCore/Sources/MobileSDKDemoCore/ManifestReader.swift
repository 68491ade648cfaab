import Foundation

/// Reads the bytes of a `bundle.json`, in the order of checks that docs/bundle-format.md gives.
enum ManifestReader {
  static let fileName = "bundle.json"
  static let maximumBytes = 8 << 20

  private static let schema = 1
  private static let seal = "manifest_sha256"
  private static let sealDigits = 64
  private static let sha256 = "[0-9a-f]{64}"
  private static let anyInteger = Int(Int32.min)...Int(Int32.max)
  private static let count = 0...Int.max
  private static let innerShare = Double.leastNonzeroMagnitude...(1.0).nextDown

  /// Throws `BundleRefusal` with the check "manifest", "schema", "seal" or "fields", or "runtime".
  static func read(_ data: Data) throws -> Manifest {
    let content: JSONValue
    do {
      content = try JSONValue(parsing: data)
    } catch let error as JSONError {
      throw BundleRefusal(.manifest, "expected JSON in \(fileName), found \(error.reason)")
    }
    guard case .object(let fields) = content else {
      throw BundleRefusal(.manifest, "expected an object in \(fileName), found another value")
    }
    try checkSchema(fields["schema_number"])
    try checkSeal(data, fields[seal])
    return try manifest(Fields(content))
  }

  private static func checkSchema(_ found: JSONValue?) throws {
    guard case .integer(let number) = found, number >= 1 else {
      throw BundleRefusal(.schema, "expected schema_number \(schema), found \(found?.text.prefix(40) ?? "none")")
    }
    guard number == schema else {
      throw BundleRefusal(
        .schema, "expected schema_number \(schema) or lower, found \(number): a newer SDK wrote this bundle",
        hint: "update this app, or export the bundle again with the older SDK")
    }
  }

  /// The seal is the SHA-256 of the file with the seal's own digits read as zeros.
  private static func checkSeal(_ data: Data, _ found: JSONValue?) throws {
    guard case .string(let digits) = found, digits.utf8.count == sealDigits, digits.allSatisfy(\.isASCII) else {
      throw BundleRefusal(.seal, "expected \(seal) of \(sealDigits) digits in \(fileName), found another value")
    }
    var unsealed = data
    let zeros = Data(repeating: UInt8(ascii: "0"), count: sealDigits)
    var searched = unsealed.startIndex
    while let range = unsealed.range(of: Data(digits.utf8), in: searched..<unsealed.endIndex) {
      unsealed.replaceSubrange(range, with: zeros)
      searched = range.upperBound
    }
    guard SHA256.digits(of: unsealed) == digits else {
      throw BundleRefusal(.seal, "expected \(fileName) as it was written, found it changed")
    }
  }

  private static func manifest(_ fields: Fields) throws -> Manifest {
    var fields = fields
    _ = try fields.integer("schema_number", in: schema...schema)
    _ = try fields.choice("resize", of: ["pillow-bilinear"])
    try checkWhatOnlyPeopleRead(&fields)
    let name = try fields.string("name", like: "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
    let runtime = try fields.string("runtime", like: "[a-z][a-z0-9_]{0,31}")
    let model = try fields.string("model", like: "model\\.[a-z]{1,16}")
    let task = try task(&fields)
    let labels = try labels(&fields, count: task.labelCounts)
    let image = try image(fields.inside("image"))
    let precision = try fields.choice("precision", of: ["int8", "float32", "mixed"])
    let golden = try golden(fields.inside("golden"))
    let files = try fields.list("files", count: 1...1000, of: file)
    let versions = try fields.map("versions") { try Fields.string($0, at: $1) }
    var interface = try fields.inside("interface")
    let input = try input(interface.inside("input"))
    let output = try output(interface.inside("output"))
    try interface.end()
    try fields.end()
    return Manifest(
      name: name, task: task, labels: labels, image: image, runtime: try known(runtime, model: model),
      precision: precision, model: model, input: input, output: output, golden: golden, files: files,
      versions: versions)
  }

  private static func known(_ name: String, model: String) throws -> ModelRuntime {
    guard let runtime = ModelRuntime(rawValue: name) else {
      let names = ModelRuntime.allCases.map(\.rawValue).joined(separator: " or ")
      throw BundleRefusal(.runtime, "expected \(names), found '\(name)'", hint: "update this app")
    }
    guard model == runtime.modelFile else {
      throw BundleRefusal(.runtime, "expected the model '\(runtime.modelFile)', found '\(model)'")
    }
    return runtime
  }

  private static func task(_ fields: inout Fields) throws -> ModelTask {
    let name = try fields.choice("task", of: ["classification", "detection", "segmentation"])
    let rule = fields.has("detection") ? try fields.insideOrNil("detection").map(detection) : nil
    guard (name == "detection") == (rule != nil) else {
      throw BundleRefusal(.fields, "expected the field 'detection' for the task detection, and only for it")
    }
    return rule.map(ModelTask.detection) ?? (name == "segmentation" ? .segmentation : .classification)
  }

  private static func detection(_ fields: Fields) throws -> DetectionSpec {
    var fields = fields
    let spec = DetectionSpec(
      leastScoreShare: try fields.number("least_score_share", in: innerShare),
      overlapShare: try fields.number("overlap_share", in: innerShare), most: try fields.integer("most", in: 1...1000))
    try fields.end()
    return spec
  }

  /// Unique by their code points, as Python compares them, and not by how they look.
  private static func labels(_ fields: inout Fields, count: ClosedRange<Int>) throws -> [String] {
    let labels = try fields.list("labels", count: count) { try Fields.string($0, at: $1) }
    guard Set(labels.map { Array($0.utf8) }).count == labels.count else {
      throw BundleRefusal(.fields, "expected unique labels, found one twice")
    }
    guard labels.allSatisfy(isOneLine) else { throw BundleRefusal(.fields, "expected labels of one line each") }
    return labels
  }

  private static func isOneLine(_ label: String) -> Bool {
    label.contains { !$0.isWhitespace } && !label.unicodeScalars.contains { $0 == "\n" || $0 == "\r" }
  }

  private static func image(_ fields: Fields) throws -> ImageSpec {
    var fields = fields
    let spec = ImageSpec(
      sizePx: try fields.integer("size_px", in: 8...4096), fit: try fields.choice("fit"),
      cropShare: try fields.number("crop_share", in: Double.leastNonzeroMagnitude...1))
    _ = try fields.list("mean_byte", count: 3...3) { try Fields.number($0, at: $1, in: 0...255) }
    _ = try fields.list("std_byte", count: 3...3) { try Fields.number($0, at: $1, in: 1...1024) }
    try fields.end()
    return spec
  }

  private static func input(_ fields: Fields) throws -> InputSpec {
    var fields = fields
    let spec = InputSpec(
      name: try fields.string("name"), type: try fields.choice("dtype"), shape: try shape(&fields),
      layout: try fields.choice("layout"), byteOffset: try fields.integer("byte_offset", in: anyInteger))
    try fields.end()
    return spec
  }

  private static func output(_ fields: Fields) throws -> OutputSpec {
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

  private static func golden(_ fields: Fields) throws -> GoldenSpec {
    var fields = fields
    _ = try fields.choice("source", of: ["given", "generated"])
    _ = try fields.string("expected_by", like: "(?s:.{1,64})")
    let tolerance = try fields.number("tolerance", in: 0...Double.greatestFiniteMagnitude)
    let pictures = try fields.list("pictures", count: 1...16) { value, path in
      var picture = try Fields(value, at: path)
      let expected = GoldenPicture(
        top1Index: try picture.integer("top1_index", in: count),
        labelIndex: try picture.integerOrNil("label_index", in: count))
      try picture.end()
      return expected
    }
    try fields.end()
    return GoldenSpec(tolerance: tolerance, pictures: pictures)
  }

  private static func file(_ value: JSONValue, at path: String) throws -> FileEntry {
    var fields = try Fields(value, at: path)
    let entry = FileEntry(
      path: try fields.string("path", like: "(?s:.{1,255})"), bytes: try fields.integer("bytes", in: 0...(1 << 31)),
      sha256: try fields.string("sha256", like: sha256))
    try fields.end()
    return entry
  }

  /// Fields that the app has no use for are checked all the same: one that is wrong shows damage or another writer.
  private static func checkWhatOnlyPeopleRead(_ fields: inout Fields) throws {
    for name in ["program_sha256", "graph_sha256", seal] { _ = try fields.string(name, like: sha256) }
    if fields.has("activation_limit_kib") { _ = try fields.integer("activation_limit_kib", in: 1...Int.max) }
    var quantization = try fields.inside("quantization")
    let kept = "kept layers float32"
    _ = try quantization.choice("method", of: ["float32", "calibrated", "qat"])
    _ = try quantization.choice("weights", of: ["int8 per channel", "float32", "int8 per channel, \(kept)"])
    _ = try quantization.choice("activations", of: ["int8 per tensor", "float32", "int8 per tensor, \(kept)"])
    try quantization.end()
    var accuracy = try fields.inside("accuracy")
    for name in ["float32", "int8_reference"] {
      guard var measured = try accuracy.insideOrNil(name) else { continue }
      _ = try measured.number("share", in: 0...1)
      _ = try measured.integer("pictures", in: 1...Int.max)
      try measured.end()
    }
    try accuracy.end()
    try checkStructure(fields.inside("structure"))
  }

  private static func checkStructure(_ fields: Fields) throws {
    var fields = fields
    for name in ["operators", "bytes_by_part"] {
      _ = try fields.map(name) { try Fields.integer($0, at: $1, in: count) }
    }
    for name in ["partitions", "float_convolutions"] { _ = try fields.integer(name, in: count) }
    _ = try fields.number("int8_weight_share", in: 0...1)
    _ = try fields.list("not_delegated") { value, path in
      guard case .array(let pair) = value, pair.count == 2 else {
        throw BundleRefusal(.fields, "expected an operator and a reason at '\(path)', found another")
      }
      for text in pair { _ = try Fields.string(text, at: path) }
    }
    try fields.end()
  }
}
