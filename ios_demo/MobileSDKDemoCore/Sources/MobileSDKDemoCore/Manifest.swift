/// `bundle.json`: all that the app knows of a model. No size, label or scale stands anywhere else.
public struct Manifest: Equatable, Sendable {
  public let name: String
  public let task: ModelTask
  public let labels: [String]
  public let image: ImageSpec
  public let runtime: ModelRuntime
  public let precision: String
  public let model: String
  public let input: InputSpec
  public let output: OutputSpec
  public let golden: GoldenSpec
  public let files: [FileEntry]
  public let versions: [String: String]

  /// What the model takes in an app, without labels and golden pictures.
  public var modelBytes: Int {
    files.filter { $0.path == model || $0.path.hasPrefix(model + "/") }.reduce(0) { $0 + $1.bytes }
  }
}

/// What runs a model file. LiteRT's bundles are understood; this app embeds no LiteRT.
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
}

/// How a picture becomes `sizePx` × `sizePx` RGB bytes. Mean and deviation are inside the model and not in here.
public struct ImageSpec: Equatable, Sendable {
  public enum Fit: String, CaseIterable, Sendable {
    case crop, stretch
  }

  public let sizePx: Int
  public let fit: Fit
  public let cropShare: Double
}

/// The tensor that takes the picture: `byte + byteOffset` for each RGB byte, in `layout`.
public struct InputSpec: Equatable, Sendable {
  public enum ElementType: String, CaseIterable, Sendable {
    case uint8, int8, float32, image

    /// Bytes of one element; of a platform's own image, those of one channel of a pixel.
    public var byteCount: Int { self == .float32 ? 4 : 1 }
  }

  public enum Layout: String, CaseIterable, Sendable {
    case nhwc = "NHWC"
    case nchw = "NCHW"
    case nc = "NC"
  }

  public let name: String
  public let type: ElementType
  public let shape: [Int]
  public let layout: Layout
  public let byteOffset: Int
}

/// The tensor that comes out: int8 codes are `scale * (code - zeroPoint)`; of float32 both are nil.
public struct OutputSpec: Equatable, Sendable {
  public enum ElementType: String, CaseIterable, Sendable {
    case int8, float32

    public var byteCount: Int { self == .float32 ? 4 : 1 }
  }

  public let name: String
  public let type: ElementType
  public let shape: [Int]
  public let scale: Double?
  public let zeroPoint: Int?
}

/// How near a device must come to the expected outputs, in the output's own unit, and what wins in each picture.
public struct GoldenSpec: Equatable, Sendable {
  public let tolerance: Double
  public let pictures: [GoldenPicture]
}

/// What is expected of `golden/<position>.png`.
public struct GoldenPicture: Equatable, Sendable {
  public let top1Index: Int
  public let labelIndex: Int?
}

/// One file of the bundle; `path` is relative to the folder.
public struct FileEntry: Equatable, Sendable {
  public let path: String
  public let bytes: Int
  public let sha256: String
}
