/// One benchmark: rounds over all bundles, each round beginning with the next one, so that noise meets all alike.
struct Benchmark {
  let plan: BenchmarkPlan
  private(set) var series: [BenchmarkSeries] = []
  private(set) var notRun: [String: String] = [:]  // by the bundle's name
  private var firstTurn = 0

  init(plan: BenchmarkPlan) { self.plan = plan }

  var doneShare: Double { series.map { $0.doneShare(of: plan) }.min() ?? 1 }

  mutating func add(_ measured: BenchmarkSeries) { series.append(measured) }

  mutating func leaveOut(_ bundle: ModelBundle, because reason: String) { notRun[bundle.name] = reason }

  mutating func takeRound() throws {
    for offset in series.indices { try series[(firstTurn + offset) % series.count].takeTurn() }
    firstTurn += 1
  }

  mutating func takeEndToEnd() throws {
    for index in series.indices { try series[index].takeEndToEnd() }
  }
}
