import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct PreprocessTests {
  @Test(arguments: try PictureCase.cases())
  func bytesArePythons(picture: PictureCase) throws {
    let source = try Fixtures.picture(picture.source, width: picture.width, height: picture.height)
    let found = Preprocess.picture(source, for: picture.spec)
    let side = picture.spec.sizePx
    let expected = try Fixtures.picture(picture.expected, width: side, height: side)
    let differing = zip(found.bytes, expected.bytes).filter { $0 != $1 }.count
    #expect(differing == 0 && found == expected, "\(differing) bytes differ")
  }

  @Test func thePicturesReachFourThousandPixels() throws {
    #expect(try PictureCase.cases().contains { max($0.width, $0.height) == 4000 })
    #expect(try PictureCase.cases().contains { $0.width == 1 && $0.height == 1 })
  }

  @Test(arguments: [(3000, 2000, 1024, 683), (30, 20, 30, 20)])
  func aScreenShowsAWholePictureInItsOwnProportions(from: (Int, Int, Int, Int)) {
    let (width, height, shownWidth, shownHeight) = from
    let picture = RGBPicture(width: width, height: height, bytes: Array(repeating: 7, count: width * height * 3))
    let stretched = ImageSpec(sizePx: 16, fit: .stretch, cropShare: 1)
    let cut = ImageSpec(sizePx: 16, fit: .crop, cropShare: 1)
    let found = Preprocess.shown(picture, prepared: Preprocess.picture(picture, for: stretched), for: stretched)
    #expect(found.width == shownWidth && found.height == shownHeight)
    let prepared = Preprocess.picture(picture, for: cut)
    #expect(Preprocess.shown(picture, prepared: prepared, for: cut) == prepared)
  }

  @Test func theGoldenPicturesGiveTheirInputs() throws {
    for folder in Fixtures.everyBundle {
      let bundle = try ModelBundle.open(folder, decode: PNG.decode)
      for index in bundle.manifest.golden.pictures.indices {
        let picture = try PNG.decode(bundle.goldenPicture(index))
        let pixels = Preprocess.picture(picture, for: bundle.manifest.image)
        #expect(try InputTensor.bytes(of: pixels, as: bundle.manifest.input) == bundle.goldenInput(index))
      }
    }
  }
}

struct PictureCase: CustomTestStringConvertible, Sendable {
  let name: String
  let source: String
  let expected: String
  let width: Int
  let height: Int
  let spec: ImageSpec

  var testDescription: String { name }

  static func cases() throws -> [PictureCase] {
    try Fixtures.json("preprocess/cases.json").items.map { each in
      let image = try each.field("image")
      return PictureCase(
        name: try each.field("name").string, source: "preprocess/" + (try each.field("source").string),
        expected: "preprocess/" + (try each.field("expected").string), width: Int(try each.field("width").double),
        height: Int(try each.field("height").double),
        spec: ImageSpec(
          sizePx: Int(try image.field("size_px").double),
          fit: try #require(ImageSpec.Fit(rawValue: try image.field("fit").string)),
          cropShare: try image.field("crop_share").double))
    }
  }
}
