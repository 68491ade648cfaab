// CryptoKit, after Apple's documentation of P256.Signing; swift-crypto has the same interface.
import Foundation

public enum P256 {
  public enum Signing {
    public struct PublicKey: Sendable {
      public init<Bytes: RandomAccessCollection>(derRepresentation: Bytes) throws where Bytes.Element == UInt8 {}
      public func isValidSignature<D: DataProtocol>(_ signature: ECDSASignature, for data: D) -> Bool { false }
    }

    public struct ECDSASignature: Sendable {
      public init<D: DataProtocol>(derRepresentation: D) throws {}
    }
  }
}

public struct SHA256 {
  public static func hash<D: DataProtocol>(data: D) -> SHA256Digest { fatalError() }
}

public struct SHA256Digest: Sequence {
  public func makeIterator() -> AnyIterator<UInt8> { fatalError() }
}
