import Foundation

/// One golden picture on opening: it gives its input by the recipe, and its expected scores have the expected winner.
struct GoldenChecks {
  private static let maximumPictureBytes = 4 << 20

  let bundle: ModelBundle
  let index: Int
  let decode: PictureDecoder

  func check() throws {
    let manifest = bundle.manifest
    try checkSizes(manifest)
    let expected = manifest.golden.pictures[index]
    guard try input(manifest) == bundle.goldenInput(index) else {
      throw refusal("expected golden/\(index).input.bin to be what golden/\(index).png gives, found other bytes")
    }
    let scores = Scores(bytes: try bundle.goldenOutput(index), as: manifest.output)
    guard scores.winner == expected.top1Index else {
      let found = scores.winner.map(String.init) ?? "none"
      throw refusal("expected label \(expected.top1Index) to win in golden/\(index).output.bin, found \(found)")
    }
    if let label = expected.labelIndex, label >= manifest.labels.count {
      throw refusal("expected golden \(index) to have one of the labels, found index \(label)")
    }
  }

  private func checkSizes(_ manifest: Manifest) throws {
    let pixels = manifest.image.sizePx * manifest.image.sizePx
    let expected = [
      "input.bin": pixels * 3 * manifest.input.type.byteCount,
      "output.bin": manifest.labels.count * manifest.output.type.byteCount,
    ]
    for file in manifest.files {
      for (kind, bytes) in expected where file.path == "golden/\(index).\(kind)" && file.bytes != bytes {
        throw refusal("expected \(bytes) bytes of \(file.path), found \(file.bytes)")
      }
      if file.path == "golden/\(index).png", file.bytes > Self.maximumPictureBytes {
        throw refusal("expected at most \(Self.maximumPictureBytes) bytes of \(file.path), found \(file.bytes)")
      }
    }
  }

  private func input(_ manifest: Manifest) throws -> Data {
    let picture: RGBPicture
    do {
      picture = try decode(bundle.goldenPicture(index))
    } catch {
      throw refusal("expected golden/\(index).png to decode, found: \(error)")
    }
    return InputTensor.bytes(of: Preprocess.picture(picture, for: manifest.image), as: manifest.input)
  }

  private func refusal(_ message: String) -> BundleRefusal { BundleRefusal(.golden, message) }
}
