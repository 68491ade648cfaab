@_exported import CoreGraphics
import Foundation

public final class CVPixelBuffer {}  // = CVPixelBufferCreate
public typealias CVReturn = Int32  // = kCVReturnSuccess
public let kCVReturnSuccess: CVReturn = 0  // = kCVReturnSuccess
public let kCVPixelFormatType_32BGRA: UInt32 = 0  // = kCVPixelFormatType_32BGRA
public let kCVPixelFormatType_OneComponent8: UInt32 = 0  // = kCVPixelFormatType_OneComponent8

public struct CVPixelBufferLockFlags: OptionSet, Sendable {  // = CVPixelBufferLockFlags
  public let rawValue: UInt64  // Swift: an option set
  public init(rawValue: UInt64) { self.rawValue = rawValue }  // Swift: an option set
  public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)  // ~ CVPixelBufferLockFlags.kCVPixelBufferLock_ReadOnly
}

public func CVPixelBufferCreate(  // = CVPixelBufferCreate
  _ allocator: CFAllocator?, _ width: Int, _ height: Int, _ pixelFormatType: UInt32,
  _ pixelBufferAttributes: CFDictionary?, _ pixelBufferOut: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn { 0 }
public func CVPixelBufferLockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags) -> CVReturn { 0 }  // = CVPixelBufferLockBaseAddress
@discardableResult
public func CVPixelBufferUnlockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags) -> CVReturn { 0 }  // = CVPixelBufferUnlockBaseAddress
public func CVPixelBufferGetBaseAddress(_ buffer: CVPixelBuffer) -> UnsafeMutableRawPointer? { nil }  // = CVPixelBufferGetBaseAddress
public func CVPixelBufferGetBytesPerRow(_ buffer: CVPixelBuffer) -> Int { 0 }  // = CVPixelBufferGetBytesPerRow
public func CVPixelBufferGetWidth(_ buffer: CVPixelBuffer) -> Int { 0 }  // = CVPixelBufferGetWidth
public func CVPixelBufferGetHeight(_ buffer: CVPixelBuffer) -> Int { 0 }  // = CVPixelBufferGetHeight
public func CVPixelBufferGetPixelFormatType(_ buffer: CVPixelBuffer) -> UInt32 { 0 }  // = CVPixelBufferGetPixelFormatType
public let kCVPixelBufferPixelFormatTypeKey: CFString = ""  // = kCVPixelBufferPixelFormatTypeKey
