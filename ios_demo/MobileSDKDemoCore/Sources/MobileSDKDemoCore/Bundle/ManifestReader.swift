import Foundation

/// Reads the bytes of a `bundle.json`, in the order of checks that docs/reference/bundle-format.md gives.
enum ManifestReader {
  static let fileName = "bundle.json"
  static let maximumBytes = 8 << 20

  private static let seal = "manifest_sha256"
  private static let sealDigits = 64
  private static let sha256 = "[0-9a-f]{64}"
  private static let choice = "[A-Za-z][A-Za-z0-9-]{0,31}"
  private static let count = 0...Int(Int32.max)
  private static let word = "[a-z][a-z0-9_]{0,31}"
  private static let mostChoices = 16
  private static let tolerance = 0...Double.greatestFiniteMagnitude

  /// Throws `BundleRefusal` with the check "manifest", "schema", "seal" or "fields", or "runtime".
  static func read(_ data: Data) throws -> Manifest {
    let content: JSONValue
    do {
      content = try JSONValue(parsing: data)
    } catch let error as JSONError {
      throw BundleRefusal(.manifest, "expected JSON in \(fileName), found \(error.reason)")
    }
    guard case .fields(let fields) = content else {
      throw BundleRefusal(.manifest, "expected an object in \(fileName), found another value")
    }
    let schema = try schema(fields[JSONKey("schema_number")])
    try checkSeal(data, fields[JSONKey(seal)])
    do {
      return try manifest(Fields(content), by: schema)
    } catch let error as FieldError {
      throw BundleRefusal(.fields, error.message)
    }
  }

  private static func schema(_ found: JSONValue?) throws -> any ManifestSchema {
    let newest = ManifestSchemas.newest
    guard case .integer(let number) = found, number >= 1 else {
      throw BundleRefusal(
        .schema, "expected schema_number 1 to \(newest), found \(found?.text.prefix(40) ?? "none")")
    }
    guard let schema = ManifestSchemas.all.first(where: { $0.number == number }) else {
      throw BundleRefusal(
        .schema, "expected schema_number \(newest) or lower, found \(number): a newer SDK wrote this bundle",
        hint: "update this app, or export the bundle again with the older SDK")
    }
    return schema
  }

  /// The seal is the SHA-256 of the file with the seal's own digits read as zeros.
  private static func checkSeal(_ data: Data, _ found: JSONValue?) throws {
    guard case .string(let digits) = found, digits.utf8.count == sealDigits, digits.allSatisfy(\.isASCII) else {
      throw BundleRefusal(.seal, "expected \(seal) of \(sealDigits) digits in \(fileName), found another value")
    }
    guard SHA256.digits(of: unsealed(Array(data), Array(digits.utf8))) == digits else {
      throw BundleRefusal(.seal, "expected \(fileName) as it was written, found it changed")
    }
  }

  /// Returns the bytes with zeros wherever the seal's digits stand.
  private static func unsealed(_ data: [UInt8], _ seal: [UInt8]) -> [UInt8] {
    var unsealed = data
    var place = 0
    while place + seal.count <= unsealed.count {
      guard unsealed[place] == seal[0], unsealed[place..<place + seal.count].elementsEqual(seal) else {
        place += 1
        continue
      }
      for index in place..<place + seal.count { unsealed[index] = UInt8(ascii: "0") }
      place += seal.count
    }
    return unsealed
  }

  private static func manifest(_ fields: Fields, by schema: any ManifestSchema) throws -> Manifest {
    var fields = fields
    _ = try fields.take("schema_number")
    let seal = try fields.string(seal, like: sha256)
    let labels = try labels(&fields)
    let tensors = try schema.tensors(&fields)
    let contract = TaskContract(labels: labels, sides: tensors.source.image?.sides, outputs: tensors.outputs)
    let task = try ModelTasks.read(contract, &fields, schema: schema.number)
    let name = try fields.string("name", like: "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
    let runtime = try fields.string("runtime", like: word)
    let model = try fields.string("model", like: "model\\.[a-z]{1,16}")
    let processors = try schema.processors(&fields)
    let precision = try fields.choice("precision", of: ["int8", "float32", "mixed"])
    let golden = try golden(fields.inside("golden"), by: schema)
    let files = try fields.list("files", count: 1...1000, of: file)
    if schema.hasUnproven { _ = try fields.take("versions") }
    try schema.checkRecord(&fields)
    let form = schema.hasOptions ? try form(&fields) : [:]
    try checkWhatOnlyPeopleRead(&fields, by: schema)
    try fields.end()
    return Manifest(
      name: name, task: task, labels: labels, tensors: tensors,
      runtime: try known(runtime, model: model, processors: processors), precision: precision, model: model,
      processors: processors, form: form, golden: golden, files: files, seal: seal)
  }

  private static func known(_ name: String, model: String, processors: [String]) throws -> ModelRuntime {
    guard let runtime = ModelRuntime(rawValue: name) else {
      let names = ModelRuntime.allCases.map(\.rawValue).joined(separator: " or ")
      throw BundleRefusal(.runtime, "expected \(names), found '\(name)'", hint: "update this app")
    }
    guard model == runtime.modelFile else {
      throw BundleRefusal(.runtime, "expected the model '\(runtime.modelFile)', found '\(model)'")
    }
    guard processors.contains(where: runtime.processors.contains) else {
      let (known, found) = (runtime.processors.joined(separator: " or "), processors.joined(separator: ", "))
      throw BundleRefusal(.runtime, "expected a model for \(known), found \(found)", hint: "update this app")
    }
    return runtime
  }

  /// Unique by their code points, as Python compares them, and not by how they look.
  private static func labels(_ fields: inout Fields) throws -> [String] {
    let labels = try fields.list("labels") { try Fields.string($0, at: $1) }
    guard Set(labels.map { Array($0.utf8) }).count == labels.count else {
      throw BundleRefusal(.fields, "expected unique labels, found one twice")
    }
    guard labels.allSatisfy(isOneLine) else { throw BundleRefusal(.fields, "expected labels of one line each") }
    return labels
  }

  private static func isOneLine(_ label: String) -> Bool {
    label.unicodeScalars.contains { !isBlank($0) } && !label.unicodeScalars.contains { $0 == "\n" || $0 == "\r" }
  }

  /// Tells whether a letter shows nothing: docs/reference/bundle-format.md, "Labels"; every language has other white space.
  private static func isBlank(_ letter: Unicode.Scalar) -> Bool {
    switch letter.value {
    case 0x9...0xD, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  private static func form(_ fields: inout Fields) throws -> [String: String] {
    guard fields.has("form") else { return [:] }
    let form = try fields.map("form") { try Fields.string($0, at: $1, like: choice) }
    guard form.count <= mostChoices else {
      throw FieldError(message: "expected at most \(mostChoices) choices of the model file, found \(form.count)")
    }
    for name in form.keys { _ = try Fields.string(.string(name.text), at: "form", like: word) }
    return Dictionary(uniqueKeysWithValues: form.map { ($0.key.text, $0.value) })
  }

  private static func golden(_ fields: Fields, by schema: any ManifestSchema) throws -> GoldenSpec {
    var fields = fields
    _ = try fields.choice("source", of: ["given", "generated"])
    _ = try fields.string("expected_by", like: "(?s:.{1,64})")
    let tolerance = try fields.number("tolerance", in: tolerance)
    let tolerances = try tolerances(&fields)
    let pictures = try fields.list("pictures", count: 1...16) { value, path in
      var picture = try Fields(value, at: path)
      let expected = GoldenPicture(
        top1Index: try picture.integer("top1_index", in: count),
        inputSHA256: picture.has("input_sha256") ? try picture.string("input_sha256", like: sha256) : nil)
      if schema.hasUnproven { _ = try picture.take("label_index") }
      try picture.end()
      return expected
    }
    try fields.end()
    return GoldenSpec(
      tolerance: tolerance, tolerances: tolerances.isEmpty ? [tolerance] : tolerances, pictures: pictures)
  }

  /// Several outputs have a tolerance each; of one output they may be left out.
  private static func tolerances(_ fields: inout Fields) throws -> [Double] {
    guard fields.has("tolerances") else { return [] }
    return try fields.list("tolerances", count: 0...Schema2.mostOutputs) {
      try Fields.number($0, at: $1, in: tolerance)
    }
  }

  private static func file(_ value: JSONValue, at path: String) throws -> FileEntry {
    var fields = try Fields(value, at: path)
    let entry = FileEntry(
      path: try fields.string("path", like: "(?s:.{1,255})"), bytes: try fields.integer("bytes", in: 0...(1 << 31)),
      sha256: try fields.string("sha256", like: sha256))
    try fields.end()
    return entry
  }

  /// Checks fields that the app has no use for all the same: one that is wrong shows damage or another writer.
  private static func checkWhatOnlyPeopleRead(_ fields: inout Fields, by schema: any ManifestSchema) throws {
    for name in ["program_sha256", "graph_sha256"] { _ = try fields.string(name, like: sha256) }
    if schema.hasOptions, fields.has("licence") { _ = try fields.string("licence", like: "[!-~]([ -~]{0,198}[!-~])?") }
    if fields.has("activation_limit_kib") { _ = try fields.integer("activation_limit_kib", in: 1...Int(Int32.max)) }
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
        throw FieldError(message: "expected an operator and a reason at '\(path)', found another")
      }
      for text in pair { _ = try Fields.string(text, at: path) }
    }
    try fields.end()
  }
}
