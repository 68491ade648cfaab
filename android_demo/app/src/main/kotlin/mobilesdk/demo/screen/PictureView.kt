package mobilesdk.demo.screen

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.RectF
import android.graphics.drawable.Drawable
import android.util.AttributeSet
import android.util.TypedValue
import android.widget.ImageView
import mobilesdk.demo.camera.Sides
import mobilesdk.demo.camera.fitted
import mobilesdk.demo.camera.placeOfPart
import mobilesdk.demo.overlay.Brush
import mobilesdk.demo.overlay.drawOverlay
import mobilesdk.demo.overlay.maskColors
import mobilesdk.runtime.task.Answer
import mobilesdk.runtime.task.Box
import mobilesdk.runtime.task.LabelShare
import mobilesdk.runtime.task.Mask

/** A picture, or a camera's preview below this view, and over it what the model has found in it. */
class PictureView(
    context: Context,
    attributes: AttributeSet,
) : ImageView(context, attributes) {
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { style = Paint.Style.STROKE }
    private val fill = Paint(Paint.ANTI_ALIAS_FLAG)
    private val plain = Paint() // a mask's pixels keep their edges
    private val text = Paint(Paint.ANTI_ALIAS_FLAG).apply { textSize = pixels(TypedValue.COMPLEX_UNIT_SP, TEXT_SP) }
    private var answer: Answer? = null
    private var drawn: Bitmap? = null // the answer's mask, made when it is first drawn
    private var words: (LabelShare) -> String = { it.label }
    private var live: Live? = null

    /** Shows an answer over the picture, or over the [live] preview, which fills this view as far as it fits. */
    fun show(
        answer: Answer?,
        live: Live?,
        words: (LabelShare) -> String,
    ) {
        this.live = live
        if (answer !== this.answer) drawn = null
        this.answer = answer
        this.words = words
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val brush = CanvasBrush(canvas)
        val place = live?.let(::placeRead) ?: drawable?.let { placeOf(it) } ?: return
        if (live != null) brush.outline(place, Color.WHITE)
        answer?.let { drawOverlay(it, place, brush, words) }
    }

    private fun placeOf(picture: Drawable): Box {
        val area = RectF(picture.bounds)
        imageMatrix.mapRect(area)
        area.offset(paddingLeft.toFloat(), paddingTop.toFloat())
        return box(area)
    }

    /** Where the preview shows what the model reads. */
    private fun placeRead(live: Live): Box? {
        val (frame, part) = (live.frame ?: return null) to (live.part ?: return null)
        return placeOfPart(part, frame, fitted(Sides(width, height), frame))
    }

    private fun box(area: RectF) =
        Box(area.left.toDouble(), area.top.toDouble(), area.right.toDouble(), area.bottom.toDouble())

    private fun area(box: Box) = RectF(box.left.toFloat(), box.top.toFloat(), box.right.toFloat(), box.bottom.toFloat())

    private fun pixels(
        unit: Int,
        value: Float,
    ): Float = TypedValue.applyDimension(unit, value, resources.displayMetrics)

    private inner class CanvasBrush(
        private val canvas: Canvas,
    ) : Brush {
        private val dp = pixels(TypedValue.COMPLEX_UNIT_DIP, 1f)
        private val gap = GAP_DP * dp

        override val textHeight: Double get() = (text.fontSpacing + gap).toDouble()

        override fun textWidth(text: String): Double = (this@PictureView.text.measureText(text) + 2 * gap).toDouble()

        /** On a dark line of twice its width, to be seen on every picture. */
        override fun outline(
            box: Box,
            color: Int,
        ) {
            for ((width, each) in listOf(2 * LINE_DP to SHADOW, LINE_DP to color)) {
                line.strokeWidth = width * dp
                line.color = each
                canvas.drawRect(area(box), line)
            }
        }

        override fun mask(
            mask: Mask,
            area: Box,
        ) {
            val bitmap = drawn ?: bitmapOf(mask)
            drawn = bitmap
            canvas.drawBitmap(bitmap, null, area(area), plain)
        }

        override fun tag(
            text: String,
            box: Box,
            color: Int,
            textColor: Int,
        ) {
            fill.color = color
            canvas.drawRect(area(box), fill)
            val paint = this@PictureView.text
            paint.color = textColor
            canvas.drawText(text, box.left.toFloat() + gap, box.top.toFloat() + gap / 2 - paint.ascent(), paint)
        }
    }

    private fun bitmapOf(mask: Mask): Bitmap =
        Bitmap.createBitmap(maskColors(mask), mask.sides.width, mask.sides.height, Bitmap.Config.ARGB_8888)

    private companion object {
        const val TEXT_SP = 14f
        const val LINE_DP = 2f
        const val GAP_DP = 4f
        const val SHADOW = 0x60000000
    }
}
