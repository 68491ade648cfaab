import Foundation

/// Checks a bundle on opening, in the order of docs/reference/bundle-format.md. Nothing is read before its size is known.
struct BundleChecks {
  private static let labelsFile = "labels.txt"
  private static let signatureFile = "bundle.sig"
  private static let chunkBytes = 1 << 20

  let folder: URL
  let decode: PictureDecoder
  let isSigned: SignatureCheck?

  func open() throws -> ModelBundle {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder), isFolder.boolValue else {
      throw BundleRefusal(.folder, "expected a bundle folder, found none at '\(folder.lastPathComponent)'")
    }
    let data = try manifestData()
    let signature = try signature()
    if let isSigned { try check(signature, of: data, by: isSigned) }
    let manifest = try ManifestReader.read(data)
    try checkPaths(manifest)
    try checkFiles(manifest)
    for entry in manifest.files { try checkSize(entry) }
    for entry in manifest.files { try checkHash(entry) }
    try checkLabels(manifest)
    if let misfit = InterfaceMisfit.find(in: manifest) { throw BundleRefusal(.interface, misfit) }
    let bundle = ModelBundle(folder: folder, manifest: manifest)
    for index in manifest.golden.pictures.indices {
      try GoldenChecks(bundle: bundle, index: index, decode: decode).check()
    }
    try GoldenTolerance.check(bundle)
    return bundle
  }

  private func manifestData() throws -> Data {
    let name = ManifestReader.fileName
    guard let status = FileStatus(of: folder.appendingPathComponent(name)) else {
      throw BundleRefusal(.manifest, "expected \(name) in '\(folder.lastPathComponent)', found none")
    }
    guard status.kind == .file else {
      throw BundleRefusal(.paths, "expected \(name) to be a plain file, found a link or a special file")
    }
    guard status.bytes <= ManifestReader.maximumBytes else {
      throw BundleRefusal(
        .manifest, "expected at most \(ManifestReader.maximumBytes) bytes of \(name), found \(status.bytes)")
    }
    return try Data(contentsOf: folder.appendingPathComponent(name))
  }

  /// The content of `bundle.sig`, nil where there is none.
  private func signature() throws -> Data? {
    let (name, file) = (Self.signatureFile, folder.appendingPathComponent(Self.signatureFile))
    guard let status = FileStatus(of: file) else { return nil }
    guard status.kind == .file else {
      throw BundleRefusal(.paths, "expected \(name) to be a plain file, found a link or a special file")
    }
    guard status.bytes <= Signature.maximumBytes else {
      throw BundleRefusal(
        .signature, "expected at most \(Signature.maximumBytes) bytes of \(name), found \(status.bytes)")
    }
    let signature = try Data(contentsOf: file)
    guard Signature.isWellFormed(signature) else {
      throw BundleRefusal(.signature, "expected a signature of ECDSA over P-256 in \(name), found other bytes")
    }
    return signature
  }

  private func check(_ signature: Data?, of manifest: Data, by isSigned: SignatureCheck) throws {
    guard let signature else {
      throw BundleRefusal(.signature, "expected a signed bundle, found no \(Self.signatureFile)")
    }
    guard isSigned(signature, manifest) else {
      let reason = "expected the key's signature of \(ManifestReader.fileName), found one of another key or bundle"
      throw BundleRefusal(.signature, reason)
    }
  }

  private func checkPaths(_ manifest: Manifest) throws {
    let paths = manifest.files.map(\.path)
    if let unsafe = paths.first(where: { !Self.isSafe($0) }) {
      throw BundleRefusal(.paths, "expected paths inside the bundle, found '\(unsafe.prefix(80))'")
    }
    guard Set(paths.map { $0.lowercased() }).count == paths.count else {
      throw BundleRefusal(.paths, "expected every file once, found one twice")
    }
  }

  /// Returns true where a path stays inside the bundle on every system.
  static func isSafe(_ path: String) -> Bool {
    path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
      let letters = part.filter { Character(Unicode.Scalar($0)).isLetter || Character(Unicode.Scalar($0)).isNumber }
      let isPlain = part.allSatisfy { byte in byte < 0x80 && (letters.contains(byte) || "_.-".utf8.contains(byte)) }
      return isPlain && !letters.isEmpty
    }
  }

  private func checkFiles(_ manifest: Manifest) throws {
    let listed = Set(manifest.files.map(\.path))
    let golden = manifest.golden.pictures.indices.flatMap { index in
      GoldenChecks.kinds(of: manifest, index).map { "golden/\(index).\($0)" }
    }
    let fixed = Set(golden + [Self.labelsFile])
    let rest = listed.subtracting(fixed)
    if let missing = fixed.subtracting(listed).min() ?? (rest.isEmpty ? manifest.model : nil) {
      throw BundleRefusal(.files, "expected '\(missing)' in the manifest's files, found none")
    }
    if let stray = rest.filter({ $0 != manifest.model && !$0.hasPrefix(manifest.model + "/") }).min() {
      throw BundleRefusal(.files, "expected labels, golden pictures and a model, found '\(stray)' listed")
    }
    let present = Set(try FolderListing.files(below: folder)).subtracting([ManifestReader.fileName, Self.signatureFile])
    if let extra = present.subtracting(listed).min() {
      throw BundleRefusal(.files, "expected only what the manifest lists, found '\(extra.prefix(80))'")
    }
    if let missing = listed.subtracting(present).min() {
      throw BundleRefusal(.files, "expected the file '\(missing)', found none")
    }
  }

  private func checkSize(_ entry: FileEntry) throws {
    let found = FileStatus(of: folder.appendingPathComponent(entry.path))?.bytes ?? 0
    guard found == entry.bytes else {
      throw BundleRefusal(.size, "expected \(entry.bytes) bytes of '\(entry.path)', found \(found)")
    }
  }

  private func checkHash(_ entry: FileEntry) throws {
    let file = try FileHandle(forReadingFrom: folder.appendingPathComponent(entry.path))
    defer { try? file.close() }
    var hash = SHA256()
    while let chunk = try file.read(upToCount: Self.chunkBytes), !chunk.isEmpty { hash.update(Array(chunk)) }
    let found = hash.digits()
    guard found == entry.sha256 else {
      throw BundleRefusal(
        .hash, "expected '\(entry.path)' with sha256 \(entry.sha256.prefix(12))…, found \(found.prefix(12))…")
    }
  }

  private func checkLabels(_ manifest: Manifest) throws {
    let expected = Data(manifest.labels.map { $0 + "\n" }.joined().utf8)
    let file = folder.appendingPathComponent(Self.labelsFile)
    guard FileStatus(of: file)?.bytes == expected.count, try Data(contentsOf: file) == expected else {
      throw BundleRefusal(
        .labels, "expected \(Self.labelsFile) to hold the manifest's labels in its order, found others")
    }
  }
}

/// The kind and the size of a file, without following links.
struct FileStatus {
  enum Kind: Equatable {
    case file, folder, link, special
  }

  let kind: Kind
  let bytes: Int

  init?(of url: URL) {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: url.path) else { return nil }
    switch attributes[.type] as? FileAttributeType {
    case .typeRegular: kind = .file
    case .typeDirectory: kind = .folder
    case .typeSymbolicLink: kind = .link
    default: kind = .special
    }
    bytes = (attributes[.size] as? NSNumber)?.intValue ?? 0
  }
}

/// The files below a folder, relative to it; a link or a special file among them is refused.
enum FolderListing {
  private static let maximumDepth = 8  // a .mlpackage has four folders in each other

  static func files(below folder: URL, prefix: String = "", depth: Int = 0) throws -> [String] {
    guard depth <= maximumDepth else {
      throw BundleRefusal(.paths, "expected at most \(maximumDepth) folders in each other, found more")
    }
    var found: [String] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
      let (item, path) = (folder.appendingPathComponent(name), prefix + name)
      guard BundleChecks.isSafe(name) else {
        throw BundleRefusal(.paths, "expected names of plain letters, found '\(path)'")
      }
      switch FileStatus(of: item)?.kind {
      case .file: found.append(path)
      case .folder: found += try files(below: item, prefix: path + "/", depth: depth + 1)
      case .link: throw BundleRefusal(.paths, "expected plain files, found the link '\(path)'")
      default: throw BundleRefusal(.paths, "expected plain files, found '\(path)', which is none")
      }
    }
    return found
  }
}
