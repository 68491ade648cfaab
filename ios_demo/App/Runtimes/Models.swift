import MobileSDKApple
import MobileSDKDemoCore

/// Which runner runs which bundle.
enum Models {
  @Sendable static func load(_ bundle: ModelBundle, with settings: RunSettings) async throws -> sending LoadedModel {
    switch bundle.manifest.runtime {
    case .coreML: return try await AppleModels.load(bundle, with: settings)
    case .execuTorch: return try ExecuTorchRunner.load(bundle, threads: settings.threads)
    case .liteRT:
      throw DemoError("this app embeds no LiteRT", hint: "choose the same model's Core ML or ExecuTorch bundle")
    }
  }
}
