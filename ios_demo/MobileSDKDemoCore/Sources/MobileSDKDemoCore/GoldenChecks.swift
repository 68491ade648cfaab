import Foundation

/// One golden picture on opening: it gives its input by the recipe, and its expected output says what is expected.
struct GoldenChecks {
  private static let maskKind = "mask.bin"
  private static let maximumBytes = ["png": 4 << 20, GoldenDetections.kind: GoldenDetections.maximumBytes]

  let bundle: ModelBundle
  let index: Int
  let decode: PictureDecoder

  /// The files of one golden picture.
  static func kinds(of task: ModelTask) -> [String] {
    let always = ["png", "input.bin", "output.bin"]
    return switch task {
    case .classification: always
    case .detection: always + [GoldenDetections.kind]
    case .segmentation: always + [maskKind]
    }
  }

  func check() throws {
    let manifest = bundle.manifest
    try checkSizes(manifest)
    let expected = manifest.golden.pictures[index]
    guard try input(manifest) == bundle.goldenInput(index) else {
      throw refusal("expected golden/\(index).input.bin to be what golden/\(index).png gives, found other bytes")
    }
    let output = ModelOutput(bytes: try bundle.goldenOutput(index), as: manifest.output)
    let winner = output.winner(of: manifest)
    guard winner == expected.top1Index else {
      let found = winner.map(String.init) ?? "none"
      throw refusal("expected label \(expected.top1Index) to win in golden/\(index).output.bin, found \(found)")
    }
    if let label = expected.labelIndex, label >= manifest.labels.count {
      throw refusal("expected golden \(index) to have one of the labels, found index \(label)")
    }
    switch manifest.task {
    case .classification: break
    case .detection(let rule): try checkDetections(in: output, by: rule)
    case .segmentation: try checkMask(in: output)
    }
  }

  private func checkMask(in output: ModelOutput) throws {
    let manifest = bundle.manifest
    let found = Mask(scores: output.raw, labels: manifest.labels.count, side: manifest.image.sizePx)
    guard try bundle.golden(index, Self.maskKind) == Data(found.labels) else {
      throw refusal(
        "expected golden/\(index).\(Self.maskKind) to be what golden/\(index).output.bin gives, found another")
    }
  }

  private func checkDetections(in output: ModelOutput, by rule: DetectionSpec) throws {
    let manifest = bundle.manifest
    let name = "golden/\(index).\(GoldenDetections.kind)"
    let written: GoldenDetections
    do {
      written = try GoldenDetections(parsing: bundle.golden(index, GoldenDetections.kind))
    } catch let error as JSONError {
      throw refusal("expected JSON in \(name), found \(error.reason)")
    } catch let error as BundleRefusal {
      throw refusal("expected detections in \(name), found that \(error.message)")
    }
    let found = Detections(output.raw, labels: manifest.labels.count)
    guard written.isNear(found.found(by: rule, sizePx: manifest.image.sizePx)) else {
      throw refusal("expected \(name) to be what golden/\(index).output.bin gives, found other detections")
    }
  }

  private func checkSizes(_ manifest: Manifest) throws {
    let pixels = manifest.image.sizePx * manifest.image.sizePx
    let expected = [
      "input.bin": pixels * 3 * manifest.input.type.byteCount,
      "output.bin": manifest.output.shape.reduce(manifest.output.type.byteCount, *),
      Self.maskKind: pixels,
    ]
    for file in manifest.files {
      for (kind, bytes) in expected where file.path == "golden/\(index).\(kind)" && file.bytes != bytes {
        throw refusal("expected \(bytes) bytes of \(file.path), found \(file.bytes)")
      }
      for (kind, bytes) in Self.maximumBytes where file.path == "golden/\(index).\(kind)" && file.bytes > bytes {
        throw refusal("expected at most \(bytes) bytes of \(file.path), found \(file.bytes)")
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
