import Foundation

/// Decodes a picture file into upright RGB; throws where it cannot. Each platform has its own decoder.
public typealias PictureDecoder = @Sendable (Data) throws -> RGBPicture

/// An opened bundle: at the time of opening, every byte of it was what its manifest says.
public struct ModelBundle: Equatable, Sendable {
  public let folder: URL
  public let manifest: Manifest

  /// Opens the bundle in `folder`; throws `BundleRefusal` with the first check that fails.
  ///
  /// With `isSigned` it opens what that check says is signed, and nothing else.
  public static func open(
    _ folder: URL, decode: @escaping PictureDecoder, isSigned: SignatureCheck? = nil
  ) throws -> ModelBundle {
    do {
      return try BundleChecks(folder: folder, decode: decode, isSigned: isSigned).open()
    } catch let error as BundleRefusal {
      throw error
    } catch {
      throw BundleRefusal(.folder, "expected a bundle that can be read, found: \(error.localizedDescription)")
    }
  }

  public static func == (one: ModelBundle, other: ModelBundle) -> Bool {
    one.folder == other.folder && one.manifest.seal == other.manifest.seal
  }

  public var name: String { folder.lastPathComponent }

  /// The model file; a folder for Core ML.
  public var model: URL { folder.appendingPathComponent(manifest.model) }

  /// The file of a golden picture, or the numbers of a golden array.
  public func goldenPicture(_ index: Int) throws -> Data { try golden(index, manifest.source.kind) }

  /// The golden picture, or the golden array, as the model reads it. Throws what `decode` throws, or `DemoError`.
  func goldenPixels(_ index: Int, decode: PictureDecoder) throws -> RGBPicture {
    switch manifest.source {
    case .picture(let image):
      let data = try goldenPicture(index)
      try GoldenPNG.check(data)
      return Preprocess.picture(try decode(data), for: image)
    case .array(let array):
      return try array.stored(goldenPicture(index))
    }
  }

  /// Tells whether these are the bytes of the input that the manifest expects of a golden picture.
  func isGoldenInput(_ given: Data, _ index: Int) throws -> Bool {
    guard let digits = manifest.golden.pictures[index].inputSHA256 else {
      return try golden(index, "input.bin") == given
    }
    return SHA256.digits(of: given) == digits
  }

  public func goldenOutputs(_ index: Int) throws -> [ModelOutput] {
    ModelOutput.all(in: try golden(index, "output.bin"), as: manifest.outputs)
  }

  func golden(_ index: Int, _ kind: String) throws -> Data {
    try Data(contentsOf: folder.appendingPathComponent("golden/\(index).\(kind)"))
  }
}
