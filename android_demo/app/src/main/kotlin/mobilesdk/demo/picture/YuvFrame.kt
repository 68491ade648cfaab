package mobilesdk.demo.picture

import java.nio.ByteBuffer

/** One plane of a camera's frame: bytes that stand [pixelStride] apart in rows that stand [rowStride] apart. */
class Plane(
    private val bytes: ByteBuffer,
    private val rowStride: Int,
    private val pixelStride: Int,
) {
    operator fun get(
        row: Int,
        column: Int,
    ): Int = bytes.get(row * rowStride + column * pixelStride).toInt() and BYTE

    private companion object {
        const val BYTE = 0xFF
    }
}

private const val MIDDLE = 0x80
private const val FRACTION_BITS = 16
private const val HALF = 1 shl (FRACTION_BITS - 1)
private const val RED_OF_V = 91881 // 1.402 in fixed point, and so on: JFIF's full-range BT.601
private const val GREEN_OF_U = 22554
private const val GREEN_OF_V = 46802
private const val BLUE_OF_U = 116130

/** The RGB picture of a frame in YUV 4:2:0, whose colour planes have half the rows and columns. */
fun rgbOf(
    width: Int,
    height: Int,
    y: Plane,
    u: Plane,
    v: Plane,
): Rgb {
    val bytes = ByteArray(width * height * Rgb.CHANNELS)
    var at = 0
    for (row in 0 until height) {
        for (column in 0 until width) {
            val light = (y[row, column] shl FRACTION_BITS) + HALF
            val blue = u[row / 2, column / 2] - MIDDLE
            val red = v[row / 2, column / 2] - MIDDLE
            bytes[at++] = byteOf(light + RED_OF_V * red)
            bytes[at++] = byteOf(light - GREEN_OF_U * blue - GREEN_OF_V * red)
            bytes[at++] = byteOf(light + BLUE_OF_U * blue)
        }
    }
    return Rgb(width, height, bytes)
}

private fun byteOf(fixed: Int): Byte = (fixed shr FRACTION_BITS).coerceIn(0, 0xFF).toByte()
