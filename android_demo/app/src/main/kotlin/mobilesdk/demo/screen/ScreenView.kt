package mobilesdk.demo.screen

import android.app.Activity
import android.graphics.Bitmap
import android.text.SpannableStringBuilder
import android.view.TextureView
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.ProgressBar
import android.widget.Spinner
import android.widget.TextView
import mobilesdk.demo.R
import mobilesdk.runtime.picture.Rgb

/** Returns a view of the layout. */
internal inline fun <reified V : View> Activity.view(id: Int): V = findViewById(id) as V

/** Puts a state into the views; it keeps nothing but what it has drawn. */
class ScreenView(
    private val activity: Activity,
) {
    private val screen: View = activity.view(R.id.screen)
    private val preview: TextureView = activity.view(R.id.preview)
    private val picture: PictureView = activity.view(R.id.picture)
    private val predictions: TextView = activity.view(R.id.predictions)
    private val latency: TextView = activity.view(R.id.latency)
    private val golden: TextView = activity.view(R.id.golden)
    private val notice: TextView = activity.view(R.id.notice)
    private val progress: ProgressBar = activity.view(R.id.progress)
    private val chart: ChartView = activity.view(R.id.chart)
    private val bundles: Spinner = activity.view(R.id.bundles)
    private val threads: Spinner = activity.view(R.id.threads)
    private val beside: Spinner = activity.view(R.id.beside)
    private val besideAnswer: TextView = activity.view(R.id.beside_answer)
    private val benchmark: Button = activity.view(R.id.benchmark)
    private val open: Button = activity.view(R.id.open)
    private val share: Button = activity.view(R.id.share)
    private val needingAModel = listOf(R.id.camera, R.id.pick, R.id.sample).map { activity.view<Button>(it) }
    private val words = AnswerWords(activity.resources)
    private var drawn: Rgb? = null
    private var bitmap: Bitmap? = null
    private var listed: List<String> = emptyList()

    init {
        val choices = THREADS.map { activity.resources.getQuantityString(R.plurals.threads, it, it) }
        threads.adapter = ArrayAdapter(activity, android.R.layout.simple_spinner_dropdown_item, choices)
    }

    fun show(state: ScreenState) {
        screen.keepScreenOn = state.keepsScreenOn
        showChoices(state)
        showPicture(state)
        showWords(state)
        progress.visibility = if (state.busy) View.VISIBLE else View.INVISIBLE
        progress.isIndeterminate = state.progress == null
        progress.progress = ((state.progress ?: 0.0) * progress.max).toInt()
        chart.show(state.measured)
        needingAModel.forEach { it.isEnabled = state.isReady }
        benchmark.isEnabled = state.isReady || state.isMeasuring
        benchmark.setText(if (state.isMeasuring) R.string.stop else R.string.benchmark)
        open.isEnabled = !state.busy
        share.isEnabled = state.answer != null
    }

    /** Returns what is on the screen, to be told elsewhere. */
    fun told(state: ScreenState): String {
        val bundle = state.selected?.let(state.bundles::getOrNull)
        return listOfNotNull(bundle, predictions.text, latency.text, besideAnswer.text, golden.text)
            .filter { it.isNotEmpty() }
            .joinToString("\n")
    }

    private fun showChoices(state: ScreenState) {
        if (listed != state.bundles) {
            listed = state.bundles
            bundles.adapter = ArrayAdapter(activity, android.R.layout.simple_spinner_dropdown_item, listed)
            val others = listOf(text(R.string.beside_none)) + listed.map { text(R.string.beside_bundle, it) }
            beside.adapter = ArrayAdapter(activity, android.R.layout.simple_spinner_dropdown_item, others)
        }
        state.selected?.let { if (bundles.selectedItemPosition != it) bundles.setSelection(it) }
        val place = THREADS.indexOf(state.threads)
        if (place >= 0 && threads.selectedItemPosition != place) threads.setSelection(place)
        val other = (state.beside?.index ?: -1) + 1
        if (beside.selectedItemPosition != other && other < beside.count) beside.setSelection(other)
        listOf(bundles, threads, beside).forEach { it.isEnabled = !state.busy }
    }

    private fun showPicture(state: ScreenState) {
        preview.visibility = if (state.live != null) View.VISIBLE else View.INVISIBLE
        if (drawn !== state.picture) {
            drawn = state.picture
            picture.setImageBitmap(state.picture?.let(::bitmapOf))
        }
        picture.show(state.answer, state.live) { text(R.string.tag, it.label, it.share * 100) }
        picture.contentDescription =
            when {
                state.live != null -> text(R.string.live_picture)
                state.answer != null -> text(R.string.picture_of, words.spoken(state.answer))
                else -> text(R.string.no_picture)
            }
    }

    private fun showWords(state: ScreenState) {
        // What changes many times in a second would be read out without end.
        val isQuiet = state.live != null
        val region = if (isQuiet) View.ACCESSIBILITY_LIVE_REGION_NONE else View.ACCESSIBILITY_LIVE_REGION_POLITE
        if (predictions.accessibilityLiveRegion != region) predictions.accessibilityLiveRegion = region
        predictions.text = state.answer?.let(words::lines)
        latency.text = latency(state)
        besideAnswer.text = state.beside?.let(::besideWords)
        besideAnswer.visibility = if (state.beside?.answer == null) View.GONE else View.VISIBLE
        golden.text = state.golden.orEmpty()
        notice.text = state.notice?.let(::words).orEmpty()
        notice.visibility = if (state.notice == null) View.GONE else View.VISIBLE
    }

    private fun latency(state: ScreenState): String {
        val model = text(R.string.latency, state.latencyMs ?: return "", state.runtime.orEmpty())
        val (all, rate) = (state.live?.frameToAnswerMs ?: return model) to (state.live.framesPerSecond ?: 0.0)
        return "$model\n${text(R.string.live, all, rate)}"
    }

    private fun besideWords(of: Beside): CharSequence? {
        val lines = words.lines(of.answer ?: return null)
        val first = text(R.string.beside_answer, listed.getOrElse(of.index) { "" }, of.latencyMs ?: 0.0)
        return SpannableStringBuilder(first).append('\n').append(lines)
    }

    /** The same bitmap as long as pictures have one size. */
    private fun bitmapOf(rgb: Rgb): Bitmap {
        val before = bitmap?.takeIf { it.width == rgb.width && it.height == rgb.height }
        val bitmap = before ?: Bitmap.createBitmap(rgb.width, rgb.height, Bitmap.Config.ARGB_8888)
        bitmap.setPixels(rgb.argb, 0, rgb.width, 0, 0, rgb.width, rgb.height)
        return bitmap.also { this.bitmap = it }
    }

    private fun words(notice: Notice): String =
        when (notice) {
            Notice.NoBundles -> text(R.string.no_bundles)
            Notice.NoPictures -> text(R.string.no_pictures)
            Notice.NoCamera -> text(R.string.no_camera)
            Notice.CameraDenied -> text(R.string.camera_denied)
            Notice.CameraBlocked -> text(R.string.camera_blocked)
            Notice.Stopped -> text(R.string.stopped)
            is Notice.BundleRefused -> text(R.string.bundle_refused, notice.reason)
            is Notice.ModelFailed -> text(R.string.model_failed, notice.reason)
            is Notice.BadPicture -> text(R.string.bad_picture, notice.reason)
            is Notice.ReducedPicture -> text(R.string.reduced_picture, notice.reduction)
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

    companion object {
        /** On how many threads a model may compute. */
        val THREADS = listOf(1, 2, 4)
    }
}
