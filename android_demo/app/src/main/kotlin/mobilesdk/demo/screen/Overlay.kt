package mobilesdk.demo.screen

import mobilesdk.demo.model.Answer
import mobilesdk.demo.model.Box
import mobilesdk.demo.model.Found

/** What an overlay is drawn with: Android's canvas on a phone. Places are in its own pixels, colours packed ARGB. */
interface Brush {
    val textHeight: Double

    fun textWidth(text: String): Double

    fun outline(
        box: Box,
        color: Int,
    )

    /** The mask's [maskColors] over all of [area]. */
    fun mask(
        answer: Answer.Segmented,
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

/** Draws what an answer says of places over a picture that fills [area]; [words] are a thing's tag. */
fun drawOverlay(
    answer: Answer,
    area: Box,
    brush: Brush,
    words: (Found) -> String,
) {
    when (answer) {
        is Answer.Classified -> Unit
        is Answer.Detected -> answer.found.asReversed().forEach { drawThing(it, area, brush, words(it)) }
        is Answer.Segmented -> brush.mask(answer, area)
    }
}

/** The half transparent colour of every pixel's label. */
fun maskColors(answer: Answer.Segmented): IntArray {
    val colors = answer.parts.associate { it.labelIndex.toByte() to (labelColor(it.labelIndex) and HALF_TRANSPARENT) }
    return IntArray(answer.mask.labels.size) { colors.getValue(answer.mask.labels[it]) }
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
    val (box, color) = placed(thing.area, picture) to labelColor(thing.labelIndex)
    brush.outline(box, color)
    brush.tag(
        words,
        tagPlace(box, picture, brush.textWidth(words), brush.textHeight),
        color,
        textColor(thing.labelIndex),
    )
}
