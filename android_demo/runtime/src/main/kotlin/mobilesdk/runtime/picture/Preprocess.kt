package mobilesdk.runtime.picture

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToInt

/** The recipe from an upright picture to the bytes that the model reads: docs/reference/bundle-format.md, "The recipe". */
fun prepare(
    picture: Rgb,
    image: ImageSpec,
): Rgb {
    val whole = if (image.channels == GREY) picture.grey() else picture
    val (left, top, wide, high) = partRead(whole.width, whole.height, image)
    val isWhole = wide == whole.width && high == whole.height
    val cut = if (isWhole) whole else whole.part(left, top, wide, high)
    return resizeBilinear(cut, image.widthPx, image.heightPx)
}

/**
 * Returns the picture that a screen shows beside the answer: all that the model reads of [picture], of which [prepared]
 * was made. A whole picture keeps its own proportions, and gets smaller where it is larger than a screen.
 */
fun shown(
    picture: Rgb,
    prepared: Rgb,
    image: ImageSpec,
): Rgb {
    if (image.fit == Fit.CROP) return prepared.inColour()
    val share = min(1.0, SHOWN_SIDE_PX / max(picture.width, picture.height))
    val (width, height) = listOf(picture.width, picture.height).map { max(1, (it * share).roundToInt()) }
    return resizeBilinear(picture, width, height)
}

/** The part of a picture, in its pixels. */
data class Part(
    val left: Int,
    val top: Int,
    val width: Int,
    val height: Int,
)

/** Returns the part of a picture of [width] and [height] that the model reads. */
fun partRead(
    width: Int,
    height: Int,
    image: ImageSpec,
): Part = if (image.fit == Fit.CROP) centralPart(width, height, image) else Part(0, 0, width, height)

private const val SHOWN_SIDE_PX = 1024.0

private const val GREY = 1

/** The largest part in the middle that has the proportions of [image], less what its share leaves out. */
private fun centralPart(
    width: Int,
    height: Int,
    image: ImageSpec,
): Part {
    val share = image.cropShare
    val isWide = width.toLong() * image.heightPx >= height.toLong() * image.widthPx
    val partWidth = if (isWide) height.toLong() * image.widthPx / image.heightPx.toDouble() else width.toDouble()
    val partHeight = if (isWide) height.toDouble() else width.toLong() * image.heightPx / image.widthPx.toDouble()
    val (wide, high) = rounded(partWidth * share) to rounded(partHeight * share)
    return Part((width - wide) / 2, (height - high) / 2, wide, high)
}

private fun rounded(length: Double): Int = max(1, floor(length + 0.5).toInt())
