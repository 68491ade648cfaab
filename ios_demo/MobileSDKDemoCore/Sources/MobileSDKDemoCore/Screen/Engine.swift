import Foundation

/// All that takes time, away from the main thread and one thing after another: opening, loading, running, measuring.
public actor Engine {
  /// Lies beside the bundles in an app that was built with a key.
  public static let keyFile = "bundle-key.der"

  private let decode: PictureDecoder
  private let isSigned: SignatureCheck?
  private let load: ModelLoader
  private let stopwatch: StopwatchMs
  private var loaded: (bundle: ModelBundle, units: ComputeUnits, model: LoadedModel, golden: GoldenReplay)?

  public init(
    decode: @escaping PictureDecoder, isSigned: SignatureCheck? = nil, load: @escaping ModelLoader,
    stopwatch: @escaping StopwatchMs = Engine.monotonicMs
  ) {
    (self.decode, self.isSigned, self.load, self.stopwatch) = (decode, isSigned, load, stopwatch)
  }

  /// The bundles in a folder, each opened or with the reason why not; an absent folder holds none.
  public func bundles(in folder: URL) -> [BundleItem] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { !$0.hasPrefix(".") && $0 != Self.keyFile }.sorted().map { name in
      do {
        let bundle = try ModelBundle.open(folder.appendingPathComponent(name), decode: decode, isSigned: isSigned)
        return BundleItem(name: name, content: .opened(bundle))
      } catch {
        return BundleItem(name: name, content: .refused(Message(error)))
      }
    }
  }

  /// Returns a model's answer to an encoded picture, with the best `count` labels.
  ///
  /// Throws `DemoError` or an error of the runtime.
  public func recognize(_ picture: Data, with bundle: ModelBundle, on units: ComputeUnits, count: Int) async throws
    -> Recognition
  {
    guard let image = bundle.manifest.source.image else { throw ModelSource.arraysOnly }
    let decoded = try decode(picture)
    let pixels = Preprocess.picture(decoded, for: image)
    let shown = Preprocess.shown(decoded, prepared: pixels, for: image)
    return try await recognition(of: pixels, shown: shown, with: bundle, on: units, count: count)
  }

  /// Returns a model's answer to the bundle's first golden picture or array.
  ///
  /// Throws `DemoError` or an error of the runtime.
  public func recognizeGolden(with bundle: ModelBundle, on units: ComputeUnits, count: Int) async throws
    -> Recognition
  {
    guard bundle.manifest.source.image == nil else {
      return try await recognize(bundle.goldenPicture(0), with: bundle, on: units, count: count)
    }
    let array = try bundle.goldenPixels(0, decode: decode)
    return try await recognition(of: array, shown: nil, with: bundle, on: units, count: count)
  }

  /// Measures the bundles; one that does not load or run is in the report with its reason. Stops when it is cancelled.
  public func benchmark(
    _ bundles: [ModelBundle], plan: BenchmarkPlan, on units: ComputeUnits,
    device: @Sendable () async -> DeviceSnapshot, progress: @Sendable (Double, String) async -> Void
  ) async throws -> BenchmarkReport {
    loaded = nil
    let before = await device()
    var benchmark = Benchmark(plan: plan)
    for bundle in bundles {
      await progress(0, "loading \(bundle.name)")
      do {
        benchmark.add(try await series(of: bundle, on: units))
      } catch {
        benchmark.leaveOut(bundle, because: Message(error).text)
      }
    }
    while benchmark.doneShare < 1 {
      try Task.checkCancellation()
      try benchmark.takeRound()
      await progress(benchmark.doneShare, "measuring")
    }
    let date = ISO8601DateFormatter().string(from: Date())
    return BenchmarkReport(
      benchmark, of: bundles, before: before, after: await device(), date: date, computeUnits: units)
  }

  public static let monotonicMs: StopwatchMs = {
    Double(DispatchTime.now().uptimeNanoseconds) / 1e6
  }

  private func recognition(
    of pixels: RGBPicture, shown: RGBPicture?, with bundle: ModelBundle, on units: ComputeUnits, count: Int
  ) async throws -> Recognition {
    let (model, golden) = try await model(of: bundle, on: units)
    let start = stopwatch()
    let outputs = try model.runner.outputs(for: pixels)
    let latencyMs = stopwatch() - start
    return Recognition(
      bundle: bundle.name, picture: shown, answer: bundle.manifest.task.answer(to: outputs, count: count),
      latencyMs: latencyMs, computesOn: model.computesOn, golden: golden)
  }

  /// The loaded model, with how near it comes to the golden pictures here.
  private func model(of bundle: ModelBundle, on units: ComputeUnits) async throws -> (LoadedModel, GoldenReplay) {
    if let loaded, loaded.bundle == bundle, loaded.units == units { return (loaded.model, loaded.golden) }
    loaded = nil
    let model = try await load(bundle, units)
    let golden = try GoldenReplay.run(bundle, pictures: goldenPixels(of: bundle), on: model.runner)
    loaded = (bundle, units, model, golden)
    return (model, golden)
  }

  private func goldenPixels(of bundle: ModelBundle) throws -> [RGBPicture] {
    try bundle.manifest.golden.pictures.indices.map { try bundle.goldenPixels($0, decode: decode) }
  }

  private func series(of bundle: ModelBundle, on units: ComputeUnits) async throws -> BenchmarkSeries {
    let pictures = try goldenPixels(of: bundle)
    let start = stopwatch()
    let model = try await load(bundle, units)
    return try BenchmarkSeries(
      bundle, pictures: pictures, model: model, loadMs: stopwatch() - start, stopwatch: stopwatch)
  }
}
