/// How near a model on this device comes to the outputs that its bundle expects of the golden pictures.
public struct GoldenReplay: Equatable, Sendable {
  public let pictures: Int
  /// Pictures whose outputs are all within their tolerances, which is all that is asked: close winners may change.
  public let agreeing: Int
  public let outputs: [OutputDistance]

  public var agrees: Bool { agreeing == pictures }

  /// The verdict in a line, with every output's distance.
  public var text: String {
    let verdict = agrees ? "golden passed" : "golden failed"
    let distances = outputs.map { output in
      let name = outputs.count > 1 ? "\(output.name): " : ""
      return "\(name)largest difference \(output.largest) where \(output.tolerance) is allowed"
    }
    return "\(verdict): \(agreeing) of \(pictures), \(distances.joined(separator: "; "))"
  }

  /// Runs every golden picture, given as the RGB that the model takes.
  static func run(_ bundle: ModelBundle, pictures: [RGBPicture], on runner: any ModelRunner) throws -> GoldenReplay {
    let (manifest, tolerances) = (bundle.manifest, bundle.manifest.golden.tolerances)
    var agreeing = 0
    var largest = Array(repeating: 0.0, count: manifest.outputs.count)
    for (index, picture) in pictures.enumerated() {
      let found = try runner.outputs(for: picture)
      let apart = distances(found, try bundle.goldenOutputs(index))
      let isNear = zip(apart, tolerances).allSatisfy { $0 <= $1 }
      if isNear { agreeing += 1 }
      largest = zip(largest, apart).map { max($0, $1) }
    }
    let outputs = manifest.outputs.indices.map { index in
      OutputDistance(name: manifest.outputs[index].name, largest: largest[index], tolerance: tolerances[index])
    }
    return GoldenReplay(pictures: pictures.count, agreeing: agreeing, outputs: outputs)
  }

  /// Each output's largest difference from the expected one; infinity where one is no number, or of another size.
  private static func distances(_ found: [ModelOutput], _ expected: [ModelOutput]) -> [Double] {
    expected.enumerated().map { index, output in
      index < found.count ? distance(found[index].raw, output.raw) : .infinity
    }
  }

  private static func distance(_ found: [Double], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).reduce(0) { largest, pair in
      let difference = abs(pair.0 - pair.1)
      return difference.isNaN ? .infinity : max(largest, difference)
    }
  }
}

/// How far an output is from the expected one at most, over all golden pictures, and how far it may be.
public struct OutputDistance: Equatable, Sendable {
  public let name: String
  public let largest: Double
  public let tolerance: Double
}
