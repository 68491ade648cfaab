/// Outputs as a screen shows them: labels with their shares, the surest first, and their places in the picture.
///
/// `found` and `mask` are drawn over the picture; an output that says nothing of places has neither. A model without
/// labels has `features`, its outputs as they are.
public struct Answer: Equatable, Sendable {
  public let shares: [LabelShare]
  public let found: [Found]
  public let mask: Mask?
  public let features: [NamedArray]
  /// Says why nothing follows from the outputs: they are more or fewer numbers than the bundle says, or not finite.
  public let problem: String?

  public init(
    shares: [LabelShare] = [], found: [Found] = [], mask: Mask? = nil, features: [NamedArray] = [],
    problem: String? = nil
  ) {
    (self.shares, self.found, self.mask, self.features) = (shares, found, mask, features)
    self.problem = problem
  }

  /// True where the labels have places, and so a colour each in the picture.
  public var isPlaced: Bool { !found.isEmpty || mask != nil }
}

/// A label with its share, 0…1: of the probability, or of the picture's pixels. `rank` counts from the surest, 0.
public struct LabelShare: Equatable, Sendable, Identifiable {
  public let rank: Int
  public let labelIndex: Int
  public let label: String
  public let share: Double

  public var id: Int { rank }
}

/// A thing that was found; the sides of `area` are shares of the picture's width and height, 0…1.
public struct Found: Equatable, Sendable, Identifiable {
  public let what: LabelShare
  public let area: Box

  public var id: Int { what.rank }

  /// Returns its place where the picture is shown `width` wide and `height` high.
  public func box(width: Double, height: Double) -> Box { area.scaled(width, height) }
}
