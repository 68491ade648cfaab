import Foundation

/// A score for every label in every pixel.
public struct Segmentation: OneOutputTask {
  private static let maximumMaskLabels = 255  // a mask is bytes, and one of them says in training: no label

  public let contract: TaskContract
  private var sides: Sides { contract.sides ?? Sides(height: 0, width: 0) }

  public init(_ contract: TaskContract) { self.contract = contract }

  public var labelCounts: ClosedRange<Int> { 2...Self.maximumMaskLabels }

  public var takesArrays: Bool { false }

  public var goldenFile: (any GoldenFile)? { GoldenMask(task: self) }

  public func outputMisfit() -> String? {
    let (shape, expected) = (contract.output.shape, [1, sides.height, sides.width, contract.labels.count])
    return shape == expected ? nil : "expected an output \(expected), found \(shape)"
  }

  /// The label that most pixels show wins.
  public func winner(fitting output: ModelOutput) -> Int? { mask(of: output).widestLabel(contract.labels.count) }

  /// Every label that occurs is shown, the largest first.
  public func answer(fitting output: ModelOutput, count: Int) -> Answer {
    let mask = mask(of: output)
    let pixels = mask.pixels(contract.labels.count)
    let order = pixels.indices.filter { pixels[$0] > 0 }.sorted { (pixels[$1], $0) < (pixels[$0], $1) }
    let shares = order.enumerated().map { rank, index in
      LabelShare(
        rank: rank, labelIndex: index, label: contract.labels[index],
        share: Double(pixels[index]) / Double(mask.labels.count))
    }
    return Answer(shares: shares, mask: mask)
  }

  private func mask(of output: ModelOutput) -> Mask {
    Mask(scores: output.raw, labels: contract.labels.count, sides: sides)
  }

  private struct GoldenMask: GoldenFile {
    let task: Segmentation

    var kind: String { "mask.bin" }

    var sizes: ClosedRange<Int> {
      let pixels = task.sides.height * task.sides.width
      return pixels...pixels
    }

    func misfit(of written: Data, output: ModelOutput, path: String) -> String? {
      let isEqual = written == Data(task.mask(of: output).labels)
      return isEqual ? nil : "expected \(path) to be the mask of its output, found another"
    }
  }
}

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
