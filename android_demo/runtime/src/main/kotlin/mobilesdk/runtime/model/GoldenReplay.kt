package mobilesdk.runtime.model

import mobilesdk.runtime.bundle.Bundle
import kotlin.math.abs

/** How near a model on this phone comes to the outputs that its bundle expects of the golden pictures. */
data class GoldenReplay(
    val pictures: Int,
    /** Pictures whose outputs are all within their tolerances, which is all that is asked: close winners may change. */
    val agreeing: Int,
    val outputs: List<OutputDistance>,
) {
    val agrees: Boolean get() = agreeing == pictures

    /** The verdict in a line, with every output's distance. */
    val text: String
        get() {
            val verdict = if (agrees) "golden passed" else "golden failed"
            val distances =
                outputs.joinToString("; ") {
                    val name = if (outputs.size > 1) "${it.name}: " else ""
                    "${name}largest difference ${it.largest} where ${it.tolerance} is allowed"
                }
            return "$verdict: $agreeing of $pictures, $distances"
        }
}

/** How far an output is from the expected one at most, over all golden pictures, and how far it may be. */
data class OutputDistance(
    val name: String,
    val largest: Double,
    val tolerance: Double,
)

/** Runs every golden picture of a bundle on its model. */
fun replayGolden(
    bundle: Bundle,
    model: Model,
): GoldenReplay {
    val golden = bundle.manifest.golden
    var agreeing = 0
    val largest = DoubleArray(bundle.manifest.outputs.size)
    for (index in golden.pictures.indices) {
        val found = model.outputs(bundle.goldenPicture(index))
        val apart = distances(found, bundle.goldenOutputs(index))
        val isNear = apart.indices.all { apart[it] <= golden.tolerances[it] }
        if (isNear) agreeing++
        apart.forEachIndexed { output, each -> largest[output] = maxOf(largest[output], each) }
    }
    val outputs =
        bundle.manifest.outputs.mapIndexed { index, output ->
            OutputDistance(output.name, largest[index], golden.tolerances[index])
        }
    return GoldenReplay(golden.pictures.size, agreeing, outputs)
}

/** Returns each output's largest difference from the expected one; infinity where one is no number, or of another size. */
fun distances(
    found: List<FloatArray>,
    expected: List<FloatArray>,
): List<Double> = expected.indices.map { distance(found.getOrNull(it) ?: FloatArray(0), expected[it]) }

private fun distance(
    found: FloatArray,
    expected: FloatArray,
): Double {
    if (found.size != expected.size) return Double.POSITIVE_INFINITY
    val largest = found.indices.maxOf { abs(found[it].toDouble() - expected[it]) }
    return if (largest.isNaN()) Double.POSITIVE_INFINITY else largest
}
