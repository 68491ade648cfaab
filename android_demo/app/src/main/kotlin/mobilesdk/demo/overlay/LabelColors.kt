package mobilesdk.demo.overlay

import kotlin.math.abs
import kotlin.math.roundToInt

private const val GOLDEN_RATIO = 0.618033988749895 // of the circle of hues: neighbours in the list stand far apart
private const val PALEST = 0.15 // of a channel: full colours hide what is below them
private const val WHITE = 255
private val RED_GREEN_BLUE_WEIGHTS = listOf(0.3, 0.6, 0.1) // of brightness, to the tenth
private const val BRIGHT = 0.5

/** The colour of a label's boxes and pixels, opaque ARGB; the same label has the same one in every picture. */
fun labelColor(labelIndex: Int): Int =
    channels(labelIndex).fold(-1) { packed, channel ->
        (packed shl Byte.SIZE_BITS) or (channel * WHITE).roundToInt()
    }

/** Black or white, whichever is read better on a label's colour. */
fun textColor(labelIndex: Int): Int {
    val brightness = channels(labelIndex).zip(RED_GREEN_BLUE_WEIGHTS).sumOf { (channel, weight) -> channel * weight }
    return if (brightness > BRIGHT) BLACK else -1
}

private const val BLACK = -0x1000000

/** Red, green and blue of the label's hue, 0..1. */
private fun channels(labelIndex: Int): List<Double> {
    val hue = labelIndex * GOLDEN_RATIO % 1
    return listOf(0, 2, 1).map { third ->
        val distance = abs((hue * 3 + third) % 3 - 1.5) / 1.5 // from the channel's opposite, 0..1
        PALEST + (1 - PALEST) * (2 * distance - 0.5).coerceIn(0.0, 1.0)
    }
}
