package mobilesdk.runtime.tensor

import mobilesdk.runtime.picture.Rgb
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.round

/**
 * An array that a model reads in place of a picture. A number's code is `round(number / scale) + zeroPoint`, ties to
 * even, no less than -128 and no more than 127; codes travel as bytes, `code + 128`, as pictures do.
 */
data class ArraySpec(
    val shape: List<Int>,
    val scale: Double,
    val zeroPoint: Int,
) {
    private val isMap get() = shape.size == MAP_SIDES

    /** How many bytes the numbers of one array have, as float32. */
    val byteCount: Long get() = shape.fold(Float.SIZE_BYTES.toLong(), Long::times)

    /** The bytes of an array's float32 numbers, little-endian in the order of [shape]. */
    fun stored(numbers: ByteArray): Rgb {
        val floats = ByteBuffer.wrap(numbers).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        return stored(FloatArray(floats.remaining()).also(floats::get))
    }

    /**
     * The bytes of an array's numbers in the order of [shape]: maps get their channels last. Throws
     * [IllegalArgumentException] for more or fewer numbers, and for such as are not finite.
     */
    fun stored(numbers: FloatArray): Rgb {
        val count = byteCount / Float.SIZE_BYTES
        require(numbers.size.toLong() == count) { "expected an array of $count numbers, found ${numbers.size}" }
        require(numbers.all(Float::isFinite)) { "expected finite numbers in an array, found NaN or infinity" }
        val channels = if (isMap) shape[0] else 1
        val places = numbers.size / channels
        val bytes = ByteArray(numbers.size) { byteOf(numbers[it % channels * places + it / channels]) }
        return Rgb(places, 1, bytes, channels)
    }

    private fun byteOf(number: Float): Byte {
        val code = round(number.toDouble() / scale) + zeroPoint
        return (code.coerceIn(CODES.first.toDouble(), CODES.last.toDouble()).toInt() - CODES.first).toByte()
    }

    private companion object {
        const val MAP_SIDES = 3
        val CODES = Byte.MIN_VALUE..Byte.MAX_VALUE
    }
}
