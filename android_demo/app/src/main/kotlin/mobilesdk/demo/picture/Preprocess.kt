package mobilesdk.demo.picture

import mobilesdk.demo.bundle.Fit
import mobilesdk.demo.bundle.ImageSpec
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/** The recipe from an upright picture to the bytes that the model reads: docs/bundle-format.md, "The recipe". */
fun prepare(
    picture: Rgb,
    image: ImageSpec,
): Rgb {
    val cut = if (image.fit == Fit.CROP) centralSquare(picture, image.cropShare) else picture
    return resizeBilinear(cut, image.sizePx, image.sizePx)
}

private fun centralSquare(
    picture: Rgb,
    share: Double,
): Rgb {
    val side = max(1, floor(min(picture.width, picture.height) * share + 0.5).toInt())
    return picture.square((picture.width - side) / 2, (picture.height - side) / 2, side)
}
