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
  public var bitsPerComponent: Int { 8 }  // = CGImageGetBitsPerComponent
  public var bitsPerPixel: Int { 32 }  // = CGImageGetBitsPerPixel
  public var bytesPerRow: Int { 0 }  // = CGImageGetBytesPerRow
  public var alphaInfo: CGImageAlphaInfo { .last }  // = CGImageGetAlphaInfo
  public var bitmapInfo: CGBitmapInfo { [] }  // = CGImageGetBitmapInfo
  public var dataProvider: CGDataProvider? { nil }  // = CGImageGetDataProvider
}

public final class CGDataProvider {  // = CGDataProviderCopyData
  public var data: CFData? { nil }  // = CGDataProviderCopyData
}

public final class CGColorSpace {  // = CGColorSpaceGetModel
  public init?(name: CFString) {}  // = CGColorSpaceCreateWithName
  init() {}  // Swift: of this stub alone
  public var model: CGColorSpaceModel { .rgb }  // = CGColorSpaceGetModel
  public var baseColorSpace: CGColorSpace? { nil }  // = CGColorSpaceGetBaseColorSpace
  public static let sRGB: CFString = ""  // ~ kCGColorSpaceSRGB
}

public enum CGColorSpaceModel {  // = CGColorSpaceModel
  case rgb  // = CGColorSpaceModel.kCGColorSpaceModelRGB
  case monochrome  // = CGColorSpaceModel.kCGColorSpaceModelMonochrome
  case unknown  // = CGColorSpaceModel.kCGColorSpaceModelUnknown
}

public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { CGColorSpace() }  // = CGColorSpaceCreateDeviceRGB

public enum CGImageAlphaInfo: UInt32 {  // = CGImageAlphaInfo
  case none = 0  // = CGImageAlphaInfo.kCGImageAlphaNone
  case premultipliedLast = 1  // = CGImageAlphaInfo.kCGImageAlphaPremultipliedLast
  case premultipliedFirst = 2  // = CGImageAlphaInfo.kCGImageAlphaPremultipliedFirst
  case last = 3  // = CGImageAlphaInfo.kCGImageAlphaLast
  case first = 4  // = CGImageAlphaInfo.kCGImageAlphaFirst
  case noneSkipLast = 5  // = CGImageAlphaInfo.kCGImageAlphaNoneSkipLast
  case noneSkipFirst = 6  // = CGImageAlphaInfo.kCGImageAlphaNoneSkipFirst
  case alphaOnly = 7  // = CGImageAlphaInfo.kCGImageAlphaOnly
}

public struct CGBitmapInfo: OptionSet, Sendable {  // = CGBitmapInfo
  public let rawValue: UInt32  // Swift: an option set
  public init(rawValue: UInt32) { self.rawValue = rawValue }  // Swift: an option set
  public static let byteOrderMask = CGBitmapInfo(rawValue: 28672)  // ~ CGBitmapInfo.kCGBitmapByteOrderMask
  public static let floatComponents = CGBitmapInfo(rawValue: 256)  // ~ CGBitmapInfo.kCGBitmapFloatComponents
  public static let byteOrder16Little = CGBitmapInfo(rawValue: 4096)  // ~ CGBitmapInfo.kCGBitmapByteOrder16Little
  public static let byteOrder32Little = CGBitmapInfo(rawValue: 8192)  // ~ CGBitmapInfo.kCGBitmapByteOrder32Little
  public static let byteOrder16Big = CGBitmapInfo(rawValue: 12288)  // ~ CGBitmapInfo.kCGBitmapByteOrder16Big
  public static let byteOrder32Big = CGBitmapInfo(rawValue: 16384)  // ~ CGBitmapInfo.kCGBitmapByteOrder32Big
}

public final class CGContext {  // = CGBitmapContextCreate
  public init?(  // = CGBitmapContextCreate
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
    space: CGColorSpace, bitmapInfo: UInt32
  ) {}
  public func draw(_ image: CGImage, in rect: CGRect) {}  // ~ CGContextDrawImage
  public func makeImage() -> CGImage? { nil }  // ~ CGBitmapContextCreateImage
}
