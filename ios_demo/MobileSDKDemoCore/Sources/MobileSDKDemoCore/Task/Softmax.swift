import Foundation

/// Returns shares that add up to 1; the largest logit is taken off first, so that no exponential overflows.
func softmax(_ logits: some Collection<Double>) -> [Double] {
  guard let largest = logits.max() else { return [] }
  let powers = logits.map { exp($0 - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}
