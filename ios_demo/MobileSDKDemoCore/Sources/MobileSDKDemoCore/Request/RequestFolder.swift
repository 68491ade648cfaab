import Foundation

/// Where a harness's files lie in the app's Documents: `mobile-sdk/ID/` holds `bundles/NAME/`, `inputs` and the
/// answer, `scores` and `result.json`. The result is renamed into place after all else: where it is, all is done.
public struct RequestFolder: Sendable {
  static let root = "mobile-sdk"

  let folder: URL

  init(_ id: RequestID, in documents: URL) {
    folder = documents.appendingPathComponent(Self.root).appendingPathComponent(id.text)
  }

  /// Removes all folders of requests but this one, or all.
  static func removeOthers(than id: RequestID?, in documents: URL) throws {
    let root = documents.appendingPathComponent(Self.root)
    for name in (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? [] where name != id?.text {
      try FileManager.default.removeItem(at: root.appendingPathComponent(name))
    }
  }

  var result: URL { folder.appendingPathComponent("result.json") }
  var scores: URL { folder.appendingPathComponent("scores") }
  var inputs: URL { given.appendingPathComponent("inputs") }

  /// The folders of bundles that were sent, in the order of their names.
  var bundles: [URL] {
    let folder = given.appendingPathComponent("bundles")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { !$0.hasPrefix(".") }.sorted().map(folder.appendingPathComponent)
  }

  /// A copied folder's content lies in the folder that was named, or in one of the same name inside of that.
  private var given: URL {
    let inside = folder.appendingPathComponent(folder.lastPathComponent)
    return FileManager.default.fileExists(atPath: inside.path) ? inside : folder
  }
}

/// An error as `mobile-sdk` reads it: one object with `error`, `message` and `hint`.
enum Failure {
  static func json(_ error: any Error) -> JSONValue {
    let message = Message(error)
    let isCancelled = error is CancellationError
    return .object([
      "error": .string(error is BundleRefusal ? "BundleError" : "MachineError"),
      "message": .string(isCancelled ? "the app was stopped before it was done" : message.text),
      "hint": .string(isCancelled ? "leave the app on the screen until it is done" : message.hint),
    ])
  }
}
