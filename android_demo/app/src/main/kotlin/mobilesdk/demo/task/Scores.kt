package mobilesdk.demo.task

import kotlin.math.exp

/** Returns the index of the largest score; of equal ones the lower, and -1 where one is NaN. */
fun argMax(scores: FloatArray): Int {
    if (scores.any { it.isNaN() }) return -1
    return scores.indices.maxByOrNull { scores[it] } ?: -1
}

/** Returns shares that add up to 1; the largest logit is taken off first, so that no exponential overflows. */
fun softmax(logits: DoubleArray): DoubleArray {
    val largest = logits.maxOrNull() ?: return logits
    val powers = DoubleArray(logits.size) { exp(logits[it] - largest) }
    val sum = powers.sum()
    return DoubleArray(logits.size) { powers[it] / sum }
}
