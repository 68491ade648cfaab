package mobilesdk.runtime.picture

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
    if (picture.width == width && picture.height == height) return picture
    val rows = if (picture.width == width) WholeRows(picture) else NarrowRows(picture, width)
    return if (picture.height == height) whole(rows, width, picture) else resizeColumns(rows, width, height, picture)
}

/** The rows of a picture, of which none is made before it is asked for: those of a long picture would fill the memory. */
private fun interface Rows {
    /** Writes a row's bytes into [target] from [at] on. */
    fun copyInto(
        row: Int,
        target: ByteArray,
        at: Int,
    )
}

private class WholeRows(
    private val picture: Rgb,
) : Rows {
    override fun copyInto(
        row: Int,
        target: ByteArray,
        at: Int,
    ) {
        val rowBytes = picture.width * picture.channels
        picture.bytes.copyInto(target, at, row * rowBytes, (row + 1) * rowBytes)
    }
}

private class NarrowRows(
    private val picture: Rgb,
    private val width: Int,
) : Rows {
    private val filter = Filter(picture.width, width)

    override fun copyInto(
        row: Int,
        target: ByteArray,
        at: Int,
    ) {
        val (start, channels) = row * picture.width to picture.channels
        for (column in 0 until width) {
            val from = (start + filter.first[column]) * channels
            for (channel in 0 until channels) {
                target[at + column * channels + channel] =
                    weighted(picture.bytes, from + channel, channels, filter.weights[column])
            }
        }
    }
}

private fun whole(
    rows: Rows,
    width: Int,
    picture: Rgb,
): Rgb {
    val rowBytes = width * picture.channels
    val resized = ByteArray(rowBytes * picture.height)
    for (row in 0 until picture.height) rows.copyInto(row, resized, row * rowBytes)
    return Rgb(width, picture.height, resized, picture.channels)
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

private fun resizeColumns(
    rows: Rows,
    width: Int,
    height: Int,
    picture: Rgb,
): Rgb {
    val filter = Filter(picture.height, height)
    val rowBytes = width * picture.channels
    val held = ByteArray(rowBytes * filter.weights.maxOf { it.size }) // the rows that one row is made of
    val resized = ByteArray(rowBytes * height)
    var (first, until) = 0 to 0 // which rows are held
    for (row in 0 until height) {
        val (from, weights) = filter.first[row] to filter.weights[row]
        if (from < until) held.copyInto(held, 0, (from - first) * rowBytes, (until - first) * rowBytes)
        for (next in maxOf(until, from) until from + weights.size) rows.copyInto(next, held, (next - from) * rowBytes)
        first = from
        until = maxOf(until, from + weights.size)
        for (column in 0 until rowBytes) resized[row * rowBytes + column] = weighted(held, column, rowBytes, weights)
    }
    return Rgb(width, height, resized, picture.channels)
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
