/// `bundle.json`, of whichever schema it is: all that the app knows of a model. No size, label or scale stands anywhere
/// else.
public struct Manifest: Sendable {
  public let name: String
  public let task: any ModelTask
  public let labels: [String]
  let tensors: Tensors
  public let runtime: ModelRuntime
  public let precision: String
  public let model: String
  /// The kinds of processors that the model file is for.
  public let processors: [String]
  /// What was chosen of the model file, where that is not the usual.
  public let form: [String: String]
  public let golden: GoldenSpec
  public let files: [FileEntry]
  /// The SHA-256 of the manifest, which lists that of every other file: equal seals are equal bundles.
  public let seal: String

  public var source: ModelSource { tensors.source }
  public var input: InputSpec { tensors.input }
  public var outputs: [OutputSpec] { tensors.outputs }

  /// True of a model that computes in float16, in the Neural Engine's own arithmetic: close winners may change places.
  var isForNeuralEngine: Bool { form["compute"] == "neural-engine" }

  /// The size of the model, without labels and golden pictures.
  public var modelBytes: Int {
    files.filter { $0.path == model || $0.path.hasPrefix(model + "/") }.reduce(0) { $0 + $1.bytes }
  }
}

/// What a model reads.
public enum ModelSource: Equatable, Sendable {
  case picture(ImageSpec)
  case array(ArraySpec)

  /// The picture's recipe; nil of an array.
  public var image: ImageSpec? {
    if case .picture(let image) = self { image } else { nil }
  }

  /// As a net reads it, without a batch: (channels, height, width) of a picture.
  var shape: [Int] {
    switch self {
    case .picture(let image): [image.channels, image.sides.height, image.sides.width]
    case .array(let array): array.shape
    }
  }

  /// The kind of file that holds a golden one.
  var kind: String {
    switch self {
    case .picture: "png"
    case .array: "values.bin"
    }
  }
}

/// What a model reads, the tensor that carries it, and the tensors that come out.
struct Tensors: Sendable {
  let source: ModelSource
  let input: InputSpec
  let outputs: [OutputSpec]
}

/// A runtime by its name. LiteRT's bundles are understood, but this app embeds no LiteRT.
public enum ModelRuntime: String, CaseIterable, Sendable {
  case coreML = "coreml"
  case execuTorch = "executorch"
  case liteRT = "tflite"

  var modelFile: String {
    switch self {
    case .coreML: "model.mlpackage"
    case .execuTorch: "model.pte"
    case .liteRT: "model.tflite"
    }
  }

  /// The kinds of processors that it computes on.
  var processors: [String] { self == .coreML ? ["cpu", "gpu", "npu"] : ["cpu"] }
}

/// The golden pictures, and how near a device must come to their expected outputs: `tolerances` holds one for each, in
/// the output's own unit, and `tolerance` is the largest.
public struct GoldenSpec: Equatable, Sendable {
  public let tolerance: Double
  public let tolerances: [Double]
  public let pictures: [GoldenPicture]
}

/// The label that wins in `golden/<position>.png`, and the hash of the input for it; earlier bundles hold that whole.
public struct GoldenPicture: Equatable, Sendable {
  public let top1Index: Int
  public let inputSHA256: String?
}

/// One file of the bundle; `path` is relative to the folder.
public struct FileEntry: Equatable, Sendable {
  public let path: String
  public let bytes: Int
  public let sha256: String
}
