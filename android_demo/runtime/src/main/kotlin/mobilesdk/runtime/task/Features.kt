package mobilesdk.runtime.task

import mobilesdk.runtime.tensor.namedArrays

private const val MOST_SIDES = 5 // of an output, its batch included

/** Raw values of a net: any number of outputs in any shape. Nothing says what is right, so there are no labels. */
data class Features(
    override val contract: TaskContract,
) : Task {
    override val labelCounts get() = 0..0

    override val takesArrays get() = true

    override val hasOneOutput get() = false

    override val goldenFile: GoldenFile? get() = null

    override fun outputMisfit(): String? {
        val other = contract.outputs.map { it.shape }.find { !fits(it) } ?: return null
        return "expected an output (1, …) with one to ${MOST_SIDES - 1} sides behind the batch, found $other"
    }

    /** No label can win: 0, as the manifest has it. */
    override fun winnerOf(outputs: List<FloatArray>): Int = 0

    override fun answerTo(
        outputs: List<FloatArray>,
        count: Int,
    ): Answer = Answer(features = namedArrays(outputs, contract.outputs))

    private fun fits(shape: List<Int>) = shape.size in 2..MOST_SIDES && shape[0] == 1 && shape.all { it > 0 }
}
