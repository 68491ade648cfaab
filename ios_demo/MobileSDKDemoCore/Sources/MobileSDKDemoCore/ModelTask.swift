/// What an output says.
public enum ModelTask: Equatable, Sendable {
  /// One score a label.
  case classification
  /// A row for each anchor: a box, then the logits of "nothing" and of every label.
  case detection(DetectionSpec)
}

/// The numbers of the rule in docs/detection.md; shares are 0…1.
public struct DetectionSpec: Equatable, Sendable {
  public let leastScoreShare: Double
  public let overlapShare: Double
  public let most: Int
}
