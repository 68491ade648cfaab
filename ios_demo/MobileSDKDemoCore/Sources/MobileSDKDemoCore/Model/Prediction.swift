extension ModelRunner {
  /// Returns all outputs of a bundle's model for an upright picture of any size: real values, by the outputs' names.
  ///
  /// Throws `DemoError` where the model reads arrays, or an error of the runtime.
  public func predict(_ picture: RGBPicture, by manifest: Manifest) throws -> [NamedArray] {
    guard case .picture(let image) = manifest.source else { throw ModelSource.arraysOnly }
    return try outputs(for: Preprocess.picture(picture, for: image)).map(\.named)
  }

  /// Returns the same for an array's numbers in the order of its shape.
  ///
  /// Throws `DemoError` where the model reads pictures, or other numbers than these.
  public func predict(_ numbers: [Float], by manifest: Manifest) throws -> [NamedArray] {
    guard case .array(let array) = manifest.source else {
      throw DemoError("this model reads pictures, not arrays", hint: "choose another bundle")
    }
    return try outputs(for: array.stored(numbers)).map(\.named)
  }
}

extension ModelSource {
  /// What is said of a picture for a model that takes none.
  static var arraysOnly: DemoError { DemoError("this model reads arrays, not pictures", hint: "choose another bundle") }
}
