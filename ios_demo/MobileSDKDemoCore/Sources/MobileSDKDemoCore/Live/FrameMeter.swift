/// How many frames a second are answered, and how long one takes from the camera to its answer.
public struct FrameMeter: Equatable, Sendable {
  private static let windowMs = 2000.0

  private var frames: [Frame] = []

  private struct Frame: Equatable {
    let answeredMs: Double
    let latencyMs: Double
  }

  public init() {}

  /// Takes in a frame that came from the camera and was answered at these times of one clock.
  public mutating func add(takenMs: Double, answeredMs: Double) {
    frames.append(Frame(answeredMs: answeredMs, latencyMs: answeredMs - takenMs))
    frames.removeAll { answeredMs - $0.answeredMs > Self.windowMs }
  }

  /// Frames a second over the last two seconds; nil before there are two.
  public var perSecond: Double? {
    guard let first = frames.first, let last = frames.last, last.answeredMs > first.answeredMs else { return nil }
    return Double(frames.count - 1) * 1000 / (last.answeredMs - first.answeredMs)
  }

  /// The median of the same frames; nil before there is one.
  public var latencyMs: Double? {
    frames.isEmpty ? nil : Quantile.of(frames.map(\.latencyMs).sorted(), 0.5)
  }
}
