package mobilesdk.runtime.picture

/** A picture that was read, and which of its pixels: all where [reduction] is 1, else one of so many a side. */
class ReadPicture(
    val picture: Rgb,
    val reduction: Int = 1,
)

/** The room that an app with [heapBytes] of memory has for one picture. */
class PictureRoom(
    heapBytes: Long,
) {
    private val limit = heapBytes / SHARE / BYTES_PER_PIXEL

    /** The smallest power of two that each side has to be divided by. */
    fun reduction(
        width: Int,
        height: Int,
    ): Int {
        val pixels = width.toLong() * height
        return generateSequence(1) { it * 2 }.first { pixels / (it.toLong() * it) <= limit }
    }

    /** Why a picture is not read as it is. */
    fun refusal(
        width: Int,
        height: Int,
    ): String {
        val (found, most) = listOf(width.toLong() * height, limit).map { it / PIXELS_PER_MEGAPIXEL }
        return "expected a picture of at most %.1f megapixels, found %d × %d, which has %.1f"
            .format(java.util.Locale.ROOT, most, width, height, found)
    }

    companion object {
        private const val SHARE = 2 // of the heap is left for the model and the screen
        private const val BYTES_PER_PIXEL = Int.SIZE_BYTES + 2 * Rgb.CHANNELS // decoded, as RGB, and that upright
        private const val PIXELS_PER_MEGAPIXEL = 1e6

        fun ofThisApp() = PictureRoom(Runtime.getRuntime().maxMemory())
    }
}
