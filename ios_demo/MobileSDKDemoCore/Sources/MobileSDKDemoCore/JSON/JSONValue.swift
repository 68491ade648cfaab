import Foundation

/// A JSON value as it was written: whole numbers and fractions stay apart, as `bundle.json` is strict about both.
///
/// Foundation's decoder takes `3.0` for a whole number and a key that occurs twice; this does not.
public enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case fields([JSONKey: JSONValue])

  /// Reads RFC 8259 and nothing else. Throws `JSONError`, also for what docs/reference/bundle-format.md, "JSON", refuses.
  public init(parsing data: Data) throws {
    guard let text = String(data: data, encoding: .utf8), text.utf8.count == data.count else {
      throw JSONError(reason: "bytes that are no UTF-8")
    }
    var parser = JSONParser(bytes: Array(data))
    self = try parser.parse()
  }

  /// An object of those fields.
  public static func object(_ fields: [String: JSONValue]) -> JSONValue {
    .fields(Dictionary(uniqueKeysWithValues: fields.map { (JSONKey($0.key), $0.value) }))
  }

  /// The value as JSON, keys in alphabetical order. Numbers must be finite.
  public var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value): String(value)
    case .string(let value): Self.quoted(value)
    case .array(let items): "[" + items.map(\.text).joined(separator: ", ") + "]"
    case .fields(let fields):
      "{"
        + fields.map { ($0.key.text, $0.value) }.sorted { $0.0 < $1.0 }
        .map { "\(Self.quoted($0.0)): \($0.1.text)" }.joined(separator: ", ") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case " "...: quoted.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return quoted + "\""
  }
}

/// A text that is no JSON, or JSON that parsers disagree about.
public struct JSONError: Error, Equatable {
  public let reason: String
}

extension JSONValue {
  init(_ value: Double?) { self = value.map(JSONValue.number) ?? .null }
  init(_ value: Int?) { self = value.map(JSONValue.integer) ?? .null }
  init(_ value: String?) { self = value.map(JSONValue.string) ?? .null }
  init(_ values: [Double]) { self = .array(values.map(JSONValue.number)) }
}
