import Foundation

public typealias CFString = String  // Swift: bridged with `as`
public typealias CFData = Data  // Swift: bridged with `as`
public typealias CFDictionary = [CFString: Any]  // Swift: bridged with `as`
public typealias CFAllocator = Int  // Swift: bridged with `as`
public let kCFAllocatorDefault: CFAllocator? = nil  // = kCFAllocatorDefault

public final class CGImage {  // = CGImageGetWidth
  public var width: Int { 0 }  // = CGImageGetWidth
  public var height: Int { 0 }  // = CGImageGetHeight
  public var colorSpace: CGColorSpace? { nil }  // = CGImageGetColorSpace
}

public final class CGColorSpace {  // = CGColorSpaceGetModel
  public var model: CGColorSpaceModel { .rgb }  // = CGColorSpaceGetModel
}

public enum CGColorSpaceModel {  // = CGColorSpaceModel
  case rgb  // = CGColorSpaceModel.kCGColorSpaceModelRGB
}

public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { CGColorSpace() }  // = CGColorSpaceCreateDeviceRGB

public enum CGImageAlphaInfo: UInt32 {  // = CGImageAlphaInfo
  case premultipliedLast = 1  // = CGImageAlphaInfo.kCGImageAlphaPremultipliedLast
  case noneSkipLast = 5  // = CGImageAlphaInfo.kCGImageAlphaNoneSkipLast
}

public final class CGContext {  // = CGBitmapContextCreate
  public init?(  // = CGBitmapContextCreate
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
    space: CGColorSpace, bitmapInfo: UInt32
  ) {}
  public func draw(_ image: CGImage, in rect: CGRect) {}  // ~ CGContextDrawImage
  public func makeImage() -> CGImage? { nil }  // ~ CGBitmapContextCreateImage
}
