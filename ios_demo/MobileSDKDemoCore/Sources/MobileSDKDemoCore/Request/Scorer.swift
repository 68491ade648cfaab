import Foundation

/// Runs a model on many inputs, which lie one after the other in a file, and writes its outputs in the same way: each
/// input's outputs in the manifest's order, little-endian, nothing between them.
struct Scorer {
  private let bundle: ModelBundle
  private let runner: any ModelRunner
  private let from: FileHandle
  private let to: FileHandle
  let count: Int
  private(set) var done = 0

  /// Throws `DemoError` for a file of no whole number of inputs.
  init(_ bundle: ModelBundle, runner: any ModelRunner, inputs: URL, scores: URL) throws {
    let size = bundle.manifest.input.byteCount
    let bytes = (try FileManager.default.attributesOfItem(atPath: inputs.path)[.size] as? NSNumber)?.intValue ?? 0
    guard bytes > 0, bytes % size == 0 else {
      throw DemoError("expected inputs of \(size) bytes each, found \(bytes) bytes", hint: "send them again")
    }
    from = try FileHandle(forReadingFrom: inputs)
    _ = FileManager.default.createFile(atPath: scores.path, contents: nil)
    to = try FileHandle(forWritingTo: scores)
    (self.bundle, self.runner, count) = (bundle, runner, bytes / size)
  }

  /// Scores one input more; false where there was none left.
  mutating func next() throws -> Bool {
    let size = bundle.manifest.input.byteCount
    guard done < count else {
      try to.close()
      return false
    }
    guard let input = try from.read(upToCount: size), input.count == size else {
      throw DemoError("expected \(size) bytes of an input, found fewer", hint: "send them again")
    }
    try runner.setInput(input)
    try runner.run()
    try to.write(contentsOf: Self.bytes(of: runner.readOutputs(), as: bundle.manifest.outputs))
    done += 1
    return true
  }

  /// Codes and float32 numbers come back as they were: a double holds them all.
  static func bytes(of outputs: [ModelOutput], as specs: [OutputSpec]) throws -> Data {
    var data = Data(capacity: specs.reduce(0) { $0 + $1.byteCount })
    guard outputs.count == specs.count else {
      throw DemoError("expected \(specs.count) outputs, found \(outputs.count)", hint: "export the bundle again")
    }
    for (output, spec) in zip(outputs, specs) {
      guard output.raw.count == spec.shape.reduce(1, *) else {
        throw DemoError("expected \(spec.shape) numbers, found \(output.raw.count)", hint: "export the bundle again")
      }
      switch spec.type {
      case .int8: data.append(contentsOf: output.raw.map { UInt8(bitPattern: Int8($0)) })
      case .float32:
        let words = output.raw.map { Float($0).bitPattern.littleEndian }
        words.withUnsafeBytes { data.append(contentsOf: $0) }
      }
    }
    return data
  }
}
