/// A rectangle; its sides are in pixels of the net's picture where nothing else is said.
public struct Box: Equatable, Sendable {
  public let left: Double
  public let top: Double
  public let right: Double
  public let bottom: Double

  public init(left: Double, top: Double, right: Double, bottom: Double) {
    (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
  }

  public var width: Double { max(right - left, 0) }
  public var height: Double { max(bottom - top, 0) }

  /// Multiplied along both axes.
  public func scaled(_ horizontal: Double, _ vertical: Double) -> Box {
    Box(left: left * horizontal, top: top * vertical, right: right * horizontal, bottom: bottom * vertical)
  }

  /// In shares of a picture with those sides.
  func shares(of sides: Sides) -> Box {
    let (wide, high) = (Double(sides.width), Double(sides.height))
    return Box(left: left / wide, top: top / high, right: right / wide, bottom: bottom / high)
  }

  /// Intersection over union; 0 where both are empty.
  func overlap(with other: Box) -> Double {
    let commonWidth = max(min(right, other.right) - max(left, other.left), 0)
    let commonHeight = max(min(bottom, other.bottom) - max(top, other.top), 0)
    let common = commonWidth * commonHeight
    let union = width * height + other.width * other.height - common
    return union > 0 ? common / union : 0
  }
}
