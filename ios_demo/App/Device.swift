import Foundation
import MobileSDKDemoCore
import UIKit

/// Reads the kind and the present state of this device, for the benchmark's report.
enum Device {
  @MainActor static func snapshot() -> DeviceSnapshot {
    let (device, process) = (UIDevice.current, ProcessInfo.processInfo)
    device.isBatteryMonitoringEnabled = true
    return DeviceSnapshot(
      machine: systemName(\.machine), system: "\(device.systemName) \(device.systemVersion)",
      kernel: "\(systemName(\.sysname)) \(systemName(\.release))", memoryMiB: Int(process.physicalMemory >> 20),
      cores: process.activeProcessorCount, thermal: thermal(process.thermalState),
      batteryShare: device.batteryLevel >= 0 ? Double(device.batteryLevel) : nil, charger: charger(device.batteryState))
  }

  private static func thermal(_ state: ProcessInfo.ThermalState) -> ThermalState {
    switch state {
    case .nominal: .nominal
    case .fair: .fair
    case .serious: .serious
    case .critical: .critical
    @unknown default: .critical
    }
  }

  private static func charger(_ state: UIDevice.BatteryState) -> String? {
    switch state {
    case .charging: "charging"
    case .full: "full"
    case .unplugged: "discharging"
    case .unknown: nil
    @unknown default: nil
    }
  }

  /// One field of `uname`, such as the machine's identifier.
  private static func systemName<Field>(_ field: KeyPath<utsname, Field>) -> String {
    var names = utsname()
    guard uname(&names) == 0 else { return "unknown" }
    return withUnsafeBytes(of: names[keyPath: field]) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
