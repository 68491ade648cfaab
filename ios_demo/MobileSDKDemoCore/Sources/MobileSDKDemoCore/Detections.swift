import Foundation

/// A rectangle; its sides are in pixels of the net's picture where nothing else is said.
public struct Box: Equatable, Sendable {
  public let left: Double
  public let top: Double
  public let right: Double
  public let bottom: Double

  public init(left: Double, top: Double, right: Double, bottom: Double) {
    (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
  }

  public var width: Double { max(right - left, 0) }
  public var height: Double { max(bottom - top, 0) }

  /// Multiplied along both axes.
  public func scaled(_ horizontal: Double, _ vertical: Double) -> Box {
    Box(left: left * horizontal, top: top * vertical, right: right * horizontal, bottom: bottom * vertical)
  }

  /// Intersection over union; 0 where both are empty.
  func overlap(with other: Box) -> Double {
    let commonWidth = max(min(right, other.right) - max(left, other.left), 0)
    let commonHeight = max(min(bottom, other.bottom) - max(top, other.top), 0)
    let common = commonWidth * commonHeight
    let union = width * height + other.width * other.height - common
    return union > 0 ? common / union : 0
  }
}

/// A thing that was found; `score` is its label's share of the softmax.
public struct Detection: Equatable, Sendable {
  public let labelIndex: Int
  public let score: Double
  public let box: Box
}

/// From a detector's output to detections: the rule of docs/detection.md, in its order and in double precision, as
/// mobile_sdk/tasks/detection.py has it.
public struct Detections {
  private static let boxColumns = 4  // left, top, right, bottom; "nothing" and the labels follow

  private let output: [Double]
  private let labels: Int

  /// `output` is anchors × columns, flat.
  public init(_ output: [Double], labels: Int) { (self.output, self.labels) = (output, labels) }

  public static func columns(labels: Int) -> Int { boxColumns + 1 + labels }

  /// The detections in a picture of `sizePx` by `sizePx`, best first.
  public func found(by rule: DetectionSpec, sizePx: Int) -> [Detection] {
    var candidates = Array(repeating: [Detection](), count: labels)  // by label, in the order of the anchors
    for row in rows {
      for (label, share) in shares(of: row).enumerated() where share >= rule.leastScoreShare {
        candidates[label].append(Detection(labelIndex: label, score: share, box: box(of: row, sizePx: sizePx)))
      }
    }
    let kept = candidates.flatMap { Self.suppressed($0, by: rule) }
    return Array(Self.bestFirst(kept).prefix(rule.most))
  }

  /// The label of the largest share, of equal ones the first anchor's; none where there is a NaN.
  public var surestLabel: Int? {
    guard !output.contains(where: \.isNaN) else { return nil }
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

  private func box(of row: Int, sizePx: Int) -> Box {
    let sides = output[row..<row + Self.boxColumns].map { min(max($0, 0), Double(sizePx)) }
    return Box(left: sides[0], top: sides[1], right: sides[2], bottom: sides[3])
  }

  private static func suppressed(_ candidates: [Detection], by rule: DetectionSpec) -> [Detection] {
    var kept: [Detection] = []
    for candidate in bestFirst(candidates) where kept.count < rule.most {
      if kept.allSatisfy({ $0.box.overlap(with: candidate.box) <= rule.overlapShare }) { kept.append(candidate) }
    }
    return kept
  }

  /// In falling order of their scores, equal ones in the order in which they came.
  private static func bestFirst(_ detections: [Detection]) -> [Detection] {
    let order = detections.indices.sorted { (detections[$1].score, $0) < (detections[$0].score, $1) }
    return order.map { detections[$0] }
  }
}

/// Shares that add up to 1; the largest logit is taken off first, so that no exponential overflows.
func softmax(_ logits: some Collection<Double>) -> [Double] {
  guard let largest = logits.max() else { return [] }
  let powers = logits.map { exp($0 - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}
