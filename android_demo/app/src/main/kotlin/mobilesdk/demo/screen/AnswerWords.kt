package mobilesdk.demo.screen

import android.content.res.Resources
import android.text.SpannableStringBuilder
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import mobilesdk.demo.R
import mobilesdk.demo.model.Answer

/** An answer in words. */
class AnswerWords(
    private val resources: Resources,
) {
    /** A line for each label or thing; it begins with the colour that it has in the picture, where it has one. */
    fun lines(answer: Answer): CharSequence =
        when (answer) {
            is Answer.Classified -> answer.best.joinToString("\n") { line(it.share, it.label) }
            is Answer.Detected -> coloured(answer.found.map { it.labelIndex to line(it.share, it.label) })
            is Answer.Segmented -> coloured(answer.parts.map { it.labelIndex to line(it.share, it.label) })
        }

    /** What is read out for the picture. */
    fun spoken(answer: Answer): String =
        when (answer) {
            is Answer.Classified -> {
                answer.best
                    .firstOrNull()
                    ?.label
                    .orEmpty()
            }

            is Answer.Detected -> {
                answer.found.joinToString { it.label }
            }

            is Answer.Segmented -> {
                answer.parts.joinToString { it.label }
            }
        }.ifEmpty { resources.getString(R.string.nothing_found) }

    private fun line(
        share: Double,
        label: String,
    ): String = resources.getString(R.string.prediction, share * 100, label)

    private fun coloured(lines: List<Pair<Int, String>>): CharSequence {
        if (lines.isEmpty()) return resources.getString(R.string.nothing_found)
        val text = SpannableStringBuilder()
        for ((labelIndex, line) in lines) {
            if (text.isNotEmpty()) text.append('\n')
            val start = text.length
            text.append(SQUARE).append(line)
            text.setSpan(
                ForegroundColorSpan(labelColor(labelIndex)),
                start,
                start + 1,
                Spanned.SPAN_EXCLUSIVE_EXCLUSIVE,
            )
        }
        return text
    }

    private companion object {
        const val SQUARE = "\u25A0 "
    }
}
