import ExecuTorch
import Foundation
import MobileSDKDemoCore

/// Runs a bundle's `.pte` with ExecuTorch; its XNNPACK delegate computes on the CPU.
struct ExecuTorchRunner: ModelRunner {
  private let module: Module
  private let input: InputSpec
  private let outputs: [OutputSpec]

  static func load(_ bundle: ModelBundle) throws -> sending LoadedModel {
    let module = Module(filePath: bundle.model.path)
    try module.load("forward")
    let manifest = bundle.manifest
    return LoadedModel(
      runner: ExecuTorchRunner(module: module, input: manifest.input, outputs: manifest.outputs),
      computesOn: "CPU")
  }

  func outputs(for picture: RGBPicture) throws -> [ModelOutput] {
    let bytes = InputTensor.bytes(of: picture, as: input)
    switch input.type {
    case .uint8: return try outputs(of: Tensor<UInt8>(data: bytes, shape: input.shape))
    case .int8: return try outputs(of: Tensor<Int8>(data: bytes, shape: input.shape))
    case .float32: return try outputs(of: Tensor<Float>(data: bytes, shape: input.shape))
    case .image: throw DemoError("expected a tensor as ExecuTorch's input, found an image", hint: "export again")
    }
  }

  private func outputs(of tensor: some ValueConvertible) throws -> [ModelOutput] {
    let values: [Value] = try module.forward(tensor)
    guard values.count == outputs.count else {
      throw DemoError("expected \(outputs.count) outputs, found \(values.count)", hint: "export the bundle again")
    }
    return try zip(values, outputs).map { value, output in try Self.output(value, as: output) }
  }

  private static func output(_ value: Value, as spec: OutputSpec) throws -> ModelOutput {
    switch spec.type {
    case .int8: ModelOutput(raw: try Tensor<Int8>([value]).scalars().map(Double.init), as: spec)
    case .float32: ModelOutput(raw: try Tensor<Float>([value]).scalars().map(Double.init), as: spec)
    }
  }
}
