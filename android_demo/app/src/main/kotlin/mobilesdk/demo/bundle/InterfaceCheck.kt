package mobilesdk.demo.bundle

import mobilesdk.demo.tensor.InputType
import mobilesdk.demo.tensor.Layout
import mobilesdk.demo.tensor.OutputType

private const val MOST_STEPS = 12.0 // of a model with layers in float32, whose sums may depend on their order
private const val BYTE_OFFSET_INT8 = Byte.MIN_VALUE.toInt()
private val LAYOUTS =
    mapOf(1 to setOf(Layout.NC), 2 to setOf(Layout.NTC), 3 to setOf(Layout.NHWC, Layout.NCHW))
private val CODES = Byte.MIN_VALUE..Byte.MAX_VALUE

/** Refuses an input or an output that does not fit the contract. */
internal fun checkInterface(manifest: Manifest) {
    val reason = inputMisfit(manifest) ?: outputMisfit(manifest)
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
            InputType.FLOAT32 -> setOf(0, BYTE_OFFSET_INT8)
        }
    if (manifest.source is Source.Array && offsets == setOf(0)) return "expected codes of an array, found ${input.type}"
    if (input.byteOffset !in offsets) return "expected a byte_offset of $offsets, found ${input.byteOffset}"
    return null
}

private fun outputMisfit(manifest: Manifest): String? {
    val output = manifest.output
    return manifest.task.outputMisfit() ?: when (output.type) {
        OutputType.FLOAT32 -> {
            "expected no scale and zero point of a float32 output, found them"
                .takeIf { output.scale != null || output.zeroPoint != null }
        }

        OutputType.INT8 -> {
            codesMisfit(manifest)
        }
    }
}

private fun codesMisfit(manifest: Manifest): String? {
    val (scale, zeroPoint) = manifest.output.scale to manifest.output.zeroPoint
    return when {
        manifest.precision == "float32" -> "expected a float32 output of a float32 model, found int8"
        manifest.golden.tolerance > mostSteps(manifest) -> "expected ${mostSteps(manifest)} steps at most, found more"
        scale == null || zeroPoint == null -> "expected scale and zero point of an int8 output, found null"
        !(scale > 0 && scale.toFloat().toDouble() == scale) -> "expected a positive float32 as scale, found $scale"
        zeroPoint !in CODES -> "expected a zero point in $CODES, found $zeroPoint"
        else -> null
    }
}

/** How far codes may be apart: those of a model all in int8 are the same everywhere. */
private fun mostSteps(manifest: Manifest): Double = if (manifest.precision == "int8") 0.0 else MOST_STEPS
