package mobilesdk.demo.screen

import mobilesdk.demo.benchmark.Summary
import mobilesdk.demo.camera.FrameRate
import mobilesdk.demo.camera.Sides
import mobilesdk.demo.shelf.BundleShelf
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.model.Models
import mobilesdk.runtime.picture.ImageSpec
import mobilesdk.runtime.picture.ReadPicture
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.picture.partRead
import mobilesdk.runtime.picture.shown
import java.io.File
import java.util.concurrent.CancellationException
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
    private val isStopped = AtomicBoolean()
    private val rate = FrameRate()
    private var loaded: OpenedModel? = null // touched on `work` alone, as are the next three
    private var other: OpenedModel? = null
    private var lastFrame: Rgb? = null
    private var samples = 0

    /** Lists the bundles and opens the one that is called [preferred], or the first, on [threads]. */
    fun start(
        preferred: String? = null,
        threads: Int = 1,
    ) {
        update { copy(threads = threads) } // at once: a list that showed another number would choose that
        work.execute {
            val names = shelf.names()
            val first = names.indexOf(preferred).takeIf { it >= 0 } ?: names.indices.firstOrNull()
            update { copy(bundles = names, selected = first, notice = Notice.NoBundles.takeIf { first == null }) }
            if (first != null) open(first)
        }
    }

    /** Opens another bundle; what the last one said goes. */
    fun select(index: Int) {
        if (index == state.selected) return
        update { copy(selected = index, busy = true) }
        work.execute { open(index) }
    }

    /** Opens the bundle again, to compute on so many threads. */
    fun setThreads(threads: Int) {
        val selected = state.selected
        if (threads == state.threads) return
        update { copy(threads = threads, busy = selected != null) }
        if (selected != null) work.execute { open(selected) }
    }

    /** Opens another bundle beside the selected one, to answer for the same pictures; null closes it. */
    fun compare(index: Int?) {
        if (index == state.beside?.index) return
        update { copy(beside = index?.let(::Beside), busy = true) }
        work.execute { openBeside() }
    }

    /** Takes a bundle in by [add], which gives its name in the shelf, and opens it. */
    fun openAnother(add: () -> String) =
        work.execute {
            update { copy(busy = true, notice = null) }
            val notice =
                attempt {
                    val name = add()
                    val names = shelf.names()
                    update { copy(bundles = names, selected = names.indexOf(name)) }
                    null
                }
            if (notice == null) open(state.selected ?: 0) else update { copy(busy = false, notice = notice) }
        }

    /** Shows what [read] reads; whatever it throws is a notice, as other apps' files come through it. */
    fun look(read: () -> ReadPicture) =
        work.execute {
            val read =
                try {
                    read()
                } catch (problem: Exception) {
                    return@execute update { copy(notice = Notice.BadPicture(reason(problem))) }
                } catch (problem: OutOfMemoryError) {
                    return@execute update { copy(notice = Notice.BadPicture(reason(problem))) }
                }
            answerFor(read.picture)
            if (read.reduction > 1 && state.notice == null) {
                update { copy(notice = Notice.ReducedPicture(read.reduction)) }
            }
        }

    /** Shows the bundle's next golden picture, whose answer is known. */
    fun lookAtSample(read: (File) -> Rgb) =
        work.execute {
            val (bundle, image) = loaded?.run { bundle to image } ?: return@execute
            val failure =
                attempt {
                    if (image == null) return@attempt Notice.NoPictures
                    val pictures = bundle.manifest.golden.pictures.size
                    answerFor(read(bundle.goldenFile(samples++ % pictures, bundle.manifest.source.kind)))
                    null
                }
            if (failure != null) update { copy(notice = failure) }
        }

    /** Says that the camera goes on: frames come until [cameraOff]. */
    fun cameraOn() {
        work.execute(rate::clear)
        update { copy(live = Live(), picture = null, answer = null, latencyMs = null, notice = null) }
    }

    /** Says that the camera goes off: what it saw last stays as a picture. */
    fun cameraOff() {
        if (state.live == null) return
        update { copy(live = null) }
        work.execute {
            val frame = lastFrame
            lastFrame = null
            // A frame that is just being read is looked at after this, and stays then.
            if (frame != null && !isLooking.get()) answerFor(frame)
        }
    }

    /** Shows a camera's frame, or drops it where one is still being looked at: then [read] is not called. */
    fun lookAtFrame(read: () -> Rgb) {
        if (state.live == null || !isLooking.compareAndSet(false, true)) return
        val arrived = now()
        var frame: Rgb? = null
        try {
            frame = read()
        } catch (_: IllegalStateException) {
            // The camera was closed while the frame was read.
        } catch (problem: OutOfMemoryError) {
            update { copy(notice = Notice.BadPicture(reason(problem))) }
        }
        if (frame == null) isLooking.set(false) else work.execute { release { answerForFrame(frame, arrived) } }
    }

    fun noCamera() = update { copy(notice = Notice.NoCamera) }

    fun cameraDenied(isBlocked: Boolean = false) =
        update { copy(notice = if (isBlocked) Notice.CameraBlocked else Notice.CameraDenied) }

    /** Measures the bundle into [file] by [measure], which is told to whom it reports its progress, 0 to 1. */
    fun benchmark(
        file: File,
        measure: (Bundle, File, (Double) -> Unit) -> Summary,
    ) = work.execute {
        val bundle = loaded?.bundle ?: return@execute
        isStopped.set(false)
        update { copy(busy = true, progress = 0.0, notice = null) }
        val notice =
            attempt {
                val summary =
                    measure(bundle, file) { share ->
                        if (isStopped.get()) throw CancellationException()
                        update { copy(progress = share) }
                    }
                val (median, p90) = summary.medianMs to summary.p90Ms
                update { copy(measured = measured.with(Measured(bundle.folder.name, threads, median, p90))) }
                Notice.Measured(summary.medianMs, file.path, summary.advice)
            }
        update { copy(busy = false, progress = null, notice = notice) }
    }

    /** Stops a benchmark between two rounds; it writes nothing. */
    fun stop() = isStopped.set(true)

    /** Frees the model; nothing is shown afterwards. */
    fun close() {
        observer = null
        stop()
        work.execute(::unload)
    }

    private fun open(index: Int) {
        unload()
        samples = 0
        update {
            val (kept, camera) = beside?.let { Beside(it.index) } to live?.let { Live() }
            ScreenState(bundles, index, threads, kept, busy = true, live = camera, measured = measured)
        }
        val notice =
            attempt {
                val opened = load(index).also { loaded = it }
                update { copy(golden = opened.replayed().text, answer = opened.goldenAnswer()) }
                null
            }
        update { copy(busy = false, runtime = loaded?.bundle?.runtime?.id, notice = notice) }
        if (state.beside != null) openBeside()
    }

    private fun load(index: Int): OpenedModel {
        val bundle = shelf.open(state.bundles[index])
        return OpenedModel(bundle, models.open(bundle, state.threads))
    }

    private fun openBeside() {
        other?.close()
        other = null
        val failure =
            attempt {
                state.beside?.let { other = load(it.index) }
                null
            }
        update { copy(busy = false, beside = beside.takeIf { failure == null }, notice = failure ?: notice) }
    }

    private fun release(action: () -> Unit) =
        try {
            action()
        } finally {
            isLooking.set(false)
        }

    private fun unload() {
        listOf(loaded, other).forEach { it?.close() }
        loaded = null
        other = null
    }

    private fun answerFor(picture: Rgb) =
        answering { model, image ->
            val (prepared, answer, latencyMs) = model.answer(picture, image)
            val shown = shown(picture, prepared, image)
            shown.argb // packed here, and not on the thread that draws
            update { copy(picture = shown, answer = answer, latencyMs = latencyMs, notice = null) }
            answerBeside(picture)
        }

    private fun answerForFrame(
        frame: Rgb,
        arrived: Long,
    ) {
        if (state.live == null) return answerFor(frame)
        lastFrame = frame
        answering { model, image ->
            val (_, answer, latencyMs) = model.answer(frame, image, isFrame = true)
            val ended = now()
            val part = partRead(frame.width, frame.height, image)
            val seen = Live(Sides(frame.width, frame.height), part, rate.next(ended), milliseconds(ended - arrived))
            update { if (live == null) this else copy(live = seen, answer = answer, latencyMs = latencyMs) }
            answerBeside(frame)
        }
    }

    /** What the other bundle, with its own recipe, says of the same picture; after the time of the first was taken. */
    private fun answerBeside(picture: Rgb) {
        val second = other ?: return
        val image = second.image ?: return update { copy(notice = Notice.NoPictures) }
        val (_, answer, latencyMs) = second.answer(picture, image, isFrame = state.live != null)
        update { copy(beside = beside?.copy(answer = answer, latencyMs = latencyMs)) }
    }

    private fun answering(action: (OpenedModel, ImageSpec) -> Unit) {
        val model = loaded ?: return
        val failure =
            attempt {
                action(model, model.image ?: return@attempt Notice.NoPictures)
                null
            }
        if (failure != null) update { copy(notice = failure) }
    }

    private fun milliseconds(nanoseconds: Long): Double = nanoseconds / NANOSECONDS_PER_MS

    /** The next state follows from the one before, whatever other thread has just made that. */
    @Synchronized
    private fun update(change: ScreenState.() -> ScreenState) {
        state = state.change()
        observer?.invoke(state)
    }

    private companion object {
        const val NANOSECONDS_PER_MS = 1e6
    }
}
