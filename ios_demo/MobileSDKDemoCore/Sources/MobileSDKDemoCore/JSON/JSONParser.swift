import Foundation

/// A parser of RFC 8259 over bytes that are known to be UTF-8.
struct JSONParser {
  private static let maximumDepth = 64

  private let bytes: [UInt8]
  private var position = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func parse() throws -> JSONValue {
    let value = try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw expected("the end") }
    return value
  }

  private mutating func value(depth: Int) throws -> JSONValue {
    guard depth < Self.maximumDepth else { throw JSONError(reason: "more values in each other than a reader follows") }
    skipSpace()
    switch peek() {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws -> JSONValue {
    var fields: [JSONKey: JSONValue] = [:]
    try items(from: "{", to: "}") { parser in
      let key = JSONKey(try parser.string())
      parser.skipSpace()
      try parser.take(":")
      guard fields.updateValue(try parser.value(depth: depth + 1), forKey: key) == nil else {
        throw JSONError(reason: "a key that occurs twice")
      }
    }
    return .fields(fields)
  }

  private mutating func array(depth: Int) throws -> JSONValue {
    var values: [JSONValue] = []
    try items(from: "[", to: "]") { values.append(try $0.value(depth: depth + 1)) }
    return .array(values)
  }

  private mutating func items(
    from open: Unicode.Scalar, to close: Unicode.Scalar, item: (inout JSONParser) throws -> Void
  ) throws {
    try take(open)
    skipSpace()
    if peek() == UInt8(ascii: close) {
      position += 1
      return
    }
    while true {
      skipSpace()
      try item(&self)
      skipSpace()
      guard peek() == UInt8(ascii: ",") else { break }
      position += 1
    }
    try take(close)
  }

  private mutating func string() throws -> String {
    try take("\"")
    var text: [UInt8] = []
    while true {
      guard let byte = peek(), byte >= 0x20 else { throw expected("a text's end") }
      position += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
      if byte == UInt8(ascii: "\\") {
        text.append(contentsOf: String(try escaped()).utf8)
      } else {
        text.append(byte)
      }
    }
  }

  private mutating func escaped() throws -> Unicode.Scalar {
    guard let byte = peek() else { throw expected("an escape") }
    position += 1
    switch Unicode.Scalar(byte) {
    case "\"", "\\", "/": return Unicode.Scalar(byte)
    case "b": return "\u{8}"
    case "f": return "\u{c}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "u": return try scalar()
    default: throw expected("an escape")
    }
  }

  /// Reads the digits after `\u`: one code unit of UTF-16, or the first of a pair that stands for one scalar.
  private mutating func scalar() throws -> Unicode.Scalar {
    let first = try codeUnit()
    if let scalar = Unicode.Scalar(first) { return scalar }
    try take("\\")
    try take("u")
    let second = try codeUnit()
    guard (0xD800..<0xDC00).contains(first), (0xDC00..<0xE000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw expected("a pair of surrogates") }
    return scalar
  }

  private mutating func codeUnit() throws -> UInt32 {
    let digits = bytes[position..<min(position + 4, bytes.count)]
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw expected("four hexadecimal digits") }
    position += 4
    return value
  }

  /// Whole numbers beyond 64 bits arrive as fractions, which no whole field takes.
  private mutating func number() throws -> JSONValue {
    let start = position
    if peek() == UInt8(ascii: "-") { position += 1 }
    let leading = try digits()
    if leading.count > 1, leading.first == UInt8(ascii: "0") { throw expected("no zero before a number") }
    var isWhole = true
    if peek() == UInt8(ascii: ".") {
      isWhole = false
      position += 1
      _ = try digits()
    }
    if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
      isWhole = false
      position += 1
      if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
      _ = try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw expected("a number in range") }
    return .number(value)
  }

  private mutating func digits() throws -> ArraySlice<UInt8> {
    let start = position
    while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw expected("a value") }
    return bytes[start..<position]
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw expected(word) }
    position += word.utf8.count
    return value
  }

  private mutating func take(_ letter: Unicode.Scalar) throws {
    guard peek() == UInt8(ascii: letter) else { throw expected("\(letter)") }
    position += 1
  }

  private mutating func skipSpace() {
    while let byte = peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private func expected(_ what: String) -> JSONError {
    JSONError(reason: "something other than \(what) at byte \(position)")
  }
}
