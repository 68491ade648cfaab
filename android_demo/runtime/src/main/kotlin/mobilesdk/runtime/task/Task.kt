package mobilesdk.runtime.task

import mobilesdk.runtime.tensor.OutputSpec
import mobilesdk.runtime.tensor.outputsMisfit

/**
 * A kind of model: it says what its outputs mean and what a screen shows of it.
 *
 * There is one class a task, each a row of [TASKS]. Nothing outside this package asks which one it has.
 */
interface Task {
    /** What the manifest says of the outputs. */
    val contract: TaskContract

    /** How many labels a model of this task may have. */
    val labelCounts: IntRange

    /** True where its model may read arrays in place of pictures. */
    val takesArrays: Boolean

    /** True where its model has one output and no more. */
    val hasOneOutput: Boolean

    /** The file that it adds to each golden picture; null where it adds none. */
    val goldenFile: GoldenFile?

    /** Says why one of the model's outputs is none of this task; null where all fit. */
    fun outputMisfit(): String?

    /** Returns the index of the label that outputs are surest of; -1 where they are none of this model's. */
    fun winner(outputs: List<FloatArray>): Int = if (misfit(outputs) == null) winnerOf(outputs) else -1

    /**
     * Returns what a screen shows of outputs; of labels that all belong to the whole picture, the [count] best. An answer
     * to outputs that are none of this model's has a problem and nothing else.
     */
    fun answer(
        outputs: List<FloatArray>,
        count: Int,
    ): Answer = misfit(outputs)?.let { Answer(problem = it) } ?: answerTo(outputs, count)

    /** The label that wins in outputs that fit. */
    fun winnerOf(outputs: List<FloatArray>): Int

    /** The answer to outputs that fit. */
    fun answerTo(
        outputs: List<FloatArray>,
        count: Int,
    ): Answer

    private fun misfit(outputs: List<FloatArray>) = outputsMisfit(outputs, contract.outputs)
}

/** A task whose model has one output. */
interface OneOutputTask : Task {
    override val hasOneOutput get() = true

    override fun winnerOf(outputs: List<FloatArray>): Int = winner(outputs.single())

    override fun answerTo(
        outputs: List<FloatArray>,
        count: Int,
    ): Answer = answer(outputs.single(), count)

    fun winner(output: FloatArray): Int

    fun answer(
        output: FloatArray,
        count: Int,
    ): Answer
}

/** The part of a manifest that tasks read outputs by. */
data class TaskContract(
    val labels: List<String>,
    val sides: Sides?,
    val outputs: List<OutputSpec>,
) {
    /** The output of a task that has one. */
    val output: OutputSpec get() = outputs.single()
}

/** The height and width of the net's picture, in pixels. */
data class Sides(
    val height: Int,
    val width: Int,
)

/** A file `golden/N.<kind>` that says what must follow from the one output in `golden/N.output.bin`. */
interface GoldenFile {
    val kind: String

    /** How many bytes it may have; nothing is read before that is known. */
    val sizes: LongRange

    /** Says why [written], read from [path], is not what [output] gives; null where it is. */
    fun misfit(
        written: ByteArray,
        output: FloatArray,
        path: String,
    ): String?
}
