package mobilesdk.runtime.picture

/** A picture as RGB bytes, row by row, three bytes a pixel; what a model reads may have other [channels]. */
class Rgb(
    val width: Int,
    val height: Int,
    val bytes: ByteArray,
    val channels: Int = CHANNELS,
) {
    init {
        require(
            bytes.size == width * height * channels,
        ) { "expected $width × $height pixels, found ${bytes.size} bytes" }
    }

    /** The pixel at a place, as Android packs it: opaque ARGB. */
    fun packed(index: Int): Int {
        val at = index * CHANNELS
        val red = bytes[at].toInt() and WHITE
        val green = bytes[at + 1].toInt() and WHITE
        return OPAQUE or (red shl 2 * Byte.SIZE_BITS) or (green shl Byte.SIZE_BITS) or (bytes[at + 2].toInt() and WHITE)
    }

    /** All pixels as Android packs them; made once, by whoever asks first. */
    val argb: IntArray by lazy { IntArray(width * height, ::packed) }

    /** The part from ([left], [top]) that is [wide] and [high]. */
    fun part(
        left: Int,
        top: Int,
        wide: Int,
        high: Int,
    ): Rgb {
        val cut = ByteArray(wide * high * channels)
        for (row in 0 until high) {
            val from = ((top + row) * width + left) * channels
            bytes.copyInto(cut, row * wide * channels, from, from + wide * channels)
        }
        return Rgb(wide, high, cut, channels)
    }

    /** In one channel, by Pillow's weights of red, green and blue. */
    fun grey(): Rgb {
        val grey =
            ByteArray(width * height) { pixel ->
                val sum = LUMA.indices.sumOf { LUMA[it] * (bytes[pixel * CHANNELS + it].toInt() and WHITE) }
                ((sum + LUMA_HALF) shr LUMA_BITS).toByte()
            }
        return Rgb(width, height, grey, 1)
    }

    /** In three channels, which a screen shows. */
    fun inColour(): Rgb =
        if (channels == 1) Rgb(width, height, ByteArray(bytes.size * CHANNELS) { bytes[it / CHANNELS] }) else this

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

        /**
         * Pixels as Android's bitmaps hold them in memory: rows of [rowBytes] bytes, each pixel red, green, blue and
         * alpha, which is not yet multiplied in. They are laid over white as [overWhite] does with packed ones.
         */
        fun overWhiteRgba(
            width: Int,
            height: Int,
            rowBytes: Int,
            rgba: ByteArray,
        ): Rgb {
            val bytes = ByteArray(width * height * CHANNELS)
            var to = 0
            for (row in 0 until height) {
                var from = row * rowBytes
                repeat(width) {
                    val alpha = rgba[from + CHANNELS].toInt() and WHITE
                    for (channel in 0 until CHANNELS) {
                        bytes[to++] = overWhite(rgba[from + channel].toInt() and WHITE, alpha).toByte()
                    }
                    from += CHANNELS + 1
                }
            }
            return Rgb(width, height, bytes)
        }

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

        private val LUMA = intArrayOf(19595, 38470, 7471)
        private const val LUMA_BITS = 16
        private const val LUMA_HALF = 1 shl (LUMA_BITS - 1)
        private const val WHITE = 255
        private const val OPAQUE = WHITE shl 24
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
