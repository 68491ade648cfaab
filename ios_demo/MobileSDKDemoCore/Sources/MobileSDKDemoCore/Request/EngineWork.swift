import Foundation

extension Engine {
  /// The bundles that a harness has sent; throws `BundleRefusal` for one that does not open.
  func sent(in folder: RequestFolder) throws -> [ModelBundle] {
    try folder.bundles.map { try ModelBundle.open($0, decode: decode, isSigned: isSigned) }
  }

  /// Measures the bundles; one that does not load or run is in the report with its reason. Stops when it is cancelled.
  ///
  /// It waits until the device is cool, unless the plan is quick; throws `DemoError` where it stays warm.
  public func benchmark(
    _ bundles: [ModelBundle], plan: BenchmarkPlan, with settings: RunSettings, hooks: BenchmarkHooks
  ) async throws -> BenchmarkReport {
    unload()
    let cooling = Cooling(device: hooks.device, sleep: hooks.sleep)
    let before = plan.isQuick ? await hooks.device() : try await cooling.cooled { await hooks.progress(0, $0) }
    var benchmark = Benchmark(plan: plan)
    for bundle in bundles {
      try Task.checkCancellation()
      await hooks.progress(0, "loading \(bundle.name)")
      do {
        benchmark.add(try await series(of: bundle, with: settings, memory: hooks.memory))
      } catch {
        benchmark.leaveOut(bundle, because: Message(error).text)
      }
    }
    while benchmark.doneShare < 1 {
      try Task.checkCancellation()
      try benchmark.takeRound()
      await hooks.progress(benchmark.doneShare, "measuring")
    }
    try benchmark.takeEndToEnd()
    let date = ISO8601DateFormatter().string(from: Date())
    return BenchmarkReport(
      benchmark, of: bundles, before: before, after: await hooks.device(), date: date, settings: settings)
  }

  /// Scores what a harness has sent; returns what it did, as the result's JSON.
  func score(_ folder: RequestFolder, with settings: RunSettings, hooks: BenchmarkHooks) async throws -> JSONValue {
    let bundles = try sent(in: folder)
    guard bundles.count == 1 else {
      throw DemoError("expected one bundle to score with, found \(bundles.count)", hint: "send it again")
    }
    unload()
    await hooks.progress(0, "loading \(bundles[0].name)")
    let model = try await load(bundles[0], settings)
    var scorer = try Scorer(bundles[0], runner: model.runner, inputs: folder.inputs, scores: folder.scores)
    while try scorer.next() {
      try Task.checkCancellation()
      await hooks.progress(Double(scorer.done) / Double(scorer.count), "scoring")
    }
    return .object([
      "pictures": .integer(scorer.count), "ran_on": .string(model.computesOn), "threads": JSONValue(model.threads),
      "versions": .object(model.versions.mapValues(JSONValue.string)),
    ])
  }

  private func series(of bundle: ModelBundle, with settings: RunSettings, memory: MemoryReader) async throws
    -> BenchmarkSeries
  {
    let pictures = try goldenPixels(of: bundle)
    let (before, start) = (memory(), stopwatch())
    let model = try await load(bundle, settings)
    let loadMs = stopwatch() - start
    return try BenchmarkSeries(
      bundle, pictures: pictures, model: model, loadMs: loadMs, before: before, memory: memory, stopwatch: stopwatch)
  }
}
