import Foundation

/// Says whether a signature is one of some bytes by the holder of the app's key. The core has no ECDSA; the app has Apple's.
public typealias SignatureCheck = @Sendable (_ signature: Data, _ bytes: Data) -> Bool

/// The form of a signature of ECDSA over P-256 in DER.
enum Signature {
  /// Two numbers of 33 bytes with the heads of three elements.
  static let maximumBytes = 72

  /// Returns true for DER's one spelling of two positive numbers of 256 bits at most.
  static func isWellFormed(_ data: Data) -> Bool {
    let bytes = Array(data)
    guard (8...maximumBytes).contains(bytes.count), bytes[0] == 0x30, Int(bytes[1]) == bytes.count - 2 else {
      return false
    }
    let second = 4 + Int(bytes[3])
    return second <= bytes.count && isNumber(bytes[2..<second]) && isNumber(bytes[second...])
  }

  /// Returns true for one INTEGER of DER, above 0 and of 256 bits at most, without a needless zero.
  private static func isNumber(_ element: ArraySlice<UInt8>) -> Bool {
    let (head, digits) = (Array(element.prefix(2)), Array(element.dropFirst(2)))
    guard let first = digits.first, head == [0x02, UInt8(digits.count)] else { return false }
    guard first == 0 else { return first < 0x80 && digits.count <= 32 }
    return (2...33).contains(digits.count) && digits[1] >= 0x80
  }
}
