#if canImport(CoreML)
import MobileSDKDemoCore

/// Loads what Apple's systems run without another package, as `Engine` takes it.
public enum AppleModels {
  /// Throws `DemoError` for a bundle of another runtime.
  @Sendable public static func load(
    _ bundle: ModelBundle, with settings: RunSettings
  ) async throws -> sending LoadedModel {
    guard bundle.manifest.runtime == .coreML else {
      throw DemoError(
        "expected a Core ML bundle, found \(bundle.name)",
        hint: "choose the same model's, or take the demo's runner of that runtime")
    }
    return try await CoreMLRunner.load(bundle, on: settings.computeUnits)
  }
}
#endif
