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
