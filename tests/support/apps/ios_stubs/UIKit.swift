import CoreGraphics
@_exported import Foundation

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

extension ProcessInfo {
  public enum ThermalState: Int, Sendable {  // = NSProcessInfoThermalState
    case nominal  // = NSProcessInfoThermalState.Nominal
    case fair  // = NSProcessInfoThermalState.Fair
    case serious  // = NSProcessInfoThermalState.Serious
    case critical  // = NSProcessInfoThermalState.Critical
  }
  public var thermalState: ThermalState { .nominal }  // = NSProcessInfo.thermalState
}

open class UIImage: NSObject {  // = UIImage
  public convenience init(cgImage: CGImage) { self.init() }  // = UIImage.initWithCGImage
  public func jpegData(compressionQuality: CGFloat) -> Data? { nil }  // ~ UIImageJPEGRepresentation
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
