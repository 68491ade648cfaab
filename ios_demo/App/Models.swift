import MobileSDKDemoCore

/// Which classifier runs which bundle.
enum Models {
  @Sendable static func load(_ bundle: ModelBundle, on units: ComputeUnits) async throws -> sending LoadedModel {
    switch bundle.manifest.runtime {
    case .coreML: return try await CoreMLClassifier.load(bundle, on: units)
    case .execuTorch: return try ExecuTorchClassifier.load(bundle)
    case .liteRT:
      throw DemoError("this app embeds no LiteRT", hint: "choose the same model's Core ML or ExecuTorch bundle")
    }
  }
}
