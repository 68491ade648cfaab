#if canImport(CoreML)
import CoreML
import CoreVideo
import Foundation
import MobileSDKDemoCore

/// Runs a bundle's `.mlpackage` on the processors that it is told to use.
public final class CoreMLRunner: ModelRunner {
  public let input: InputSpec
  private let model: MLModel
  private let outputs: [OutputSpec]
  private let picture: CVPixelBuffer?
  private var features: (any MLFeatureProvider)?
  private var found: (any MLFeatureProvider)?

  /// Loads the compiled model, and asks Core ML's own plan on which processors its operations run.
  public static func load(_ bundle: ModelBundle, on units: ComputeUnits) async throws -> sending LoadedModel {
    let compiled = try await CompiledModels.compiled(bundle)
    let configuration = MLModelConfiguration()
    configuration.computeUnits = coreMLUnits(units.within(bundle.manifest.processors))
    let start = Engine.monotonicMs()
    let model = try MLModel(contentsOf: compiled.url, configuration: configuration)
    let loaded = Engine.monotonicMs()
    let computesOn = await Self.computesOn(compiled.url, configuration)
    var parts = ["plan": Engine.monotonicMs() - loaded]
    parts["compile"] = compiled.ms
    let runner = try CoreMLRunner(model: model, input: bundle.manifest.input, outputs: bundle.manifest.outputs)
    return LoadedModel(runner: runner, computesOn: computesOn, loadMs: loaded - start, loadPartsMs: parts)
  }

  private init(model: MLModel, input: InputSpec, outputs: [OutputSpec]) throws {
    (self.model, self.input, self.outputs) = (model, input, outputs)
    picture = input.type == .image ? try PixelBuffer.make(for: input) : nil
    if let picture { features = try Self.features(input, MLFeatureValue(pixelBuffer: picture)) }
  }

  public func setInput(_ tensor: Data) throws {
    if let picture { return try PixelBuffer.fill(picture, with: tensor) }
    let numbers = tensor.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    guard input.type == .float32, numbers.count == input.shape.reduce(1, *) else {
      throw DemoError("expected float32 numbers \(input.shape), found others", hint: "export the bundle again")
    }
    let array = MLShapedArray<Float>(scalars: numbers, shape: input.shape)
    features = try Self.features(input, MLFeatureValue(shapedArray: array))
  }

  public func run() throws {
    guard let features else { throw DemoError("expected an input before a run, found none", hint: "set it first") }
    found = try model.prediction(from: features)
  }

  public func readOutputs() throws -> [ModelOutput] {
    guard let found else { throw DemoError("expected a run before its outputs, found none", hint: "run it first") }
    return try outputs.map { try Self.numbers(of: $0, in: found) }
  }

  private static func features(_ input: InputSpec, _ value: MLFeatureValue) throws -> any MLFeatureProvider {
    try MLDictionaryFeatureProvider(dictionary: [input.name: value])
  }

  private static func numbers(of output: OutputSpec, in found: any MLFeatureProvider) throws -> ModelOutput {
    guard let values = found.featureValue(for: output.name)?.multiArrayValue else {
      throw DemoError("expected an output named \(output.name), found none", hint: "export the bundle again")
    }
    guard values.dataType == .float32 else {
      throw DemoError("expected numbers in float32, found another type", hint: "export the bundle again")
    }
    // Core ML may leave room between rows; a shaped array gives the numbers without it.
    return ModelOutput(raw: MLShapedArray<Float>(values).scalars.map(Double.init), as: output)
  }

  private static func coreMLUnits(_ units: ComputeUnits) -> MLComputeUnits {
    switch units {
    case .all: .all
    case .cpuOnly: .cpuOnly
    case .cpuAndGPU: .cpuAndGPU
    case .cpuAndNeuralEngine: .cpuAndNeuralEngine
    }
  }

  /// How many operations each processor takes, such as "Neural Engine 12, CPU 3"; constants run nowhere. A model that
  /// Core ML makes no plan of runs all the same.
  private static func computesOn(_ compiled: URL, _ configuration: MLModelConfiguration) async -> String {
    guard let plan = try? await MLComputePlan.load(contentsOf: compiled, configuration: configuration) else {
      return "unknown: Core ML makes no plan of this model here"
    }
    guard case .program(let program) = plan.modelStructure else { return "unknown: the model is no program" }
    var counts: [String: Int] = [:]
    for operation in program.functions.values.flatMap(\.block.operations) {
      guard let usage = plan.deviceUsage(for: operation) else { continue }
      counts[name(of: usage.preferred), default: 0] += 1
    }
    return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
      .joined(separator: ", ")
  }

  private static func name(of device: MLComputeDevice) -> String {
    switch device {
    case .cpu: "CPU"
    case .gpu: "GPU"
    case .neuralEngine: "Neural Engine"
    @unknown default: "unknown processor"
    }
  }
}
#endif
