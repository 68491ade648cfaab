import Foundation

/// Runs a model in three steps, so that the model alone can be timed. Slow: never called on the main thread.
public protocol ModelRunner: AnyObject {
  var input: InputSpec { get }

  /// Puts the bytes of an input tensor, as `InputTensor` writes them, into the model's input.
  func setInput(_ tensor: Data) throws

  /// Runs the model on that input, and nothing else.
  func run() throws

  /// Returns the numbers of the last run, in the manifest's order.
  func readOutputs() throws -> [ModelOutput]
}

extension ModelRunner {
  /// Returns the outputs for RGB of the bundle's size, or an array as `ArraySpec.stored` has it.
  public func outputs(for picture: RGBPicture) throws -> [ModelOutput] {
    try setInput(InputTensor.bytes(of: picture, as: input))
    try run()
    return try readOutputs()
  }
}

/// What a user chooses of how a model runs.
public struct RunSettings: Equatable, Sendable {
  public static let threadCounts = 1...64

  /// Of Core ML.
  public var computeUnits: ComputeUnits
  /// Of ExecuTorch's pool; Core ML chooses its own.
  public var threads: Int

  public init(computeUnits: ComputeUnits = .all, threads: Int = 1) {
    (self.computeUnits, self.threads) = (computeUnits, threads)
  }
}

/// A runner that is ready, and what its runtime says of how it runs.
public struct LoadedModel {
  public let runner: any ModelRunner
  /// The processors, such as "CPU".
  public let computesOn: String
  /// The threads that it computes with; nil where the runtime chooses them.
  public let threads: Int?
  /// Loading alone; nil lets the one who asked for it take the whole time.
  public let loadMs: Double?
  /// What was done before that, by its name, in milliseconds: `compile`, `plan`.
  public let loadPartsMs: [String: Double]
  /// The runtime with its version.
  public let versions: [String: String]

  public init(
    runner: any ModelRunner, computesOn: String, threads: Int? = nil, loadMs: Double? = nil,
    loadPartsMs: [String: Double] = [:], versions: [String: String] = [:]
  ) {
    (self.runner, self.computesOn, self.threads) = (runner, computesOn, threads)
    (self.loadMs, self.loadPartsMs, self.versions) = (loadMs, loadPartsMs, versions)
  }
}

/// Makes the runner of a bundle, of whichever runtime it is; throws `DemoError` or an error of the runtime's own.
public typealias ModelLoader = @Sendable (ModelBundle, RunSettings) async throws -> sending LoadedModel
