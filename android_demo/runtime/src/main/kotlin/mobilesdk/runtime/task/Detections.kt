package mobilesdk.runtime.task

/** A thing that was found, in pixels of the net's picture; [score] is its label's share of the softmax. */
data class DetectedBox(
    val labelIndex: Int,
    val score: Double,
    val box: Box,
)

/** Reads one anchor's row of an output: a box, then the logits of "nothing" and of every label. */
internal object DetectionRow {
    const val NOTHING = 4

    fun columns(labels: Int): Int = NOTHING + 1 + labels

    fun box(
        output: FloatArray,
        start: Int,
        sides: Sides,
    ): Box {
        val edges = listOf(sides.width, sides.height, sides.width, sides.height)
        val (left, top, right, bottom) = List(NOTHING) { cutAt(edges[it], output[start + it].toDouble()) }
        return Box(left, top, right, bottom)
    }

    /** Returns the softmax of the row's logits, without its first, "nothing". */
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
 * Returns the things in a net's output (anchors × columns, flat) for a picture of those [sides], best first.
 *
 * It follows docs/guides/detection.md in its order and in double precision, as `mobile_sdk/tasks/boxes.py` does. Nothing is found
 * in an output of other numbers than whole rows, or with one that is not finite.
 */
fun detect(
    output: FloatArray,
    labels: Int,
    rule: DetectionSpec,
    sides: Sides,
): List<DetectedBox> {
    val columns = DetectionRow.columns(labels)
    if (output.size % columns != 0 || !output.all(Float::isFinite)) return emptyList()
    val found = List(labels) { ArrayList<DetectedBox>() } // by label, in the order of the anchors
    for (start in output.indices step columns) {
        val shares = DetectionRow.shares(output, start, labels)
        for (label in 0 until labels) {
            if (shares[label] >= rule.scoreThreshold) {
                found[label] += DetectedBox(label, shares[label], DetectionRow.box(output, start, sides))
            }
        }
    }
    return bestOf(found, rule)
}

/** Returns the best of the candidates of each label, which are in the order of their anchors. */
internal fun bestOf(
    candidates: List<List<DetectedBox>>,
    rule: DetectionSpec,
): List<DetectedBox> =
    // Sorting is stable: equal ones stay in the order of their labels, and then of their anchors.
    candidates.flatMap { suppressed(it, rule) }.sortedByDescending { it.score }.take(rule.maxDetections)

/** Returns a side of a box that ends at the picture's edge; no zero is below zero. */
internal fun cutAt(
    edge: Int,
    side: Double,
): Double = side.coerceIn(0.0, edge.toDouble()) + 0.0

/** Returns the label of the largest share, of equal ones the first anchor's; -1 where a number is not finite. */
fun surestLabel(
    output: FloatArray,
    labels: Int,
): Int {
    if (!output.all(Float::isFinite)) return -1
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
    candidates: List<DetectedBox>,
    rule: DetectionSpec,
): List<DetectedBox> {
    val kept = ArrayList<DetectedBox>()
    for (candidate in candidates.sortedByDescending { it.score }) {
        if (kept.size == rule.maxDetections) break
        if (kept.all { it.box.overlap(candidate.box) <= rule.iouThreshold }) kept += candidate
    }
    return kept
}
