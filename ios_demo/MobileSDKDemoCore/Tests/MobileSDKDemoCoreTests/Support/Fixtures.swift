import Foundation
import Testing

@testable import MobileSDKDemoCore

/// The files that Python wrote for the tests, in the folder that `DEMO_FIXTURES` names.
enum Fixtures {
  static let folder = URL(fileURLWithPath: ProcessInfo.processInfo.environment["DEMO_FIXTURES"] ?? "")
  static let bundles = folders(below: folder.appendingPathComponent("bundles"))
  static let detectors = folders(below: folder.appendingPathComponent("detectors"))
  static let segmenters = folders(below: folder.appendingPathComponent("segmenters"))
  /// Of the task features.
  static let features = folders(below: folder.appendingPathComponent("features"))
  static let earlier = folders(below: folder.appendingPathComponent("earlier/schema-1"))
  static let second = folders(below: folder.appendingPathComponent("earlier/schema-2"))
  /// Of models that do not read square RGB pictures.
  static let inputs = folders(below: folder.appendingPathComponent("inputs"))
  static let everyBundle = bundles + detectors + segmenters + features + inputs + earlier + second

  static func json(_ path: String) throws -> JSONValue {
    try JSONValue(parsing: Data(contentsOf: folder.appendingPathComponent(path)))
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appendingPathComponent(path)))
  }

  static func picture(_ path: String, width: Int, height: Int) throws -> RGBPicture {
    RGBPicture(width: width, height: height, bytes: try bytes(path))
  }

  static func bundle(_ runtime: ModelRuntime) throws -> ModelBundle {
    let found = try #require(bundles.first { $0.lastPathComponent == "test.\(runtime.rawValue)" })
    return try ModelBundle.open(found, decode: PNG.decode)
  }

  static func detector(_ runtime: ModelRuntime) throws -> ModelBundle {
    let found = try #require(detectors.first { $0.lastPathComponent == "things.\(runtime.rawValue)" })
    return try ModelBundle.open(found, decode: PNG.decode)
  }

  static func features(_ name: String) throws -> ModelBundle {
    try ModelBundle.open(folder.appendingPathComponent("features/\(name)"), decode: PNG.decode)
  }

  private static func folders(below folder: URL) -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().map(folder.appendingPathComponent)
  }
}

extension Manifest {
  /// The output of a model that has one.
  var output: OutputSpec { outputs[0] }
}

/// Knows the golden pictures of its bundle, and gives each its expected outputs.
final class Answers: ModelRunner {
  private let bundle: ModelBundle
  private let onInput: () -> Void
  private let onRun: () -> Void
  private let onRead: () -> Void
  private let change: ([ModelOutput]) -> [ModelOutput]
  private var given = Data()

  init(
    bundle: ModelBundle, onInput: @escaping () -> Void = {}, onRun: @escaping () -> Void = {},
    onRead: @escaping () -> Void = {}, change: @escaping ([ModelOutput]) -> [ModelOutput] = { $0 }
  ) {
    (self.bundle, self.onInput, self.onRun, self.onRead) = (bundle, onInput, onRun, onRead)
    self.change = change
  }

  var input: InputSpec { bundle.manifest.input }

  func setInput(_ tensor: Data) throws {
    onInput()
    given = tensor
  }

  func run() throws { onRun() }

  func readOutputs() throws -> [ModelOutput] {
    onRead()
    let index = try bundle.manifest.golden.pictures.indices.first { try bundle.isGoldenInput(given, $0) }
    return change(try bundle.goldenOutputs(try #require(index)))
  }
}

extension JSONValue {
  var items: [JSONValue] {
    get throws {
      guard case .array(let items) = self else { throw JSONError(reason: "no list") }
      return items
    }
  }

  var string: String {
    get throws {
      guard case .string(let text) = self else { throw JSONError(reason: "no text") }
      return text
    }
  }

  var double: Double {
    get throws {
      switch self {
      case .integer(let whole): return Double(whole)
      case .number(let fraction): return fraction
      default: throw JSONError(reason: "no number")
      }
    }
  }

  func field(_ name: String) throws -> JSONValue {
    guard case .fields(let fields) = self, let value = fields[JSONKey(name)] else {
      throw JSONError(reason: "no field \(name)")
    }
    return value
  }
}
