import Foundation

/// What a series of latencies says, given as rounds of runs: the `Summary` of mobile_sdk/stats.py, field by field.
public struct Summary: Equatable, Sendable {
  public let count: Int
  public let rounds: Int
  public let medianMs: Double
  public let medianIntervalMs: Interval
  public let madMs: Double
  public let meanMs: Double
  public let p50Ms: Double
  public let p90Ms: Double
  public let p99Ms: Double
  public let minMs: Double
  public let maxMs: Double
  public let cvShare: Double
  public let robustCvShare: Double
  public let outliers: Int
  public let lastOverFirst: Double?

  /// Nil without a run in every round, or with a time that is not above 0.
  public init?(rounds: [[Double]]) {
    let samples = rounds.flatMap { $0 }
    guard !samples.isEmpty, rounds.allSatisfy({ !$0.isEmpty }), samples.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      return nil
    }
    let sorted = samples.sorted()
    let median = Quantile.of(sorted, 0.5)
    let distances = samples.map { abs($0 - median) }
    let mad = Quantile.of(distances.sorted(), 0.5)
    let mean = samples.reduce(0, +) / Double(samples.count)
    let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    (count, self.rounds, medianMs, madMs, meanMs) = (samples.count, rounds.count, median, mad, mean)
    medianIntervalMs = .ofMedian(median, sorted: sorted, rounds: rounds)
    (p50Ms, p90Ms, p99Ms) = (median, Quantile.of(sorted, 0.9), Quantile.of(sorted, 0.99))
    (minMs, maxMs) = (sorted[0], sorted[sorted.count - 1])
    cvShare = samples.count > 1 ? (squares / Double(samples.count - 1)).squareRoot() / mean : 0
    robustCvShare = Self.madToSigma * mad / median
    outliers = distances.filter { $0 > Self.outlierSigmas * Self.madToSigma * mad }.count
    lastOverFirst = Self.lastOverFirst(rounds)
  }

  /// What to do where the series supports no verdict, else nil; bounds as in mobile_sdk/stats.py.
  public var advice: String? {
    if rounds < Self.minimumRounds {
      return "only \(rounds) rounds were measured and a verdict needs \(Self.minimumRounds): measure longer"
    }
    if robustCvShare > Self.steadyCvShare {
      return "the times scatter by \(Int(100 * robustCvShare)) % of their median: let the device rest, measure again"
    }
    if let lastOverFirst, lastOverFirst > Self.throttledRatio {
      return "the runs got slower from first to last: let the device cool down, off the charger, and measure again"
    }
    return nil
  }

  static let minimumRounds = 10
  private static let steadyCvShare = 0.10
  private static let throttledRatio = 1.05
  private static let madToSigma = 1.482602218505602  // makes the MAD of a normal series its standard deviation
  private static let outlierSigmas = 3.5  // Iglewicz and Hoaglin 1993

  private static func lastOverFirst(_ rounds: [[Double]]) -> Double? {
    let tenth = rounds.count / 10
    guard tenth >= 2 else { return nil }
    let medians = rounds.map { Quantile.of($0.sorted(), 0.5) }
    return Quantile.of(medians.suffix(tenth).sorted(), 0.5) / Quantile.of(medians.prefix(tenth).sorted(), 0.5)
  }
}

/// From `low` to `high`; `coverageShare` is how often such an interval holds the true value.
public struct Interval: Equatable, Sendable {
  public let low: Double
  public let high: Double
  public let coverageShare: Double

  /// The interval of the median, with rounds as clusters (Woodruff 1952).
  static func ofMedian(_ median: Double, sorted: [Double], rounds: [[Double]]) -> Interval {
    guard rounds.count > 1 else { return Interval(low: sorted[0], high: sorted[sorted.count - 1], coverageShare: 0) }
    let sizes = rounds.map { Double($0.count) }
    let below = rounds.map { round in Double(round.filter { $0 <= median }.count) / Double(round.count) }
    let total = sizes.reduce(0, +)
    let mean = zip(below, sizes).reduce(0) { $0 + $1.0 * $1.1 } / total
    let squares = zip(below, sizes).reduce(0) { $0 + ($1.1 * ($1.0 - mean)) * ($1.1 * ($1.0 - mean)) }
    let clusters = Double(rounds.count)
    let reach = normalQuantile * squares.squareRoot() / total * (clusters / (clusters - 1)).squareRoot()
    return Interval(
      low: Quantile.of(sorted, max(0, 0.5 - reach)), high: Quantile.of(sorted, min(1, 0.5 + reach)),
      coverageShare: coverage)
  }

  private static let coverage = 0.95
  private static let normalQuantile = 1.959963984540054  // of (1 + coverage) / 2
}

enum Quantile {
  /// Linear interpolation between order statistics (Hyndman and Fan 1996, type 7), as numpy's default.
  static func of(_ sorted: [Double], _ share: Double) -> Double {
    let position = share * Double(sorted.count - 1)
    let lower = Int(position.rounded(.down))
    let upper = min(lower + 1, sorted.count - 1)
    return sorted[lower] + (sorted[upper] - sorted[lower]) * (position - Double(lower))
  }
}
