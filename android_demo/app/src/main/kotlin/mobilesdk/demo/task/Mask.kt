package mobilesdk.demo.task

/** The label of every pixel of the net's picture: [labels] holds its index in a byte, row by row, [side] a row. */
class Mask(
    val side: Int,
    val labels: ByteArray,
) {
    /** Counts the pixels that show each of the first [count] labels. */
    fun pixels(count: Int): IntArray {
        val pixels = IntArray(count)
        for (label in labels) pixels[label.toInt() and BYTE]++
        return pixels
    }

    override fun equals(other: Any?): Boolean =
        other is Mask && side == other.side && labels.contentEquals(other.labels)

    override fun hashCode(): Int = labels.contentHashCode()

    companion object {
        private const val BYTE = 0xFF

        /** Reads scores, for every pixel one a label: the largest wins, of equal ones the lower index. */
        fun of(
            scores: FloatArray,
            labels: Int,
            side: Int,
        ): Mask {
            val mask = ByteArray(side * side)
            for (pixel in mask.indices) {
                var best = 0
                for (label in 1 until labels) {
                    if (scores[pixel * labels + label] > scores[pixel * labels + best]) best = label
                }
                mask[pixel] = best.toByte()
            }
            return Mask(side, mask)
        }
    }
}
