package mobilesdk.demo.model

import mobilesdk.demo.bundle.Manifest
import mobilesdk.demo.bundle.OutputSpec
import kotlin.math.exp

/** One label with its share of the probability, 0..1. */
data class Prediction(
    val label: String,
    val share: Double,
)

/** The [count] most probable labels, the most probable first; of equal ones the lower index. */
fun predictions(
    scores: FloatArray,
    manifest: Manifest,
    count: Int,
): List<Prediction> {
    val shares = softmax(logits(scores, manifest.output))
    return shares.indices
        .sortedByDescending { shares[it] }
        .take(count)
        .map { Prediction(manifest.labels[it], shares[it]) }
}

/** The index of the largest score; of equal ones the lower, and -1 where one is no number. */
fun argMax(scores: FloatArray): Int {
    if (scores.any { it.isNaN() }) return -1
    return scores.indices.maxByOrNull { scores[it] } ?: -1
}

/** Real values of scores in the output's own unit. */
fun logits(
    scores: FloatArray,
    output: OutputSpec,
): DoubleArray {
    val scale = output.scale ?: 1.0
    val zeroPoint = output.zeroPoint ?: 0
    return DoubleArray(scores.size) { scale * (scores[it] - zeroPoint) }
}

/** Shares that add up to 1; the largest logit is taken off first, so that no exponential overflows. */
fun softmax(logits: DoubleArray): DoubleArray {
    val largest = logits.maxOrNull() ?: return logits
    val powers = DoubleArray(logits.size) { exp(logits[it] - largest) }
    val sum = powers.sum()
    return DoubleArray(logits.size) { powers[it] / sum }
}
