package mobilesdk.demo.picture

/** A picture as RGB bytes, row by row, three bytes a pixel. */
class Rgb(
    val width: Int,
    val height: Int,
    val bytes: ByteArray,
) {
    init {
        require(
            bytes.size == width * height * CHANNELS,
        ) { "expected $width × $height pixels, found ${bytes.size} bytes" }
    }

    /** The pixel at a place, as Android packs it: opaque ARGB. */
    fun packed(index: Int): Int =
        (0 until CHANNELS).fold(-1) { packed, channel ->
            (packed shl Byte.SIZE_BITS) or (bytes[index * CHANNELS + channel].toInt() and WHITE)
        }

    /** The part from ([left], [top]) that is [side] wide and high. */
    fun square(
        left: Int,
        top: Int,
        side: Int,
    ): Rgb {
        val cut = ByteArray(side * side * CHANNELS)
        for (row in 0 until side) {
            val from = ((top + row) * width + left) * CHANNELS
            bytes.copyInto(cut, row * side * CHANNELS, from, from + side * CHANNELS)
        }
        return Rgb(side, side, cut)
    }

    /** Turned by [quarters] quarter turns, clockwise. */
    fun turned(quarters: Int): Rgb = (0 until quarters.mod(4)).fold(this) { picture, _ -> picture.turnedOnce() }

    /** Left and right exchanged. */
    fun mirrored(): Rgb = moved(width, height) { row, column -> row * width + (width - 1 - column) }

    private fun turnedOnce(): Rgb = moved(height, width) { row, column -> (height - 1 - column) * width + row }

    private inline fun moved(
        newWidth: Int,
        newHeight: Int,
        pixelAt: (row: Int, column: Int) -> Int,
    ): Rgb {
        val moved = ByteArray(bytes.size)
        for (row in 0 until newHeight) {
            for (column in 0 until newWidth) {
                val from = pixelAt(row, column) * CHANNELS
                bytes.copyInto(moved, (row * newWidth + column) * CHANNELS, from, from + CHANNELS)
            }
        }
        return Rgb(newWidth, newHeight, moved)
    }

    companion object {
        const val CHANNELS = 3

        /** Packed ARGB pixels, alpha not yet multiplied in, over white; rounded as Pillow's `alpha_composite` does. */
        fun overWhite(
            width: Int,
            height: Int,
            argb: IntArray,
        ): Rgb {
            val bytes = ByteArray(argb.size * CHANNELS)
            for ((index, pixel) in argb.withIndex()) {
                val alpha = pixel ushr ALPHA_SHIFT
                for (channel in 0 until CHANNELS) {
                    val value = pixel shr (ALPHA_SHIFT - Byte.SIZE_BITS * (channel + 1)) and WHITE
                    bytes[index * CHANNELS + channel] = overWhite(value, alpha).toByte()
                }
            }
            return Rgb(width, height, bytes)
        }

        private fun overWhite(
            value: Int,
            alpha: Int,
        ): Int {
            if (alpha == WHITE) return value
            val sum = ((value * alpha + WHITE * (WHITE - alpha)) shl PRECISION_BITS) + (HALF shl PRECISION_BITS)
            return ((sum ushr Byte.SIZE_BITS) + sum) ushr Byte.SIZE_BITS ushr PRECISION_BITS
        }

        private const val WHITE = 255
        private const val HALF = 0x80
        private const val ALPHA_SHIFT = 24
        private const val PRECISION_BITS = 7
    }
}

/** The picture upright, where EXIF says that it was stored as [orientation], 1 to 8. */
fun upright(
    picture: Rgb,
    orientation: Int,
): Rgb =
    when (orientation) {
        2 -> picture.mirrored()
        3 -> picture.turned(2)
        4 -> picture.mirrored().turned(2)
        5 -> picture.mirrored().turned(3)
        6 -> picture.turned(1)
        7 -> picture.mirrored().turned(1)
        8 -> picture.turned(3)
        else -> picture
    }
