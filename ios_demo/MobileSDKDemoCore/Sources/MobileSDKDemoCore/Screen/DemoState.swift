/// All that the screen shows. A value: it never changes, an event gives the next one.
public struct DemoState: Equatable, Sendable {
  public private(set) var bundles: [BundleItem] = []
  public private(set) var selectedName: String?
  public private(set) var settings = RunSettings()
  public private(set) var activity = Activity.opening
  public private(set) var recognition: Recognition?
  public private(set) var live: LiveFrame?
  public private(set) var benchmarkLines: [String] = []
  public private(set) var benchmarkBars: [LatencyBar] = []
  public private(set) var message: Message?

  public init() {}

  public enum Activity: Equatable, Sendable {
    case idle
    case opening
    case recognizing
    case benchmarking(doneShare: Double, text: String)
  }

  public var openedBundles: [ModelBundle] { bundles.compactMap(\.bundle) }

  public var selected: ModelBundle? { openedBundles.first { $0.name == selectedName } }

  public var isBusy: Bool { activity != .idle }

  /// True where the choice of processors means something for the selected bundle.
  public var offersComputeUnits: Bool { (selected?.manifest.processors.count ?? 0) > 1 }

  /// True where the number of threads can be chosen for the selected bundle.
  public var offersThreads: Bool { selected?.manifest.runtime == .execuTorch }

  /// True where the selected bundle's model reads pictures, as a camera gives them.
  public var readsPictures: Bool { selected?.manifest.source.image != nil }

  public var refused: [BundleItem] { bundles.filter { $0.bundle == nil } }

  /// The state after something has happened.
  public func after(_ event: DemoEvent) -> DemoState {
    var next = self
    switch event {
    case .bundlesOpened(let items):
      next.bundles = items
      if activity == .opening { next.activity = .idle }
      next.selectedName = next.selected?.name ?? next.openedBundles.first?.name
    case .bundleSelected(let name): (next.selectedName, next.recognition, next.live) = (name, nil, nil)
    case .computeUnitsSelected(let units): (next.settings.computeUnits, next.recognition) = (units, nil)
    case .threadsSelected(let threads): (next.settings.threads, next.recognition) = (threads, nil)
    case .started(let activity): (next.activity, next.message) = (activity, nil)
    case .recognized(let recognition): (next.activity, next.recognition) = (.idle, recognition)
    case .live(let frame): next.live = frame
    case .benchmarked(let report):
      (next.activity, next.benchmarkLines, next.benchmarkBars) = (.idle, report.lines, report.bars)
    case .done: next.activity = .idle
    case .failed(let message): (next.activity, next.message) = (.idle, message)
    case .messageDismissed: next.message = nil
    }
    return next
  }
}

/// An event that the next state follows from.
public enum DemoEvent: Equatable, Sendable {
  case bundlesOpened([BundleItem])
  case bundleSelected(String)
  case computeUnitsSelected(ComputeUnits)
  case threadsSelected(Int)
  case started(DemoState.Activity)
  case recognized(Recognition)
  /// A frame of the camera was answered; nil where it is switched off.
  case live(LiveFrame?)
  case benchmarked(BenchmarkReport)
  /// Something was done of which the screen shows nothing.
  case done
  case failed(Message)
  case messageDismissed
}

/// One folder of the app's bundles: opened, or with the reason why not.
public struct BundleItem: Equatable, Sendable, Identifiable {
  public enum Content: Equatable, Sendable {
    case opened(ModelBundle)
    case refused(Message)
  }

  public let name: String
  public let content: Content

  public var id: String { name }

  public var bundle: ModelBundle? {
    if case .opened(let bundle) = content { bundle } else { nil }
  }

  public var refusal: Message? {
    if case .refused(let message) = content { message } else { nil }
  }
}

/// A frame of the camera with its answer, and what the last frames took.
public struct LiveFrame: Equatable, Sendable {
  public let answer: LiveAnswer
  public let meter: FrameMeter

  public init(answer: LiveAnswer, meter: FrameMeter) { (self.answer, self.meter) = (answer, meter) }
}

/// A model's answer to a picture, and how long it took: the model alone, and all from the file to its numbers.
public struct Recognition: Equatable, Sendable {
  public let bundle: String
  /// The part of it that the model read; nil of an array.
  public let picture: RGBPicture?
  public let answer: Answer
  /// The median of `latencyRuns` runs of the model alone, after its first ones.
  public let latencyMs: Double
  public let latencyRuns: Int
  public let endToEndMs: Double
  public let computesOn: String
  /// Nil where the runtime chooses them.
  public let threads: Int?
  /// How near the model comes to its golden pictures here.
  public let golden: GoldenReplay
}

/// An error in words for the screen.
public struct Message: Equatable, Sendable {
  public let text: String
  public let hint: String

  public init(_ error: any Error) {
    switch error {
    case let refusal as BundleRefusal: (text, hint) = ("\(refusal.check.rawValue): \(refusal.message)", refusal.hint)
    case let known as DemoError: (text, hint) = (known.message, known.hint)
    default: (text, hint) = (error.localizedDescription, "try again, or choose another bundle")
    }
  }
}
