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

  @Test func summariesArePythonsFieldByField() throws {
    for each in try Fixtures.json("summaries.json").items {
      let rounds = try each.field("rounds_ms").items.map { try $0.items.map { try $0.double } }
      let found = try #require(Summary(rounds: rounds)).json
      try expectClose(found, each.field("summary"), at: "summary")
    }
  }

  @Test func timesThatAreNoneGiveNoSummary() {
    for rounds in [[], [[]], [[1], []], [[0]], [[-1]], [[.nan]], [[.infinity]]] as [[[Double]]] {
      #expect(Summary(rounds: rounds) == nil)
    }
  }

  @Test func aSeriesThatSupportsNoVerdictSaysWhatToDo() throws {
    let few = try #require(Summary(rounds: [[1], [1]]))
    #expect(few.advice?.contains("measure longer") == true)
    let steady = try #require(Summary(rounds: Array(repeating: [1, 1], count: 20)))
    #expect(steady.advice == nil)
    let slowing = try #require(Summary(rounds: (0..<20).map { [1 + 0.01 * Double($0)] }))
    #expect(slowing.advice?.contains("cool down") == true)
    let scattered = try #require(Summary(rounds: (0..<20).map { [$0.isMultiple(of: 2) ? 1 : 2] }))
    #expect(scattered.advice?.contains("scatter") == true)
  }

  private func expectClose(_ found: JSONValue, _ expected: JSONValue, at path: String) throws {
    guard case .object(let fields) = expected else {
      if expected == .null {
        #expect(found == .null, "\(path)")
      } else {
        #expect(isClose(try found.double, try expected.double), "\(path)")
      }
      return
    }
    for (name, value) in fields { try expectClose(found.field(name), value, at: "\(path).\(name)") }
  }

  /// Sums are taken in another order than numpy's, which moves the last digits.
  private func isClose(_ found: Double, _ expected: Double) -> Bool {
    abs(found - expected) <= 1e-12 * max(1, abs(expected))
  }
}
