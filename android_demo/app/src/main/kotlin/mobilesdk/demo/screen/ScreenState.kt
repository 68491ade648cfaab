package mobilesdk.demo.screen

import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.task.Answer

/** All that the screen shows at one time; it never changes, the next one takes its place. */
data class ScreenState(
    val bundles: List<String> = emptyList(),
    val selected: Int? = null,
    val runtime: String? = null,
    val golden: String? = null,
    val busy: Boolean = false,
    val picture: Rgb? = null,
    val answer: Answer? = null,
    val latencyMs: Double? = null,
    val progress: Double? = null,
    val notice: Notice? = null,
) {
    /** True where there is a model to use. */
    val isReady: Boolean get() = runtime != null && !busy
}

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

    data object NoPictures : Notice

    data object NoCamera : Notice

    data object CameraDenied : Notice

    data class Measured(
        val medianMs: Double,
        val file: String,
        val advice: String?,
    ) : Notice
}
