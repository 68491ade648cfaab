package mobilesdk.runtime.task

/** A raw map of a head: [values] are its rows × columns × channels, one after another. */
class RawMap(
    val values: FloatArray,
    val rows: Int,
    val columns: Int,
) {
    val channels: Int get() = values.size / (rows * columns)
}

/**
 * Returns the things in the raw maps of an anchor-free head, such as YOLOv8's, best first.
 *
 * It follows docs/guides/detection.md in its order and in double precision, as `mobile_sdk/tasks/anchor_free.py` does. Throws
 * IllegalArgumentException for maps of other channels than 4 × bins + [labels].
 */
fun detectAnchorFree(
    maps: List<RawMap>,
    labels: Int,
    rule: DetectionSpec,
    sides: Sides,
): List<DetectedBox> {
    if (!maps.all { it.values.all(Float::isFinite) }) return emptyList()
    val found = List(labels) { ArrayList<DetectedBox>() } // by label, in the order of the positions
    for (map in maps) {
        val head = AnchorFreeHead(map, labels, sides)
        for (position in 0 until map.rows * map.columns) {
            val box = head.box(position)
            for (label in 0 until labels) {
                val score = head.score(position, label)
                if (score >= rule.scoreThreshold) found[label] += DetectedBox(label, score, box)
            }
        }
    }
    return bestOf(found, rule)
}

/** Reads the positions of one map, which are cells of the picture. */
private class AnchorFreeHead(
    private val map: RawMap,
    private val labels: Int,
    private val sides: Sides,
) {
    private val bins = (map.channels - labels) / SIDES
    private val width = sides.width.toDouble() / map.columns
    private val height = sides.height.toDouble() / map.rows

    init {
        require(bins > 1 && SIDES * bins + labels == map.channels) {
            "expected maps of 4 × bins + $labels channels with two bins or more, found ${map.channels}"
        }
    }

    fun score(
        position: Int,
        label: Int,
    ): Double = 1 / (1 + exponential(-map.values[position * map.channels + SIDES * bins + label].toDouble()))

    fun box(position: Int): Box {
        val x = (position % map.columns + HALF) * width
        val y = (position / map.columns + HALF) * height
        val (left, top, right, bottom) = List(SIDES) { distance(position, it) }
        return Box(
            cutAt(sides.width, x - left * width),
            cutAt(sides.height, y - top * height),
            cutAt(sides.width, x + right * width),
            cutAt(sides.height, y + bottom * height),
        )
    }

    /** Returns the mean of the bins' numbers by their softmax, in cells. */
    private fun distance(
        position: Int,
        side: Int,
    ): Double {
        val start = position * map.channels + side * bins
        val shares = softmax(DoubleArray(bins) { map.values[start + it].toDouble() })
        return shares.indices.sumOf { it * shares[it] }
    }

    private companion object {
        const val SIDES = 4
        const val HALF = 0.5
    }
}
