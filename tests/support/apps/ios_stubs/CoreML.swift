@_exported import CoreVideo
import Foundation

open class MLModel: NSObject {  // = MLModel
  public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {}  // = MLModel.modelWithContentsOfURLConfigurationError
  public static func compileModel(at modelURL: URL) async throws -> URL { modelURL }  // = MLModel.compileModelAtURLCompletionHandler
  public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { input }  // = MLModel.predictionFromFeaturesError
}

open class MLModelConfiguration: NSObject {  // = MLModelConfiguration
  public var computeUnits: MLComputeUnits = .all  // = MLModelConfiguration.computeUnits
}

public enum MLComputeUnits: Int {  // = MLComputeUnits
  case cpuOnly  // = MLComputeUnits.CPUOnly
  case cpuAndGPU  // = MLComputeUnits.CPUAndGPU
  case all  // = MLComputeUnits.All
  case cpuAndNeuralEngine  // = MLComputeUnits.CPUAndNeuralEngine
}

public protocol MLFeatureProvider {  // = MLFeatureProvider
  func featureValue(for featureName: String) -> MLFeatureValue?  // = MLFeatureProvider.featureValueForName
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {  // = MLDictionaryFeatureProvider
  public init(dictionary: [String: Any]) throws {}  // = MLDictionaryFeatureProvider.initWithDictionaryError
  public func featureValue(for featureName: String) -> MLFeatureValue? { nil }  // = MLDictionaryFeatureProvider.featureValueForName
}

open class MLFeatureValue: NSObject {  // = MLFeatureValue
  public init(pixelBuffer value: CVPixelBuffer) {}  // = MLFeatureValue.featureValueWithPixelBuffer
  public init<Scalar>(shapedArray value: MLShapedArray<Scalar>) {}  // Swift: of an array of numbers
  public var multiArrayValue: MLMultiArray? { nil }  // = MLFeatureValue.multiArrayValue
}

open class MLMultiArray: NSObject {  // = MLMultiArray
  public var dataType: MLMultiArrayDataType { .float32 }  // = MLMultiArray.dataType
}

public struct MLShapedArray<Scalar> {  // Swift: MLMultiArray's numbers as a value
  public init(_ multiArray: MLMultiArray) {}  // Swift: copies them
  public init<Numbers: Sequence>(scalars: Numbers, shape: [Int]) where Numbers.Element == Scalar {}  // Swift: copies them
  public var scalars: [Scalar] { [] }  // Swift: in the order of the axes, without gaps
}

public enum MLMultiArrayDataType: Int {  // = MLMultiArrayDataType
  case float32  // = MLMultiArrayDataType.Float32
}

public final class MLComputePlan {  // = MLComputePlan
  public static func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLComputePlan { MLComputePlan() }  // = MLComputePlan.loadContentsOfURLConfigurationCompletionHandler
  public var modelStructure: MLModelStructure { .unsupported }  // = MLComputePlan.modelStructure
  public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? { nil }  // = MLComputePlan.computeDeviceUsageForMLProgramOperation
  public struct DeviceUsage {  // = MLComputePlanDeviceUsage
    public var preferred: MLComputeDevice { .cpu(MLCPUComputeDevice()) }  // = MLComputePlanDeviceUsage.preferredComputeDevice
  }
}

public enum MLModelStructure {  // = MLModelStructure
  case program(Program)  // = MLModelStructure.program
  case unsupported  // Swift: open to more structures
  public struct Program {  // = MLModelStructureProgram
    public var functions: [String: Function] { [:] }  // = MLModelStructureProgram.functions
    public struct Function {  // = MLModelStructureProgramFunction
      public var block: Block { Block() }  // = MLModelStructureProgramFunction.block
    }
    public struct Block {  // = MLModelStructureProgramBlock
      public var operations: [Operation] { [] }  // = MLModelStructureProgramBlock.operations
    }
    public struct Operation {}  // = MLModelStructureProgramOperation
  }
}

public enum MLComputeDevice {  // = MLComputeDeviceProtocol
  case cpu(MLCPUComputeDevice)  // ~ MLCPUComputeDevice
  case gpu(MLGPUComputeDevice)  // ~ MLGPUComputeDevice
  case neuralEngine(MLNeuralEngineComputeDevice)  // = MLNeuralEngineComputeDevice
}
open class MLCPUComputeDevice: NSObject {}  // = MLCPUComputeDevice
open class MLGPUComputeDevice: NSObject {}  // = MLGPUComputeDevice
open class MLNeuralEngineComputeDevice: NSObject {}  // = MLNeuralEngineComputeDevice
