import Foundation

/// A field that is missing, unknown, or of another type or range than it must be.
struct FieldError: Error {
  let message: String
}

/// The fields of one JSON object. A reader takes each of them once and then calls `end`.
///
/// Every function throws `FieldError`.
struct Fields {
  private let path: String
  private var left: [JSONKey: JSONValue]

  init(_ value: JSONValue, at path: String = "") throws {
    guard case .fields(let fields) = value else { throw Self.refusal(path, "an object") }
    (self.path, left) = (path, fields)
  }

  func has(_ name: String) -> Bool { left[JSONKey(name)] != nil }

  func isList(_ name: String) -> Bool {
    if case .array = left[JSONKey(name)] { true } else { false }
  }

  /// Takes a field away where it is null: of an optional field that says the same as leaving it out.
  mutating func dropNull(_ name: String) {
    if left[JSONKey(name)] == .null { left[JSONKey(name)] = nil }
  }

  mutating func take(_ name: String) throws -> JSONValue {
    guard let value = left.removeValue(forKey: JSONKey(name)) else { throw Self.refusal(of(name), "a value") }
    return value
  }

  mutating func inside(_ name: String) throws -> Fields { try Fields(take(name), at: of(name)) }

  mutating func insideOrNil(_ name: String) throws -> Fields? {
    let value = try take(name)
    return value == .null ? nil : try Fields(value, at: of(name))
  }

  mutating func string(_ name: String, like pattern: String? = nil) throws -> String {
    try Self.string(take(name), at: of(name), like: pattern)
  }

  mutating func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int {
    try Self.integer(take(name), at: of(name), in: range)
  }

  mutating func integerOrNil(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    let value = try take(name)
    return value == .null ? nil : try Self.integer(value, at: of(name), in: range)
  }

  mutating func number(_ name: String, in range: ClosedRange<Double>) throws -> Double {
    try Self.number(take(name), at: of(name), in: range)
  }

  mutating func numberOrNil(_ name: String) throws -> Double? {
    let value = try take(name)
    let finite = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    return value == .null ? nil : try Self.number(value, at: of(name), in: finite)
  }

  mutating func choice(_ name: String, of known: [String]) throws -> String {
    let value = try string(name)
    guard known.contains(value) else { throw Self.refusal(of(name), known.joined(separator: " or ")) }
    return value
  }

  mutating func choice<Choice: RawRepresentable & CaseIterable>(_ name: String) throws -> Choice
  where Choice.RawValue == String {
    let known = Choice.allCases.map(\.rawValue)
    guard let choice = Choice(rawValue: try choice(name, of: known)) else {
      throw Self.refusal(of(name), known.joined(separator: " or "))
    }
    return choice
  }

  mutating func list<Item>(
    _ name: String, count: ClosedRange<Int> = 0...Int.max, of item: (JSONValue, String) throws -> Item
  ) throws -> [Item] {
    guard case .array(let items) = try take(name) else { throw Self.refusal(of(name), "a list") }
    guard count.contains(items.count) else {
      throw Self.refusal(of(name), "\(count.lowerBound) to \(count.upperBound) entries")
    }
    return try items.enumerated().map { try item($0.element, "\(of(name)).\($0.offset)") }
  }

  mutating func map<Item>(_ name: String, of item: (JSONValue, String) throws -> Item) throws -> [JSONKey: Item] {
    guard case .fields(let fields) = try take(name) else { throw Self.refusal(of(name), "an object") }
    return Dictionary(
      uniqueKeysWithValues: try fields.map { ($0.key, try item($0.value, "\(of(name)).\($0.key.text)")) })
  }

  /// Refuses a field that nobody has taken.
  func end() throws {
    if let name = left.keys.map(\.text).min() { throw Self.refusal(of(name), "no such field") }
  }

  static func string(_ value: JSONValue, at path: String, like pattern: String? = nil) throws -> String {
    guard case .string(let text) = value else { throw refusal(path, "a text") }
    if let pattern, text.range(of: "\\A(?:\(pattern))\\z", options: .regularExpression) == nil {
      throw refusal(path, "a text like \(pattern)")
    }
    return text
  }

  static func integer(_ value: JSONValue, at path: String, in range: ClosedRange<Int>) throws -> Int {
    guard case .integer(let number) = value, range.contains(number) else {
      throw refusal(path, "a whole number of \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  static func number(_ value: JSONValue, at path: String, in range: ClosedRange<Double>) throws -> Double {
    let number: Double? =
      switch value {
      case .integer(let whole): Double(whole)
      case .number(let fraction): fraction
      default: nil
      }
    guard let number, range.contains(number) else {
      throw refusal(path, "a number of \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private func of(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  private static func refusal(_ path: String, _ expected: String) -> FieldError {
    FieldError(message: "expected \(expected) at '\(path)', found another")
  }
}
