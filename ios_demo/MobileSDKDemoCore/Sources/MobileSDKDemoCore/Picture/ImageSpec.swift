/// The recipe from a picture to the bytes that a model reads. Mean and deviation are in the model and not in here.
public struct ImageSpec: Equatable, Sendable {
  public enum Fit: String, CaseIterable, Sendable {
    case crop, stretch
  }

  public let sides: Sides
  public let channels: Int
  public let fit: Fit
  public let cropShare: Double
}

/// Height and width of a picture, in pixels.
public struct Sides: Equatable, Sendable {
  public let height: Int
  public let width: Int
}
