#if canImport(CoreML)
import CoreML
import Foundation
import MobileSDKDemoCore

/// Core ML's compiled form of each bundle's model, kept where the system may remove it when room is short.
enum CompiledModels {
  /// Returns the compiled model, and how long compiling took; nil where it was kept from before.
  ///
  /// The name is the manifest's hash, which lists that of every file, and the system's version, which compiles.
  static func compiled(_ bundle: ModelBundle) async throws -> (url: URL, ms: Double?) {
    let files = FileManager.default
    let caches = try files.url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
    let folder = caches.appendingPathComponent("compiled")
    let version = ProcessInfo.processInfo.operatingSystemVersion
    let system = "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
    let kept = folder.appendingPathComponent("\(bundle.manifest.seal)-\(system).mlmodelc")
    if files.fileExists(atPath: kept.path) { return (kept, nil) }
    let start = Engine.monotonicMs()
    let made = try await MLModel.compileModel(at: bundle.model)
    let ms = Engine.monotonicMs() - start
    try files.createDirectory(at: folder, withIntermediateDirectories: true)
    try files.moveItem(at: made, to: kept)
    return (kept, ms)
  }
}
#endif
