package mobilesdk.demo.task

/** The label of every pixel of the net's picture: [labels] holds its index in a byte, row by row. */
class Mask(
    val sides: Sides,
    val labels: ByteArray,
) {
    /** Counts the pixels that show each of the first [count] labels. */
    fun pixels(count: Int): IntArray {
        val pixels = IntArray(count)
        for (label in labels) pixels[label.toInt() and BYTE]++
        return pixels
    }

    override fun equals(other: Any?): Boolean =
        other is Mask && sides == other.sides && labels.contentEquals(other.labels)

    override fun hashCode(): Int = labels.contentHashCode()

    companion object {
        private const val BYTE = 0xFF

        /** Reads scores, for every pixel one a label: the largest wins, of equal ones the lower index. */
        fun of(
            scores: FloatArray,
            labels: Int,
            sides: Sides,
        ): Mask {
            val mask = ByteArray(sides.height * sides.width)
            for (pixel in mask.indices) {
                var best = 0
                for (label in 1 until labels) {
                    if (scores[pixel * labels + label] > scores[pixel * labels + best]) best = label
                }
                mask[pixel] = best.toByte()
            }
            return Mask(sides, mask)
        }
    }
}
