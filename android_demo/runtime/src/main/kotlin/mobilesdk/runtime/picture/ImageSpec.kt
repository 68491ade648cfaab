package mobilesdk.runtime.picture

enum class Fit { CROP, STRETCH }

/** The recipe from a picture to the bytes that a model reads. Mean and deviation are in the model and not in here. */
data class ImageSpec(
    val heightPx: Int,
    val widthPx: Int,
    val channels: Int,
    val fit: Fit,
    val cropShare: Double,
)
