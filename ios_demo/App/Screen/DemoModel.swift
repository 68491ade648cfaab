import Foundation
import MobileSDKDemoCore
import Observation

/// Holds the state of the screen. It only sends work to the engine and takes in what comes of it.
@MainActor @Observable
final class DemoModel {
  private(set) var state = DemoState()

  @ObservationIgnored private let engine = Engine(
    decode: PictureFile.decode, isSigned: EmbeddedKey.check(in: DemoModel.folder), load: Models.load)
  @ObservationIgnored private var work: Task<Void, Never>?

  private static let folder = Bundle.main.bundleURL.appendingPathComponent("Bundles")
  private static let shownPredictions = 3

  func openBundles() async {
    take(.bundlesOpened(await engine.bundles(in: Self.folder)))
  }

  var selectedName: String {
    get { state.selectedName ?? "" }
    set { take(.bundleSelected(newValue)) }
  }

  var computeUnits: ComputeUnits {
    get { state.computeUnits }
    set { take(.computeUnitsSelected(newValue)) }
  }

  var isMessageShown: Bool {
    get { state.message != nil }
    set { if !newValue { take(.messageDismissed) } }
  }

  func stop() { work?.cancel() }

  func fail(_ error: any Error) { take(.failed(Message(error))) }

  func recognize(_ picture: Data) {
    guard !state.isBusy else { return }
    guard let bundle = state.selected else {
      return fail(DemoError("expected a bundle in the app, found none", hint: "embed one with mobile-sdk embed"))
    }
    let units = state.computeUnits
    start(.recognizing) { [engine] in
      .recognized(try await engine.recognize(picture, with: bundle, on: units, count: Self.shownPredictions))
    }
  }

  /// Answers to the first golden picture or array, which every bundle brings.
  func recognizeGolden() {
    guard !state.isBusy, let bundle = state.selected else { return }
    let units = state.computeUnits
    start(.recognizing) { [engine] in
      .recognized(try await engine.recognizeGolden(with: bundle, on: units, count: Self.shownPredictions))
    }
  }

  func benchmark(_ bundles: [ModelBundle], plan: BenchmarkPlan = BenchmarkPlan(), on units: ComputeUnits) {
    guard !state.isBusy else { return }
    start(.benchmarking(doneShare: 0, text: "starting")) { [engine, self] in
      let report = try await engine.benchmark(
        bundles, plan: plan, on: units, device: { await Device.snapshot() },
        progress: { share, text in await self.take(.started(.benchmarking(doneShare: share, text: text))) })
      try await Self.write(report)
      return .benchmarked(report)
    }
  }

  /// A benchmark that was asked for from outside: `mobilesdkdemo://benchmark?…`.
  func open(_ url: URL) async {
    do {
      let request = try BenchmarkRequest(url)
      if state.bundles.isEmpty { await openBundles() }
      let wanted = state.openedBundles.filter { request.bundles.isEmpty || request.bundles.contains($0.name) }
      let missing = Set(request.bundles).subtracting(wanted.map(\.name))
      if let name = missing.min() {
        throw DemoError("expected the bundle \(name) in the app, found none", hint: "name an embedded bundle")
      }
      benchmark(wanted, plan: request.plan, on: request.computeUnits)
    } catch {
      fail(error)
    }
  }

  private func start(_ activity: DemoState.Activity, _ work: @escaping @Sendable () async throws -> DemoEvent) {
    take(.started(activity))
    self.work = Task {
      do {
        take(try await work())
      } catch is CancellationError {
        fail(DemoError("the benchmark was stopped before its end", hint: "start it again for a report"))
      } catch {
        fail(error)
      }
    }
  }

  private func take(_ event: DemoEvent) { state = state.after(event) }

  /// `Documents/bench.json`, from where Files, Finder and `devicectl` take it.
  private nonisolated static func write(_ report: BenchmarkReport) async throws {
    let documents = try FileManager.default.url(
      for: .documentDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
    try Data(report.json.text.utf8).write(to: documents.appendingPathComponent("bench.json"), options: .atomic)
  }
}
