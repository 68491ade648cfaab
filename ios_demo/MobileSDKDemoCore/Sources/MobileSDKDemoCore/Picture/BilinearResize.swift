/// Pillow's `Image.resize(BILINEAR)`: a triangle filter, as wide as the picture shrinks, in fixed point.
///
/// Two passes, along rows and then along columns, each rounded to bytes; a pass that keeps the size changes nothing.
/// Source: Pillow, src/libImaging/Resample.c.
enum BilinearResize {
  private static let fractionBits = Int32(22)  // 32 less 8 of a byte, less 2 that a sum may overshoot by

  static func resized(_ picture: RGBPicture, box: PixelBox, toWidth width: Int, height: Int) -> RGBPicture {
    let channels = picture.channels
    let columns = Weights(from: box.width, to: width)
    let rows = Weights(from: box.height, to: height)
    let longest = rows.longest
    let rowBytes = width * channels
    var held = [UInt8](repeating: 0, count: longest * rowBytes)  // the rows that one row is made of
    var until = 0  // the row after them; no more are made, as those of a long picture would fill the memory
    var bytes = [UInt8](repeating: 0, count: height * rowBytes)
    for (row, span) in rows.spans.enumerated() {
      let end = span.first + span.weights.count
      for next in max(until, span.first)..<max(until, end) {
        let start = ((box.top + next) * picture.width + box.left) * channels
        let target = next % longest * rowBytes
        for (column, across) in columns.spans.enumerated() {
          for channel in 0..<channels {
            held[target + column * channels + channel] = weighted(
              picture.bytes, from: start + across.first * channels + channel, step: channels, columns, across)
          }
        }
      }
      until = max(until, end)
      let starts = (span.first..<end).map { $0 % longest * rowBytes }
      for index in 0..<rowBytes { bytes[row * rowBytes + index] = weighted(held, index, starts, rows, span) }
    }
    return RGBPicture(width: width, height: height, bytes: bytes, channels: channels)
  }

  private static func weighted(
    _ bytes: [UInt8], from start: Int, step: Int, _ weights: Weights, _ span: Weights.Span
  ) -> UInt8 {
    var sum = Int32(1) << (fractionBits - 1)
    var position = start
    for index in span.weights {
      sum &+= Int32(bytes[position]) &* weights.fixed[index]
      position += step
    }
    return UInt8(max(0, min(255, sum >> fractionBits)))
  }

  /// Of a column, whose rows start at `starts`.
  private static func weighted(
    _ rows: [UInt8], _ column: Int, _ starts: [Int], _ weights: Weights, _ span: Weights.Span
  ) -> UInt8 {
    var sum = Int32(1) << (fractionBits - 1)
    for (start, index) in zip(starts, span.weights) { sum &+= Int32(rows[start + column]) &* weights.fixed[index] }
    return UInt8(max(0, min(255, sum >> fractionBits)))
  }

  /// Which pixels make each new one, and how much of each.
  private struct Weights {
    struct Span {
      let first: Int
      let weights: Range<Int>
    }

    let spans: [Span]
    let fixed: [Int32]

    /// The largest number of pixels that make one.
    var longest: Int { spans.map(\.weights.count).max() ?? 1 }

    init(from count: Int, to side: Int) {
      let scale = Double(count) / Double(side)
      let reach = max(scale, 1)
      let one = Double(Int32(1) << fractionBits)
      var spans: [Span] = []
      var fixed: [Int32] = []
      for index in 0..<side {
        let center = (Double(index) + 0.5) * scale
        let first = max(0, Int(center - reach + 0.5))
        let end = min(count, Int(center + reach + 0.5))
        let slope = 1 / reach
        let raw = (first..<end).map { pixel -> Double in
          let distance: Double = abs((Double(pixel) - center + 0.5) * slope)
          return distance < 1 ? 1 - distance : 0
        }
        let sum: Double = raw.reduce(0, +)
        spans.append(Span(first: first, weights: fixed.count..<fixed.count + raw.count))
        fixed += raw.map { weight -> Int32 in Int32(weight / sum * one + 0.5) }
      }
      (self.spans, self.fixed) = (spans, fixed)
    }
  }
}
