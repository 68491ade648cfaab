import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct JSONTests {
  @Test(arguments: [
    "", " ", "{", "[1,]", "{\"a\":1,}", "{'a': 1}", "{\"a\": 1, \"a\": 2}", "01", "1.", ".5", "+1", "NaN", "Infinity",
    "1e999", "\"\u{1}\"", "\"\\x\"", "\"\\ud800\"", "\"open", "[1] 2", "tru", "// comment\n1", "[\"a\" \"b\"]",
  ])
  func whatIsNoJSONIsRefused(text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: Data(text.utf8)) }
  }

  @Test func wholeNumbersAndFractionsStayApart() throws {
    let value = try JSONValue(parsing: Data("[3, 3.0, 3e0, -0, true, null]".utf8))
    #expect(value == .array([.integer(3), .number(3), .number(3), .integer(0), .bool(true), .null]))
  }

  @Test func textsKeepEveryLetter() throws {
    let value = try JSONValue(parsing: Data(#""\u00e9 \ud83d\ude00 \"\\\/\b\f\n\r\t é 😀""#.utf8))
    #expect(value == .string("é 😀 \"\\/\u{8}\u{c}\n\r\t é 😀"))
  }

  @Test func whatIsWrittenReadsBackAsItWas() throws {
    let value = JSONValue.object([
      "texts": .array([.string("\"\\\n\u{1}é😀"), .string("")]), "numbers": JSONValue([0.1, 1e-300, -5e22, 1 / 3]),
      "whole": .integer(.min), "truth": .bool(false), "none": .null, "empty": .object([:]),
    ])
    #expect(try JSONValue(parsing: Data(value.text.utf8)) == value)
  }
}
