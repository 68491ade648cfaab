import Foundation

/// How a benchmark measures; what stands here is what `mobile-sdk bench` does when nobody says otherwise.
public struct BenchmarkPlan: Equatable, Sendable {
  public var minRuns = 50
  public var minSeconds = 1.0

  public init() {}
}

/// A benchmark that was asked for by a URL, so that a harness can start it from outside.
///
/// `mobilesdkdemo://benchmark?bundle=NAME&bundle=NAME&min_runs=50&min_seconds=1&compute_units=all`; without a bundle
/// all that can run are measured.
public struct BenchmarkRequest: Equatable, Sendable {
  public let bundles: [String]
  public let plan: BenchmarkPlan
  public let computeUnits: ComputeUnits

  /// Throws `DemoError` for a URL that asks for something else.
  public init(_ url: URL) throws {
    guard let parts = URLComponents(url: url, resolvingAgainstBaseURL: false), parts.host == "benchmark" else {
      throw Self.refusal("expected the action benchmark, found \(url.absoluteString.prefix(80))")
    }
    var (bundles, plan, units) = ([String](), BenchmarkPlan(), ComputeUnits.all)
    for item in parts.queryItems ?? [] {
      let value = item.value ?? ""
      switch item.name {
      case "bundle": bundles.append(value)
      case "min_runs": plan.minRuns = try Self.number(item.name, Int(value), atLeast: 1)
      case "min_seconds": plan.minSeconds = try Self.number(item.name, Double(value), atLeast: 0)
      case "compute_units":
        guard let known = ComputeUnits(rawValue: value) else {
          let names = ComputeUnits.allCases.map(\.rawValue).joined(separator: ", ")
          throw Self.refusal("expected compute_units of \(names), found \(value)")
        }
        units = known
      default: throw Self.refusal("expected bundle, min_runs, min_seconds or compute_units, found \(item.name)")
      }
    }
    (self.bundles, self.plan, self.computeUnits) = (bundles, plan, units)
  }

  private static func number<Number: Comparable>(_ name: String, _ value: Number?, atLeast least: Number) throws
    -> Number
  {
    guard let value, value >= least, (value as? Double)?.isFinite ?? true else {
      throw refusal("expected \(name) of at least \(least), found another value")
    }
    return value
  }

  private static func refusal(_ message: String) -> DemoError {
    DemoError(message, hint: "start the benchmark as the README says")
  }
}
