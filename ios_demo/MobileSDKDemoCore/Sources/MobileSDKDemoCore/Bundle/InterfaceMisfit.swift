/// Where input and outputs do not fit the contract that stands beside them, or outputs have no tolerance each.
enum InterfaceMisfit {
  /// Codes of a model with layers in float32, whose sums may depend on their order, may be so far apart.
  private static let mostSteps = 12.0
  /// All outputs of a picture have so many bytes together, at most: no runtime gives more.
  private static let mostOutputBytes = Int(Int32.max)
  private static let mostScale = 3e38

  static func find(in manifest: Manifest) -> String? { input(manifest) ?? outputs(manifest) }

  private static func input(_ manifest: Manifest) -> String? {
    let (spec, shape) = (manifest.input, manifest.source.shape)
    let layouts: [InputSpec.Layout] = [[.nc], [.ntc], [.nhwc, .nchw]][shape.count - 1]
    let expected = [1] + (spec.layout == .nhwc ? Array(shape.dropFirst()) + [shape[0]] : shape)
    guard layouts.contains(spec.layout), spec.shape == expected else {
      return "expected an input \(expected), found \(spec.shape) in \(spec.layout.rawValue)"
    }
    let offsets =
      switch spec.type {
      case .uint8, .image: [0]
      case .int8: [Int(Int8.min)]
      case .float32: manifest.source.image == nil ? [Int(Int8.min)] : [0, Int(Int8.min)]
      }
    if manifest.source.image == nil && offsets == [0] {
      return "expected codes of an array, found \(spec.type.rawValue)"
    }
    guard offsets.contains(spec.byteOffset) else {
      return "expected the byte_offset \(offsets[0]) for \(spec.type.rawValue), found \(spec.byteOffset)"
    }
    return nil
  }

  private static func outputs(_ manifest: Manifest) -> String? {
    let (names, tolerances) = (manifest.outputs.map(\.name), manifest.golden.tolerances)
    guard Set(names.map { Array($0.utf8) }).count == names.count else {
      return "expected outputs of different names, found \(names.joined(separator: ", "))"
    }
    guard tolerances.count == names.count, tolerances.max() == manifest.golden.tolerance else {
      let found = tolerances.map(\.description).joined(separator: ", ")
      return "expected a golden tolerance for each of \(names.count) outputs, found \(found)"
    }
    if let misfit = manifest.task.outputMisfit() { return misfit }
    for (spec, tolerance) in zip(manifest.outputs, tolerances) {
      if let misfit = output(spec, tolerance, manifest.precision) { return misfit }
    }
    return size(manifest.outputs)
  }

  /// In real numbers, which do not overflow where sides are large.
  private static func size(_ outputs: [OutputSpec]) -> String? {
    let each = outputs.map { output in output.shape.map(Double.init).reduce(Double(output.type.byteCount), *) }
    guard each.reduce(0, +) > Double(mostOutputBytes) else { return nil }
    return "expected at most \(mostOutputBytes) bytes of all outputs, found more"
  }

  private static func output(_ spec: OutputSpec, _ tolerance: Double, _ precision: String) -> String? {
    if spec.type == .float32 {
      let isPlain = spec.scale == nil && spec.zeroPoint == nil
      return isPlain ? nil : "expected no scale and zero point of a float32 output, found them"
    }
    if precision == "float32" { return "expected a float32 output of a float32 model, found int8" }
    let most = precision == "int8" ? 0 : mostSteps
    guard tolerance <= most else {
      return "expected a golden tolerance of at most \(most) for codes, found \(tolerance)"
    }
    guard let scale = spec.scale, let zeroPoint = spec.zeroPoint else {
      return "expected scale and zero point of an int8 output, found null"
    }
    guard scale > 0, scale < mostScale, Double(Float(scale)) == scale else {
      return "expected a positive float32 as the output's scale, found \(scale)"
    }
    let codes = Int(Int8.min)...Int(Int8.max)
    return codes.contains(zeroPoint) ? nil : "expected a zero point in \(codes), found \(zeroPoint)"
  }
}
