/// A model's answer to one frame of the camera.
public struct LiveAnswer: Equatable, Sendable {
  public let answer: Answer
  /// The model alone.
  public let modelMs: Double
  /// The part of the frame that the model read, in shares of its width and height, 0…1.
  public let area: Box
  /// Width by height of the frame.
  public let aspect: Double
}
