package mobilesdk.demo.screen

import android.app.Activity
import android.graphics.Bitmap
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.ProgressBar
import android.widget.Spinner
import android.widget.TextView
import mobilesdk.demo.R
import mobilesdk.demo.picture.Rgb

/** A view of the layout; `findViewById` itself has known its type since Android 8 only. */
internal inline fun <reified V : View> Activity.view(id: Int): V = findViewById(id) as V

/** Puts a state into the views; it keeps nothing but what it has drawn. */
class ScreenView(
    private val activity: Activity,
) {
    private val picture: PictureView = activity.view(R.id.picture)
    private val predictions: TextView = activity.view(R.id.predictions)
    private val latency: TextView = activity.view(R.id.latency)
    private val golden: TextView = activity.view(R.id.golden)
    private val notice: TextView = activity.view(R.id.notice)
    private val progress: ProgressBar = activity.view(R.id.progress)
    private val bundles: Spinner = activity.view(R.id.bundles)
    private val buttons = listOf(R.id.camera, R.id.pick, R.id.benchmark).map { activity.view<Button>(it) }
    private val words = AnswerWords(activity.resources)
    private var drawn: Rgb? = null
    private var listed: List<String> = emptyList()

    fun show(state: ScreenState) {
        showBundles(state)
        showPicture(state)
        predictions.text = state.answer?.let(words::lines)
        latency.text = state.latencyMs?.let { text(R.string.latency, it, state.runtime.orEmpty()) }.orEmpty()
        golden.text = state.golden.orEmpty()
        notice.text = state.notice?.let(::words).orEmpty()
        notice.visibility = if (state.notice == null) View.GONE else View.VISIBLE
        progress.visibility = if (state.busy) View.VISIBLE else View.INVISIBLE
        progress.isIndeterminate = state.progress == null
        progress.progress = ((state.progress ?: 0.0) * progress.max).toInt()
        buttons.forEach { it.isEnabled = state.isReady }
        bundles.isEnabled = !state.busy
    }

    private fun showBundles(state: ScreenState) {
        if (listed != state.bundles) {
            listed = state.bundles
            bundles.adapter = ArrayAdapter(activity, android.R.layout.simple_spinner_dropdown_item, listed)
        }
        state.selected?.let { if (bundles.selectedItemPosition != it) bundles.setSelection(it) }
    }

    private fun showPicture(state: ScreenState) {
        if (drawn !== state.picture) {
            drawn = state.picture
            picture.setImageBitmap(state.picture?.let(::bitmap))
        }
        picture.show(state.answer) { text(R.string.tag, it.label, it.share * 100) }
        picture.contentDescription =
            state.answer?.let { text(R.string.picture_of, words.spoken(it)) } ?: text(R.string.no_picture)
    }

    private fun bitmap(rgb: Rgb): Bitmap {
        val pixels = IntArray(rgb.width * rgb.height) { rgb.packed(it) }
        return Bitmap.createBitmap(pixels, rgb.width, rgb.height, Bitmap.Config.ARGB_8888)
    }

    private fun words(notice: Notice): String =
        when (notice) {
            Notice.NoBundles -> text(R.string.no_bundles)
            Notice.NoPictures -> text(R.string.no_pictures)
            Notice.NoCamera -> text(R.string.no_camera)
            Notice.CameraDenied -> text(R.string.camera_denied)
            is Notice.BundleRefused -> text(R.string.bundle_refused, notice.reason)
            is Notice.ModelFailed -> text(R.string.model_failed, notice.reason)
            is Notice.BadPicture -> text(R.string.bad_picture, notice.reason)
            is Notice.Measured -> measured(notice)
        }

    private fun measured(notice: Notice.Measured): String {
        val result = text(R.string.measured, notice.medianMs, notice.file)
        return if (notice.advice == null) result else "$result\n${notice.advice}"
    }

    private fun text(
        id: Int,
        vararg words: Any,
    ): String = activity.getString(id, *words)
}
