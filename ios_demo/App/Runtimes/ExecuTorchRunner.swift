import ExecuTorch
import Foundation
import MobileSDKDemoCore

/// Runs a bundle's `.pte` with ExecuTorch; its XNNPACK delegate computes on the CPU.
struct ExecuTorchRunner: ModelRunner {
  private let module: Module
  private let input: InputSpec
  private let output: OutputSpec

  static func load(_ bundle: ModelBundle) throws -> sending LoadedModel {
    let module = Module(filePath: bundle.model.path)
    try module.load("forward")
    let manifest = bundle.manifest
    return LoadedModel(
      runner: ExecuTorchRunner(module: module, input: manifest.input, output: manifest.output),
      computesOn: "CPU")
  }

  func output(for picture: RGBPicture) throws -> ModelOutput {
    let bytes = InputTensor.bytes(of: picture, as: input)
    switch input.type {
    case .uint8: return try output(of: Tensor<UInt8>(data: bytes, shape: input.shape))
    case .int8: return try output(of: Tensor<Int8>(data: bytes, shape: input.shape))
    case .float32: return try output(of: Tensor<Float>(data: bytes, shape: input.shape))
    case .image: throw DemoError("expected a tensor as ExecuTorch's input, found an image", hint: "export again")
    }
  }

  private func output(of tensor: some ValueConvertible) throws -> ModelOutput {
    switch output.type {
    case .int8: ModelOutput(raw: try Tensor<Int8>(module.forward(tensor)).scalars().map(Double.init), as: output)
    case .float32: ModelOutput(raw: try Tensor<Float>(module.forward(tensor)).scalars().map(Double.init), as: output)
    }
  }
}
