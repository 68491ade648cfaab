package mobilesdk.demo.overlay

import mobilesdk.runtime.task.Answer
import mobilesdk.runtime.task.Box
import mobilesdk.runtime.task.Found
import mobilesdk.runtime.task.LabelShare
import mobilesdk.runtime.task.Mask

/** Draws an overlay: on a phone onto Android's canvas. Places are in its own pixels, colours packed ARGB. */
interface Brush {
    val textHeight: Double

    fun textWidth(text: String): Double

    fun outline(
        box: Box,
        color: Int,
    )

    /** The mask's [maskColors] over all of [area]. */
    fun mask(
        mask: Mask,
        area: Box,
    )

    /** A filled [box] with a text in it. */
    fun tag(
        text: String,
        box: Box,
        color: Int,
        textColor: Int,
    )
}

/** Draws an answer's places over a picture that fills [area], the surest thing last; [words] make a thing's tag. */
fun drawOverlay(
    answer: Answer,
    area: Box,
    brush: Brush,
    words: (LabelShare) -> String,
) {
    answer.mask?.let { brush.mask(it, area) }
    answer.found.asReversed().forEach { drawThing(it, area, brush, words(it.what)) }
}

/** Returns the half transparent colour of every pixel's label. */
fun maskColors(mask: Mask): IntArray {
    val colors = IntArray(UByte.MAX_VALUE.toInt() + 1) { labelColor(it) and HALF_TRANSPARENT }
    return IntArray(mask.labels.size) { colors[mask.labels[it].toUByte().toInt()] }
}

private const val HALF_TRANSPARENT = 0x80FFFFFF.toInt()

/** A place in shares of a picture, in the pixels of [picture], where it is shown. */
fun placed(
    area: Box,
    picture: Box,
): Box {
    val (width, height) = picture.right - picture.left to picture.bottom - picture.top
    return Box(
        left = picture.left + area.left * width,
        top = picture.top + area.top * height,
        right = picture.left + area.right * width,
        bottom = picture.top + area.bottom * height,
    )
}

/** A tag's place: on top of its box where the picture has room there, else inside it; never past the picture's sides. */
fun tagPlace(
    box: Box,
    picture: Box,
    width: Double,
    height: Double,
): Box {
    val left = minOf(box.left, picture.right - width).coerceAtLeast(picture.left)
    val top = if (box.top - height >= picture.top) box.top - height else box.top
    return Box(left = left, top = top, right = left + width, bottom = top + height)
}

private fun drawThing(
    thing: Found,
    picture: Box,
    brush: Brush,
    words: String,
) {
    val (box, color) = placed(thing.area, picture) to labelColor(thing.what.labelIndex)
    brush.outline(box, color)
    brush.tag(
        words,
        tagPlace(box, picture, brush.textWidth(words), brush.textHeight),
        color,
        textColor(thing.what.labelIndex),
    )
}
