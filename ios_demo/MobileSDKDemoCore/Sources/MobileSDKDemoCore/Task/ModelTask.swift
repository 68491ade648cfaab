import Foundation

/// A kind of model: it says what an output means and what a screen shows of it.
///
/// There is one type a task, each a row of `ModelTasks.readers`. Nothing outside this folder asks which one it has.
public protocol ModelTask: Sendable {
  /// How many labels a model of this task may have.
  var labelCounts: ClosedRange<Int> { get }

  /// The file that it adds to each golden picture; nil where it adds none.
  var goldenFile: (any GoldenFile)? { get }

  /// Says why the model's output is none of this task; nil where it fits.
  func outputMisfit() -> String?

  /// Returns the index of the label that an output is surest of; nil where one of its numbers is NaN.
  func winner(of output: ModelOutput) -> Int?

  /// Returns what a screen shows of an output; of labels that all belong to the whole picture, the `count` best.
  func answer(to output: ModelOutput, count: Int) -> Answer
}

/// The part of a manifest that tasks read an output by.
public struct TaskContract: Sendable {
  public let labels: [String]
  /// Of the net's picture; nil of a net that reads arrays.
  public let sides: Sides?
  public let output: OutputSpec
}

/// A file `golden/N.<kind>` that says what must follow from `golden/N.output.bin`.
public protocol GoldenFile: Sendable {
  var kind: String { get }

  /// How many bytes it may have; nothing is read before that is known.
  var sizes: ClosedRange<Int> { get }

  /// Says why `written`, read from `path`, is not what `output` gives; nil where it is.
  func misfit(of written: Data, output: ModelOutput, path: String) -> String?
}
