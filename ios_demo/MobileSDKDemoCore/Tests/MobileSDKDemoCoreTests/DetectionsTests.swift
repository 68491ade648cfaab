import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct DetectionsTests {
  @Test func everyOutputGivesPythonsDetectionsInPythonsOrder() throws {
    let cases = try Fixtures.json("detections/cases.json").items.map(DetectionCase.init)
    #expect(cases.count > 200)
    for each in cases {
      let found = Detections(each.output, labels: each.labels).found(
        by: each.rule, sides: Sides(height: each.sizePx, width: each.sizePx))
      #expect(found.map(\.labelIndex) == each.expected.map(\.labelIndex), "\(each.name)")
      for (one, other) in zip(found, each.expected) {
        #expect(abs(one.score - other.score) < 1e-12 && one.box == other.box, "\(each.name)")
      }
    }
    #expect(cases.filter { $0.expected.isEmpty }.count > 5)
    #expect(cases.filter { $0.expected.count == $0.rule.maxDetections }.count > 20)
  }

  @Test func theSurestLabelIsThatOfTheLargestShare() {
    let row = [0.0, 0, 1, 1, 0, 0, 0]
    #expect(Detections(row + row, labels: 2).surestLabel == 0)
    #expect(Detections(row + [0, 0, 1, 1, 0, 1, 2], labels: 2).surestLabel == 1)
    #expect(Detections(row + [.nan, 0, 1, 1, 0, 1, 2], labels: 2).surestLabel == nil)
  }

  @Test func boxesOfNoSizeOverlapWithNothing() {
    let (empty, whole) = (box(2, 2, 2, 2), box(0, 0, 4, 4))
    #expect(empty.overlap(with: empty) == 0 && empty.overlap(with: whole) == 0)
    #expect(whole.overlap(with: box(4, 0, 8, 4)) == 0 && whole.overlap(with: whole) == 1)
    #expect(abs(box(0, 0, 2, 2).overlap(with: box(1, 0, 3, 2)) - 1.0 / 3) < 1e-15)
  }

  @Test func labelsHaveColoursOfTheirOwn() {
    let colors = (0..<20).map { LabelColor(labelIndex: $0) }
    for (index, color) in colors.enumerated() {
      #expect(!colors[..<index].contains(color) && color == LabelColor(labelIndex: index))
      #expect([color.red, color.green, color.blue].allSatisfy { (0...1).contains($0) })
    }
    #expect(colors.contains(where: \.isBright) && !colors.allSatisfy(\.isBright))
    let bytes = colors[..<3].map { [$0.red, $0.green, $0.blue].map { Int((255 * $0).rounded()) } }
    #expect(bytes == [[255, 74, 74], [38, 117, 255], [159, 255, 38]], "those of mobile-sdk classify")
  }

  private func box(_ left: Double, _ top: Double, _ right: Double, _ bottom: Double) -> Box {
    Box(left: left, top: top, right: right, bottom: bottom)
  }
}

@Suite struct AnchorFreeTests {
  @Test func everyHeadsMapsGivePythonsDetectionsInPythonsOrder() throws {
    let cases = try Fixtures.json("anchor_free/cases.json").items
    #expect(cases.count >= 40)
    var many = 0
    for each in cases {
      let name = try each.field("name").string
      let sides = Sides(height: Int(try each.field("height_px").double), width: Int(try each.field("width_px").double))
      let numbers = try each.field("rule")
      let rule = DetectionSpec(
        scoreThreshold: try numbers.field("score_threshold").double,
        iouThreshold: try numbers.field("iou_threshold").double,
        maxDetections: Int(try numbers.field("max_detections").double))
      let head = AnchorFreeHead(labels: Int(try each.field("labels").double), sides: sides)
      let found = try #require(head.found(in: try each.field("maps").items.map(map), by: rule))
      let expected = try each.field("expected").items
      let labels = try expected.map { Int(try $0.field("label_index").double) }
      #expect(found.map(\.labelIndex) == labels, "\(name)")
      for (one, other) in zip(found, expected) {
        let box = try other.field("box_px").items.map { try $0.double }
        let (score, sides) = (
          try other.field("score").double, [one.box.left, one.box.top, one.box.right, one.box.bottom]
        )
        #expect(abs(one.score - score) < 1e-12, "\(name)")
        #expect(zip(sides, box).allSatisfy { abs($0 - $1) < 1e-9 }, "\(name)")
      }
      many += expected.count > 3 ? 1 : 0
    }
    #expect(many > 10)
  }

  @Test func mapsOfOtherChannelsAreRefused() {
    let rule = DetectionSpec(scoreThreshold: 0.5, iouThreshold: 0.5, maxDetections: 10)
    let map = RawMap(values: Array(repeating: 0, count: 4 * 11), rows: 2, columns: 2)
    let sides = Sides(height: 8, width: 8)
    #expect(AnchorFreeHead(labels: 3, sides: sides).found(in: [map], by: rule) != nil)
    #expect(AnchorFreeHead(labels: 4, sides: sides).found(in: [map], by: rule) == nil)
    #expect(AnchorFreeHead(labels: 7, sides: sides).found(in: [map], by: rule) == nil)
  }

  private func map(_ json: JSONValue) throws -> RawMap {
    let file = Fixtures.folder.appendingPathComponent("anchor_free/\(try json.field("file").string)")
    let floats = OutputSpec(name: "output", type: .float32, shape: [], scale: nil, zeroPoint: nil)
    return RawMap(
      values: ModelOutput(bytes: try Data(contentsOf: file), as: floats).raw,
      rows: Int(try json.field("rows").double), columns: Int(try json.field("columns").double))
  }
}

/// An output that Python wrote, with what it detects there.
private struct DetectionCase {
  let name: String
  let output: [Double]
  let labels: Int
  let rule: DetectionSpec
  let sizePx: Int
  let expected: [DetectedBox]

  init(_ json: JSONValue) throws {
    name = try json.field("name").string
    let file = Fixtures.folder.appendingPathComponent("detections/\(try json.field("output").string)")
    let floats = OutputSpec(name: "output", type: .float32, shape: [], scale: nil, zeroPoint: nil)
    output = ModelOutput(bytes: try Data(contentsOf: file), as: floats).raw
    labels = Int(try json.field("labels").double)
    let numbers = try json.field("rule")
    rule = DetectionSpec(
      scoreThreshold: try numbers.field("score_threshold").double,
      iouThreshold: try numbers.field("iou_threshold").double,
      maxDetections: Int(try numbers.field("max_detections").double))
    sizePx = Int(try json.field("size_px").double)
    expected = try json.field("expected").items.map { each in
      let sides = try each.field("box_px").items.map { try $0.double }
      return DetectedBox(
        labelIndex: Int(try each.field("label_index").double), score: try each.field("score").double,
        box: Box(left: sides[0], top: sides[1], right: sides[2], bottom: sides[3]))
    }
  }
}
