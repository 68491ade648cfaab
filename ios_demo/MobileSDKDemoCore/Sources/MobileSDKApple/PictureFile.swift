#if canImport(CoreML)
import CoreGraphics
import Foundation
import ImageIO
import MobileSDKDemoCore

/// Decodes what cameras and libraries give: turned upright, over white where it is transparent, 8-bit RGB. The numbers
/// are those that the file stores, in its own colour space, as docs/reference/bundle-format.md has it.
public enum PictureFile {
  private static let mostPixels = 179_000_000  // as in Python
  private static let mostWholePixels = 64_000_000  // a larger picture is read smaller: 4 bytes a pixel, and 3 more
  private static let reducedSidePx = 8000

  @Sendable public static func decode(_ data: Data) throws -> RGBPicture {
    let refusal = DemoError("expected a picture that decodes, found another file", hint: "choose another picture")
    guard let source = CGImageSourceCreateWithData(data as CFData, nil),
      let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any],
      let width = properties[kCGImagePropertyPixelWidth] as? Int,
      let height = properties[kCGImagePropertyPixelHeight] as? Int
    else { throw refusal }
    guard width * height <= mostPixels else {
      throw DemoError(
        "expected a picture of at most \(mostPixels / 1_000_000) megapixels, found \(width) x \(height)",
        hint: "choose a smaller one")
    }
    let orientation = properties[kCGImagePropertyOrientation] as? Int ?? 1
    guard
      let image = width * height <= mostWholePixels
        ? CGImageSourceCreateImageAtIndex(source, 0, nil) : reduced(source)
    else { throw refusal }
    return try rgb(of: image).upright(orientation)
  }

  /// A larger picture, made smaller while it is decoded. It is not turned here.
  private static func reduced(_ source: CGImageSource) -> CGImage? {
    let options: [CFString: Any] = [
      kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceThumbnailMaxPixelSize: reducedSidePx,
    ]
    return CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
  }

  private static func rgb(of image: CGImage) throws -> RGBPicture {
    if let layout = StoredPixels(of: image), let data = image.dataProvider?.data,
      let picture = (data as Data).withUnsafeBytes(layout.rgb)
    {
      return picture
    }
    return try drawn(image)
  }

  /// A picture whose numbers cannot be read one by one: a palette, CMYK, or more range than 8 bits hold.
  private static func drawn(_ image: CGImage) throws -> RGBPicture {
    let (width, height) = (image.width, image.height)
    var pixels = [UInt8](repeating: .max, count: width * height * 4)
    let isDrawn = pixels.withUnsafeMutableBytes { bytes in
      // A palette's own colours; anything else becomes sRGB, in which every picture can be drawn.
      let own = image.colorSpace?.baseColorSpace.flatMap { $0.model == .rgb ? $0 : nil }
      for space in [own, CGColorSpace(name: CGColorSpace.sRGB)] {
        guard let space,
          let context = CGContext(
            data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
            space: space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        else { continue }
        context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
        return true
      }
      return false
    }
    let layout = StoredPixels(
      width: width, height: height, bytesPerRow: width * 4, bits: 8, components: [.red, .green, .blue, .unused])
    guard isDrawn, let picture = pixels.withUnsafeBytes(layout.rgb) else {
      throw DemoError("expected memory for the picture, found none", hint: "choose a smaller one")
    }
    return picture
  }
}

extension StoredPixels {
  /// The layout of an image's bytes; nil where they are not whole numbers of RGB or grey in 8 or 16 bits.
  init?(of image: CGImage) {
    let colors: [Component]
    switch image.colorSpace?.model {
    case .rgb: colors = [.red, .green, .blue]
    case .monochrome: colors = [.grey]
    default: return nil
    }
    let bits = image.bitsPerComponent
    guard bits == 8 || bits == 16, !image.bitmapInfo.contains(.floatComponents) else { return nil }
    var components: [Component]
    switch image.alphaInfo {
    case .none: components = colors
    case .last, .premultipliedLast: components = colors + [.alpha]
    case .noneSkipLast: components = colors + [.unused]
    case .first, .premultipliedFirst: components = [.alpha] + colors
    case .noneSkipFirst: components = [.unused] + colors
    default: return nil
    }
    guard image.bitsPerPixel == components.count * bits else { return nil }
    let order = image.bitmapInfo.intersection(.byteOrderMask)
    switch (bits, order) {
    case (8, []), (8, .byteOrder32Big), (16, []), (16, .byteOrder16Big), (16, .byteOrder16Little): break
    case (8, .byteOrder32Little) where components.count == 4: components.reverse()
    default: return nil
    }
    self.init(
      width: image.width, height: image.height, bytesPerRow: image.bytesPerRow, bits: bits, components: components,
      isLittleEndian: order == .byteOrder16Little,
      isPremultiplied: [.premultipliedFirst, .premultipliedLast].contains(image.alphaInfo))
  }
}
#endif
