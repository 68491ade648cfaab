package mobilesdk.demo.screen

import mobilesdk.demo.benchmark.Summary
import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.bundle.BundleRefusal
import mobilesdk.demo.bundle.BundleShelf
import mobilesdk.demo.bundle.Source
import mobilesdk.demo.model.Model
import mobilesdk.demo.model.Models
import mobilesdk.demo.model.replayGolden
import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.picture.prepare
import mobilesdk.demo.picture.shown
import mobilesdk.demo.task.Answer
import java.io.File
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicBoolean

/**
 * Holds the screen's state and makes the next one. It outlives a turn of the phone. Everything heavy runs on [work], one
 * thing after the other, and [observer] hears of every new state there.
 */
class ScreenModel(
    private val shelf: BundleShelf,
    private val models: Models,
    private val work: Executor,
    private val now: () -> Long = System::nanoTime,
) {
    @Volatile
    var state = ScreenState()
        private set

    @Volatile
    var observer: ((ScreenState) -> Unit)? = null

    private val isLooking = AtomicBoolean()
    private var loaded: Loaded? = null // touched on `work` alone

    private class Loaded(
        val bundle: Bundle,
        val model: Model,
    )

    /** Lists the bundles and opens the first. */
    fun start() =
        work.execute {
            val names = shelf.names()
            val first = names.indices.firstOrNull()
            update { copy(bundles = names, selected = first, notice = Notice.NoBundles.takeIf { first == null }) }
            if (first != null) open(first)
        }

    /** Opens another bundle; what the last one said goes. */
    fun select(index: Int) {
        if (index == state.selected) return
        update { copy(selected = index, busy = true) }
        work.execute { open(index) }
    }

    /** Shows what [read] reads; whatever it throws is a notice, as other apps' files come through it. */
    fun look(read: () -> Rgb) =
        work.execute {
            val picture =
                try {
                    read()
                } catch (problem: Exception) {
                    return@execute update { copy(notice = Notice.BadPicture(reason(problem))) }
                } catch (problem: OutOfMemoryError) {
                    return@execute update { copy(notice = Notice.BadPicture(reason(problem))) }
                }
            answerFor(picture)
        }

    /** Shows a camera's frame, or drops it where one is still being looked at: then [read] is not called. */
    fun lookAtFrame(read: () -> Rgb) {
        if (!isLooking.compareAndSet(false, true)) return
        try {
            val frame = read()
            work.execute { release { answerFor(frame) } }
        } catch (_: IllegalStateException) {
            isLooking.set(false) // the camera was closed while the frame was read
        }
    }

    fun noCamera() = update { copy(notice = Notice.NoCamera) }

    fun cameraDenied() = update { copy(notice = Notice.CameraDenied) }

    /** Measures the bundle into [file] by [measure], which is told to whom it reports its progress, 0 to 1. */
    fun benchmark(
        file: File,
        measure: (Bundle, File, (Double) -> Unit) -> Summary,
    ) = work.execute {
        val bundle = loaded?.bundle ?: return@execute
        update { copy(busy = true, progress = 0.0, notice = null) }
        val notice =
            attempt {
                val summary = measure(bundle, file) { share -> update { copy(progress = share) } }
                Notice.Measured(summary.medianMs, file.path, summary.advice)
            }
        update { copy(busy = false, progress = null, notice = notice) }
    }

    /** Frees the model; nothing is shown afterwards. */
    fun close() {
        observer = null
        work.execute(::unload)
    }

    private fun open(index: Int) {
        unload()
        update { ScreenState(bundles = bundles, selected = index, busy = true) }
        val notice =
            attempt {
                val bundle = shelf.open(state.bundles[index])
                val model = models.open(bundle, THREADS)
                loaded = Loaded(bundle, model)
                update { copy(golden = replayGolden(bundle, model).text, answer = goldenAnswer(bundle, model)) }
                null
            }
        update { copy(busy = false, runtime = loaded?.bundle?.runtime?.id, notice = notice) }
    }

    /** The answer to the first golden array, which a phone has no other of; null where pictures can be chosen. */
    private fun goldenAnswer(
        bundle: Bundle,
        model: Model,
    ): Answer? {
        if (bundle.manifest.source is Source.Picture) return null
        return bundle.manifest.task.answer(model.outputs(bundle.goldenPicture(0)), SHOWN)
    }

    private fun release(action: () -> Unit) =
        try {
            action()
        } finally {
            isLooking.set(false)
        }

    private fun unload() {
        loaded?.model?.close()
        loaded = null
    }

    private fun answerFor(picture: Rgb) {
        val (bundle, model) = loaded?.run { bundle to model } ?: return
        val failure =
            attempt {
                val image = (bundle.manifest.source as? Source.Picture)?.image ?: return@attempt Notice.NoPictures
                val prepared = prepare(picture, image)
                val start = now()
                val outputs = model.outputs(prepared)
                val latencyMs = (now() - start) / NANOSECONDS_PER_MS
                val answer = bundle.manifest.task.answer(outputs, SHOWN)
                val shown = shown(picture, prepared, image)
                update { copy(picture = shown, answer = answer, latencyMs = latencyMs, notice = null) }
                null
            }
        if (failure != null) update { copy(notice = failure) }
    }

    /** Bundles are refused by an exception of their own; a runtime may throw anything, a missing library an Error. */
    private fun attempt(action: () -> Notice?): Notice? =
        try {
            action()
        } catch (refusal: BundleRefusal) {
            Notice.BundleRefused(reason(refusal))
        } catch (problem: Exception) {
            Notice.ModelFailed(reason(problem))
        } catch (problem: LinkageError) {
            Notice.ModelFailed(reason(problem))
        } catch (problem: OutOfMemoryError) {
            Notice.ModelFailed(reason(problem))
        }

    private fun reason(problem: Throwable): String = problem.message ?: problem.javaClass.simpleName

    /** The next state follows from the one before, whatever other thread has just made that. */
    @Synchronized
    private fun update(change: ScreenState.() -> ScreenState) {
        state = state.change()
        observer?.invoke(state)
    }

    private companion object {
        const val SHOWN = 5
        const val THREADS = 1 // as the SDK measures; more threads cost a phone more heat than they save time
        const val NANOSECONDS_PER_MS = 1e6
    }
}
