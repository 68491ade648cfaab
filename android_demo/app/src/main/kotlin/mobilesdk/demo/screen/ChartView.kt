package mobilesdk.demo.screen

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.util.TypedValue
import android.view.View
import mobilesdk.demo.R
import mobilesdk.demo.overlay.labelColor
import kotlin.math.ceil

/** Benchmarks beside each other: a bar to the median and a thin one to the 90th percentile, and both in words. */
class ChartView(
    context: Context,
    attributes: AttributeSet,
) : View(context, attributes) {
    private val text =
        Paint(Paint.ANTI_ALIAS_FLAG).apply {
            textSize = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, TEXT_SP, resources.displayMetrics)
            color = textColor()
        }
    private val fill = Paint()
    private var bars: List<Bar> = emptyList()

    fun show(measured: List<Measured>) {
        if (measured == bars.map { it.measured }) return
        bars = bars(measured)
        contentDescription = bars.joinToString("\n") { words(it.measured) }
        visibility = if (bars.isEmpty()) GONE else VISIBLE
        requestLayout()
        invalidate()
    }

    override fun onMeasure(
        widthMeasureSpec: Int,
        heightMeasureSpec: Int,
    ) = setMeasuredDimension(MeasureSpec.getSize(widthMeasureSpec), ceil(bars.size * rowHeight()).toInt())

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        bars.forEachIndexed { index, bar ->
            val top = index * rowHeight()
            val (upper, lower) = top + text.fontSpacing to top + rowHeight() - text.fontSpacing / 2
            val middle = (upper + lower) / 2
            canvas.drawText(words(bar.measured), 0f, top - text.ascent(), text)
            fill.color = labelColor(index)
            canvas.drawRect(0f, upper, (bar.medianShare * width).toFloat(), lower, fill)
            canvas.drawRect(0f, middle - 1, (bar.p90Share * width).toFloat(), middle + 1, fill)
        }
    }

    private fun words(of: Measured): String =
        resources.getQuantityString(R.plurals.bar, of.threads, of.bundle, of.threads, of.medianMs, of.p90Ms)

    private fun rowHeight(): Float = ROW_LINES * text.fontSpacing

    /** The theme's, dark or light. */
    private fun textColor(): Int {
        val colors = context.obtainStyledAttributes(intArrayOf(android.R.attr.textColorPrimary))
        return colors.getColor(0, 0).also { colors.recycle() }
    }

    private companion object {
        const val TEXT_SP = 14f
        const val ROW_LINES = 3f
    }
}
