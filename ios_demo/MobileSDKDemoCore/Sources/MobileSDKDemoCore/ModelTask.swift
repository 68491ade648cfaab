/// What an output says.
public enum ModelTask: Equatable, Sendable {
  /// One score a label.
  case classification
  /// A row for each anchor: a box, then the logits of "nothing" and of every label.
  case detection(DetectionSpec)
  /// A score for every label in every pixel.
  case segmentation

  /// How many labels there may be. A mask is bytes, and one of them says in training that no label is asked of a pixel.
  var labelCounts: ClosedRange<Int> {
    switch self {
    case .classification: 2...Int.max
    case .detection: 1...Int.max
    case .segmentation: 2...255
    }
  }
}

/// The numbers of the rule in docs/detection.md; shares are 0…1.
public struct DetectionSpec: Equatable, Sendable {
  public let leastScoreShare: Double
  public let overlapShare: Double
  public let most: Int
}
