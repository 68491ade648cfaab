package mobilesdk.demo.camera

import mobilesdk.runtime.picture.Part
import mobilesdk.runtime.task.Box
import kotlin.math.min

/** The largest place in the middle of a view that has a picture's proportions. */
fun fitted(
    view: Sides,
    picture: Sides,
): Box {
    val scale = min(view.width.toDouble() / picture.width, view.height.toDouble() / picture.height)
    val (width, height) = picture.width * scale to picture.height * scale
    val (left, top) = (view.width - width) / 2 to (view.height - height) / 2
    return Box(left = left, top = top, right = left + width, bottom = top + height)
}

/** Returns where a [part] of a frame is seen, if the whole of it is seen at [place]. */
fun placeOfPart(
    part: Part,
    frame: Sides,
    place: Box,
): Box {
    val (across, down) = (place.right - place.left) / frame.width to (place.bottom - place.top) / frame.height
    return Box(
        left = place.left + part.left * across,
        top = place.top + part.top * down,
        right = place.left + (part.left + part.width) * across,
        bottom = place.top + (part.top + part.height) * down,
    )
}

/**
 * Where the corners of a view's content belong, so that a camera's preview stands upright, in its own proportions and
 * as the model reads it: x and y of the top left, top right, bottom right and bottom left corner.
 *
 * A `TextureView` stretches the preview over the whole [view], upright as long as the phone is held in its natural way,
 * whatever way the display is turned: by [displayQuarters] quarters. [upright] are the sides of the picture as it is to
 * be seen. A front camera's preview comes [mirrored], which is undone.
 */
fun previewCorners(
    view: Sides,
    upright: Sides,
    displayQuarters: Int,
    mirrored: Boolean,
): FloatArray {
    val place = fitted(view, upright)
    val corners =
        listOf(
            place.left to place.top,
            place.right to place.top,
            place.right to place.bottom,
            place.left to place.bottom,
        )
    val turned = corners.indices.map { corners[(it - displayQuarters).mod(corners.size)] }
    return turned
        .flatMap { (x, y) -> listOf(if (mirrored) place.left + place.right - x else x, y) }
        .map { it.toFloat() }
        .toFloatArray()
}
