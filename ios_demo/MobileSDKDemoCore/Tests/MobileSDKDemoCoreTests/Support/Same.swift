import Foundation

@testable import MobileSDKDemoCore

/// Answers questions, a line each, as the SDK's tests/support/same/python_answers.py does. The words of a line are parted by
/// tabs; numbers are the digits of a double's bits, and bytes are digits, too. Paths are those below `folder`.
struct Same {
  private static let refused = "refused"

  let folder: URL

  func answer(_ question: String) throws -> String {
    let words = question.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    switch words[0] {
    case "scores": return scores(words)
    case "detections": return detections(words)
    case "maps": return maps(words)
    case "mask": return mask(words)
    case "json": return json(bytes(words[1]))
    case "open": return open(words[1])
    case "replay": return try replay(words[1], bytes(words[2]))
    case "live": return try live(words[1], bytes(words[2]))
    case "statistics": return statistics(words[1])
    default: throw JSONError(reason: "an unknown kind of question: \(words[0])")
    }
  }

  /// scores, type, scale or -, zero point or -, labels, how many are shown, the output's bytes.
  private func scores(_ words: [String]) -> String {
    let labels = whole(words[4])
    let output = OutputSpec(
      name: "scores", type: type(words[1]), shape: [1, labels], scale: words[2] == "-" ? nil : number(words[2]),
      zeroPoint: Int(words[3]))
    let task = Classification(TaskContract(labels: names(labels), sides: nil, outputs: [output]))
    let found = [ModelOutput(bytes: bytes(words[6]), as: output)]
    let answer = task.answer(to: found, count: whole(words[5]))
    return said(task.winner(of: found), answer.problem, answer.shares.map(share))
  }

  /// detections, labels, three numbers of the rule, height, width, anchors, the output's bytes.
  private func detections(_ words: [String]) -> String {
    let (labels, rule) = (whole(words[1]), rule(Array(words[2...])))
    let sides = Sides(height: whole(words[5]), width: whole(words[6]))
    let shape = [1, whole(words[7]), labels + 5]
    let output = OutputSpec(name: "boxes", type: .float32, shape: shape, scale: nil, zeroPoint: nil)
    let task = Detection(TaskContract(labels: names(labels), sides: sides, outputs: [output]), rule: rule)
    let found = ModelOutput(bytes: bytes(words[8]), as: output)
    let boxes = Detections(found.raw, labels: labels).found(by: rule, sides: sides)
    return said(task.winner(of: found), task.answer(to: found, count: 0).problem, boxes.map(box))
  }

  /// maps, labels, three numbers of the rule, height, width, then rows, columns and bytes of each map.
  private func maps(_ words: [String]) -> String {
    let output = OutputSpec(name: "map", type: .float32, shape: [], scale: nil, zeroPoint: nil)
    let maps = stride(from: 7, to: words.count, by: 3).map { start in
      RawMap(
        values: ModelOutput(bytes: bytes(words[start + 2]), as: output).raw, rows: whole(words[start]),
        columns: whole(words[start + 1]))
    }
    let sides = Sides(height: whole(words[5]), width: whole(words[6]))
    let head = AnchorFreeHead(labels: whole(words[1]), sides: sides)
    return (head.found(in: maps, by: rule(Array(words[2...]))) ?? []).map(box).joined(separator: " ")
  }

  /// mask, labels, height, width, type, the output's bytes.
  private func mask(_ words: [String]) -> String {
    let (labels, sides) = (whole(words[1]), Sides(height: whole(words[2]), width: whole(words[3])))
    let shape = [1, sides.height, sides.width, labels]
    let output = OutputSpec(name: "scores", type: type(words[4]), shape: shape, scale: 1, zeroPoint: 0)
    let task = Segmentation(TaskContract(labels: names(labels), sides: sides, outputs: [output]))
    let found = [ModelOutput(bytes: bytes(words[5]), as: output)]
    let answer = task.answer(to: found, count: 0)
    let digits = answer.mask.map { [hexadecimal($0.labels)] } ?? []
    return said(task.winner(of: found), answer.problem, digits + answer.shares.map(share))
  }

  private func json(_ data: Data) -> String { (try? JSONValue(parsing: data)).map(shown) ?? Self.refused }

  private func open(_ path: String) -> String {
    do {
      _ = try bundle(path)
      return "opens"
    } catch {
      return "\(Self.refused) \((error as? BundleRefusal)?.check.rawValue ?? "by another error: \(error)")"
    }
  }

  /// Every picture gives the same numbers.
  private func replay(_ path: String, _ data: Data) throws -> String {
    let bundle = try bundle(path)
    let pictures = try bundle.manifest.golden.pictures.indices.map { try bundle.goldenPixels($0, decode: PNG.decode) }
    let outputs = bundle.manifest.outputs.map { ModelOutput(bytes: data, as: $0) }
    let runner = FakeRunner(outputs, input: bundle.manifest.input)
    return try GoldenReplay.run(bundle, pictures: pictures, on: runner).agrees ? "agrees" : "differs"
  }

  private func live(_ path: String, _ data: Data) throws -> String {
    let manifest = try bundle(path).manifest
    let outputs = manifest.outputs.map { ModelOutput(bytes: data, as: $0) }
    return manifest.task.answer(to: outputs, count: 3).problem ?? "answers"
  }

  private func statistics(_ given: String) -> String {
    let rounds = given.split(separator: ";", omittingEmptySubsequences: false).map { round in
      round.split(separator: ",").map { number(String($0)) }
    }
    guard let found = Summary(rounds: rounds) else { return Self.refused }
    let numbers = [
      found.medianMs, found.madMs, found.meanMs, found.p90Ms, found.p99Ms, found.minMs, found.maxMs, found.cvShare,
      found.robustCvShare,
    ]
    return "\(found.count) \(found.rounds) \(found.outliers) " + numbers.map(digits).joined(separator: " ")
  }

  private func shown(_ value: JSONValue) -> String {
    switch value {
    case .null: "n"
    case .bool(let truth): truth ? "t" : "f"
    case .integer(let whole): (Double(whole).magnitude < 0x1p63 ? "i" : "d") + digits(Double(whole))
    case .number(let number): "d" + digits(number + 0)
    case .string(let text): "s" + hexadecimal(text.utf8)
    case .array(let items): "[" + items.map(shown).joined(separator: ",") + "]"
    case .fields(let fields):
      "{" + fields.map { hexadecimal($0.key.text.utf8) + ":" + shown($0.value) }.sorted().joined(separator: ",") + "}"
    }
  }

  private func said(_ winner: Int?, _ problem: String?, _ words: [String]) -> String {
    ([String(winner ?? -1)] + (problem.map { [$0] } ?? words)).joined(separator: " ")
  }

  private func bundle(_ path: String) throws -> ModelBundle {
    try ModelBundle.open(folder.appendingPathComponent(path), decode: PNG.decode)
  }

  private func rule(_ words: [String]) -> DetectionSpec {
    DetectionSpec(
      scoreThreshold: number(words[0]), iouThreshold: number(words[1]), maxDetections: whole(words[2]))
  }

  private func names(_ labels: Int) -> [String] { (0..<labels).map { "label \($0)" } }

  private func type(_ word: String) -> OutputSpec.ElementType { word == "int8" ? .int8 : .float32 }

  private func share(_ of: LabelShare) -> String { "\(of.labelIndex):\(digits(of.share))" }

  private func box(_ of: DetectedBox) -> String {
    let numbers = [of.score, of.box.left, of.box.top, of.box.right, of.box.bottom]
    return "\(of.labelIndex):" + numbers.map(digits).joined(separator: ":")
  }

  private func digits(_ number: Double) -> String {
    let digits = String(number.bitPattern, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes { for digit in [byte >> 4, byte & 15] { text.append(digit < 10 ? 48 + digit : 87 + digit) } }
    return String(decoding: text, as: UTF8.self)
  }

  private func whole(_ word: String) -> Int { Int(word) ?? 0 }

  private func number(_ digits: String) -> Double { Double(bitPattern: UInt64(digits, radix: 16) ?? 0) }

  private func bytes(_ digits: String) -> Data {
    func value(_ digit: UInt8) -> UInt8 { digit < 58 ? digit - 48 : digit - 87 }
    let digits = Array(digits.utf8)
    return Data(stride(from: 0, to: digits.count - 1, by: 2).map { value(digits[$0]) << 4 | value(digits[$0 + 1]) })
  }
}
