import Foundation

public struct AVMediaType: Sendable {  // = AVMediaTypeVideo
  public static let video = AVMediaType()  // = AVMediaTypeVideo
}

open class AVCaptureDevice: NSObject {  // = AVCaptureDevice
  public static func requestAccess(for mediaType: AVMediaType) async -> Bool { false }  // = AVCaptureDevice.requestAccessForMediaTypeCompletionHandler
}
