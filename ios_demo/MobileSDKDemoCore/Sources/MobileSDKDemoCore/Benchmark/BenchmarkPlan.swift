/// How a benchmark measures; what stands here is what `mobile-sdk bench` does when nobody says otherwise.
public struct BenchmarkPlan: Equatable, Sendable {
  public static let runCounts = 1...100_000
  public static let seconds = 0.0...600.0

  public var minRuns = 1024  // p99 then rests on ten runs
  public var minSeconds = 1.0
  /// Of runs: however few they are then.
  public var enoughSeconds = 60.0
  /// Measures just enough to show a figure; supports no verdict.
  public var isQuick = false

  public init() {}

  /// The same, with the runs of a first figure.
  public var quick: BenchmarkPlan {
    var plan = self
    (plan.minRuns, plan.minSeconds, plan.isQuick) = (min(minRuns, 12), 0, true)
    return plan
  }
}
