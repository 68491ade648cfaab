package mobilesdk.runtime.task

import mobilesdk.runtime.tensor.reals

/** One score a label, of the whole picture. */
data class Classification(
    override val contract: TaskContract,
) : OneOutputTask {
    override val labelCounts get() = 2..Int.MAX_VALUE

    override val takesArrays get() = true

    override val goldenFile: GoldenFile? get() = null

    override fun outputMisfit(): String? {
        val (shape, expected) = contract.output.shape to listOf(1, contract.labels.size)
        return "expected one score a label, $expected, found $shape".takeIf { shape != expected }
    }

    override fun winner(output: FloatArray): Int = argMax(output)

    /** The most probable labels come first, of equal ones the lower index. */
    override fun answer(
        output: FloatArray,
        count: Int,
    ): Answer {
        val shares = softmax(reals(output, contract.output))
        val best = shares.indices.sortedByDescending { shares[it] }.take(count)
        return Answer(best.map { LabelShare(it, contract.labels[it], shares[it]) })
    }
}
