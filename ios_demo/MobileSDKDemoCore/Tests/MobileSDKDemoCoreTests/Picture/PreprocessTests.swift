import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct PreprocessTests {
  @Test(arguments: try PictureCase.cases())
  func bytesArePythons(picture: PictureCase) throws {
    let source = try Fixtures.picture(picture.source, width: picture.width, height: picture.height)
    let found = Preprocess.picture(source, for: picture.spec)
    let expected = try Fixtures.bytes(picture.expected)
    let differing = zip(found.bytes, expected).filter { $0 != $1 }.count
    #expect(differing == 0 && found.bytes == expected, "\(differing) bytes differ")
    #expect(found.width == picture.spec.sides.width && found.height == picture.spec.sides.height)
  }

  @Test func thePicturesReachFourThousandPixels() throws {
    #expect(try PictureCase.cases().contains { max($0.width, $0.height) == 4000 })
    #expect(try PictureCase.cases().contains { $0.width == 1 && $0.height == 1 })
  }

  @Test(arguments: [(3000, 2000, 1024, 683), (30, 20, 30, 20)])
  func aScreenShowsAWholePictureInItsOwnProportions(from: (Int, Int, Int, Int)) {
    let (width, height, shownWidth, shownHeight) = from
    let picture = RGBPicture(width: width, height: height, bytes: Array(repeating: 7, count: width * height * 3))
    let stretched = ImageSpec(sides: Sides(height: 16, width: 16), channels: 3, fit: .stretch, cropShare: 1)
    let cut = ImageSpec(sides: Sides(height: 16, width: 16), channels: 3, fit: .crop, cropShare: 1)
    let found = Preprocess.shown(picture, prepared: Preprocess.picture(picture, for: stretched), for: stretched)
    #expect(found.width == shownWidth && found.height == shownHeight)
    let prepared = Preprocess.picture(picture, for: cut)
    #expect(Preprocess.shown(picture, prepared: prepared, for: cut) == prepared)
  }

  @Test func theGoldenPicturesGiveTheirInputs() throws {
    for folder in Fixtures.everyBundle {
      let bundle = try ModelBundle.open(folder, decode: PNG.decode)
      for index in bundle.manifest.golden.pictures.indices {
        let pixels = try bundle.goldenPixels(index, decode: PNG.decode)
        #expect(try bundle.isGoldenInput(InputTensor.bytes(of: pixels, as: bundle.manifest.input), index))
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

  private static func sides(_ size: JSONValue) throws -> Sides {
    guard case .array(let both) = size else {
      return Sides(height: Int(try size.double), width: Int(try size.double))
    }
    return Sides(height: Int(try both[0].double), width: Int(try both[1].double))
  }

  static func cases() throws -> [PictureCase] {
    let files = ["preprocess/cases.json", "preprocess/other_sizes.json"]
    return try files.flatMap { try Fixtures.json($0).items }.map { each in
      let image = try each.field("image")
      return PictureCase(
        name: try each.field("name").string, source: "preprocess/" + (try each.field("source").string),
        expected: "preprocess/" + (try each.field("expected").string), width: Int(try each.field("width").double),
        height: Int(try each.field("height").double),
        spec: ImageSpec(
          sides: try sides(image.field("size_px")),
          channels: (try? image.field("channels").double).map(Int.init) ?? 3,
          fit: try #require(ImageSpec.Fit(rawValue: try image.field("fit").string)),
          cropShare: try image.field("crop_share").double))
    }
  }
}
