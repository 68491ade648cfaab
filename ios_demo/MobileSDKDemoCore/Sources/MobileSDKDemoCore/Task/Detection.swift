/// A row for each anchor: a box, then the logits of "nothing" and of every label. The rule finds things in them.
public struct Detection: OneOutputTask {
  public let contract: TaskContract
  private var sides: Sides { contract.sides ?? Sides(height: 1, width: 1) }
  let rule: DetectionSpec

  public init(_ contract: TaskContract, rule: DetectionSpec) { (self.contract, self.rule) = (contract, rule) }

  public var labelCounts: ClosedRange<Int> { 1...Int.max }

  public var takesArrays: Bool { false }

  public var goldenFile: (any GoldenFile)? { GoldenDetections(detect: detections) }

  public func outputMisfit() -> String? {
    let (output, columns) = (contract.output, Detections.columns(labels: contract.labels.count))
    let shape = output.shape
    guard shape.count == 3, shape[0] == 1, shape[1] >= 1, shape[2] == columns else {
      return "expected an output [1, anchors, \(columns)], found \(shape)"
    }
    return output.type == .float32 ? nil : "expected boxes in float32, found \(output.type.rawValue)"
  }

  public func winner(fitting output: ModelOutput) -> Int? {
    Detections(output.raw, labels: contract.labels.count).surestLabel
  }

  /// Every thing that is found is shown, the surest first.
  public func answer(fitting output: ModelOutput, count: Int) -> Answer {
    let found = detections(in: output).enumerated().map { rank, each in
      Found(
        what: LabelShare(
          rank: rank, labelIndex: each.labelIndex, label: contract.labels[each.labelIndex], share: each.score),
        area: each.box.shares(of: sides))
    }
    return Answer(shares: found.map(\.what), found: found)
  }

  @Sendable private func detections(in output: ModelOutput) -> [DetectedBox] {
    Detections(output.raw, labels: contract.labels.count).found(by: rule, sides: sides)
  }
}

/// The numbers of the rule in docs/guides/detection.md; thresholds are 0…1.
public struct DetectionSpec: Equatable, Sendable {
  public let scoreThreshold: Double
  public let iouThreshold: Double
  public let maxDetections: Int
}

extension DetectionSpec {
  static let field = "detection"

  private static let innerShare = Double.leastNonzeroMagnitude...(1.0).nextDown

  /// Reads the rule's numbers, which schema 1 calls by other names.
  init(from fields: inout Fields, schema: Int) throws {
    var rule = try fields.inside(Self.field)
    let (score, iou, most) =
      schema == 1
      ? ("least_score_share", "overlap_share", "most") : ("score_threshold", "iou_threshold", "max_detections")
    scoreThreshold = try rule.number(score, in: Self.innerShare)
    iouThreshold = try rule.number(iou, in: Self.innerShare)
    maxDetections = try rule.integer(most, in: 1...1000)
    try rule.end()
  }
}
