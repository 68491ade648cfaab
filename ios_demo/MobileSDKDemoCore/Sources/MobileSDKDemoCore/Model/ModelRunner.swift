/// Runs a model on one picture.
public protocol ModelRunner {
  /// Returns the outputs for RGB of the bundle's size, or an array as `ArraySpec.stored` has it, in the manifest's order.
  /// Slow: never called on the main thread.
  func outputs(for picture: RGBPicture) throws -> [ModelOutput]
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
