/// All that the screen shows. A value: it never changes, an event gives the next one.
public struct DemoState: Equatable, Sendable {
  public private(set) var bundles: [BundleItem] = []
  public private(set) var selectedName: String?
  public private(set) var computeUnits = ComputeUnits.all
  public private(set) var activity = Activity.opening
  public private(set) var recognition: Recognition?
  public private(set) var benchmarkLines: [String] = []
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
  public var offersComputeUnits: Bool { selected?.manifest.runtime == .coreML }

  public var refused: [BundleItem] { bundles.filter { $0.bundle == nil } }

  /// The state after something has happened.
  public func after(_ event: DemoEvent) -> DemoState {
    var next = self
    switch event {
    case .bundlesOpened(let items):
      next.bundles = items
      if activity == .opening { next.activity = .idle }
      next.selectedName = next.selected?.name ?? next.openedBundles.first?.name
    case .bundleSelected(let name): (next.selectedName, next.recognition) = (name, nil)
    case .computeUnitsSelected(let units): (next.computeUnits, next.recognition) = (units, nil)
    case .started(let activity): (next.activity, next.message) = (activity, nil)
    case .recognized(let recognition): (next.activity, next.recognition) = (.idle, recognition)
    case .benchmarked(let report): (next.activity, next.benchmarkLines) = (.idle, report.lines)
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
  case started(DemoState.Activity)
  case recognized(Recognition)
  case benchmarked(BenchmarkReport)
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

/// A model's answer to a picture, and how long it took without decoding and resizing.
public struct Recognition: Equatable, Sendable {
  public let bundle: String
  /// The part of it that the model read; nil of an array.
  public let picture: RGBPicture?
  public let answer: Answer
  public let latencyMs: Double
  public let computesOn: String
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
