package mobilesdk.demo.model

import mobilesdk.demo.bundle.DetectionSpec
import kotlin.math.max
import kotlin.math.min

/** A rectangle; its sides are in pixels of the net's picture where nothing else is said. */
data class Box(
    val left: Double,
    val top: Double,
    val right: Double,
    val bottom: Double,
) {
    val area: Double get() = max(right - left, 0.0) * max(bottom - top, 0.0)

    operator fun div(unit: Int) = Box(left / unit, top / unit, right / unit, bottom / unit)

    /** Intersection over union; 0 where both are empty. */
    fun overlap(other: Box): Double {
        val width = max(min(right, other.right) - max(left, other.left), 0.0)
        val height = max(min(bottom, other.bottom) - max(top, other.top), 0.0)
        val common = width * height
        val union = area + other.area - common
        return if (union > 0) common / union else 0.0
    }
}

/** A thing that was found; [score] is its label's share of the softmax. */
data class Detection(
    val labelIndex: Int,
    val score: Double,
    val box: Box,
)

/** What one anchor's row of an output holds: a box, then the logits of "nothing" and of every label. */
internal object DetectionRow {
    const val NOTHING = 4

    fun columns(labels: Int): Int = NOTHING + 1 + labels

    fun box(
        output: FloatArray,
        start: Int,
        sizePx: Int,
    ): Box {
        val (left, top, right, bottom) =
            List(NOTHING) { output[start + it].toDouble().coerceIn(0.0, sizePx.toDouble()) }
        return Box(left, top, right, bottom)
    }

    /** The softmax of the row's logits, without its first, "nothing". */
    fun shares(
        output: FloatArray,
        start: Int,
        labels: Int,
    ): DoubleArray =
        softmax(DoubleArray(1 + labels) { output[start + NOTHING + it].toDouble() }).copyOfRange(
            1,
            1 + labels,
        )
}

/**
 * The detections in a net's output (anchors × columns, flat) for a picture of [sizePx] by [sizePx], best first.
 *
 * The rule of docs/detection.md, in its order and in double precision, as `mobile_sdk/tasks/detection.py` has it.
 */
fun detect(
    output: FloatArray,
    labels: Int,
    rule: DetectionSpec,
    sizePx: Int,
): List<Detection> {
    val columns = DetectionRow.columns(labels)
    val found = List(labels) { ArrayList<Detection>() } // by label, in the order of the anchors
    for (start in output.indices step columns) {
        val shares = DetectionRow.shares(output, start, labels)
        for (label in 0 until labels) {
            if (shares[label] >= rule.leastScoreShare) {
                found[label] += Detection(label, shares[label], DetectionRow.box(output, start, sizePx))
            }
        }
    }
    // Sorting is stable: equal ones stay in the order of their labels, and then of their anchors.
    return found.flatMap { suppressed(it, rule) }.sortedByDescending { it.score }.take(rule.most)
}

/** The label of the largest share in an output, of equal ones the first anchor's; -1 where there is a NaN. */
fun surestLabel(
    output: FloatArray,
    labels: Int,
): Int {
    if (output.any { it.isNaN() }) return -1
    var (best, largest) = -1 to Double.NEGATIVE_INFINITY
    for (start in output.indices step DetectionRow.columns(labels)) {
        DetectionRow.shares(output, start, labels).forEachIndexed { label, share ->
            if (share > largest) {
                largest = share
                best = label
            }
        }
    }
    return best
}

private fun suppressed(
    candidates: List<Detection>,
    rule: DetectionSpec,
): List<Detection> {
    val kept = ArrayList<Detection>()
    for (candidate in candidates.sortedByDescending { it.score }) {
        if (kept.size == rule.most) break
        if (kept.all { it.box.overlap(candidate.box) <= rule.overlapShare }) kept += candidate
    }
    return kept
}
