import Foundation

/// What is asked for from outside, by a URL; README.md says how. Every number in it is bounded.
///
/// `mobilesdkdemo://benchmark?bundle=NAME&request=ID&min_runs=1024&min_seconds=1&enough_seconds=60&quick=1&threads=1
/// &compute_units=all`, `mobilesdkdemo://score?request=ID&…` and `mobilesdkdemo://forget`.
public enum HarnessRequest: Equatable, Sendable {
  case benchmark(BenchmarkRequest)
  case score(ScoreRequest)
  /// Removes all that harnesses have left.
  case forget

  /// Throws `DemoError` for a URL that asks for something else.
  public init(_ url: URL) throws {
    guard let parts = URLComponents(url: url, resolvingAgainstBaseURL: false), let action = parts.host else {
      throw RequestFields.refusal("expected a request, found \(url.absoluteString.prefix(80))")
    }
    var fields = RequestFields(parts.queryItems ?? [])
    switch action {
    case "benchmark": self = .benchmark(try BenchmarkRequest(&fields))
    case "score": self = .score(try ScoreRequest(&fields))
    case "forget": self = .forget
    default: throw RequestFields.refusal("expected benchmark, score or forget, found \(action.prefix(80))")
    }
    try fields.end()
  }

  /// The folder of the request; nil where it has none.
  var id: RequestID? {
    switch self {
    case .benchmark(let request): request.id
    case .score(let request): request.id
    case .forget: nil
    }
  }
}

/// A benchmark: of the bundles that its folder holds, or of the app's own, all that can run where none is named.
public struct BenchmarkRequest: Equatable, Sendable {
  public let id: RequestID?
  public let bundles: [String]
  public let plan: BenchmarkPlan
  public let settings: RunSettings

  public init(bundles: [String], plan: BenchmarkPlan = BenchmarkPlan(), settings: RunSettings) {
    (id, self.bundles, self.plan, self.settings) = (nil, bundles, plan, settings)
  }

  init(_ fields: inout RequestFields) throws {
    bundles = fields.all("bundle")
    id = try fields.id()
    var plan = BenchmarkPlan()
    plan.minRuns = try fields.integer("min_runs", in: BenchmarkPlan.runCounts) ?? plan.minRuns
    plan.minSeconds = try fields.number("min_seconds", in: BenchmarkPlan.seconds) ?? plan.minSeconds
    plan.enoughSeconds = try fields.number("enough_seconds", in: BenchmarkPlan.seconds) ?? plan.enoughSeconds
    self.plan = try fields.integer("quick", in: 0...1) == 1 ? plan.quick : plan
    settings = try fields.settings()
  }
}

/// Scores: of the inputs in the request's folder, by the one bundle in it.
public struct ScoreRequest: Equatable, Sendable {
  public let id: RequestID
  public let settings: RunSettings

  init(_ fields: inout RequestFields) throws {
    guard let id = try fields.id() else { throw RequestFields.refusal("expected a request to score, found none") }
    self.id = id
    settings = try fields.settings()
  }
}

/// The name of a request's folder: 32 hexadecimal digits, so that it leads nowhere else.
public struct RequestID: Equatable, Sendable {
  public let text: String

  public init(_ text: String) throws {
    guard text.count == 32, text.allSatisfy({ $0.isASCII && $0.isHexDigit && !$0.isUppercase }) else {
      throw RequestFields.refusal("expected a request of 32 hexadecimal digits, found \(text.prefix(80))")
    }
    self.text = text
  }
}

/// The fields of a URL's query, each of which is taken once.
struct RequestFields {
  private var items: [URLQueryItem]

  init(_ items: [URLQueryItem]) { self.items = items }

  static func refusal(_ message: String) -> DemoError { DemoError(message, hint: "ask as the README says") }

  mutating func all(_ name: String) -> [String] {
    defer { items.removeAll { $0.name == name } }
    return items.filter { $0.name == name }.map { $0.value ?? "" }
  }

  mutating func id() throws -> RequestID? { try one("request").map(RequestID.init) }

  mutating func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    try one(name).map { text in try Self.bounded(name, Int(text), range) }
  }

  mutating func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
    try one(name).map { text in try Self.bounded(name, Double(text), range) }
  }

  mutating func settings() throws -> RunSettings {
    var settings = RunSettings()
    settings.threads = try integer("threads", in: RunSettings.threadCounts) ?? settings.threads
    guard let text = one("compute_units") else { return settings }
    guard let units = ComputeUnits(rawValue: text) else {
      let names = ComputeUnits.allCases.map(\.rawValue).joined(separator: ", ")
      throw Self.refusal("expected compute_units of \(names), found \(text.prefix(80))")
    }
    settings.computeUnits = units
    return settings
  }

  /// Throws `DemoError` for a field that nobody took.
  func end() throws {
    if let left = items.first { throw Self.refusal("expected known fields, found \(left.name.prefix(80))") }
  }

  private mutating func one(_ name: String) -> String? { all(name).last }

  private static func bounded<Number: Comparable>(_ name: String, _ value: Number?, _ range: ClosedRange<Number>) throws
    -> Number
  {
    guard let value, range.contains(value) else {
      throw refusal("expected \(name) of \(range.lowerBound) to \(range.upperBound), found another value")
    }
    return value
  }
}
