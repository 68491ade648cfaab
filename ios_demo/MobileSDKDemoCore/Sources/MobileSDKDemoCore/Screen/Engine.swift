import Foundation

/// All that takes time, away from the main thread and one thing after another: opening, loading, running, measuring.
public actor Engine {
  /// Lies beside the bundles in an app that was built with a key.
  public static let keyFile = "bundle-key.der"

  private static let latencyRuns = 3...15  // after the first, of a picture that is shown with its latency
  private static let latencyMs = 500.0

  let decode: PictureDecoder
  let isSigned: SignatureCheck?
  let load: ModelLoader
  let stopwatch: StopwatchMs
  private var loaded: (bundle: ModelBundle, settings: RunSettings, model: LoadedModel, golden: GoldenReplay)?

  public init(
    decode: @escaping PictureDecoder, isSigned: SignatureCheck? = nil, load: @escaping ModelLoader,
    stopwatch: @escaping StopwatchMs = Engine.monotonicMs
  ) {
    (self.decode, self.isSigned, self.load, self.stopwatch) = (decode, isSigned, load, stopwatch)
  }

  /// The bundles in some folders, each opened or with the reason why not; an absent folder holds none. Of two of one
  /// name the first folder's is taken.
  public func bundles(in folders: URL...) -> [BundleItem] {
    var items: [BundleItem] = []
    for folder in folders {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      for name in names.filter({ !$0.hasPrefix(".") && $0 != Self.keyFile }).sorted()
      where !items.contains(where: { $0.name == name }) {
        items.append(item(at: folder.appendingPathComponent(name)))
      }
    }
    return items
  }

  /// Opens the bundle that a user chose, and keeps a copy of it in `folder`, where it replaces one of its name.
  ///
  /// Throws `BundleRefusal` before anything is copied.
  public func add(_ chosen: URL, to folder: URL) throws {
    let bundle = try ModelBundle.open(chosen, decode: decode, isSigned: isSigned)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let copy = folder.appendingPathComponent(bundle.name)
    let unfinished = folder.appendingPathComponent(".\(bundle.name)")
    try? FileManager.default.removeItem(at: unfinished)
    try FileManager.default.copyItem(at: chosen, to: unfinished)
    try? FileManager.default.removeItem(at: copy)
    try FileManager.default.moveItem(at: unfinished, to: copy)
  }

  /// Returns a model's answer to an encoded picture, with the best `count` labels.
  ///
  /// Throws `DemoError` or an error of the runtime.
  public func recognize(_ picture: Data, with bundle: ModelBundle, by settings: RunSettings, count: Int) async throws
    -> Recognition
  {
    guard let image = bundle.manifest.source.image else { throw ModelSource.arraysOnly }
    _ = try await model(of: bundle, by: settings)
    let start = stopwatch()
    let decoded = try decode(picture)
    let pixels = Preprocess.picture(decoded, for: image)
    let preparedMs = stopwatch() - start
    let shown = Preprocess.shown(decoded, prepared: pixels, for: image)
    return try await recognition(
      of: pixels, preparedMs: preparedMs, shown: shown, with: bundle, by: settings, count: count)
  }

  /// Returns a model's answer to the bundle's first golden picture or array.
  ///
  /// Throws `DemoError` or an error of the runtime.
  public func recognizeGolden(with bundle: ModelBundle, by settings: RunSettings, count: Int) async throws
    -> Recognition
  {
    guard bundle.manifest.source.image == nil else {
      return try await recognize(bundle.goldenPicture(0), with: bundle, by: settings, count: count)
    }
    let array = try bundle.goldenPixels(0, decode: decode)
    return try await recognition(of: array, preparedMs: 0, shown: nil, with: bundle, by: settings, count: count)
  }

  /// Returns a model's answer to a frame of the camera, with the best `count` labels.
  public func answer(to frame: RGBPicture, with bundle: ModelBundle, by settings: RunSettings, count: Int) async throws
    -> LiveAnswer
  {
    guard let image = bundle.manifest.source.image else { throw ModelSource.arraysOnly }
    let runner = try await model(of: bundle, by: settings).0.runner
    try runner.setInput(InputTensor.bytes(of: Preprocess.picture(frame, for: image), as: bundle.manifest.input))
    let start = stopwatch()
    try runner.run()
    let modelMs = stopwatch() - start
    let part = Preprocess.part(of: frame, for: image)
    let (width, height) = (Double(frame.width), Double(frame.height))
    let area = Box(
      left: Double(part.left) / width, top: Double(part.top) / height,
      right: Double(part.left + part.width) / width, bottom: Double(part.top + part.height) / height)
    let answer = try Self.answer(of: bundle, to: runner.readOutputs(), count: count)
    return LiveAnswer(answer: answer, modelMs: modelMs, area: area, aspect: width / height)
  }

  public static let monotonicMs: StopwatchMs = {
    Double(DispatchTime.now().uptimeNanoseconds) / 1e6
  }

  /// Lets go of the loaded model, before others are measured or threads are set.
  func unload() { loaded = nil }

  func goldenPixels(of bundle: ModelBundle) throws -> [RGBPicture] {
    try bundle.manifest.golden.pictures.indices.map { try bundle.goldenPixels($0, decode: decode) }
  }

  private func item(at folder: URL) -> BundleItem {
    do {
      let bundle = try ModelBundle.open(folder, decode: decode, isSigned: isSigned)
      return BundleItem(name: bundle.name, content: .opened(bundle))
    } catch {
      return BundleItem(name: folder.lastPathComponent, content: .refused(Message(error)))
    }
  }

  private func recognition(
    of pixels: RGBPicture, preparedMs: Double, shown: RGBPicture?, with bundle: ModelBundle, by settings: RunSettings,
    count: Int
  ) async throws -> Recognition {
    let (model, golden) = try await model(of: bundle, by: settings)
    let start = stopwatch()
    let outputs = try model.runner.outputs(for: pixels)
    let wholeMs = preparedMs + stopwatch() - start
    let times = try latencies(of: model.runner, on: pixels)
    let answer = try Self.answer(of: bundle, to: outputs, count: count)
    return Recognition(
      bundle: bundle.name, picture: shown, answer: answer,
      latencyMs: Quantile.of(times.sorted(), 0.5), latencyRuns: times.count, endToEndMs: wholeMs,
      computesOn: model.computesOn, threads: model.threads, golden: golden)
  }

  /// Throws `DemoError` for outputs that are none of the bundle's model.
  private static func answer(of bundle: ModelBundle, to outputs: [ModelOutput], count: Int) throws -> Answer {
    let answer = bundle.manifest.task.answer(to: outputs, count: count)
    if let problem = answer.problem { throw DemoError(problem, hint: "export the bundle again") }
    return answer
  }

  /// Times of the model alone after its first runs: of one cold run nothing is shown.
  private func latencies(of runner: any ModelRunner, on pixels: RGBPicture) throws -> [Double] {
    let timed = TimedRuns(
      runner: runner, inputs: [InputTensor.bytes(of: pixels, as: runner.input)], stopwatch: stopwatch)
    var times: [Double] = []
    while times.count < Self.latencyRuns.upperBound,
      times.count < Self.latencyRuns.lowerBound || times.reduce(0, +) < Self.latencyMs
    {
      times += try timed.times(1)
    }
    return times
  }

  /// The loaded model, with how near it comes to the golden pictures here.
  private func model(of bundle: ModelBundle, by settings: RunSettings) async throws -> (LoadedModel, GoldenReplay) {
    if let loaded, loaded.bundle == bundle, loaded.settings == settings { return (loaded.model, loaded.golden) }
    loaded = nil
    let model = try await load(bundle, settings)
    let golden = try GoldenReplay.run(bundle, pictures: goldenPixels(of: bundle), on: model.runner)
    loaded = (bundle, settings, model, golden)
    return (model, golden)
  }
}
