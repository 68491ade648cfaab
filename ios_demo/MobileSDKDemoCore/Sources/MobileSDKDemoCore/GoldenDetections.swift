import Foundation

/// A `golden/N.detections.json`: what the rule must make of the golden output, in every language.
struct GoldenDetections {
  static let kind = "detections.json"
  static let maximumBytes = 1 << 20

  private static let tolerance = 1e-6  // of a score or a pixel: an exponential's last bit differs between languages
  private static let finite = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude

  let detections: [Detection]

  /// Throws `BundleRefusal` or `JSONError`.
  init(parsing data: Data) throws {
    var fields = try Fields(JSONValue(parsing: data))
    detections = try fields.list("detections") { try Self.detection(Fields($0, at: $1)) }
    try fields.end()
  }

  /// Whether both are the same detections in the same order, but for the last bits of their numbers.
  func isNear(_ others: [Detection]) -> Bool {
    detections.count == others.count && zip(detections, others).allSatisfy(Self.isNear)
  }

  private static func detection(_ fields: Fields) throws -> Detection {
    var fields = fields
    let (label, score) = (try fields.integer("label_index", in: 0...Int.max), try fields.number("score", in: finite))
    let sides = try fields.list("box_px", count: 4...4) { try Fields.number($0, at: $1, in: finite) }
    try fields.end()
    let box = Box(left: sides[0], top: sides[1], right: sides[2], bottom: sides[3])
    return Detection(labelIndex: label, score: score, box: box)
  }

  private static func isNear(_ one: Detection, _ other: Detection) -> Bool {
    one.labelIndex == other.labelIndex
      && zip(numbers(of: one), numbers(of: other)).allSatisfy { abs($0 - $1) <= tolerance }
  }

  private static func numbers(of found: Detection) -> [Double] {
    [found.score, found.box.left, found.box.top, found.box.right, found.box.bottom]
  }
}
