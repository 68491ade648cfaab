import ExecuTorch
import Foundation
import MobileSDKDemoCore

/// Runs a bundle's `.pte` with ExecuTorch; its XNNPACK delegate computes on the CPU.
final class ExecuTorchRunner: ModelRunner {
  let input: InputSpec
  private let module: Module
  private let outputs: [OutputSpec]
  private var given: (any ValueConvertible)?
  private var found: [Value] = []

  /// Sets the threads first: a loaded model keeps those that there were.
  static func load(_ bundle: ModelBundle, threads: Int) throws -> sending LoadedModel {
    let set = ExecuTorchThreads.set(threads)
    let start = Engine.monotonicMs()
    let module = Module(filePath: bundle.model.path)
    try module.load("forward")
    let loadMs = Engine.monotonicMs() - start
    let manifest = bundle.manifest
    let version = Foundation.Bundle.main.infoDictionary?["ExecuTorchPackage"] as? String
    return LoadedModel(
      runner: ExecuTorchRunner(module: module, input: manifest.input, outputs: manifest.outputs),
      computesOn: "CPU", threads: set, loadMs: loadMs, versions: ["executorch": version ?? "unknown"])
  }

  private init(module: Module, input: InputSpec, outputs: [OutputSpec]) {
    (self.module, self.input, self.outputs) = (module, input, outputs)
  }

  func setInput(_ tensor: Data) throws {
    switch input.type {
    case .uint8: given = Tensor<UInt8>(data: tensor, shape: input.shape)
    case .int8: given = Tensor<Int8>(data: tensor, shape: input.shape)
    case .float32: given = Tensor<Float>(data: tensor, shape: input.shape)
    case .image: throw DemoError("expected a tensor as ExecuTorch's input, found an image", hint: "export again")
    }
  }

  func run() throws {
    guard let given else { throw DemoError("expected an input before a run, found none", hint: "set it first") }
    found = try module.forward(given)
  }

  func readOutputs() throws -> [ModelOutput] {
    guard found.count == outputs.count else {
      throw DemoError("expected \(outputs.count) outputs, found \(found.count)", hint: "export the bundle again")
    }
    return try zip(found, outputs).map { value, output in try Self.output(value, as: output) }
  }

  private static func output(_ value: Value, as spec: OutputSpec) throws -> ModelOutput {
    switch spec.type {
    case .int8: ModelOutput(raw: try Tensor<Int8>([value]).scalars().map(Double.init), as: spec)
    case .float32: ModelOutput(raw: try Tensor<Float>([value]).scalars().map(Double.init), as: spec)
    }
  }
}
