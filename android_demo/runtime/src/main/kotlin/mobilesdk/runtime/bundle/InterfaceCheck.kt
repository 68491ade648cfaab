package mobilesdk.runtime.bundle

import mobilesdk.runtime.tensor.InputType
import mobilesdk.runtime.tensor.Layout
import mobilesdk.runtime.tensor.OutputSpec
import mobilesdk.runtime.tensor.OutputType

private const val MOST_STEPS = 12.0 // of a model with layers in float32, whose sums may depend on their order
private const val BYTE_OFFSET_INT8 = Byte.MIN_VALUE.toInt()
private val LAYOUTS =
    mapOf(1 to setOf(Layout.NC), 2 to setOf(Layout.NTC), 3 to setOf(Layout.NHWC, Layout.NCHW))
private const val MOST_OUTPUT_BYTES = Int.MAX_VALUE // of all outputs of a picture: no runtime gives more
private const val MOST_SCALE = 3e38
private val CODES = Byte.MIN_VALUE..Byte.MAX_VALUE

/** Refuses an input or an output that does not fit the contract, and outputs without a tolerance each. */
internal fun checkInterface(manifest: Manifest) {
    val reason = inputMisfit(manifest) ?: outputsMisfit(manifest)
    if (reason != null) refuse("interface", reason)
}

private fun inputMisfit(manifest: Manifest): String? {
    val input = manifest.input
    val source = manifest.source.shape
    val shape = listOf(1) + if (input.layout == Layout.NHWC) source.drop(1) + source.first() else source
    if (input.layout !in LAYOUTS.getValue(source.size)) return "expected another layout than ${input.layout}"
    if (input.shape != shape) return "expected an input $shape in ${input.layout}, found ${input.shape}"
    val offsets =
        when (input.type) {
            InputType.UINT8, InputType.IMAGE -> setOf(0)
            InputType.INT8 -> setOf(BYTE_OFFSET_INT8)
            InputType.FLOAT32 -> setOfNotNull(0.takeIf { manifest.source is Source.Picture }, BYTE_OFFSET_INT8)
        }
    if (manifest.source is Source.Array &&
        offsets == setOf(0)
    ) {
        return "expected codes of an array, found ${input.type.id}"
    }
    if (input.byteOffset !in offsets) {
        return "expected the byte_offset ${offsets.first()} for ${input.type.id}, found ${input.byteOffset}"
    }
    return null
}

private fun outputsMisfit(manifest: Manifest): String? {
    val (names, tolerances) = manifest.outputs.map { it.name } to manifest.golden.tolerances
    if (names.toSet().size < names.size) return "expected outputs of different names, found ${names.joinToString()}"
    if (tolerances.size != names.size || tolerances.max() != manifest.golden.tolerance) {
        return "expected a golden tolerance for each of ${names.size} outputs, found ${tolerances.joinToString()}"
    }
    return manifest.task.outputMisfit()
        ?: manifest.outputs.zip(tolerances).firstNotNullOfOrNull { (output, most) ->
            outputMisfit(output, most, manifest.precision)
        }
        ?: sizeMisfit(manifest.outputs)
}

/** In real numbers, which do not overflow where sides are large. */
private fun sizeMisfit(outputs: List<OutputSpec>): String? {
    val bytes = outputs.sumOf { it.shape.fold(it.type.bytes.toDouble(), Double::times) }
    return "expected at most $MOST_OUTPUT_BYTES bytes of all outputs, found more".takeIf { bytes > MOST_OUTPUT_BYTES }
}

private fun outputMisfit(
    output: OutputSpec,
    tolerance: Double,
    precision: String,
): String? =
    when (output.type) {
        OutputType.FLOAT32 -> {
            "expected no scale and zero point of a float32 output, found them"
                .takeIf { output.scale != null || output.zeroPoint != null }
        }

        OutputType.INT8 -> {
            codesMisfit(output, tolerance, precision)
        }
    }

private fun codesMisfit(
    output: OutputSpec,
    tolerance: Double,
    precision: String,
): String? {
    val (scale, zeroPoint, most) = Triple(output.scale, output.zeroPoint, mostSteps(precision))
    return when {
        precision == "float32" -> "expected a float32 output of a float32 model, found int8"
        tolerance > most -> "expected a golden tolerance of at most $most for codes, found $tolerance"
        scale == null || zeroPoint == null -> "expected scale and zero point of an int8 output, found null"
        !isScale(scale) -> "expected a positive float32 as the output's scale, found $scale"
        zeroPoint !in CODES -> "expected a zero point in $CODES, found $zeroPoint"
        else -> null
    }
}

/** How far codes may be apart: those of a model all in int8 are the same everywhere. */
private fun mostSteps(precision: String): Double = if (precision == "int8") 0.0 else MOST_STEPS

private fun isScale(scale: Double) = scale > 0 && scale < MOST_SCALE && scale.toFloat().toDouble() == scale
