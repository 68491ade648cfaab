import Foundation

/// A runner for tests and previews: the outputs that it was given, whatever the picture.
public final class FakeRunner: ModelRunner {
  public let input: InputSpec
  private let fixed: [ModelOutput]
  private let onRun: () throws -> Void

  public init(_ fixed: [ModelOutput], input: InputSpec, onRun: @escaping () throws -> Void = {}) {
    (self.fixed, self.input, self.onRun) = (fixed, input, onRun)
  }

  public func setInput(_ tensor: Data) throws {}

  public func run() throws { try onRun() }

  public func readOutputs() throws -> [ModelOutput] { fixed }
}
