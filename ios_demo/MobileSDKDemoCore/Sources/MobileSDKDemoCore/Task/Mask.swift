/// The label of every pixel of the net's picture: its index in a byte, row by row.
public struct Mask: Equatable, Sendable {
  public let sides: Sides
  public let labels: [UInt8]

  /// Reads scores, for every pixel one a label: the largest wins, of equal ones the lower index.
  init(scores: [Double], labels count: Int, sides: Sides) {
    self.sides = sides
    labels = (0..<sides.height * sides.width).map { pixel in
      var best = 0
      for label in 1..<max(1, count) where scores[pixel * count + label] > scores[pixel * count + best] { best = label }
      return UInt8(best)
    }
  }

  /// Counts the pixels that show each of the first `count` labels.
  func pixels(_ count: Int) -> [Int] {
    labels.reduce(into: Array(repeating: 0, count: count)) { pixels, label in pixels[Int(label)] += 1 }
  }

  /// Returns the label that most pixels show, of `count`; of equal ones the lower index.
  func widestLabel(_ count: Int) -> Int? {
    let pixels = pixels(count)
    return pixels.max().flatMap(pixels.firstIndex)
  }
}
