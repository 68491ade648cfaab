@_exported import Foundation
@_exported import QuartzCore

@MainActor open class UIDevice: NSObject {  // = UIDevice
  public static var current: UIDevice { UIDevice() }  // = UIDevice.currentDevice
  public var systemName: String { "" }  // = UIDevice.systemName
  public var systemVersion: String { "" }  // = UIDevice.systemVersion
  public var isBatteryMonitoringEnabled = false  // = UIDevice.batteryMonitoringEnabled
  public var batteryLevel: Float { 0 }  // = UIDevice.batteryLevel
  public var batteryState: BatteryState { .unknown }  // = UIDevice.batteryState
  public enum BatteryState: Int, Sendable {  // = UIDeviceBatteryState
    case unknown  // = UIDeviceBatteryState.Unknown
    case unplugged  // = UIDeviceBatteryState.Unplugged
    case charging  // = UIDeviceBatteryState.Charging
    case full  // = UIDeviceBatteryState.Full
  }
}

extension URL {
  public func startAccessingSecurityScopedResource() -> Bool { false }  // = NSURL.startAccessingSecurityScopedResource
  public func stopAccessingSecurityScopedResource() {}  // = NSURL.stopAccessingSecurityScopedResource
}

extension ProcessInfo {
  public enum ThermalState: Int, Sendable {  // = NSProcessInfoThermalState
    case nominal  // = NSProcessInfoThermalState.Nominal
    case fair  // = NSProcessInfoThermalState.Fair
    case serious  // = NSProcessInfoThermalState.Serious
    case critical  // = NSProcessInfoThermalState.Critical
  }
  public var thermalState: ThermalState { .nominal }  // = NSProcessInfo.thermalState
  public var isLowPowerModeEnabled: Bool { false }  // = NSProcessInfo.lowPowerModeEnabled
}

open class UIImage: NSObject {  // = UIImage
  public convenience init(cgImage: CGImage) { self.init() }  // = UIImage.initWithCGImage
  public func jpegData(compressionQuality: CGFloat) -> Data? { nil }  // ~ UIImageJPEGRepresentation
}

@MainActor open class UIApplication: NSObject {  // = UIApplication
  public static var shared: UIApplication { UIApplication() }  // = UIApplication.sharedApplication
  public var isIdleTimerDisabled = false  // = UIApplication.idleTimerDisabled
}

@MainActor open class UIView: NSObject {  // = UIView
  open class var layerClass: AnyClass { CALayer.self }  // ~ UIView.layerClass
  public var layer: CALayer { CALayer() }  // = UIView.layer
}

@MainActor open class UIViewController: NSObject {}  // = UIViewController
@MainActor open class UINavigationController: UIViewController {}  // = UINavigationController
@MainActor public protocol UINavigationControllerDelegate: NSObjectProtocol {}  // = UINavigationControllerDelegate

@MainActor open class UIImagePickerController: UINavigationController {  // = UIImagePickerController
  public static func isSourceTypeAvailable(_ sourceType: SourceType) -> Bool { false }  // = UIImagePickerController.isSourceTypeAvailable
  public var sourceType: SourceType = .camera  // = UIImagePickerController.sourceType
  public weak var delegate: (any UIImagePickerControllerDelegate & UINavigationControllerDelegate)?  // = UIImagePickerController.delegate
  public enum SourceType: Int, Sendable {  // = UIImagePickerControllerSourceType
    case camera  // = UIImagePickerControllerSourceType.Camera
  }
  public struct InfoKey: Hashable, Sendable {  // ~ UIImagePickerControllerOriginalImage
    public static let originalImage = InfoKey()  // = UIImagePickerControllerOriginalImage
  }
}

@MainActor public protocol UIImagePickerControllerDelegate: NSObjectProtocol {  // = UIImagePickerControllerDelegate
  func imagePickerController(_ picker: UIImagePickerController, didFinishPickingMediaWithInfo info: [UIImagePickerController.InfoKey: Any])  // = UIImagePickerControllerDelegate.imagePickerControllerDidFinishPickingMediaWithInfo
  func imagePickerControllerDidCancel(_ picker: UIImagePickerController)  // = UIImagePickerControllerDelegate.imagePickerControllerDidCancel
}
