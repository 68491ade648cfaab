package mobilesdk.demo.screen

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Source
import mobilesdk.runtime.model.GoldenReplay
import mobilesdk.runtime.model.Model
import mobilesdk.runtime.model.replayGolden
import mobilesdk.runtime.model.warmLatencyMs
import mobilesdk.runtime.picture.ImageSpec
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.picture.prepare
import mobilesdk.runtime.task.Answer
import mobilesdk.runtime.tensor.inputBytes
import mobilesdk.runtime.tensor.readOutputs

/** A bundle with its loaded model. */
internal class OpenedModel(
    val bundle: Bundle,
    private val model: Model,
) : AutoCloseable {
    /** How a picture becomes the model's input; null of a model of arrays. */
    val image: ImageSpec? get() = (bundle.manifest.source as? Source.Picture)?.image

    fun replayed(): GoldenReplay = replayGolden(bundle, model)

    /** The answer to the first golden array, which a phone has no other of; null where pictures can be chosen. */
    fun goldenAnswer(): Answer? =
        if (image == null) bundle.manifest.task.answer(model.outputs(bundle.goldenPicture(0)), SHOWN) else null

    /** The answer to a picture, and the time of the model alone: of a camera's frame that of one run, else a warm one's. */
    fun answer(
        picture: Rgb,
        image: ImageSpec,
        isFrame: Boolean = false,
    ): TimedAnswer {
        val prepared = prepare(picture, image)
        model.write(inputBytes(prepared, bundle.manifest.input))
        val latencyMs = if (isFrame) model.run() / NANOSECONDS_PER_MS else model.warmLatencyMs()
        val answer = bundle.manifest.task.answer(readOutputs(model.read(), bundle.manifest.outputs), SHOWN)
        answer.problem?.let { error(it) }
        return TimedAnswer(prepared, answer, latencyMs)
    }

    override fun close() = model.close()

    private companion object {
        const val SHOWN = 5
        const val NANOSECONDS_PER_MS = 1e6
    }
}

/** An answer, of what the model read of the picture. */
internal data class TimedAnswer(
    val prepared: Rgb,
    val answer: Answer,
    val latencyMs: Double,
)
