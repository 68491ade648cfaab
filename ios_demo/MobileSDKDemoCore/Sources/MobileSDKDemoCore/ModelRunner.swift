/// Runs a model on one picture.
public protocol ModelRunner {
  /// What comes out for RGB of the bundle's size. Slow: never called on the main thread.
  func output(for picture: RGBPicture) throws -> ModelOutput
}

/// A runner that is ready, and the processors that its runtime says it computes on.
public struct LoadedModel {
  public let runner: any ModelRunner
  public let computesOn: String

  public init(runner: any ModelRunner, computesOn: String) {
    (self.runner, self.computesOn) = (runner, computesOn)
  }
}

/// Makes the runner of a bundle, of whichever runtime it is; throws `DemoError` or an error of the runtime's own.
public typealias ModelLoader = @Sendable (ModelBundle, ComputeUnits) async throws -> sending LoadedModel

/// The processors that Core ML may use. Other runtimes compute on the CPU.
public enum ComputeUnits: String, CaseIterable, Sendable, Identifiable {
  case all
  case cpuOnly = "cpu_only"
  case cpuAndGPU = "cpu_and_gpu"
  case cpuAndNeuralEngine = "cpu_and_neural_engine"

  public var id: String { rawValue }

  public var title: String {
    switch self {
    case .all: "All"
    case .cpuOnly: "CPU"
    case .cpuAndGPU: "CPU and GPU"
    case .cpuAndNeuralEngine: "CPU and Neural Engine"
    }
  }
}

/// What the app cannot do, said to its user: what was expected and found, and what to do.
public struct DemoError: Error, Equatable, Sendable {
  public let message: String
  public let hint: String

  public init(_ message: String, hint: String) { (self.message, self.hint) = (message, hint) }
}

/// A runner for tests and previews: the output that it was given, whatever the picture.
public struct FakeRunner: ModelRunner {
  private let fixed: ModelOutput
  private let onRun: () throws -> Void

  public init(_ fixed: ModelOutput, onRun: @escaping () throws -> Void = {}) {
    (self.fixed, self.onRun) = (fixed, onRun)
  }

  public func output(for picture: RGBPicture) throws -> ModelOutput {
    try onRun()
    return fixed
  }
}
