package mobilesdk.demo.bundle

/** `bundle.json`: all that the app knows of a model. No size, label or scale stands anywhere else in this app. */
data class Manifest(
    val name: String,
    val task: Task,
    val labels: List<String>,
    val image: ImageSpec,
    val runtime: String,
    val precision: String,
    val model: String,
    val input: InputSpec,
    val output: OutputSpec,
    val golden: GoldenSpec,
    val files: List<FileEntry>,
    val versions: Map<String, String>,
)

/** What an output says. */
sealed interface Task {
    /** One score a label. */
    data object Classification : Task

    /** A row for each anchor: a box, then the logits of "nothing" and of every label. [rule] makes detections of them. */
    data class Detection(
        val rule: DetectionSpec,
    ) : Task

    /** A score for every label in every pixel. */
    data object Segmentation : Task
}

/** The numbers of the rule in docs/detection.md; shares are 0..1. */
data class DetectionSpec(
    val leastScoreShare: Double,
    val overlapShare: Double,
    val most: Int,
)

enum class Fit { CROP, STRETCH }

/** How a picture becomes [sizePx] × [sizePx] RGB bytes. Mean and deviation are inside the model and not in here. */
data class ImageSpec(
    val sizePx: Int,
    val fit: Fit,
    val cropShare: Double,
)

enum class InputType(
    val bytes: Int,
) {
    UINT8(1),
    INT8(1),
    FLOAT32(Float.SIZE_BYTES),
    IMAGE(1),
}

enum class Layout { NHWC, NCHW, NC }

/** The tensor that takes the picture: `byte + byteOffset` for each RGB byte, in [layout]. */
data class InputSpec(
    val name: String,
    val type: InputType,
    val shape: List<Int>,
    val layout: Layout,
    val byteOffset: Int,
)

enum class OutputType(
    val bytes: Int,
) {
    INT8(1),
    FLOAT32(Float.SIZE_BYTES),
}

/** The tensor that comes out: int8 codes are `scale * (code - zeroPoint)`, of float32 both are null. */
data class OutputSpec(
    val name: String,
    val type: OutputType,
    val shape: List<Int>,
    val scale: Double?,
    val zeroPoint: Int?,
)

data class GoldenSpec(
    val tolerance: Double,
    val pictures: List<GoldenPicture>,
)

/** What is expected of `golden/<position>.png`. */
data class GoldenPicture(
    val top1Index: Int,
    val labelIndex: Int?,
)

data class FileEntry(
    val path: String,
    val bytes: Long,
    val sha256: String,
)
