package mobilesdk.demo.picture

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToInt

/** The recipe from an upright picture to the bytes that the model reads: docs/bundle-format.md, "The recipe". */
fun prepare(
    picture: Rgb,
    image: ImageSpec,
): Rgb {
    val cut = if (image.fit == Fit.CROP) centralSquare(picture, image.cropShare) else picture
    return resizeBilinear(cut, image.sizePx, image.sizePx)
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
    if (image.fit == Fit.CROP) return prepared
    val share = min(1.0, SHOWN_SIDE_PX / max(picture.width, picture.height))
    val (width, height) = listOf(picture.width, picture.height).map { max(1, (it * share).roundToInt()) }
    return resizeBilinear(picture, width, height)
}

private const val SHOWN_SIDE_PX = 1024.0

private fun centralSquare(
    picture: Rgb,
    share: Double,
): Rgb {
    val side = max(1, floor(min(picture.width, picture.height) * share + 0.5).toInt())
    return picture.square((picture.width - side) / 2, (picture.height - side) / 2, side)
}
