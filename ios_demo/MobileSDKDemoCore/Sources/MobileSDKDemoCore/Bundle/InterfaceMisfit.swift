/// Where input and output do not fit the contract that stands beside them.
enum InterfaceMisfit {
  /// Codes of a model with layers in float32, whose sums may depend on their order, may be so far apart.
  private static let mostSteps = 12.0

  static func find(in manifest: Manifest) -> String? { input(manifest) ?? output(manifest) }

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

  private static func output(_ manifest: Manifest) -> String? {
    let spec = manifest.output
    if let misfit = manifest.task.outputMisfit() { return misfit }
    if spec.type == .float32 {
      let isPlain = spec.scale == nil && spec.zeroPoint == nil
      return isPlain ? nil : "expected no scale and zero point of a float32 output, found them"
    }
    if manifest.precision == "float32" { return "expected a float32 output of a float32 model, found int8" }
    let most = manifest.precision == "int8" ? 0 : mostSteps
    guard manifest.golden.tolerance <= most else {
      return "expected a golden tolerance of at most \(most) for codes, found \(manifest.golden.tolerance)"
    }
    guard let scale = spec.scale, let zeroPoint = spec.zeroPoint else {
      return "expected scale and zero point of an int8 output, found null"
    }
    guard scale > 0, Double(Float(scale)) == scale else {
      return "expected a positive float32 as the output's scale, found \(scale)"
    }
    let codes = Int(Int8.min)...Int(Int8.max)
    return codes.contains(zeroPoint) ? nil : "expected a zero point in \(codes), found \(zeroPoint)"
  }
}
