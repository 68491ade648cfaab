/// The recipe from a picture to `sizePx` × `sizePx` RGB bytes. Mean and deviation are in the model and not in here.
public struct ImageSpec: Equatable, Sendable {
  public enum Fit: String, CaseIterable, Sendable {
    case crop, stretch
  }

  public let sizePx: Int
  public let fit: Fit
  public let cropShare: Double
}
