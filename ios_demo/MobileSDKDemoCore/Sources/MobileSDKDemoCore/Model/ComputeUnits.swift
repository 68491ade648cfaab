/// The processors that Core ML may use. Other runtimes compute on the CPU.
public enum ComputeUnits: String, CaseIterable, Sendable, Identifiable {
  case all
  case cpuOnly = "cpu_only"
  case cpuAndGPU = "cpu_and_gpu"
  case cpuAndNeuralEngine = "cpu_and_neural_engine"

  public var id: String { rawValue }

  /// Those of the processors that a bundle's model is for: an exact one computes on the CPU alone.
  public func within(_ processors: [String]) -> ComputeUnits { processors == ["cpu"] ? .cpuOnly : self }

  public var title: String {
    switch self {
    case .all: "All"
    case .cpuOnly: "CPU"
    case .cpuAndGPU: "CPU and GPU"
    case .cpuAndNeuralEngine: "CPU and Neural Engine"
    }
  }
}

extension Manifest {
  /// What the screen says of the processors that this form of a model can use, whatever is chosen.
  public var processorsNote: String {
    switch runtime {
    case .coreML where isForNeuralEngine: "This form is for the Neural Engine; Core ML decides what runs where."
    case .coreML where processors == ["cpu"]:
      "This form is exact in float32 and runs on the CPU. The Neural Engine needs the form neural-engine."
    case .coreML: "Core ML decides what runs where; float32 programs do not run on the Neural Engine."
    case .execuTorch: "ExecuTorch's XNNPACK runs on the CPU."
    case .liteRT: "This app embeds no LiteRT."
    }
  }
}
