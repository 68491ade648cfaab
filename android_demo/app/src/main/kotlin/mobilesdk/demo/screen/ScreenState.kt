package mobilesdk.demo.screen

import mobilesdk.demo.camera.Sides
import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.picture.Part
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.task.Answer
import java.util.concurrent.CancellationException

/** All that the screen shows at one time; it never changes, the next one takes its place. */
data class ScreenState(
    val bundles: List<String> = emptyList(),
    val selected: Int? = null,
    val threads: Int = 1,
    val beside: Beside? = null,
    val runtime: String? = null,
    val golden: String? = null,
    val busy: Boolean = false,
    val picture: Rgb? = null,
    val answer: Answer? = null,
    val latencyMs: Double? = null,
    /** What the camera sees, while it is on; [picture] is then null. */
    val live: Live? = null,
    val progress: Double? = null,
    /** Every bundle's last benchmark, with its threads, in the order in which they were first measured. */
    val measured: List<Measured> = emptyList(),
    val notice: Notice? = null,
) {
    /** True where there is a model to use. */
    val isReady: Boolean get() = runtime != null && !busy

    /** True while a benchmark runs, which can be stopped. */
    val isMeasuring: Boolean get() = progress != null

    /** True while the screen must not go dark: what is measured on a sleeping phone is another phone's time. */
    val keepsScreenOn: Boolean get() = isMeasuring || live != null
}

/** The camera's picture and how fast answers follow it; null where there was no frame yet. */
data class Live(
    val frame: Sides? = null,
    /** What the model reads of a frame. */
    val part: Part? = null,
    val framesPerSecond: Double? = null,
    /** From a frame's arrival in the app to its answer: colours, cut, resize, the model, and what its output means. */
    val frameToAnswerMs: Double? = null,
)

/** Another bundle, float32 beside int8 for example, and what it says of the same picture. */
data class Beside(
    val index: Int,
    val answer: Answer? = null,
    val latencyMs: Double? = null,
)

/** A benchmark's times in a line of the chart. */
data class Measured(
    val bundle: String,
    val threads: Int,
    val medianMs: Double,
    val p90Ms: Double,
)

/** Something that went wrong, or well; the screen puts it into the user's language. */
sealed interface Notice {
    data object NoBundles : Notice

    data class BundleRefused(
        val reason: String,
    ) : Notice

    data class ModelFailed(
        val reason: String,
    ) : Notice

    data class BadPicture(
        val reason: String,
    ) : Notice

    /** Every so manieth pixel of a side was read, which is not what the SDK would read. */
    data class ReducedPicture(
        val reduction: Int,
    ) : Notice

    data object NoPictures : Notice

    data object NoCamera : Notice

    data object CameraDenied : Notice

    /** Android does not ask any more; only its settings can allow the camera. */
    data object CameraBlocked : Notice

    data class Measured(
        val medianMs: Double,
        val file: String,
        val advice: String?,
    ) : Notice

    data object Stopped : Notice
}

/**
 * Does something that may fail, and returns what is to be said of it: what [action] returns, or why it failed. Bundles
 * are refused by an exception of their own; a runtime may throw anything, a missing library an Error.
 */
internal fun attempt(action: () -> Notice?): Notice? =
    try {
        action()
    } catch (refusal: BundleRefusal) {
        Notice.BundleRefused(reason(refusal))
    } catch (_: CancellationException) {
        Notice.Stopped
    } catch (problem: Exception) {
        Notice.ModelFailed(reason(problem))
    } catch (problem: LinkageError) {
        Notice.ModelFailed(reason(problem))
    } catch (problem: OutOfMemoryError) {
        Notice.ModelFailed(reason(problem))
    }

internal fun reason(problem: Throwable): String = problem.message ?: problem.javaClass.simpleName
