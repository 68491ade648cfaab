import CoreGraphics
import Foundation
import ImageIO
import MobileSDKDemoCore

/// Decodes what cameras and libraries give: turned upright, over white where it is transparent, 8-bit RGB.
enum PictureFile {
  @Sendable static func decode(_ data: Data) throws -> RGBPicture {
    let refusal = DemoError("expected a picture that decodes, found another file", hint: "choose another picture")
    guard let source = CGImageSourceCreateWithData(data as CFData, nil),
      let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any],
      let longerSide = [kCGImagePropertyPixelWidth, kCGImagePropertyPixelHeight]
        .compactMap({ properties[$0] as? Int }).max()
    else { throw refusal }
    // A "thumbnail" as large as the picture is the one call that turns a picture as its orientation says.
    let options: [CFString: Any] = [
      kCGImageSourceCreateThumbnailFromImageAlways: true,
      kCGImageSourceCreateThumbnailWithTransform: true,
      kCGImageSourceThumbnailMaxPixelSize: longerSide,
    ]
    guard let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary) else { throw refusal }
    return try rgb(of: image)
  }

  private static func rgb(of image: CGImage) throws -> RGBPicture {
    let (width, height) = (image.width, image.height)
    var pixels = [UInt8](repeating: .max, count: width * height * 4)
    let isDrawn = pixels.withUnsafeMutableBytes { bytes in
      // The picture's own colours, not the screen's: a conversion would change bytes that the golden pictures fix.
      let space = image.colorSpace.flatMap { $0.model == .rgb ? $0 : nil } ?? CGColorSpaceCreateDeviceRGB()
      guard
        let context = CGContext(
          data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
          space: space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
      else { return false }
      context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
      return true
    }
    guard isDrawn else { throw DemoError("expected memory for the picture, found none", hint: "choose a smaller one") }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(width * height * 3)
    for start in stride(from: 0, to: pixels.count, by: 4) { bytes.append(contentsOf: pixels[start..<start + 3]) }
    return RGBPicture(width: width, height: height, bytes: bytes)
  }
}
