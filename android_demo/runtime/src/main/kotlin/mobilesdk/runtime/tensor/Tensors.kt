package mobilesdk.runtime.tensor

import mobilesdk.runtime.picture.Rgb
import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val BYTE = 0xFF

/** Returns the bytes of the input tensor for a picture, little-endian; of type "image" the picture's own bytes. */
fun inputBytes(
    picture: Rgb,
    input: InputSpec,
): ByteArray {
    if (input.type == InputType.IMAGE) return picture.bytes
    val pixels = picture.width * picture.height
    val channels = picture.channels
    val tensor = ByteBuffer.allocate(pixels * channels * input.type.bytes).order(ByteOrder.LITTLE_ENDIAN)
    for (index in 0 until pixels * channels) {
        val from =
            when (input.layout) {
                Layout.NCHW -> index % pixels * channels + index / pixels
                Layout.NHWC, Layout.NC, Layout.NTC -> index
            }
        val value = (picture.bytes[from].toInt() and BYTE) + input.byteOffset
        if (input.type == InputType.FLOAT32) tensor.putFloat(value.toFloat()) else tensor.put(value.toByte())
    }
    return tensor.array()
}

/** Reads the numbers of a model's outputs, whose bytes follow each other, each in its output's own unit. */
fun readOutputs(
    bytes: ByteArray,
    outputs: List<OutputSpec>,
): List<FloatArray> {
    val ends = outputs.runningFold(0) { end, output -> end + output.byteCount.toInt() }
    return outputs.mapIndexed { index, output -> readOutput(bytes.copyOfRange(ends[index], ends[index + 1]), output) }
}

/** Says why these are no outputs of a model: too many or too few of them or of their numbers, or NaN or infinity. */
fun outputsMisfit(
    outputs: List<FloatArray>,
    specs: List<OutputSpec>,
): String? {
    if (outputs.size != specs.size) return "expected ${specs.size} outputs, found ${outputs.size}"
    return specs.zip(outputs).firstNotNullOfOrNull { (spec, output) ->
        val count = spec.byteCount / spec.type.bytes
        when {
            output.size.toLong() != count -> "expected $count numbers of ${spec.name}, found ${output.size}"
            !output.all(Float::isFinite) -> "expected finite numbers of ${spec.name}, found NaN or infinity"
            else -> null
        }
    }
}

/** Reads the numbers in an output tensor's bytes, little-endian, in its own unit. */
fun readOutput(
    bytes: ByteArray,
    output: OutputSpec,
): FloatArray =
    when (output.type) {
        OutputType.INT8 -> {
            FloatArray(bytes.size) { bytes[it].toFloat() }
        }

        OutputType.FLOAT32 -> {
            val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
            FloatArray(floats.remaining()).also(floats::get)
        }
    }
