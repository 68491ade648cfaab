package mobilesdk.demo.task

import mobilesdk.demo.tensor.OutputSpec

/**
 * A kind of model: it says what an output means and what a screen shows of it.
 *
 * There is one class a task, each a row of [TASKS]. Nothing outside this package asks which one it has.
 */
interface Task {
    /** How many labels a model of this task may have. */
    val labelCounts: IntRange

    /** The file that it adds to each golden picture; null where it adds none. */
    val goldenFile: GoldenFile?

    /** Says why the model's output is none of this task; null where it fits. */
    fun outputMisfit(): String?

    /** Returns the index of the label that an output is surest of; -1 where one of its numbers is NaN. */
    fun winner(output: FloatArray): Int

    /** Returns what a screen shows of an output; of labels that all belong to the whole picture, the [count] best. */
    fun answer(
        output: FloatArray,
        count: Int,
    ): Answer
}

/** The part of a manifest that tasks read an output by. */
data class TaskContract(
    val labels: List<String>,
    val sides: Sides?,
    val output: OutputSpec,
)

/** The height and width of the net's picture, in pixels. */
data class Sides(
    val height: Int,
    val width: Int,
)

/** A file `golden/N.<kind>` that says what must follow from `golden/N.output.bin`. */
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
