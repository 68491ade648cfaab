/// Returns shares that add up to 1; the largest logit is taken off first, so that no exponential overflows.
///
/// The powers are added from the first to the last: docs/guides/detection.md has the rule, which gives the same bits in every
/// language.
func softmax(_ logits: some Collection<Double>) -> [Double] {
  guard let largest = logits.max() else { return [] }
  let powers = logits.map { Exponential.of($0 - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}

/// The exponential of products and sums alone, to the bit as mobile_sdk/tasks/softmax.py has it: the last bit of every
/// library's own is another.
enum Exponential {
  private static let least = -708.0
  private static let most = 709.0
  private static let perLn2 = 1.4426950408889634
  private static let ln2High = 0.6931471803691238  // its multiples are exact
  private static let ln2Low = 1.9082149292705877e-10
  private static let coefficients = (1...13).reduce(into: [1.0]) { $0.append($0[$0.count - 1] * Double($1)) }
    .reversed().map { 1 / $0 }

  static func of(_ value: Double) -> Double {
    guard value <= most else { return value + .infinity }
    guard value >= least else { return 0 }
    let whole = (value * perLn2).rounded(.toNearestOrEven)
    let rest = value - whole * ln2High - whole * ln2Low
    var series = 0.0
    for coefficient in coefficients { series = series * rest + coefficient }
    return series * Double(bitPattern: UInt64(Int(whole) + 1023) << 52)
  }
}
