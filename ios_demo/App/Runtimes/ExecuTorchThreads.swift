import Foundation

/// The pool that XNNPACK computes on. ExecuTorch's Swift interface does not name it, so its C++ functions are looked up
/// in this program by their linker's names; where they are not exported, nothing is set and nothing is claimed.
///
/// Source: extension/threadpool/threadpool.h of ExecuTorch.
enum ExecuTorchThreads {
  private static let pool = "_ZN10executorch9extension10threadpool14get_threadpoolEv"
  private static let reset = "_ZN10executorch9extension10threadpool10ThreadPool24_unsafe_reset_threadpoolEj"
  private static let count = "_ZNK10executorch9extension10threadpool10ThreadPool16get_thread_countEv"

  private typealias Pool = @convention(c) () -> UnsafeMutableRawPointer?
  private typealias Reset = @convention(c) (UnsafeMutableRawPointer, UInt32) -> Bool
  private typealias Count = @convention(c) (UnsafeMutableRawPointer) -> Int

  /// Returns how many threads the pool has then; nil where that cannot be asked. No model may be loaded meanwhile.
  static func set(_ threads: Int) -> Int? {
    guard let pool = function(pool, Pool.self)?(), let reset = function(reset, Reset.self),
      let count = function(count, Count.self)
    else { return nil }
    _ = reset(pool, UInt32(threads))
    return count(pool)
  }

  private static func function<Function>(_ name: String, _ type: Function.Type) -> Function? {
    let everywhere = UnsafeMutableRawPointer(bitPattern: -2)  // RTLD_DEFAULT
    return dlsym(everywhere, name).map { unsafeBitCast($0, to: type) }
  }
}
