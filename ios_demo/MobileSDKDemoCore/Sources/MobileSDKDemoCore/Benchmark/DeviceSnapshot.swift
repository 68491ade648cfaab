/// One device at one time. What could not be read is nil, never a guess. Nothing names its user.
public struct DeviceSnapshot: Equatable, Sendable {
  public let machine: String
  public let system: String
  public let kernel: String
  public let memoryMiB: Int
  public let cores: Int
  public let thermal: ThermalState
  public let batteryShare: Double?
  public let charger: String?
  public let isLowPower: Bool
  /// True of an app that was built without optimization: its times mean nothing.
  public let isDebugBuild: Bool

  public init(
    machine: String, system: String, kernel: String, memoryMiB: Int, cores: Int, thermal: ThermalState,
    batteryShare: Double?, charger: String?, isLowPower: Bool = false, isDebugBuild: Bool = false
  ) {
    (self.machine, self.system, self.kernel, self.memoryMiB) = (machine, system, kernel, memoryMiB)
    (self.cores, self.thermal, self.batteryShare, self.charger) = (cores, thermal, batteryShare, charger)
    (self.isLowPower, self.isDebugBuild) = (isLowPower, isDebugBuild)
  }

  /// Why times that are taken in this state support no verdict; nil where they do.
  var reservation: String? {
    if isDebugBuild { return "the app is a debug build: build its release" }
    if isLowPower { return "Low Power Mode slows the device down: switch it off" }
    return nil
  }
}

/// iOS's four thermal states; the raw value is the step of Android's scale that `bench.json` is written in.
public enum ThermalState: Int, Sendable {
  case nominal = 0
  case fair = 1
  case serious = 3
  case critical = 4
}
