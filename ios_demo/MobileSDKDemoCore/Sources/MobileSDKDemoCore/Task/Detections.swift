/// A thing that was found, in pixels of the net's picture; `score` is its label's share of the softmax.
public struct DetectedBox: Equatable, Sendable {
  public let labelIndex: Int
  public let score: Double
  public let box: Box
}

/// Finds things in a detector's output. It follows docs/guides/detection.md in its order and in double precision, as
/// mobile_sdk/tasks/boxes.py does. Nothing is found in an output of other numbers than whole rows, or with one that is
/// not finite.
public struct Detections {
  private static let boxColumns = 4  // left, top, right, bottom; "nothing" and the labels follow

  private let output: [Double]
  private let labels: Int

  /// `output` is anchors × columns, flat.
  public init(_ output: [Double], labels: Int) {
    let isWhole = output.count % Self.columns(labels: labels) == 0 && output.allSatisfy(\.isFinite)
    (self.output, self.labels) = (isWhole ? output : [], labels)
  }

  public static func columns(labels: Int) -> Int { boxColumns + 1 + labels }

  /// Returns the things in a picture of those `sides`, best first.
  public func found(by rule: DetectionSpec, sides: Sides) -> [DetectedBox] {
    var candidates = Array(repeating: [DetectedBox](), count: labels)  // by label, in the order of the anchors
    for row in rows {
      for (label, share) in shares(of: row).enumerated() where share >= rule.scoreThreshold {
        candidates[label].append(DetectedBox(labelIndex: label, score: share, box: box(of: row, sides: sides)))
      }
    }
    return Self.best(of: candidates, by: rule)
  }

  /// Returns the best of the candidates of each label, which are in the order of their anchors.
  static func best(of candidates: [[DetectedBox]], by rule: DetectionSpec) -> [DetectedBox] {
    Array(bestFirst(candidates.flatMap { suppressed($0, by: rule) }).prefix(rule.maxDetections))
  }

  /// The label of the largest share, of equal ones the first anchor's; none where nothing is found.
  public var surestLabel: Int? {
    var (best, largest): (Int?, Double) = (nil, -.infinity)
    for row in rows {
      for (label, share) in shares(of: row).enumerated() where share > largest { (best, largest) = (label, share) }
    }
    return best
  }

  private var rows: StrideTo<Int> { stride(from: 0, to: output.count, by: Self.columns(labels: labels)) }

  /// The softmax of a row's logits, without its first, "nothing".
  private func shares(of row: Int) -> [Double] {
    let start = row + Self.boxColumns
    return Array(softmax(output[start...(start + labels)]).dropFirst())
  }

  private func box(of row: Int, sides: Sides) -> Box {
    func across(_ column: Int) -> Double { min(max(output[row + column], 0), Double(sides.width)) }
    func down(_ column: Int) -> Double { min(max(output[row + column], 0), Double(sides.height)) }
    return Box(left: across(0), top: down(1), right: across(2), bottom: down(3))
  }

  private static func suppressed(_ candidates: [DetectedBox], by rule: DetectionSpec) -> [DetectedBox] {
    var kept: [DetectedBox] = []
    for candidate in bestFirst(candidates) where kept.count < rule.maxDetections {
      if kept.allSatisfy({ $0.box.overlap(with: candidate.box) <= rule.iouThreshold }) { kept.append(candidate) }
    }
    return kept
  }

  /// In falling order of their scores, equal ones in the order in which they came.
  private static func bestFirst(_ detections: [DetectedBox]) -> [DetectedBox] {
    let order = detections.indices.sorted { (detections[$1].score, $0) < (detections[$0].score, $1) }
    return order.map { detections[$0] }
  }
}
