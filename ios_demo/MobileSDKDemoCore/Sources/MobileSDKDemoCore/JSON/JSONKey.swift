/// A key of a JSON object. Swift takes texts that look alike for equal; keys are equal where their bytes are.
public struct JSONKey: Hashable, Sendable {
  public let text: String

  public init(_ text: String) { self.text = text }

  public static func == (one: JSONKey, other: JSONKey) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }

  public func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}
