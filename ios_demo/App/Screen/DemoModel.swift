import AVFoundation
import Foundation
import MobileSDKApple
import MobileSDKDemoCore
import Observation
import UIKit

/// Holds the state of the screen. It only sends work to the engine and takes in what comes of it.
@MainActor @Observable
final class DemoModel {
  private(set) var state = DemoState()

  @ObservationIgnored private let engine = Engine(
    decode: PictureFile.decode, isSigned: EmbeddedKey.check(in: DemoModel.folder), load: Models.load)
  @ObservationIgnored private var work: Task<Void, Never>?

  private static let folder = Bundle.main.bundleURL.appendingPathComponent("Bundles")
  private static let documents = FileManager.default.urls(for: .documentDirectory, in: .userDomainMask)[0]
  private static let addedBundles = documents.appendingPathComponent("Bundles")
  private static let shownPredictions = 3

  func openBundles() async {
    take(.bundlesOpened(await engine.bundles(in: Self.folder, Self.addedBundles)))
  }

  var selectedName: String {
    get { state.selectedName ?? "" }
    set { take(.bundleSelected(newValue)) }
  }

  var computeUnits: ComputeUnits {
    get { state.settings.computeUnits }
    set { take(.computeUnitsSelected(newValue)) }
  }

  var threads: Int {
    get { state.settings.threads }
    set { take(.threadsSelected(newValue)) }
  }

  var isMessageShown: Bool {
    get { state.message != nil }
    set { if !newValue { take(.messageDismissed) } }
  }

  func stop() { work?.cancel() }

  /// An app that is not on the screen gets the slow cores, or none: what was measured there would lie.
  func leaveTheScreen() {
    if case .benchmarking = state.activity { stop() }
  }

  func fail(_ error: any Error) { take(.failed(Message(error))) }

  func recognize(_ picture: Data) {
    guard !state.isBusy else { return }
    guard let bundle = state.selected else {
      return fail(DemoError("expected a bundle in the app, found none", hint: "embed one with mobile-sdk embed"))
    }
    let settings = state.settings
    start(.recognizing) { [engine] in
      .recognized(try await engine.recognize(picture, with: bundle, by: settings, count: Self.shownPredictions))
    }
  }

  /// Answers to the first golden picture or array, which every bundle brings.
  func recognizeGolden() {
    guard !state.isBusy, let bundle = state.selected else { return }
    let settings = state.settings
    start(.recognizing) { [engine] in
      .recognized(try await engine.recognizeGolden(with: bundle, by: settings, count: Self.shownPredictions))
    }
  }

  /// Answers the camera's frames until the task is cancelled.
  func answerFrames(of camera: LiveCamera, _ position: AVCaptureDevice.Position) async {
    guard let bundle = state.selected else { return }
    let settings = state.settings
    var meter = FrameMeter()
    do {
      let frames = try await camera.start(position)
      let rotation = LiveCamera.device(position).map {
        AVCaptureDevice.RotationCoordinator(device: $0, previewLayer: nil)
      }
      for await frame in frames {
        if let rotation { camera.turn(by: rotation.videoRotationAngleForHorizonLevelCapture) }
        let answer = try await engine.answer(
          to: frame.picture, with: bundle, by: settings, count: Self.shownPredictions)
        meter.add(takenMs: frame.takenMs, answeredMs: Engine.monotonicMs())
        take(.live(LiveFrame(answer: answer, meter: meter)))
      }
    } catch {
      if !(error is CancellationError) { fail(error) }
    }
    take(.live(nil))
  }

  /// Keeps a bundle that the user chose in Files.
  func add(_ chosen: Result<URL, any Error>) async {
    do {
      let url = try chosen.get()
      let isOpened = url.startAccessingSecurityScopedResource()
      defer { if isOpened { url.stopAccessingSecurityScopedResource() } }
      try await engine.add(url, to: Self.addedBundles)
      await openBundles()
      take(.bundleSelected(url.lastPathComponent))
    } catch {
      fail(error)
    }
  }

  func benchmark() {
    answer(.benchmark(BenchmarkRequest(bundles: [], settings: state.settings)))
  }

  /// What was asked for from outside: `mobilesdkdemo://benchmark?…`.
  func open(_ url: URL) async {
    do {
      let request = try HarnessRequest(url)
      if state.bundles.isEmpty { await openBundles() }
      answer(request)
    } catch {
      fail(error)
    }
  }

  private func answer(_ request: HarnessRequest) {
    guard !state.isBusy else { return }
    let (embedded, application) = (state.openedBundles, UIApplication.shared)
    let hooks = BenchmarkHooks(
      device: { await Device.snapshot() }, memory: Device.memory,
      progress: { [self] share, text in await take(.started(.benchmarking(doneShare: share, text: text))) })
    let harness = Harness(engine: engine, documents: Self.documents, hooks: hooks)
    application.isIdleTimerDisabled = true
    start(.benchmarking(doneShare: 0, text: "starting")) {
      defer { Task { @MainActor in UIApplication.shared.isIdleTimerDisabled = false } }
      return try await harness.answer(request, embedded: embedded).map(DemoEvent.benchmarked) ?? .done
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
}
