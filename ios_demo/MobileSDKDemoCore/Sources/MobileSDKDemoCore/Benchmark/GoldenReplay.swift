/// How near a model on this device comes to the outputs that its bundle expects of the golden pictures.
public struct GoldenReplay: Equatable, Sendable {
  public let pictures: Int
  public let agreeingWinners: Int
  public let largestDifference: Double
  public let tolerance: Double

  /// True where every score is within the tolerance; a score that is not a number never is.
  public var agrees: Bool { agreeingWinners == pictures && largestDifference <= tolerance }

  public var text: String {
    "golden pictures: \(agreeingWinners) of \(pictures) winners, largest difference \(largestDifference) "
      + "where \(tolerance) is allowed"
  }

  /// Runs every golden picture, given as the RGB that the model takes.
  static func run(_ bundle: ModelBundle, pictures: [RGBPicture], on runner: any ModelRunner) throws -> GoldenReplay {
    let task = bundle.manifest.task
    var winners = 0
    var largest = 0.0
    for (index, picture) in pictures.enumerated() {
      let expected = ModelOutput(bytes: try bundle.goldenOutput(index), as: bundle.manifest.output)
      let found = try runner.output(for: picture)
      guard found.raw.count == expected.raw.count else {
        throw DemoError(
          "expected an output of \(expected.raw.count) numbers, found \(found.raw.count)",
          hint: "export the bundle again")
      }
      if task.winner(of: found) == task.winner(of: expected) { winners += 1 }
      for (one, other) in zip(found.raw, expected.raw) {
        let difference = abs(one - other)
        largest = difference.isNaN ? .infinity : max(largest, difference)
      }
    }
    return GoldenReplay(
      pictures: pictures.count, agreeingWinners: winners, largestDifference: largest,
      tolerance: bundle.manifest.golden.tolerance)
  }
}
