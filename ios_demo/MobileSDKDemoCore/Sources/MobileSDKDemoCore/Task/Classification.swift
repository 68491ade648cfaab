/// One score a label, of the whole picture.
public struct Classification: OneOutputTask {
  public let contract: TaskContract

  public init(_ contract: TaskContract) { self.contract = contract }

  public var labelCounts: ClosedRange<Int> { 2...Int.max }

  public var takesArrays: Bool { true }

  public var goldenFile: (any GoldenFile)? { nil }

  public func outputMisfit() -> String? {
    let (shape, expected) = (contract.output.shape, [1, contract.labels.count])
    return shape == expected ? nil : "expected one score a label, \(expected), found \(shape)"
  }

  /// The largest score wins, the first of equal ones.
  public func winner(fitting output: ModelOutput) -> Int? { output.raw.max().flatMap(output.raw.firstIndex) }

  /// The most probable labels come first, equal ones in the labels' order.
  public func answer(fitting output: ModelOutput, count: Int) -> Answer {
    let shares = softmax(output.logits)
    let order = shares.indices.sorted { (shares[$1], $0) < (shares[$0], $1) }
    return Answer(
      shares: order.prefix(count).enumerated().map { rank, index in
        LabelShare(rank: rank, labelIndex: index, label: contract.labels[index], share: shares[index])
      })
  }
}
