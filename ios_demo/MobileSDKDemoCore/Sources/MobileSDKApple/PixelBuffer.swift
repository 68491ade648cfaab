#if canImport(CoreML)
import CoreVideo
import Foundation
import MobileSDKDemoCore

/// The picture as Core ML takes one: blue, green, red and an unused byte a pixel, or one byte of grey. Rows are as long
/// as the system wants. One buffer is filled again and again.
enum PixelBuffer {
  /// `input` has the shape (1, channels, height, width).
  static func make(for input: InputSpec) throws -> CVPixelBuffer {
    guard input.shape.count == 4 else {
      throw DemoError("expected an image with four sides, found \(input.shape)", hint: "export the bundle again")
    }
    let (channels, height, width) = (input.shape[1], input.shape[2], input.shape[3])
    var made: CVPixelBuffer?
    let status = CVPixelBufferCreate(
      kCFAllocatorDefault, width, height,
      channels == 1 ? kCVPixelFormatType_OneComponent8 : kCVPixelFormatType_32BGRA,
      nil, &made)
    guard status == kCVReturnSuccess, let buffer = made else { throw noMemory }
    return buffer
  }

  /// Fills it with a picture's bytes: RGB or grey, row by row.
  static func fill(_ buffer: CVPixelBuffer, with bytes: Data) throws {
    let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
    let isGrey = CVPixelBufferGetPixelFormatType(buffer) == kCVPixelFormatType_OneComponent8
    guard bytes.count == width * height * (isGrey ? 1 : 3) else {
      throw DemoError("expected a picture \(width) x \(height), found \(bytes.count) bytes", hint: "prepare it again")
    }
    guard CVPixelBufferLockBaseAddress(buffer, []) == kCVReturnSuccess else { throw noMemory }
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    guard let base = CVPixelBufferGetBaseAddress(buffer) else { throw noMemory }
    let rowBytes = CVPixelBufferGetBytesPerRow(buffer)
    let pixels = base.assumingMemoryBound(to: UInt8.self)
    bytes.withUnsafeBytes { (source: UnsafeRawBufferPointer) in
      for row in 0..<height {
        var target = row * rowBytes
        if isGrey {
          for column in 0..<width { pixels[target + column] = source[row * width + column] }
          continue
        }
        var from = row * width * 3
        for _ in 0..<width {
          pixels[target] = source[from + 2]
          pixels[target + 1] = source[from + 1]
          pixels[target + 2] = source[from]
          pixels[target + 3] = .max
          (from, target) = (from + 3, target + 4)
        }
      }
    }
  }

  private static var noMemory: DemoError {
    DemoError("expected memory for a picture, found none", hint: "close other apps")
  }
}
#endif
