package mobilesdk.demo.camera

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/** Width and height in pixels. */
data class Sides(
    val width: Int,
    val height: Int,
) {
    val pixels: Long get() = width.toLong() * height

    /** After a number of quarter turns. */
    fun turned(quarters: Int): Sides = if (quarters % 2 == 0) this else Sides(height, width)

    fun isLike(other: Sides): Boolean =
        abs(width.toLong() * other.height - height.toLong() * other.width) <= max(width, other.width)
}

/** The sizes in which a camera gives frames to the model and pictures to the screen. */
data class CameraSizes(
    val frame: Sides,
    val preview: Sides,
)

/**
 * Chooses among what a camera offers; null where it offers no frames or no preview, as a depth camera does.
 *
 * Frames are the smallest of a television's size or more: nets read less, and larger ones cost time to convert. The
 * preview has the frames' proportions, so that both show the same, and as many pixels as a screen can use.
 */
fun chooseSizes(
    frames: List<Sides>,
    previews: List<Sides>,
): CameraSizes? {
    val bySize = frames.sortedBy { it.pixels }
    val frame = bySize.find { min(it.width, it.height) >= FRAME_ROWS } ?: bySize.lastOrNull() ?: return null
    val small = previews.filter { max(it.width, it.height) <= PREVIEW_SIDE }.ifEmpty { previews }
    val like = small.filter { it.isLike(frame) }.ifEmpty { small }
    return CameraSizes(frame, like.maxByOrNull { it.pixels } ?: return null)
}

private const val FRAME_ROWS = 480
private const val PREVIEW_SIDE = 1920
