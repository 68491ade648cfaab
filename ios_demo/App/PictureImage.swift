import CoreGraphics
import MobileSDKDemoCore
import UIKit

/// RGB as an image that a screen shows.
enum PictureImage {
  /// Nil where there is no memory for it.
  static func image(of picture: RGBPicture) -> UIImage? {
    let (width, height) = (picture.width, picture.height)
    var pixels = [UInt8](repeating: .max, count: width * height * 4)
    for index in 0..<width * height {
      for channel in 0..<3 { pixels[index * 4 + channel] = picture.bytes[index * 3 + channel] }
    }
    return pixels.withUnsafeMutableBytes { bytes in
      CGContext(
        data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
        space: CGColorSpaceCreateDeviceRGB(), bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)?
        .makeImage().map { UIImage(cgImage: $0) }
    }
  }
}
