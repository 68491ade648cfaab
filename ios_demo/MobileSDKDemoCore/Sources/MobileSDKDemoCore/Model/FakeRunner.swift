/// A runner for tests and previews: the outputs that it was given, whatever the picture.
public struct FakeRunner: ModelRunner {
  private let fixed: [ModelOutput]
  private let onRun: () throws -> Void

  public init(_ fixed: [ModelOutput], onRun: @escaping () throws -> Void = {}) {
    (self.fixed, self.onRun) = (fixed, onRun)
  }

  public func outputs(for picture: RGBPicture) throws -> [ModelOutput] {
    try onRun()
    return fixed
  }
}
