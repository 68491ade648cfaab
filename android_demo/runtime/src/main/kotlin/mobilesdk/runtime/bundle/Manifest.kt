package mobilesdk.runtime.bundle

import mobilesdk.runtime.picture.ImageSpec
import mobilesdk.runtime.task.Task
import mobilesdk.runtime.tensor.ArraySpec
import mobilesdk.runtime.tensor.InputSpec
import mobilesdk.runtime.tensor.OutputSpec

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
    /** What was chosen of the model file, where that is not the usual. */
    val form: Map<String, String>,
) {
    /** True of a model that computes in float16, in the Neural Engine's own arithmetic. */
    val isForNeuralEngine: Boolean get() = form["compute"] == "neural-engine"
    val source: Source get() = tensors.source
    val input: InputSpec get() = tensors.input
    val outputs: List<OutputSpec> get() = tensors.outputs
}

/** What a model reads: a picture or an array. [kind] ends the name of the file of a golden one. */
sealed interface Source {
    val kind: String

    /** As the model reads it, without a batch and in the order of PyTorch: (channels, height, width) of a picture. */
    val shape: List<Int>

    data class Picture(
        val image: ImageSpec,
    ) : Source {
        override val kind get() = "png"
        override val shape get() = listOf(image.channels, image.heightPx, image.widthPx)
    }

    data class Array(
        val array: ArraySpec,
    ) : Source {
        override val kind get() = "values.bin"
        override val shape get() = array.shape
    }
}

/** What a model reads, the tensor that carries it, and the tensors that come out. */
data class Tensors(
    val source: Source,
    val input: InputSpec,
    val outputs: List<OutputSpec>,
)

/**
 * The golden pictures, and how near a device must come to their expected outputs: [tolerances] holds one for each, in
 * the output's own unit, and [tolerance] is the largest.
 */
data class GoldenSpec(
    val tolerance: Double,
    val tolerances: List<Double>,
    val pictures: List<GoldenPicture>,
)

/** The label that wins in `golden/<position>.png`, and the hash of the input for it; earlier bundles hold that whole. */
data class GoldenPicture(
    val top1Index: Int,
    val inputSha256: String?,
)

data class FileEntry(
    val path: String,
    val bytes: Long,
    val sha256: String,
)
