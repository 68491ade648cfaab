import Foundation

/// A `golden/N.detections.json`: the things that `detect` must find in the golden output.
struct GoldenDetections: GoldenFile {
  private static let maximumBytes = 1 << 20
  private static let tolerance = 1e-6  // of a score or a pixel: earlier versions took a library's exponential
  private static let finite = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude

  let detect: @Sendable (ModelOutput) -> [DetectedBox]

  var kind: String { "detections.json" }

  var sizes: ClosedRange<Int> { 0...Self.maximumBytes }

  func misfit(of written: Data, output: ModelOutput, path: String) -> String? {
    do {
      let isNear = Self.areNear(try Self.read(written), detect(output))
      return isNear ? nil : "expected \(path) to be the detections of its output, found others"
    } catch let error as JSONError {
      return "expected JSON in \(path), found \(error.reason)"
    } catch let error as FieldError {
      return "expected detections in \(path), found that it does not hold them: \(error.message)"
    } catch {
      return "expected detections in \(path), found: \(error)"
    }
  }

  /// Throws `FieldError` or `JSONError`.
  private static func read(_ written: Data) throws -> [DetectedBox] {
    var fields = try Fields(JSONValue(parsing: written))
    let found = try fields.list("detections") { try box(Fields($0, at: $1)) }
    try fields.end()
    return found
  }

  private static func box(_ fields: Fields) throws -> DetectedBox {
    var fields = fields
    let (label, score) = (
      try fields.integer("label_index", in: 0...Int(Int32.max)), try fields.number("score", in: finite)
    )
    let sides = try fields.list("box_px", count: 4...4) { try Fields.number($0, at: $1, in: finite) }
    try fields.end()
    let box = Box(left: sides[0], top: sides[1], right: sides[2], bottom: sides[3])
    return DetectedBox(labelIndex: label, score: score, box: box)
  }

  /// Returns true for the same things in the same order, whose numbers differ in their last bits at most.
  private static func areNear(_ some: [DetectedBox], _ others: [DetectedBox]) -> Bool {
    some.count == others.count && zip(some, others).allSatisfy(isNear)
  }

  private static func isNear(_ one: DetectedBox, _ other: DetectedBox) -> Bool {
    one.labelIndex == other.labelIndex
      && zip(numbers(of: one), numbers(of: other)).allSatisfy { abs($0 - $1) <= tolerance }
  }

  private static func numbers(of found: DetectedBox) -> [Double] {
    [found.score, found.box.left, found.box.top, found.box.right, found.box.bottom]
  }
}
