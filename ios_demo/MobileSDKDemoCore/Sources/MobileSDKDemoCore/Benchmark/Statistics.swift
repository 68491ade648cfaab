import Foundation

/// Describes a series of latencies, given as rounds of runs, as far as the screen shows it.
///
/// The file holds the samples alone: mobile_sdk/benchmarking/statistics.py makes interval and advice where it is read,
/// by one rule for every device.
public struct Summary: Equatable, Sendable {
  public let count: Int
  public let rounds: Int
  public let medianMs: Double
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

  /// A time is none that is shorter or longer: no clock ticks so fast, and no run takes 30 years.
  private static let timesMs = 1e-9...1e12

  /// Nil without a run in every round, or with a time that is none. Sums are taken in the order of the runs, so that all
  /// languages get the same bits.
  public init?(rounds: [[Double]]) {
    let samples = rounds.flatMap { $0 }
    guard !samples.isEmpty, rounds.allSatisfy({ !$0.isEmpty }), samples.allSatisfy(Self.timesMs.contains) else {
      return nil
    }
    let sorted = samples.sorted()
    let median = Quantile.of(sorted, 0.5)
    let distances = samples.map { abs($0 - median) }
    let mad = Quantile.of(distances.sorted(), 0.5)
    let mean = samples.reduce(0, +) / Double(samples.count)
    let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    (count, self.rounds, medianMs, madMs, meanMs) = (samples.count, rounds.count, median, mad, mean)
    (p50Ms, p90Ms, p99Ms) = (median, Quantile.of(sorted, 0.9), Quantile.of(sorted, 0.99))
    (minMs, maxMs) = (sorted[0], sorted[sorted.count - 1])
    cvShare = samples.count > 1 ? (squares / Double(samples.count - 1)).squareRoot() / mean : 0
    robustCvShare = Self.madToSigma * mad / median
    outliers = distances.filter { $0 > Self.outlierSigmas * Self.madToSigma * mad }.count
  }

  private static let madToSigma = 1.482602218505602  // makes the MAD of a normal series its standard deviation
  private static let outlierSigmas = 3.5  // Iglewicz and Hoaglin 1993
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
