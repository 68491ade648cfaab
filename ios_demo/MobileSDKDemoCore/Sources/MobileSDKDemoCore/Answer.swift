/// What an output says of a picture, by the model's task.
public enum Answer: Equatable, Sendable {
  /// The best labels, best first.
  case classified([Prediction])
  /// Things with their places, the surest first; empty where there is none.
  case detected([Found])

  /// Of a classification the best `count` labels.
  init(_ output: ModelOutput, of manifest: Manifest, count: Int) {
    switch manifest.task {
    case .classification: self = .classified(output.top(count, of: manifest.labels))
    case .detection(let rule):
      let detections = Detections(output.raw, labels: manifest.labels.count)
      let share = 1 / Double(manifest.image.sizePx)
      let found = detections.found(by: rule, sizePx: manifest.image.sizePx).enumerated().map { rank, each in
        Found(
          rank: rank, labelIndex: each.labelIndex, label: manifest.labels[each.labelIndex], share: each.score,
          area: each.box.scaled(share, share))
      }
      self = .detected(found)
    }
  }
}

/// A detection for a screen: the sides of `area` are shares of the picture's width and height, 0…1.
public struct Found: Equatable, Sendable, Identifiable {
  public let rank: Int
  public let labelIndex: Int
  public let label: String
  public let share: Double
  public let area: Box

  public var id: Int { rank }

  /// Its place where the picture is shown `width` wide and `height` high.
  public func box(width: Double, height: Double) -> Box { area.scaled(width, height) }
}

extension ModelOutput {
  /// The index of the label that it is surest of; none where a number is not a number.
  func winner(of manifest: Manifest) -> Int? {
    switch manifest.task {
    case .classification: winner
    case .detection: Detections(raw, labels: manifest.labels.count).surestLabel
    }
  }
}
