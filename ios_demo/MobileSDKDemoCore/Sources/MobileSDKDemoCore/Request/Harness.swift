import Foundation

/// Answers what is asked for from outside, with files in the app's Documents: results, or what failed, in words.
public struct Harness: Sendable {
  /// What a benchmark of the app's own bundles is written to.
  public static let numbersFile = "bench.json"

  private let engine: Engine
  private let documents: URL
  private let hooks: BenchmarkHooks

  public init(engine: Engine, documents: URL, hooks: BenchmarkHooks) {
    (self.engine, self.documents, self.hooks) = (engine, documents, hooks)
  }

  /// Returns the report of a benchmark, nil of anything else. An error is written where the result would be, and thrown.
  ///
  /// `embedded` are the app's own bundles. What an earlier request has left is removed first.
  public func answer(_ request: HarnessRequest, embedded: [ModelBundle]) async throws -> BenchmarkReport? {
    try RequestFolder.removeOthers(than: request.id, in: documents)
    let folder = request.id.map { RequestFolder($0, in: documents) }
    let result = folder?.result ?? documents.appendingPathComponent(Self.numbersFile)
    try? FileManager.default.removeItem(at: result)
    do {
      switch request {
      case .forget: return nil
      case .benchmark(let asked):
        let bundles: [ModelBundle]
        if let folder {
          bundles = try await engine.sent(in: folder)
        } else {
          bundles = try Self.named(asked.bundles, of: embedded)
        }
        let report = try await engine.benchmark(bundles, plan: asked.plan, with: asked.settings, hooks: hooks)
        try Self.write(report.json, to: result)
        return report
      case .score(let asked):
        let folder = RequestFolder(asked.id, in: documents)
        try Self.write(try await engine.score(folder, with: asked.settings, hooks: hooks), to: result)
        return nil
      }
    } catch {
      try? FileManager.default.createDirectory(
        at: result.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Self.write(Failure.json(error), to: result)
      throw error
    }
  }

  private static func named(_ names: [String], of embedded: [ModelBundle]) throws -> [ModelBundle] {
    let wanted = embedded.filter { names.isEmpty || names.contains($0.name) }
    if let missing = Set(names).subtracting(wanted.map(\.name)).min() {
      throw DemoError("expected the bundle \(missing) in the app, found none", hint: "name an embedded bundle")
    }
    return wanted
  }

  /// Whole or not at all.
  private static func write(_ json: JSONValue, to file: URL) throws {
    try Data(json.text.utf8).write(to: file, options: .atomic)
  }
}

/// What a benchmark asks of the device that it runs on.
public struct BenchmarkHooks: Sendable {
  let device: @Sendable () async -> DeviceSnapshot
  let memory: MemoryReader
  let sleep: @Sendable (_ seconds: Int) async throws -> Void
  let progress: @Sendable (_ doneShare: Double, _ text: String) async -> Void

  public init(
    device: @escaping @Sendable () async -> DeviceSnapshot, memory: @escaping MemoryReader = { nil },
    sleep: @escaping @Sendable (Int) async throws -> Void = { try await Task.sleep(for: .seconds($0)) },
    progress: @escaping @Sendable (Double, String) async -> Void = { _, _ in }
  ) {
    (self.device, self.memory, self.sleep, self.progress) = (device, memory, sleep, progress)
  }
}
