import Foundation

/// A kind of model: it says what its outputs mean and what a screen shows of it.
///
/// There is one type a task, each a row of `ModelTasks.readers`. Nothing outside this folder asks which one it has.
public protocol ModelTask: Sendable {
  /// What the manifest says of the outputs.
  var contract: TaskContract { get }

  /// How many labels a model of this task may have.
  var labelCounts: ClosedRange<Int> { get }

  /// True where its model may read arrays in place of pictures.
  var takesArrays: Bool { get }

  /// True where its model has one output and no more.
  var hasOneOutput: Bool { get }

  /// The file that it adds to each golden picture; nil where it adds none.
  var goldenFile: (any GoldenFile)? { get }

  /// Says why one of the model's outputs is none of this task; nil where all fit.
  func outputMisfit() -> String?

  /// The label that wins in outputs that fit.
  func winner(fitting outputs: [ModelOutput]) -> Int?

  /// The answer to outputs that fit.
  func answer(fitting outputs: [ModelOutput], count: Int) -> Answer
}

extension ModelTask {
  /// Returns the index of the label that outputs are surest of; nil where they are none of this model's.
  public func winner(of outputs: [ModelOutput]) -> Int? {
    ModelOutput.misfit(of: outputs, as: contract.outputs) == nil ? winner(fitting: outputs) : nil
  }

  /// Returns what a screen shows of outputs; of labels that all belong to the whole picture, the `count` best. An answer
  /// to outputs that are none of this model's has a problem and nothing else.
  public func answer(to outputs: [ModelOutput], count: Int) -> Answer {
    let problem = ModelOutput.misfit(of: outputs, as: contract.outputs)
    return problem.map { Answer(problem: $0) } ?? answer(fitting: outputs, count: count)
  }
}

/// A task whose model has one output.
public protocol OneOutputTask: ModelTask {
  func winner(fitting output: ModelOutput) -> Int?

  func answer(fitting output: ModelOutput, count: Int) -> Answer
}

extension OneOutputTask {
  public var hasOneOutput: Bool { true }

  public func winner(fitting outputs: [ModelOutput]) -> Int? { outputs.first.flatMap { winner(fitting: $0) } }

  public func answer(fitting outputs: [ModelOutput], count: Int) -> Answer {
    outputs.first.map { answer(fitting: $0, count: count) } ?? Answer()
  }

  public func winner(of output: ModelOutput) -> Int? { winner(of: [output]) }

  public func answer(to output: ModelOutput, count: Int) -> Answer { answer(to: [output], count: count) }
}

/// The part of a manifest that tasks read outputs by.
public struct TaskContract: Sendable {
  public let labels: [String]
  /// Of the net's picture; nil of a net that reads arrays.
  public let sides: Sides?
  public let outputs: [OutputSpec]

  /// The output of a task that has one.
  var output: OutputSpec { outputs[0] }
}

/// A file `golden/N.<kind>` that says what must follow from the one output in `golden/N.output.bin`.
public protocol GoldenFile: Sendable {
  var kind: String { get }

  /// How many bytes it may have; nothing is read before that is known.
  var sizes: ClosedRange<Int> { get }

  /// Says why `written`, read from `path`, is not what `output` gives; nil where it is.
  func misfit(of written: Data, output: ModelOutput, path: String) -> String?
}
