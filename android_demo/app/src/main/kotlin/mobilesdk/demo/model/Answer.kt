package mobilesdk.demo.model

import mobilesdk.demo.bundle.Manifest
import mobilesdk.demo.bundle.Task

/** What an output says of a picture, by the model's task. */
sealed interface Answer {
    /** The most probable labels, the most probable first. */
    data class Classified(
        val best: List<Prediction>,
    ) : Answer

    /** Things with their places, the surest first; empty where there is none. */
    data class Detected(
        val found: List<Found>,
    ) : Answer

    /** What every pixel shows; of [parts], the labels that occur, the largest first. */
    data class Segmented(
        val mask: Mask,
        val parts: List<Part>,
    ) : Answer
}

/** A label with its share of a picture's pixels. */
data class Part(
    val labelIndex: Int,
    val label: String,
    val share: Double,
)

/** A detection for a screen: the sides of [area] are shares of the picture's width and height, 0..1. */
data class Found(
    val labelIndex: Int,
    val label: String,
    val share: Double,
    val area: Box,
)

/** What [output] says; of a classification the [count] best labels. */
fun answer(
    output: FloatArray,
    manifest: Manifest,
    count: Int,
): Answer =
    when (val task = manifest.task) {
        Task.Classification -> {
            Answer.Classified(predictions(output, manifest, count))
        }

        Task.Segmentation -> {
            segmented(output, manifest)
        }

        is Task.Detection -> {
            val side = manifest.image.sizePx
            val found = detect(output, manifest.labels.size, task.rule, side)
            Answer.Detected(found.map { Found(it.labelIndex, manifest.labels[it.labelIndex], it.score, it.box / side) })
        }
    }

private fun segmented(
    output: FloatArray,
    manifest: Manifest,
): Answer.Segmented {
    val mask = Mask.of(output, manifest.labels.size, manifest.image.sizePx)
    val pixels = mask.pixels(manifest.labels.size)
    val parts =
        manifest.labels.indices
            .filter { pixels[it] > 0 }
            .sortedByDescending { pixels[it] }
            .map { Part(it, manifest.labels[it], pixels[it].toDouble() / mask.labels.size) }
    return Answer.Segmented(mask, parts)
}

/** The label that most pixels show, of equal ones the lower index; -1 where a score is no number. */
private fun widestLabel(
    output: FloatArray,
    manifest: Manifest,
): Int {
    if (output.any { it.isNaN() }) return -1
    val pixels = Mask.of(output, manifest.labels.size, manifest.image.sizePx).pixels(manifest.labels.size)
    return pixels.indices.maxBy { pixels[it] }
}

/** The index of the label that an output is surest of; -1 where one of its numbers is none. */
fun winner(
    output: FloatArray,
    manifest: Manifest,
): Int =
    when (manifest.task) {
        Task.Classification -> argMax(output)
        is Task.Detection -> surestLabel(output, manifest.labels.size)
        Task.Segmentation -> widestLabel(output, manifest)
    }
