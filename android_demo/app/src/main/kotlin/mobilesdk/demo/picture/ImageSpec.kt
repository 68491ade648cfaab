package mobilesdk.demo.picture

enum class Fit { CROP, STRETCH }

/** The recipe from a picture to [sizePx] × [sizePx] RGB bytes. Mean and deviation are in the model and not in here. */
data class ImageSpec(
    val sizePx: Int,
    val fit: Fit,
    val cropShare: Double,
)
