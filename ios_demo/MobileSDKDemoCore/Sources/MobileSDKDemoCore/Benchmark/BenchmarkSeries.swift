import Foundation

/// Milliseconds on a clock that never goes back.
public typealias StopwatchMs = @Sendable () -> Double

/// The measured times of one bundle, in the order in which they were taken. They are of the model alone: the input is
/// set before, and the outputs are read after the clock; `endToEndMs` holds the whole.
struct BenchmarkSeries {
  private static let warmUpRuns = 5  // two groups of so many runs whose medians agree end the warm-up
  private static let warmUpAgreement = 0.05
  private static let warmUpMs = 2000.0  // and this ends it in any case
  private static let turnMs = 25.0  // long beside a switch between models, short beside a burst of noise
  private static let maximumTurnRuns = 1000.0
  private static let minimumRounds = 10.0  // fewer support no verdict
  private static let endToEndRuns = 5...50
  private static let endToEndMs = 500.0

  let bundle: ModelBundle
  let model: LoadedModel
  let golden: GoldenReplay
  let loadMs: Double
  let firstRunMs: Double
  let warmUpMs: [Double]
  let peakMiB: Double?
  private(set) var rewarmMs: [Double] = []
  private(set) var roundsMs: [[Double]] = []
  private(set) var endToEndMs: [Double] = []
  private var measuredMs = 0.0
  private var runs = 0
  private let pictures: [RGBPicture]
  private let timed: TimedRuns

  /// Replays the golden pictures after the first run, and warms up. `before` is the memory before loading.
  init(
    _ bundle: ModelBundle, pictures: [RGBPicture], model: LoadedModel, loadMs: Double, before: MemoryUse?,
    memory: MemoryReader, stopwatch: @escaping StopwatchMs
  ) throws {
    timed = TimedRuns(
      runner: model.runner, inputs: pictures.map { InputTensor.bytes(of: $0, as: model.runner.input) },
      stopwatch: stopwatch)
    firstRunMs = try timed.times(1)[0]
    golden = try GoldenReplay.run(bundle, pictures: pictures, on: model.runner)
    warmUpMs = try Self.warmUp(timed, stopwatch)
    peakMiB = before.flatMap { before in memory().flatMap { before.peak(until: $0) } }
    (self.bundle, self.pictures, self.model) = (bundle, pictures, model)
    self.loadMs = model.loadMs ?? loadMs
  }

  var seconds: Double { measuredMs / 1000 }

  /// How much of what the plan asks for has been measured, 0…1.
  func doneShare(of plan: BenchmarkPlan) -> Double {
    let time = plan.minSeconds > 0 ? seconds / plan.minSeconds : 1
    let asked = min(1, Double(runs) / Double(plan.minRuns), time)
    let enough = plan.enoughSeconds > 0 ? seconds / plan.enoughSeconds : 0
    return min(1, max(asked, enough), Double(roundsMs.count) / Self.minimumRounds)
  }

  /// One turn: a run that warms the caches again, then as many as fill 25 ms.
  mutating func takeTurn() throws {
    let recent = warmUpMs.suffix(Self.warmUpRuns).sorted()
    let wanted = min(max(1, (Self.turnMs / max(Quantile.of(recent, 0.5), 1e-6)).rounded()), Self.maximumTurnRuns)
    let times = try timed.times(1 + Int(wanted))
    rewarmMs.append(times[0])
    roundsMs.append(Array(times.dropFirst()))
    (measuredMs, runs) = (measuredMs + times.dropFirst().reduce(0, +), runs + times.count - 1)
  }

  /// Times runs from the bytes of a picture of the model's size to numbers, for half a second.
  mutating func takeEndToEnd() throws {
    let end = timed.stopwatch() + Self.endToEndMs
    while endToEndMs.count < Self.endToEndRuns.upperBound {
      if endToEndMs.count >= Self.endToEndRuns.lowerBound, timed.stopwatch() >= end { return }
      let start = timed.stopwatch()
      _ = try model.runner.outputs(for: pictures[endToEndMs.count % pictures.count])
      endToEndMs.append(timed.stopwatch() - start)
    }
  }

  private static func warmUp(_ timed: TimedRuns, _ stopwatch: StopwatchMs) throws -> [Double] {
    let end = stopwatch() + warmUpMs
    var times = try timed.times(warmUpRuns)
    while stopwatch() < end {
      let before = Quantile.of(times.suffix(warmUpRuns).sorted(), 0.5)
      times += try timed.times(warmUpRuns)
      if abs(Quantile.of(times.suffix(warmUpRuns).sorted(), 0.5) / before - 1) < warmUpAgreement { break }
    }
    return times
  }
}

/// Times a model on inputs that are made once, in turn.
struct TimedRuns {
  let runner: any ModelRunner
  let inputs: [Data]
  let stopwatch: StopwatchMs

  /// The times of so many runs, in milliseconds; setting the input is no part of them.
  func times(_ runs: Int) throws -> [Double] {
    try (0..<runs).map { run in
      try runner.setInput(inputs[run % inputs.count])
      let start = stopwatch()
      try runner.run()
      return stopwatch() - start
    }
  }
}
