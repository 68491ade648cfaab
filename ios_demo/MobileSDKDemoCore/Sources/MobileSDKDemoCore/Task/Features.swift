/// Raw values of a net: any number of outputs in any shape. Nothing says what is right, so there are no labels.
public struct Features: ModelTask {
  private static let mostSides = 5  // of an output, its batch included

  public let contract: TaskContract

  public init(_ contract: TaskContract) { self.contract = contract }

  public var labelCounts: ClosedRange<Int> { 0...0 }

  public var takesArrays: Bool { true }

  public var hasOneOutput: Bool { false }

  public var goldenFile: (any GoldenFile)? { nil }

  public func outputMisfit() -> String? {
    guard let other = contract.outputs.map(\.shape).first(where: { !Self.fits($0) }) else { return nil }
    return "expected an output (1, …) with one to \(Self.mostSides - 1) sides behind the batch, found \(other)"
  }

  /// No label can win: 0, as the manifest has it.
  public func winner(fitting outputs: [ModelOutput]) -> Int? { 0 }

  public func answer(fitting outputs: [ModelOutput], count: Int) -> Answer { Answer(features: outputs.map(\.named)) }

  private static func fits(_ shape: [Int]) -> Bool {
    (2...mostSides).contains(shape.count) && shape[0] == 1 && shape.allSatisfy { $0 > 0 }
  }
}
