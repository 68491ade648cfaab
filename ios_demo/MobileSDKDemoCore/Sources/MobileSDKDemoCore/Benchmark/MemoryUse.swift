/// The memory of this process at one time, in MiB: its footprint now, and the highest since the process began.
public struct MemoryUse: Equatable, Sendable {
  public let nowMiB: Double
  public let peakMiB: Double

  public init(nowMiB: Double, peakMiB: Double) { (self.nowMiB, self.peakMiB) = (nowMiB, peakMiB) }

  /// What was needed beyond `nowMiB` until `later`; nil where an earlier peak hides it, as no peak can be reset.
  func peak(until later: MemoryUse) -> Double? { later.peakMiB > peakMiB ? later.peakMiB - nowMiB : nil }
}

/// Reads the memory of this process; nil where the system does not say.
public typealias MemoryReader = @Sendable () -> MemoryUse?
