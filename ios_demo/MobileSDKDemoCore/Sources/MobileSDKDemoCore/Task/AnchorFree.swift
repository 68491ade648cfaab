/// A raw map of a head: `values` are its rows × columns × channels, one after another.
public struct RawMap: Sendable {
  public let values: [Double]
  public let rows: Int
  public let columns: Int

  public init(values: [Double], rows: Int, columns: Int) {
    (self.values, self.rows, self.columns) = (values, rows, columns)
  }

  var channels: Int { rows > 0 && columns > 0 ? values.count / (rows * columns) : 0 }
}

/// Reads the raw maps of an anchor-free head, such as YOLOv8's. It follows docs/guides/detection.md in its order and in double
/// precision, as mobile_sdk/tasks/anchor_free.py does.
public struct AnchorFreeHead {
  private static let sides = 4  // left, top, right, bottom

  private let labels: Int
  private let sides: Sides

  public init(labels: Int, sides: Sides) { (self.labels, self.sides) = (labels, sides) }

  /// Returns the things in a picture, best first; none where a number is not finite. Nil for maps of other channels than
  /// 4 × bins + labels.
  public func found(in maps: [RawMap], by rule: DetectionSpec) -> [DetectedBox]? {
    var candidates = Array(repeating: [DetectedBox](), count: labels)  // by label, in the order of the positions
    for map in maps {
      guard let bins = bins(of: map) else { return nil }
      guard maps.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else { return [] }
      for position in 0..<(map.rows * map.columns) {
        let box = box(at: position, of: map, bins: bins)
        for label in 0..<labels {
          let score = 1 / (1 + Exponential.of(-map.values[position * map.channels + Self.sides * bins + label]))
          if score >= rule.scoreThreshold {
            candidates[label].append(DetectedBox(labelIndex: label, score: score, box: box))
          }
        }
      }
    }
    return Detections.best(of: candidates, by: rule)
  }

  private func bins(of map: RawMap) -> Int? {
    let bins = (map.channels - labels) / Self.sides
    return bins > 1 && Self.sides * bins + labels == map.channels ? bins : nil
  }

  private func box(at position: Int, of map: RawMap, bins: Int) -> Box {
    let (width, height) = (Double(sides.width) / Double(map.columns), Double(sides.height) / Double(map.rows))
    let (row, column) = position.quotientAndRemainder(dividingBy: map.columns)
    let (x, y) = ((Double(column) + 0.5) * width, (Double(row) + 0.5) * height)
    func distance(_ side: Int) -> Double {
      let start = position * map.channels + side * bins
      let shares = softmax(map.values[start..<(start + bins)])
      return shares.indices.reduce(0) { $0 + Double($1) * shares[$1] }
    }
    func cut(_ value: Double, _ most: Int) -> Double { min(max(value, 0), Double(most)) }
    return Box(
      left: cut(x - distance(0) * width, sides.width), top: cut(y - distance(1) * height, sides.height),
      right: cut(x + distance(2) * width, sides.width), bottom: cut(y + distance(3) * height, sides.height))
  }
}
