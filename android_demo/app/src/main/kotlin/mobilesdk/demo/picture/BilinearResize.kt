package mobilesdk.demo.picture

import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min

private const val PRECISION_BITS = 22 // 32, less 8 of a byte and 2 for sums that overshoot
private const val HALF = 1 shl (PRECISION_BITS - 1)
private const val BYTE = 0xFF

/**
 * Pillow's `Image.resize(BILINEAR)`, to the byte: antialiased, in fixed point, first along rows and then along columns,
 * rounded to bytes between the two. A direction whose size stays is left as it is. (Source: Pillow's Resample.c.)
 */
fun resizeBilinear(
    picture: Rgb,
    width: Int,
    height: Int,
): Rgb {
    val wide = if (picture.width == width) picture else resizeRows(picture, width)
    return if (picture.height == height) wide else resizeColumns(wide, height)
}

/** Which neighbours make the pixel at each place, and their weights in fixed point. */
private class Filter(
    private val size: Int,
    target: Int,
) {
    private val scale = size.toDouble() / target
    private val support = max(scale, 1.0)
    private val stride = ceil(support).toInt() * 2 + 1
    val first = IntArray(target)
    val weights: Array<IntArray> = Array(target, ::weightsAt)

    private fun weightsAt(place: Int): IntArray {
        val center = (place + 0.5) * scale
        val from = max((center - support + 0.5).toInt(), 0)
        val until = min((center + support + 0.5).toInt(), size)
        first[place] = from
        val heights = DoubleArray(min(until - from, stride)) { triangle((it + from - center + 0.5) * (1.0 / support)) }
        val sum = heights.fold(0.0, Double::plus)
        return IntArray(heights.size) { (0.5 + heights[it] / sum * (1 shl PRECISION_BITS)).toInt() }
    }

    private fun triangle(x: Double): Double = max(0.0, 1.0 - if (x < 0) -x else x)
}

private fun resizeRows(
    picture: Rgb,
    width: Int,
): Rgb {
    val filter = Filter(picture.width, width)
    val resized = ByteArray(width * picture.height * picture.channels)
    var at = 0
    for (row in 0 until picture.height) {
        val start = row * picture.width
        for (column in 0 until width) {
            val from = (start + filter.first[column]) * picture.channels
            for (channel in 0 until picture.channels) {
                resized[at++] = weighted(picture.bytes, from + channel, picture.channels, filter.weights[column])
            }
        }
    }
    return Rgb(width, picture.height, resized, picture.channels)
}

private fun resizeColumns(
    picture: Rgb,
    height: Int,
): Rgb {
    val filter = Filter(picture.height, height)
    val rowBytes = picture.width * picture.channels
    val resized = ByteArray(rowBytes * height)
    for (row in 0 until height) {
        val from = filter.first[row] * rowBytes
        for (column in 0 until rowBytes) {
            resized[row * rowBytes + column] = weighted(picture.bytes, from + column, rowBytes, filter.weights[row])
        }
    }
    return Rgb(picture.width, height, resized, picture.channels)
}

private fun weighted(
    bytes: ByteArray,
    from: Int,
    step: Int,
    weights: IntArray,
): Byte {
    var sum = HALF
    var at = from
    for (weight in weights) {
        sum += (bytes[at].toInt() and BYTE) * weight
        at += step
    }
    return (sum shr PRECISION_BITS).coerceIn(0, BYTE).toByte()
}
