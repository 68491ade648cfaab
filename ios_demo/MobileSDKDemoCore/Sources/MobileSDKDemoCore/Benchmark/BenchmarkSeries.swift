/// Milliseconds on a clock that never goes back.
public typealias StopwatchMs = @Sendable () -> Double

/// The measured times of one bundle, in the order in which they were taken.
struct BenchmarkSeries {
  private static let warmUpRuns = 5  // two groups of so many runs whose medians agree end the warm-up
  private static let warmUpAgreement = 0.05
  private static let warmUpMs = 2000.0  // and this ends it in any case
  private static let turnMs = 25.0  // long beside a switch between models, short beside a burst of noise
  private static let maximumTurnRuns = 1000.0
  private static let minimumRounds = 10.0  // fewer support no verdict

  let bundle: ModelBundle
  let model: LoadedModel
  let golden: GoldenReplay
  let loadMs: Double
  let firstRunMs: Double
  let warmUpMs: [Double]
  private(set) var rewarmMs: [Double] = []
  private(set) var roundsMs: [[Double]] = []
  private let pictures: [RGBPicture]
  private let stopwatch: StopwatchMs

  /// Replays the golden pictures after the first run, and warms up.
  init(
    _ bundle: ModelBundle, pictures: [RGBPicture], model: LoadedModel, loadMs: Double, stopwatch: @escaping StopwatchMs
  ) throws {
    let runner = Runner(model: model, pictures: pictures, stopwatch: stopwatch)
    firstRunMs = try runner.times(1)[0]
    golden = try GoldenReplay.run(bundle, pictures: pictures, on: model.runner)
    warmUpMs = try Self.warmUp(runner, stopwatch)
    (self.bundle, self.pictures, self.model, self.loadMs) = (bundle, pictures, model, loadMs)
    self.stopwatch = stopwatch
  }

  var seconds: Double { roundsMs.joined().reduce(0, +) / 1000 }

  /// How much of what the plan asks for has been measured, 0…1.
  func doneShare(of plan: BenchmarkPlan) -> Double {
    let runs = Double(roundsMs.joined().count) / Double(plan.minRuns)
    let time = plan.minSeconds > 0 ? seconds / plan.minSeconds : 1
    return min(1, runs, time, Double(roundsMs.count) / Self.minimumRounds)
  }

  /// One turn: a run that warms the caches again, then as many as fill 25 ms.
  mutating func takeTurn() throws {
    let recent = warmUpMs.suffix(Self.warmUpRuns).sorted()
    let runs = min(max(1, (Self.turnMs / max(Quantile.of(recent, 0.5), 1e-6)).rounded()), Self.maximumTurnRuns)
    let runner = Runner(model: model, pictures: pictures, stopwatch: stopwatch)
    let times = try runner.times(1 + Int(runs))
    rewarmMs.append(times[0])
    roundsMs.append(Array(times.dropFirst()))
  }

  private static func warmUp(_ runner: Runner, _ stopwatch: StopwatchMs) throws -> [Double] {
    let end = stopwatch() + warmUpMs
    var times = try runner.times(warmUpRuns)
    while stopwatch() < end {
      let before = Quantile.of(times.suffix(warmUpRuns).sorted(), 0.5)
      times += try runner.times(warmUpRuns)
      if abs(Quantile.of(times.suffix(warmUpRuns).sorted(), 0.5) / before - 1) < warmUpAgreement { break }
    }
    return times
  }

  /// Times runs over the pictures in turn.
  private struct Runner {
    let model: LoadedModel
    let pictures: [RGBPicture]
    let stopwatch: StopwatchMs

    func times(_ runs: Int) throws -> [Double] {
      try (0..<runs).map { run in
        let start = stopwatch()
        _ = try model.runner.outputs(for: pictures[run % pictures.count])
        return stopwatch() - start
      }
    }
  }
}
