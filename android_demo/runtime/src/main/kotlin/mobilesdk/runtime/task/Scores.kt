package mobilesdk.runtime.task

import kotlin.math.round

/** Returns the index of the largest score; of equal ones the lower, -0 and 0 among them, and -1 where one is not finite. */
fun argMax(scores: FloatArray): Int {
    if (scores.isEmpty() || !scores.all(Float::isFinite)) return -1
    var best = 0
    for (index in scores.indices) if (scores[index] > scores[best]) best = index
    return best
}

/**
 * Returns shares that add up to 1; the largest logit is taken off first, so that no exponential overflows. The powers are
 * added from the first to the last: docs/guides/detection.md has the rule, which gives the same bits in every language.
 */
fun softmax(logits: DoubleArray): DoubleArray {
    val largest = logits.maxOrNull() ?: return logits
    val powers = DoubleArray(logits.size) { exponential(logits[it] - largest) }
    val sum = powers.sum()
    return DoubleArray(logits.size) { powers[it] / sum }
}

/**
 * Returns e to the power of [value], to the bit as `mobile_sdk/tasks/softmax.py` does: of products and sums alone, as the
 * last bit of every library's own is another.
 */
internal fun exponential(value: Double): Double {
    if (value.isNaN() || value > MOST) return value + Double.POSITIVE_INFINITY
    if (value < LEAST) return 0.0
    val whole = round(value * PER_LN2)
    val rest = value - whole * LN2_HIGH - whole * LN2_LOW
    var series = 0.0
    for (coefficient in COEFFICIENTS) series = series * rest + coefficient
    return series * Double.fromBits((whole.toLong() + BIAS) shl MANTISSA_BITS)
}

private const val LEAST = -708.0
private const val MOST = 709.0
private const val PER_LN2 = 1.4426950408889634
private const val LN2_HIGH = 0.6931471803691238 // its multiples are exact
private const val LN2_LOW = 1.9082149292705877e-10
private const val POWERS = 13
private const val BIAS = 1023
private const val MANTISSA_BITS = 52
private val FACTORIALS = (1..POWERS).runningFold(1.0) { product, factor -> product * factor }
private val COEFFICIENTS = DoubleArray(POWERS + 1) { 1 / FACTORIALS[POWERS - it] }
