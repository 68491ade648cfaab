/// The numbers of a decoded picture as its file stores them, whatever colours they stand for. They become RGB as
/// Python's `convert("RGB")` makes it: nothing is converted from one colour space to another.
public struct StoredPixels: Sendable {
  /// What one pixel holds, in the order of memory; `unused` is skipped.
  public enum Component: Equatable, Sendable {
    case red, green, blue, grey, alpha, unused
  }

  public let width: Int
  public let height: Int
  public let bytesPerRow: Int
  /// 8 or 16.
  public let bits: Int
  public let components: [Component]
  /// Of numbers of 16 bits.
  public let isLittleEndian: Bool
  /// True where the colours were multiplied by their alpha.
  public let isPremultiplied: Bool

  public init(
    width: Int, height: Int, bytesPerRow: Int, bits: Int, components: [Component], isLittleEndian: Bool = false,
    isPremultiplied: Bool = false
  ) {
    (self.width, self.height, self.bytesPerRow, self.bits) = (width, height, bytesPerRow, bits)
    (self.components, self.isLittleEndian, self.isPremultiplied) = (components, isLittleEndian, isPremultiplied)
  }

  /// Returns the picture over white; nil for fewer bytes than that, and for a layout that has no colours.
  public func rgb(_ bytes: UnsafeRawBufferPointer) -> RGBPicture? {
    let pixelBytes = components.count * bits / 8
    let channels = [Component.red, .green, .blue].map {
      components.firstIndex(of: $0) ?? components.firstIndex(of: .grey)
    }
    guard bits == 8 || bits == 16, width > 0, height > 0, bytesPerRow >= width * pixelBytes,
      bytes.count >= (height - 1) * bytesPerRow + width * pixelBytes,
      let red = channels[0], let green = channels[1], let blue = channels[2]
    else { return nil }
    let (alpha, isGrey) = (components.firstIndex(of: .alpha), components.contains(.grey))
    func component(_ start: Int, _ index: Int) -> Int { number(bytes, start, index, isGrey: isGrey && alpha == nil) }
    let made = [UInt8](unsafeUninitializedCapacity: width * height * 3) { target, count in
      var next = 0
      for row in 0..<height {
        var start = row * bytesPerRow
        for _ in 0..<width {
          let opacity = alpha.map { component(start, $0) } ?? 255
          target[next] = overWhite(component(start, red), opacity)
          target[next + 1] = overWhite(component(start, green), opacity)
          target[next + 2] = overWhite(component(start, blue), opacity)
          next += 3
          start += pixelBytes
        }
      }
      count = next
    }
    return RGBPicture(width: width, height: height, bytes: made)
  }

  /// A number of 8 bits. Of 16, Pillow keeps the high ones, and rounds where grey is all that there is.
  private func number(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ index: Int, isGrey: Bool) -> Int {
    guard bits == 16 else { return Int(bytes[start + index]) }
    let (first, second) = (Int(bytes[start + index * 2]), Int(bytes[start + index * 2 + 1]))
    let (high, low) = isLittleEndian ? (second, first) : (first, second)
    return isGrey ? (high << 8 + low + 128) / 257 : high
  }

  /// Pillow's `alpha_composite` over opaque white.
  private func overWhite(_ value: Int, _ alpha: Int) -> UInt8 {
    if alpha == 255 { return UInt8(value) }
    if isPremultiplied { return UInt8(min(value + 255 - alpha, 255)) }
    let sum = (value * alpha + 255 * (255 - alpha)) << 7 + 128 << 7
    return UInt8(((sum >> 8) + sum) >> 15)
  }
}

extension RGBPicture {
  /// Turned as EXIF's orientation says, 1 to 8; another number turns nothing.
  public func upright(_ orientation: Int) -> RGBPicture {
    guard (2...8).contains(orientation) else { return self }
    let isAcross = orientation >= 5  // rows become columns
    let (newWidth, newHeight) = isAcross ? (height, width) : (width, height)
    let made = [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
      var next = 0
      for row in 0..<newHeight {
        for column in 0..<newWidth {
          let (x, y): (Int, Int) =
            switch orientation {
            case 2: (width - 1 - column, row)
            case 3: (width - 1 - column, height - 1 - row)
            case 4: (column, height - 1 - row)
            case 5: (row, column)
            case 6: (row, height - 1 - column)
            case 7: (width - 1 - row, height - 1 - column)
            default: (width - 1 - row, column)
            }
          let start = (y * width + x) * channels
          for channel in 0..<channels { target[next + channel] = bytes[start + channel] }
          next += channels
        }
      }
      count = next
    }
    return RGBPicture(width: newWidth, height: newHeight, bytes: made, channels: channels)
  }
}
