package mobilesdk.runtime.task

private const val MAX_MASK_LABELS = 255 // a mask is bytes, and one of them says in training that a pixel has no label

/** A score for every label in every pixel. */
data class Segmentation(
    override val contract: TaskContract,
) : OneOutputTask {
    private val labels get() = contract.labels.size
    private val sides get() = contract.sides ?: Sides(0, 0)

    override val labelCounts get() = 2..MAX_MASK_LABELS

    override val takesArrays get() = false

    override val goldenFile: GoldenFile get() = GoldenMask()

    override fun outputMisfit(): String? {
        val expected = listOf(1, sides.height, sides.width, labels)
        return "expected an output $expected, found ${contract.output.shape}".takeIf {
            contract.output.shape != expected
        }
    }

    /** The label that most pixels show, of equal ones the lower index. */
    override fun winner(output: FloatArray): Int {
        val pixels = mask(output).pixels(labels)
        return pixels.indices.maxBy { pixels[it] }
    }

    /** Every label that occurs, the largest first. */
    override fun answer(
        output: FloatArray,
        count: Int,
    ): Answer {
        val mask = mask(output)
        val pixels = mask.pixels(labels)
        val parts = pixels.indices.filter { pixels[it] > 0 }.sortedByDescending { pixels[it] }
        val all = mask.labels.size.toDouble()
        return Answer(parts.map { LabelShare(it, contract.labels[it], pixels[it] / all) }, mask = mask)
    }

    private fun mask(output: FloatArray) = Mask.of(output, labels, sides)

    private inner class GoldenMask : GoldenFile {
        private val pixels = sides.height.toLong() * sides.width

        override val kind = "mask.bin"

        override val sizes = pixels..pixels

        override fun misfit(
            written: ByteArray,
            output: FloatArray,
            path: String,
        ): String? =
            "expected $path to be the mask of its output, found another".takeIf {
                !mask(output).labels.contentEquals(written)
            }
    }
}

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
