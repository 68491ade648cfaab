package mobilesdk.demo.bundle

import mobilesdk.demo.picture.ImageSpec
import mobilesdk.demo.task.Task
import mobilesdk.demo.tensor.InputSpec
import mobilesdk.demo.tensor.OutputSpec

/**
 * `bundle.json`, of whichever schema it is: all that the app knows of a model. No size, label or scale stands anywhere
 * else in this app.
 */
data class Manifest(
    val name: String,
    val task: Task,
    val labels: List<String>,
    val tensors: Tensors,
    val runtime: String,
    val processors: List<String>,
    val precision: String,
    val model: String,
    val golden: GoldenSpec,
    val files: List<FileEntry>,
) {
    val image: ImageSpec get() = tensors.image
    val input: InputSpec get() = tensors.input
    val output: OutputSpec get() = tensors.output
}

/** The picture that a model takes, the tensor that carries it, and the tensor that comes out. */
data class Tensors(
    val image: ImageSpec,
    val input: InputSpec,
    val output: OutputSpec,
)

/** The golden pictures, and how near a device must come to their expected outputs, in the output's own unit. */
data class GoldenSpec(
    val tolerance: Double,
    val pictures: List<GoldenPicture>,
)

/** The label that wins in `golden/<position>.png`. */
data class GoldenPicture(
    val top1Index: Int,
)

data class FileEntry(
    val path: String,
    val bytes: Long,
    val sha256: String,
)
