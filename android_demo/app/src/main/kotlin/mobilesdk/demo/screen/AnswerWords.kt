package mobilesdk.demo.screen

import android.content.res.Resources
import android.text.SpannableStringBuilder
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import mobilesdk.demo.R
import mobilesdk.demo.overlay.labelColor
import mobilesdk.runtime.task.Answer
import mobilesdk.runtime.task.LabelShare
import mobilesdk.runtime.tensor.NamedArray

/** An answer in words. */
class AnswerWords(
    private val resources: Resources,
) {
    /**
     * Returns a line for each label; it begins with the colour that it has in the picture, where it has a place there.
     * Of a model without labels it returns two lines for each output.
     */
    fun lines(answer: Answer): CharSequence =
        when {
            answer.features.isNotEmpty() -> answer.features.joinToString("\n", transform = ::feature)
            answer.shares.isEmpty() -> resources.getString(R.string.nothing_found)
            answer.isPlaced -> coloured(answer.shares)
            else -> answer.shares.joinToString("\n", transform = ::line)
        }

    /** Returns the words that are read out for the picture. */
    fun spoken(answer: Answer): String {
        val words = answer.spoken.map { it.label } + answer.features.map { it.name }
        return words.joinToString().ifEmpty { resources.getString(R.string.nothing_found) }
    }

    private fun line(of: LabelShare): String = resources.getString(R.string.prediction, of.share * 100, of.label)

    private fun feature(of: NamedArray): String {
        val first = of.values.take(FIRST).joinToString("  ") { resources.getString(R.string.value, it) }
        val more = if (of.values.size > FIRST) "$first  …" else first
        val shape = of.shape.joinToString(" × ")
        return resources.getString(R.string.feature, of.name, shape, of.least, of.greatest, of.mean, more)
    }

    private fun coloured(shares: List<LabelShare>): CharSequence {
        val text = SpannableStringBuilder()
        for (each in shares) {
            if (text.isNotEmpty()) text.append('\n')
            val (start, color) = text.length to ForegroundColorSpan(labelColor(each.labelIndex))
            text.append(SQUARE).append(line(each))
            text.setSpan(color, start, start + 1, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        }
        return text
    }

    private companion object {
        const val SQUARE = "\u25A0 "
        const val FIRST = 5
    }
}
