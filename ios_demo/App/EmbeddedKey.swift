import CryptoKit
import Foundation
import MobileSDKDemoCore

/// The key that `mobile-sdk embed --key` puts beside the bundles. An app that has it opens what is signed with it alone.
enum EmbeddedKey {
  /// Returns the check of signatures, nil where the app was built without a key; a key that is none lets nothing pass.
  static func check(in folder: URL) -> SignatureCheck? {
    let file = folder.appendingPathComponent(Engine.keyFile)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    guard let der = try? Data(contentsOf: file), let key = try? P256.Signing.PublicKey(derRepresentation: der) else {
      return { _, _ in false }
    }
    return { signature, bytes in
      guard let given = try? P256.Signing.ECDSASignature(derRepresentation: signature) else { return false }
      return key.isValidSignature(given, for: bytes)  // of the SHA-256 of the bytes
    }
  }
}
