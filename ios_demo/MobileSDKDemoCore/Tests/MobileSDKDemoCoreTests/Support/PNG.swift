import Foundation

@testable import MobileSDKDemoCore

/// A decoder of the PNGs that bundles hold (8-bit RGB, not interlaced), as a phone's own is not there in a test.
enum PNG {
  struct Refusal: Error {
    let reason: String
  }

  @Sendable static func decode(_ data: Data) throws -> RGBPicture {
    let bytes = Array(data)
    guard bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else {
      throw Refusal(reason: "no PNG")
    }
    var position = 8
    var (width, height) = (0, 0)
    var compressed: [UInt8] = []
    while position + 12 <= bytes.count {
      let length = number(bytes, position)
      let kind = String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
      let content = position + 8
      if kind == "IHDR" {
        (width, height) = (number(bytes, content), number(bytes, content + 4))
        guard Array(bytes[content + 8..<content + 13]) == [8, 2, 0, 0, 0] else {
          throw Refusal(reason: "other than 8-bit RGB")
        }
      }
      if kind == "IDAT" { compressed += bytes[content..<content + length] }
      position = content + length + 4
    }
    var inflate = Inflate(bytes: compressed, from: 2)
    return RGBPicture(width: width, height: height, bytes: try unfiltered(inflate.run(), width: width, height: height))
  }

  private static func number(_ bytes: [UInt8], _ position: Int) -> Int {
    bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
  }

  private static func unfiltered(_ filtered: [UInt8], width: Int, height: Int) throws -> [UInt8] {
    let rowBytes = width * 3
    guard filtered.count == height * (rowBytes + 1) else { throw Refusal(reason: "other than \(height) rows") }
    var pixels = [UInt8](repeating: 0, count: height * rowBytes)
    for row in 0..<height {
      let filter = filtered[row * (rowBytes + 1)]
      for index in 0..<rowBytes {
        let at = row * rowBytes + index
        let left = index >= 3 ? Int(pixels[at - 3]) : 0
        let above = row > 0 ? Int(pixels[at - rowBytes]) : 0
        let corner = index >= 3 && row > 0 ? Int(pixels[at - rowBytes - 3]) : 0
        let predicted = [0, left, above, (left + above) / 2, paeth(left, above, corner)][Int(filter)]
        pixels[at] = filtered[row * (rowBytes + 1) + 1 + index] &+ UInt8(predicted)
      }
    }
    return pixels
  }

  private static func paeth(_ left: Int, _ above: Int, _ corner: Int) -> Int {
    let estimate = left + above - corner
    let (toLeft, toAbove, toCorner) = (abs(estimate - left), abs(estimate - above), abs(estimate - corner))
    if toLeft <= toAbove && toLeft <= toCorner { return left }
    return toAbove <= toCorner ? above : corner
  }
}

/// RFC 1951.
private struct Inflate {
  private let bytes: [UInt8]
  private var bit: Int
  private var output: [UInt8] = []

  init(bytes: [UInt8], from start: Int) {
    self.bytes = bytes
    bit = start * 8
  }

  mutating func run() throws -> [UInt8] {
    var isLast = false
    while !isLast {
      isLast = try take(1) == 1
      switch try take(2) {
      case 0: try copyStored()
      case 1: try expand(Self.fixedLiterals, Self.fixedDistances)
      case 2: try expandDynamic()
      default: throw PNG.Refusal(reason: "an unknown block")
      }
    }
    return output
  }

  private mutating func take(_ count: Int) throws -> Int {
    var value = 0
    for index in 0..<count {
      guard bit / 8 < bytes.count else { throw PNG.Refusal(reason: "an early end") }
      value |= Int(bytes[bit / 8] >> UInt8(bit % 8) & 1) << index
      bit += 1
    }
    return value
  }

  private mutating func copyStored() throws {
    bit = (bit + 7) / 8 * 8
    let count = try take(16)
    _ = try take(16)
    for _ in 0..<count { output.append(UInt8(try take(8))) }
  }

  private mutating func expandDynamic() throws {
    let counts = (literals: try take(5) + 257, distances: try take(5) + 1, lengths: try take(4) + 4)
    var codeLengths = [Int](repeating: 0, count: 19)
    let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    for index in order.prefix(counts.lengths) { codeLengths[index] = try take(3) }
    let codes = Huffman(lengths: codeLengths)
    var lengths: [Int] = []
    while lengths.count < counts.literals + counts.distances {
      let symbol = try symbol(codes)
      switch symbol {
      case 16: lengths += Array(repeating: lengths[lengths.count - 1], count: try take(2) + 3)
      case 17: lengths += Array(repeating: 0, count: try take(3) + 3)
      case 18: lengths += Array(repeating: 0, count: try take(7) + 11)
      default: lengths.append(symbol)
      }
    }
    try expand(
      Huffman(lengths: Array(lengths.prefix(counts.literals))),
      Huffman(lengths: Array(lengths.dropFirst(counts.literals))))
  }

  private mutating func expand(_ literals: Huffman, _ distances: Huffman) throws {
    while true {
      let symbol = try symbol(literals)
      if symbol == 256 { return }
      if symbol < 256 {
        output.append(UInt8(symbol))
        continue
      }
      let length = try Self.lengthBases[symbol - 257] + take(Self.lengthBits[symbol - 257])
      let code = try self.symbol(distances)
      let distance = try Self.distanceBases[code] + take(code < 4 ? 0 : code / 2 - 1)
      guard distance <= output.count else { throw PNG.Refusal(reason: "a distance before the start") }
      for _ in 0..<length { output.append(output[output.count - distance]) }
    }
  }

  private mutating func symbol(_ codes: Huffman) throws -> Int {
    var key = 1
    while true {
      key = key << 1 | (try take(1))
      if let symbol = codes.symbols[key] { return symbol }
      guard key < 1 << 16 else { throw PNG.Refusal(reason: "an unknown code") }
    }
  }

  private static let fixedLiterals = Huffman(
    lengths: (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
  private static let fixedDistances = Huffman(lengths: Array(repeating: 5, count: 30))
  private static let lengthBits = (0..<29).map { $0 < 8 || $0 == 28 ? 0 : ($0 - 4) / 4 }
  private static let lengthBases =
    lengthBits.dropLast().reduce(into: [3]) { $0.append($0[$0.count - 1] + 1 << $1) }.dropLast() + [258]
  private static let distanceBases = (0..<30).reduce(into: [1]) {
    $0.append($0[$0.count - 1] + 1 << ($1 < 4 ? 0 : $1 / 2 - 1))
  }
}

/// A canonical code: the key of a symbol is its code after a leading one.
private struct Huffman {
  let symbols: [Int: Int]

  init(lengths: [Int]) {
    var symbols: [Int: Int] = [:]
    var code = 0
    for length in 1...15 {
      for (symbol, own) in lengths.enumerated() where own == length {
        symbols[1 << length | code] = symbol
        code += 1
      }
      code <<= 1
    }
    self.symbols = symbols
  }
}
