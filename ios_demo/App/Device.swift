import Darwin
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
      batteryShare: device.batteryLevel >= 0 ? Double(device.batteryLevel) : nil, charger: charger(device.batteryState),
      isLowPower: process.isLowPowerModeEnabled, isDebugBuild: isDebugBuild)
  }

  /// The memory that the system counts against this app, now and at its highest since the start.
  @Sendable static func memory() -> MemoryUse? {
    var info = task_vm_info_data_t()
    var count = mach_msg_type_number_t(MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<natural_t>.size)
    let status = withUnsafeMutablePointer(to: &info) { pointer in
      pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) { words in
        task_info(task_self_trap(), task_flavor_t(TASK_VM_INFO), words, &count)
      }
    }
    guard status == KERN_SUCCESS, info.ledger_phys_footprint_peak > 0 else { return nil }
    let mebibyte = 1048576.0
    return MemoryUse(
      nowMiB: Double(info.phys_footprint) / mebibyte, peakMiB: Double(info.ledger_phys_footprint_peak) / mebibyte)
  }

  #if DEBUG
  private static let isDebugBuild = true
  #else
  private static let isDebugBuild = false
  #endif

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
