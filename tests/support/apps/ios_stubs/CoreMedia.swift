@_exported import CoreVideo
import Foundation

public final class CMSampleBuffer {}  // = CMSampleBufferGetImageBuffer

public func CMSampleBufferGetImageBuffer(_ buffer: CMSampleBuffer) -> CVPixelBuffer? { nil }  // = CMSampleBufferGetImageBuffer
