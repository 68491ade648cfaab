/// The colour of a label's boxes and pixels; the same label has the same one in every picture. Channels are 0…1.
public struct LabelColor: Equatable, Sendable {
  private static let goldenRatio = 0.618033988749895  // of the circle of hues: neighbours in the list stand far apart
  private static let palest = 0.15  // of a channel: full colours hide what is below them

  public let red: Double
  public let green: Double
  public let blue: Double

  public init(labelIndex: Int) {
    let hue = (Double(labelIndex) * Self.goldenRatio).truncatingRemainder(dividingBy: 1)
    let channels = [0.0, 2, 1].map { third in
      let distance = abs((hue * 3 + third).truncatingRemainder(dividingBy: 3) - 1.5) / 1.5  // from the opposite, 0…1
      return Self.palest + (1 - Self.palest) * min(max(2 * distance - 0.5, 0), 1)
    }
    (red, green, blue) = (channels[0], channels[1], channels[2])
  }

  /// Red, green, blue and alpha as bytes, each colour multiplied by the alpha of a half.
  public var halfTransparent: [UInt8] { [red, green, blue, 1].map { UInt8(($0 * 128).rounded()) } }

  /// True where black is read better on it than white; the weights of brightness are to the tenth.
  public var isBright: Bool { 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 }
}
