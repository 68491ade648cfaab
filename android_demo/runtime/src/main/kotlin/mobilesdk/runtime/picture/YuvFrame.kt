package mobilesdk.runtime.picture

import java.nio.ByteBuffer
import kotlin.math.min

/** One plane of a camera's frame: bytes that stand [pixelStride] apart in rows that stand [rowStride] apart. */
class Plane(
    val bytes: ByteBuffer,
    val rowStride: Int,
    val pixelStride: Int,
)

/**
 * Turns a camera's frames into RGB pictures, one after the other; its arrays serve all frames of a size.
 *
 * A picture that it gives is overwritten by the next one.
 */
class FrameReader {
    private var y = ByteArray(0)
    private var u = ByteArray(0)
    private var v = ByteArray(0)
    private var rgb = ByteArray(0)

    /**
     * The picture of a frame in YUV 4:2:0, whose colour planes have half the rows and columns, turned by [quarters]
     * quarter turns, clockwise.
     */
    fun read(
        width: Int,
        height: Int,
        planes: List<Plane>,
        quarters: Int = 0,
    ): Rgb {
        val (light, blue, red) = planes
        y = copied(light, y)
        u = copied(blue, u)
        v = copied(red, v)
        val size = width * height * Rgb.CHANNELS
        if (rgb.size != size) rgb = ByteArray(size)
        convert(width, height, planes, Turn(width, height, quarters))
        return if (quarters % 2 == 0) Rgb(width, height, rgb) else Rgb(height, width, rgb)
    }

    private fun convert(
        width: Int,
        height: Int,
        planes: List<Plane>,
        turn: Turn,
    ) {
        val (light, blue, red) = planes
        for (row in 0 until height) {
            var at = turn.first + row * turn.rowStep
            for (column in 0 until width) {
                val bright = ((y[row * light.rowStride + column * light.pixelStride].toInt() and BYTE) shl BITS) + HALF
                val colour = u[row / 2 * blue.rowStride + column / 2 * blue.pixelStride].toInt() and BYTE
                val colourRed = v[row / 2 * red.rowStride + column / 2 * red.pixelStride].toInt() and BYTE
                rgb[at] = byteOf(bright + RED_OF_V * (colourRed - MIDDLE))
                rgb[at + 1] = byteOf(bright - GREEN_OF_U * (colour - MIDDLE) - GREEN_OF_V * (colourRed - MIDDLE))
                rgb[at + 2] = byteOf(bright + BLUE_OF_U * (colour - MIDDLE))
                at += turn.columnStep
            }
        }
    }

    /** In one copy: to ask a direct buffer for every byte by itself takes several times as long. */
    private fun copied(
        plane: Plane,
        before: ByteArray,
    ): ByteArray {
        val bytes = plane.bytes.duplicate()
        val count = min(bytes.capacity(), bytes.limit())
        val into = if (before.size >= count) before else ByteArray(count)
        bytes.position(0)
        bytes.get(into, 0, count)
        return into
    }

    /** Where a turned picture has the first pixel of the frame, and how far the next column and row are, in bytes. */
    private class Turn(
        width: Int,
        height: Int,
        quarters: Int,
    ) {
        val first: Int
        val columnStep: Int
        val rowStep: Int

        init {
            val (start, column, row) =
                when (quarters.mod(4)) {
                    0 -> Triple(0, 1, width)
                    1 -> Triple(height - 1, height, -1)
                    2 -> Triple(width * height - 1, -1, -width)
                    else -> Triple((width - 1) * height, -height, 1)
                }
            first = start * Rgb.CHANNELS
            columnStep = column * Rgb.CHANNELS
            rowStep = row * Rgb.CHANNELS
        }
    }
}

private const val BYTE = 0xFF
private const val MIDDLE = 0x80
private const val BITS = 16
private const val HALF = 1 shl (BITS - 1)
private const val RED_OF_V = 91881 // 1.402 in fixed point, and so on: JFIF's full-range BT.601
private const val GREEN_OF_U = 22554
private const val GREEN_OF_V = 46802
private const val BLUE_OF_U = 116130

private fun byteOf(fixed: Int): Byte = (fixed shr BITS).coerceIn(0, BYTE).toByte()
