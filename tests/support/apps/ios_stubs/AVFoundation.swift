@_exported import CoreMedia
import Dispatch
import Foundation
import QuartzCore

public struct AVMediaType: Sendable {  // = AVMediaTypeVideo
  public static let video = AVMediaType()  // = AVMediaTypeVideo
}

open class AVCaptureDevice: NSObject {  // = AVCaptureDevice
  public static func requestAccess(for mediaType: AVMediaType) async -> Bool { false }  // = AVCaptureDevice.requestAccessForMediaTypeCompletionHandler
  public class func `default`(_ deviceType: DeviceType, for mediaType: AVMediaType?, position: Position) -> AVCaptureDevice? { nil }  // ~ AVCaptureDevice.defaultDeviceWithDeviceTypeMediaTypePosition
  public struct DeviceType: Sendable {  // ~ AVCaptureDeviceTypeBuiltInWideAngleCamera
    public static let builtInWideAngleCamera = DeviceType()  // = AVCaptureDeviceTypeBuiltInWideAngleCamera
  }
  public enum Position: Int, Sendable {  // = AVCaptureDevicePosition
    case back  // = AVCaptureDevicePosition.Back
    case front  // = AVCaptureDevicePosition.Front
  }
  open class RotationCoordinator: NSObject {  // = AVCaptureDeviceRotationCoordinator
    public init(device: AVCaptureDevice, previewLayer: CALayer?) {}  // = AVCaptureDeviceRotationCoordinator.initWithDevicePreviewLayer
    public var videoRotationAngleForHorizonLevelCapture: CGFloat { 0 }  // = AVCaptureDeviceRotationCoordinator.videoRotationAngleForHorizonLevelCapture
  }
}

open class AVCaptureInput: NSObject {}  // = AVCaptureInput
open class AVCaptureDeviceInput: AVCaptureInput {  // = AVCaptureDeviceInput
  public init(device: AVCaptureDevice) throws {}  // = AVCaptureDeviceInput.deviceInputWithDeviceError
}

open class AVCaptureOutput: NSObject {}  // = AVCaptureOutput
open class AVCaptureVideoDataOutput: AVCaptureOutput {  // = AVCaptureVideoDataOutput
  public var alwaysDiscardsLateVideoFrames = true  // = AVCaptureVideoDataOutput.alwaysDiscardsLateVideoFrames
  public var videoSettings: [String: Any]! = [:]  // = AVCaptureVideoDataOutput.videoSettings
  public func setSampleBufferDelegate(_ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?) {}  // = AVCaptureVideoDataOutput.setSampleBufferDelegateQueue
}

public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObjectProtocol {  // = AVCaptureVideoDataOutputSampleBufferDelegate
  func captureOutput(_ output: AVCaptureOutput, didOutput buffer: CMSampleBuffer, from connection: AVCaptureConnection)  // = AVCaptureVideoDataOutputSampleBufferDelegate.captureOutputDidOutputSampleBufferFromConnection
}

open class AVCaptureConnection: NSObject {  // = AVCaptureConnection
  public var videoRotationAngle: CGFloat = 0  // = AVCaptureConnection.videoRotationAngle
  public func isVideoRotationAngleSupported(_ degrees: CGFloat) -> Bool { false }  // = AVCaptureConnection.isVideoRotationAngleSupported
}

open class AVCaptureSession: NSObject {  // = AVCaptureSession
  public struct Preset: Sendable {  // ~ AVCaptureSessionPreset1280x720
    public static let hd1280x720 = Preset()  // ~ AVCaptureSessionPreset1280x720
  }
  public var sessionPreset = Preset()  // = AVCaptureSession.sessionPreset
  public var inputs: [AVCaptureInput] { [] }  // = AVCaptureSession.inputs
  public var outputs: [AVCaptureOutput] { [] }  // = AVCaptureSession.outputs
  public var connections: [AVCaptureConnection] { [] }  // = AVCaptureSession.connections
  public func beginConfiguration() {}  // = AVCaptureSession.beginConfiguration
  public func commitConfiguration() {}  // = AVCaptureSession.commitConfiguration
  public func canSetSessionPreset(_ preset: Preset) -> Bool { false }  // = AVCaptureSession.canSetSessionPreset
  public func canAddInput(_ input: AVCaptureInput) -> Bool { false }  // = AVCaptureSession.canAddInput
  public func addInput(_ input: AVCaptureInput) {}  // = AVCaptureSession.addInput
  public func removeInput(_ input: AVCaptureInput) {}  // = AVCaptureSession.removeInput
  public func canAddOutput(_ output: AVCaptureOutput) -> Bool { false }  // = AVCaptureSession.canAddOutput
  public func addOutput(_ output: AVCaptureOutput) {}  // = AVCaptureSession.addOutput
  public func startRunning() {}  // = AVCaptureSession.startRunning
  public func stopRunning() {}  // = AVCaptureSession.stopRunning
}

public struct AVLayerVideoGravity: Sendable {  // ~ AVLayerVideoGravityResizeAspect
  public static let resizeAspect = AVLayerVideoGravity()  // = AVLayerVideoGravityResizeAspect
}

open class AVCaptureVideoPreviewLayer: CALayer {  // = AVCaptureVideoPreviewLayer
  public var session: AVCaptureSession?  // = AVCaptureVideoPreviewLayer.session
  public var videoGravity = AVLayerVideoGravity.resizeAspect  // = AVCaptureVideoPreviewLayer.videoGravity
}
