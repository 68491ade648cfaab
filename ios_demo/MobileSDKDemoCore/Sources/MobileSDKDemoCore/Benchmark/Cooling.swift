/// Waits until a device does not throttle, as `mobile-sdk bench` does before it measures on a phone.
struct Cooling {
  private static let patienceS = 120
  private static let lookEveryS = 5

  let device: @Sendable () async -> DeviceSnapshot
  let sleep: @Sendable (_ seconds: Int) async throws -> Void

  /// Returns the first state that is not warm; throws `DemoError` after two minutes of rest.
  func cooled(_ say: @Sendable (String) async -> Void) async throws -> DeviceSnapshot {
    var waitedS = 0
    while true {
      let now = await device()
      guard now.thermal != .nominal else { return now }
      guard waitedS < Self.patienceS else {
        throw DemoError(
          "expected a cool device, found thermal status \(now.thermal.rawValue) after \(waitedS) s of rest",
          hint: "take it off the charger and out of its case, or measure with quick")
      }
      await say("waiting until the device is cool")
      try await sleep(Self.lookEveryS)
      waitedS += Self.lookEveryS
    }
  }
}
