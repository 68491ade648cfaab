import CoreML
import CoreVideo
import Foundation
import MobileSDKDemoCore

/// Runs a bundle's `.mlpackage` on the processors that it is told to use.
struct CoreMLRunner: ModelRunner {
  private let model: MLModel
  private let input: InputSpec
  private let outputs: [OutputSpec]

  /// Compiles and loads the model, and asks Core ML's own plan on which processors its operations run.
  static func load(_ bundle: ModelBundle, on units: ComputeUnits) async throws -> sending LoadedModel {
    let compiled = try await MLModel.compileModel(at: bundle.model)  // into a folder that the system empties
    let configuration = MLModelConfiguration()
    configuration.computeUnits = coreMLUnits(units)
    let computesOn = try await Self.computesOn(compiled, configuration)
    let model = try MLModel(contentsOf: compiled, configuration: configuration)
    let manifest = bundle.manifest
    return LoadedModel(
      runner: CoreMLRunner(model: model, input: manifest.input, outputs: manifest.outputs),
      computesOn: computesOn)
  }

  func outputs(for picture: RGBPicture) throws -> [ModelOutput] {
    let features = try MLDictionaryFeatureProvider(dictionary: [input.name: try value(of: picture)])
    let found = try model.prediction(from: features)
    return try outputs.map { try Self.numbers(of: $0, in: found) }
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

  /// What Core ML takes: a picture as such, an array as its codes.
  private func value(of picture: RGBPicture) throws -> MLFeatureValue {
    guard input.type == .float32 else { return MLFeatureValue(pixelBuffer: try Self.pixelBuffer(of: picture)) }
    let bytes = InputTensor.bytes(of: picture, as: input)
    let numbers = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    return MLFeatureValue(shapedArray: MLShapedArray<Float>(scalars: numbers, shape: input.shape))
  }

  private static func coreMLUnits(_ units: ComputeUnits) -> MLComputeUnits {
    switch units {
    case .all: .all
    case .cpuOnly: .cpuOnly
    case .cpuAndGPU: .cpuAndGPU
    case .cpuAndNeuralEngine: .cpuAndNeuralEngine
    }
  }

  /// How many operations each processor takes, such as "Neural Engine 12, CPU 3"; constants run nowhere.
  private static func computesOn(_ compiled: URL, _ configuration: MLModelConfiguration) async throws -> String {
    let plan = try await MLComputePlan.load(contentsOf: compiled, configuration: configuration)
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

  /// The picture as Core ML takes one: blue, green, red and an unused byte a pixel, or one byte of grey. Rows are as
  /// long as the system wants.
  private static func pixelBuffer(of picture: RGBPicture) throws -> CVPixelBuffer {
    var made: CVPixelBuffer?
    let status = CVPixelBufferCreate(
      kCFAllocatorDefault, picture.width, picture.height,
      picture.channels == 1 ? kCVPixelFormatType_OneComponent8 : kCVPixelFormatType_32BGRA, nil, &made)
    guard status == kCVReturnSuccess, let buffer = made, CVPixelBufferLockBaseAddress(buffer, []) == kCVReturnSuccess
    else { throw DemoError("expected memory for a picture, found none", hint: "close other apps") }
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    guard let base = CVPixelBufferGetBaseAddress(buffer) else {
      throw DemoError("expected memory for a picture, found none", hint: "close other apps")
    }
    let pixels = base.assumingMemoryBound(to: UInt8.self)
    let rowBytes = CVPixelBufferGetBytesPerRow(buffer)
    for row in 0..<picture.height {
      for column in 0..<picture.width {
        if picture.channels == 1 {
          pixels[row * rowBytes + column] = picture.bytes[row * picture.width + column]
          continue
        }
        let source = (row * picture.width + column) * 3
        let target = row * rowBytes + column * 4
        for channel in 0..<3 { pixels[target + channel] = picture.bytes[source + 2 - channel] }
        pixels[target + 3] = .max
      }
    }
    return buffer
  }
}
