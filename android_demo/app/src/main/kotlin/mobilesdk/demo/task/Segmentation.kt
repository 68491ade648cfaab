package mobilesdk.demo.task

private const val MAX_MASK_LABELS = 255 // a mask is bytes, and one of them says in training that a pixel has no label

/** A score for every label in every pixel. */
data class Segmentation(
    private val contract: TaskContract,
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
        if (output.any { it.isNaN() }) return -1
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
