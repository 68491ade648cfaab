/// What an output says of a picture, by the model's task.
public enum Answer: Equatable, Sendable {
  /// The best labels, best first.
  case classified([Prediction])
  /// Things with their places, the surest first; empty where there is none.
  case detected([Found])
  /// What every pixel shows; of the parts, the labels that occur, the largest first.
  case segmented(Mask, [Part])

  /// Of a classification the best `count` labels.
  init(_ output: ModelOutput, of manifest: Manifest, count: Int) {
    switch manifest.task {
    case .classification: self = .classified(output.top(count, of: manifest.labels))
    case .segmentation:
      let (labels, side) = (manifest.labels, manifest.image.sizePx)
      let mask = Mask(scores: output.raw, labels: labels.count, side: side)
      let pixels = mask.pixels(labels.count)
      let order = pixels.indices.filter { pixels[$0] > 0 }.sorted { (pixels[$1], $0) < (pixels[$0], $1) }
      let parts = order.map {
        Part(labelIndex: $0, label: labels[$0], share: Double(pixels[$0]) / Double(mask.labels.count))
      }
      self = .segmented(mask, parts)
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

/// A label with its share of a picture's pixels.
public struct Part: Equatable, Sendable, Identifiable {
  public let labelIndex: Int
  public let label: String
  public let share: Double

  public var id: Int { labelIndex }
}

extension ModelOutput {
  /// The index of the label that it is surest of; none where a number is not a number.
  func winner(of manifest: Manifest) -> Int? {
    switch manifest.task {
    case .classification: winner
    case .detection: Detections(raw, labels: manifest.labels.count).surestLabel
    case .segmentation:
      raw.contains(where: \.isNaN)
        ? nil
        : Mask(scores: raw, labels: manifest.labels.count, side: manifest.image.sizePx)
          .widestLabel(manifest.labels.count)
    }
  }
}
