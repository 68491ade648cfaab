import Testing

@testable import MobileSDKDemoCore

@Suite struct SHA256Tests {
  /// FIPS 180-4's own examples, from NIST's "Examples with Intermediate Values", and the empty message.
  @Test func examplesOfTheStandardHold() {
    #expect(SHA256.digits(of: []) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.digits(of: "abc".utf8) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      SHA256.digits(of: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    #expect(
      SHA256.digits(of: repeatElement(UInt8(ascii: "a"), count: 1_000_000))
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func piecesGiveTheDigestOfTheWhole() {
    for count in [1, 55, 56, 63, 64, 65, 119, 120, 1000] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      var hash = SHA256()
      for byte in bytes { hash.update([byte]) }
      #expect(hash.digits() == SHA256.digits(of: bytes), "\(count) bytes")
    }
  }
}
