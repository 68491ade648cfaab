/// The processors that Core ML may use. Other runtimes compute on the CPU.
public enum ComputeUnits: String, CaseIterable, Sendable, Identifiable {
  case all
  case cpuOnly = "cpu_only"
  case cpuAndGPU = "cpu_and_gpu"
  case cpuAndNeuralEngine = "cpu_and_neural_engine"

  public var id: String { rawValue }

  public var title: String {
    switch self {
    case .all: "All"
    case .cpuOnly: "CPU"
    case .cpuAndGPU: "CPU and GPU"
    case .cpuAndNeuralEngine: "CPU and Neural Engine"
    }
  }
}
