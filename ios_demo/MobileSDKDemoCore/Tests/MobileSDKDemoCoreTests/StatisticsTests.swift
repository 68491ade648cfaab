import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct StatisticsTests {
  @Test func quantilesAndScatterArePythons() throws {
    for each in try Fixtures.json("statistics.json").items {
      let samples = try each.field("samples_ms").items.map { [try $0.double] }
      let summary = try #require(Summary(rounds: samples))
      for (name, found) in [
        ("p50", summary.p50Ms), ("p90", summary.p90Ms), ("p99", summary.p99Ms), ("mad", summary.madMs),
        ("cv", summary.cvShare),
      ] {
        #expect(isClose(found, try each.field(name).double), "\(name)")
      }
    }
  }

  @Test func roundsAreOneSeries() throws {
    for each in try Fixtures.json("summaries.json").items {
      let rounds = try each.field("rounds_ms").items.map { try $0.items.map { try $0.double } }
      let found = try #require(Summary(rounds: rounds))
      let expected = try each.field("summary")
      #expect(isClose(found.medianMs, try expected.field("median_ms").double))
      #expect(isClose(found.meanMs, try expected.field("mean_ms").double))
      #expect(isClose(found.maxMs, try expected.field("max_ms").double))
      #expect(isClose(found.robustCvShare, try expected.field("robust_cv_share").double))
      #expect(try expected.field("count") == .integer(found.count))
      #expect(try expected.field("rounds") == .integer(found.rounds))
      #expect(try expected.field("outliers") == .integer(found.outliers))
    }
  }

  @Test func timesThatAreNoneGiveNoSummary() {
    for rounds in [[], [[]], [[1], []], [[0]], [[-1]], [[.nan]], [[.infinity]]] as [[[Double]]] {
      #expect(Summary(rounds: rounds) == nil)
    }
  }

  /// Sums are taken in another order than numpy's, which moves the last digits.
  private func isClose(_ found: Double, _ expected: Double) -> Bool {
    abs(found - expected) <= 1e-12 * max(1, abs(expected))
  }
}
