@_exported import CoreGraphics
import Foundation

public final class CGImageSource {}  // = CGImageSourceCreateWithData

public func CGImageSourceCreateWithData(_ data: CFData, _ options: CFDictionary?) -> CGImageSource? { nil }  // = CGImageSourceCreateWithData
public func CGImageSourceCopyPropertiesAtIndex(_ source: CGImageSource, _ index: Int, _ options: CFDictionary?) -> Any? { nil }  // = CGImageSourceCopyPropertiesAtIndex
public func CGImageSourceCreateThumbnailAtIndex(_ source: CGImageSource, _ index: Int, _ options: CFDictionary?) -> CGImage? { nil }  // = CGImageSourceCreateThumbnailAtIndex

public func CGImageSourceCreateImageAtIndex(_ source: CGImageSource, _ index: Int, _ options: CFDictionary?) -> CGImage? { nil }  // = CGImageSourceCreateImageAtIndex

public let kCGImagePropertyOrientation: CFString = ""  // = kCGImagePropertyOrientation
public let kCGImagePropertyPixelWidth: CFString = ""  // = kCGImagePropertyPixelWidth
public let kCGImagePropertyPixelHeight: CFString = ""  // = kCGImagePropertyPixelHeight
public let kCGImageSourceCreateThumbnailFromImageAlways: CFString = ""  // = kCGImageSourceCreateThumbnailFromImageAlways
public let kCGImageSourceCreateThumbnailWithTransform: CFString = ""  // = kCGImageSourceCreateThumbnailWithTransform
public let kCGImageSourceThumbnailMaxPixelSize: CFString = ""  // = kCGImageSourceThumbnailMaxPixelSize
