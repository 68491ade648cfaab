import CoreGraphics
import MobileSDKDemoCore
import UIKit

/// RGB and masks as images that a screen shows; made away from the main thread.
enum PictureImage {
  /// Nil where there is no memory for it.
  static func image(of picture: RGBPicture) async -> sending UIImage? {
    var pixels = [UInt8](repeating: .max, count: picture.width * picture.height * 4)
    picture.bytes.withUnsafeBufferPointer { bytes in
      for index in 0..<picture.width * picture.height {
        for channel in 0..<3 { pixels[index * 4 + channel] = bytes[index * 3 + channel] }
      }
    }
    return image(of: &pixels, width: picture.width, height: picture.height, alpha: .noneSkipLast)
  }

  /// The labels' colours, half transparent.
  static func image(of mask: Mask) async -> sending UIImage? {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(mask.labels.count * 4)
    let colors = (0...Int(UInt8.max)).map { LabelColor(labelIndex: $0).halfTransparent }
    for label in mask.labels { pixels += colors[Int(label)] }
    return image(of: &pixels, width: mask.sides.width, height: mask.sides.height, alpha: .premultipliedLast)
  }

  private static func image(of pixels: inout [UInt8], width: Int, height: Int, alpha: CGImageAlphaInfo) -> UIImage? {
    pixels.withUnsafeMutableBytes { bytes in
      CGContext(
        data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
        space: CGColorSpaceCreateDeviceRGB(), bitmapInfo: alpha.rawValue)?
        .makeImage().map { UIImage(cgImage: $0) }
    }
  }
}
