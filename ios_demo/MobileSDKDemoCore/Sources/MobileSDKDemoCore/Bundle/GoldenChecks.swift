import Foundation

/// One golden picture on opening: it gives its input by the recipe, and its expected outputs say what is expected.
struct GoldenChecks {
  private static let maximumPictureBytes = 4 << 20

  let bundle: ModelBundle
  let index: Int
  let decode: PictureDecoder

  /// The kinds of files of one golden picture; the input itself is one where the manifest does not hold its hash.
  static func kinds(of manifest: Manifest, _ index: Int) -> [String] {
    let input = manifest.golden.pictures[index].inputSHA256 == nil ? ["input.bin"] : []
    return [manifest.source.kind] + input + ["output.bin"] + (manifest.task.goldenFile.map { [$0.kind] } ?? [])
  }

  func check() throws {
    let manifest = bundle.manifest
    try checkSizes(manifest)
    let expected = manifest.golden.pictures[index]
    guard try bundle.isGoldenInput(input(manifest), index) else {
      let written = expected.inputSHA256 == nil ? "golden/\(index).input.bin" : "input_sha256 of picture \(index)"
      throw refusal("expected \(written) to be what golden/\(index).\(manifest.source.kind) gives, found another")
    }
    let outputs = try bundle.goldenOutputs(index)
    let winner = manifest.task.winner(of: outputs)
    guard winner == expected.top1Index else {
      let found = winner.map(String.init) ?? "none"
      throw refusal("expected label \(expected.top1Index) to win in golden/\(index).output.bin, found \(found)")
    }
    if let file = manifest.task.goldenFile {
      let (written, path) = (try bundle.golden(index, file.kind), "golden/\(index).\(file.kind)")
      if let misfit = file.misfit(of: written, output: outputs[0], path: path) { throw refusal(misfit) }
    }
  }

  private func checkSizes(_ manifest: Manifest) throws {
    let sizes = Self.sizes(manifest)
    for file in manifest.files {
      for (kind, range) in sizes where file.path == "golden/\(index).\(kind)" && !range.contains(file.bytes) {
        let expected = range.lowerBound == range.upperBound ? "\(range.lowerBound)" : "at most \(range.upperBound)"
        throw refusal("expected \(expected) bytes of \(file.path), found \(file.bytes)")
      }
    }
  }

  /// How many bytes each file of a golden picture may have.
  private static func sizes(_ manifest: Manifest) -> [String: ClosedRange<Int>] {
    let (input, output) = (manifest.input.byteCount, manifest.outputs.reduce(0) { $0 + $1.byteCount })
    var sizes = ["input.bin": input...input, "output.bin": output...output]
    switch manifest.source {
    case .picture: sizes[manifest.source.kind] = 0...maximumPictureBytes
    case .array(let array): sizes[manifest.source.kind] = array.byteCount...array.byteCount
    }
    if let file = manifest.task.goldenFile { sizes[file.kind] = file.sizes }
    return sizes
  }

  private func input(_ manifest: Manifest) throws -> Data {
    let pixels: RGBPicture
    do {
      pixels = try bundle.goldenPixels(index, decode: decode)
    } catch {
      let reason = (error as? DemoError)?.message ?? "\(error)"
      throw refusal("expected golden/\(index).\(manifest.source.kind) to decode, found: \(reason)")
    }
    return InputTensor.bytes(of: pixels, as: manifest.input)
  }

  private func refusal(_ message: String) -> BundleRefusal { BundleRefusal(.golden, message) }
}

/// How near a device must come to the golden outputs, held to those outputs.
///
/// A self-check that allows everything checks nothing. A model for the Neural Engine may be off by a share of the largest
/// score. A few steps are justified where all scores are whole steps, in bundles of earlier versions; the tolerance of
/// codes is the interface's matter.
enum GoldenTolerance {
  private static let floatShare = 1e-3  // of the largest score
  private static let neuralEngineShare = 0.25  // the same
  private static let steps = 8.0  // of scores that were codes
  private static let snapSteps = 1e-3

  /// Throws `BundleRefusal` where the manifest allows more than its golden outputs justify.
  static func check(_ bundle: ModelBundle) throws {
    let (outputs, golden) = (bundle.manifest.outputs, bundle.manifest.golden)
    let pictures = try golden.pictures.indices.map { try bundle.goldenOutputs($0) }
    for (index, tolerance) in golden.tolerances.enumerated() where outputs[index].type == .float32 {
      try check(tolerance, of: pictures.flatMap { $0[index].raw }, in: bundle.manifest)
    }
  }

  /// Checks the tolerance of one output, of which those `scores` are expected.
  private static func check(_ found: Double, of scores: [Double], in manifest: Manifest) throws {
    let largest = scores.map(\.magnitude).max() ?? 0
    let most = manifest.isForNeuralEngine ? neuralEngineShare * largest : floatShare * max(1, largest)
    guard found <= most || manifest.precision != "float32" && areSteps(scores, found / steps) else {
      throw BundleRefusal(
        .golden, "expected a tolerance of at most \(most) for these golden outputs, found \(found)")
    }
  }

  /// Tells whether every score is a whole number of steps, and none but zero is less than one.
  private static func areSteps(_ scores: [Double], _ step: Double) -> Bool {
    scores.allSatisfy { score in
      let whole = (score / step).rounded()
      return (score / step - whole).magnitude < snapSteps && (whole != 0 || score == 0)
    }
  }
}

/// The header of a golden picture, which is read before anything is decoded.
enum GoldenPNG {
  private static let start: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
  private static let headerBytes = 33
  private static let maximumPixels = 4 << 20

  /// Throws `DemoError` unless it is a PNG of a size that is read.
  static func check(_ data: Data) throws {
    let header = Array(data.prefix(headerBytes))
    guard header.count == headerBytes, header.starts(with: start), header[12..<16].elementsEqual("IHDR".utf8) else {
      throw DemoError("no PNG", hint: "export the bundle again")
    }
    func number(_ place: Int) -> Int { header[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
    let (width, height) = (number(16), number(20))
    let (pixels, isBeyond) = width.multipliedReportingOverflow(by: height)
    guard !isBeyond, (1...maximumPixels).contains(pixels) else {
      throw DemoError(
        "expected at most \(maximumPixels) pixels, found \(width) × \(height)", hint: "export the bundle again")
    }
  }
}
