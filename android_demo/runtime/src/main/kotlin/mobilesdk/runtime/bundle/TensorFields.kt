package mobilesdk.runtime.bundle

import mobilesdk.runtime.json.FieldException
import mobilesdk.runtime.json.Fields
import mobilesdk.runtime.picture.Fit
import mobilesdk.runtime.picture.ImageSpec
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.tensor.ArraySpec
import mobilesdk.runtime.tensor.InputSpec
import mobilesdk.runtime.tensor.InputType
import mobilesdk.runtime.tensor.Layout
import mobilesdk.runtime.tensor.OutputSpec
import mobilesdk.runtime.tensor.OutputType
import kotlin.math.pow

private val SIDES = 8L..4096L
private val ARRAY_SIDES = 1L..65536L
private val ARRAY_SCALES = 2.0.pow(-100)..2.0.pow(100)
private val INT = Int.MIN_VALUE..Int.MAX_VALUE.toLong()

/** Reads the recipe of a picture, whose fields stand among others. */
internal fun readImage(fields: Fields): ImageSpec {
    val channels = if (fields.has("channels")) fields.whole("channels", 1L..4L) else Rgb.CHANNELS
    if (channels !in setOf(1, Rgb.CHANNELS)) {
        throw FieldException("expected 1 or 3 channels, which this app reads, found $channels")
    }
    fields.list("mean_byte", channels..channels) { json, path -> Fields.number(json, path, 0.0..255.0) }
    fields.list("std_byte", channels..channels) { json, path -> Fields.number(json, path, 1.0..1024.0) }
    val (height, width) = readSize(fields)
    return ImageSpec(
        heightPx = height,
        widthPx = width,
        channels = channels,
        fit = if (fields.choice("fit", "crop", "stretch") == "crop") Fit.CROP else Fit.STRETCH,
        cropShare = fields.number("crop_share", Double.MIN_VALUE..1.0),
    )
}

/** Reads a side of a square, or height and width. */
private fun readSize(fields: Fields): List<Int> {
    if (!fields.isList("size_px")) return fields.whole("size_px", SIDES).let { listOf(it, it) }
    return fields.list("size_px", 2..2) { json, path -> Fields.whole(json, path, SIDES).toInt() }
}

/** Reads an array that a model takes in place of a picture. */
internal fun readArray(fields: Fields): ArraySpec =
    ArraySpec(
        shape = fields.list("shape", 1..3) { json, path -> Fields.whole(json, path, ARRAY_SIDES).toInt() },
        scale = fields.number("scale", ARRAY_SCALES),
        zeroPoint = fields.whole("zero_point", Byte.MIN_VALUE.toLong()..Byte.MAX_VALUE),
    ).also {
        if (it.scale.toFloat().toDouble() != it.scale) throw FieldException("expected a float32 as scale")
    }

/** Refuses a filter that the app's recipe does not have. */
internal fun checkResize(fields: Fields) = fields.choice("resize", "pillow-bilinear")

/** Refuses a way to int8 that is not known. */
internal fun checkMethod(fields: Fields) = fields.choice("method", "float32", "calibrated", "qat")

internal fun readInput(fields: Fields): InputSpec =
    InputSpec(
        name = fields.text("name"),
        type = InputType.valueOf(fields.choice("dtype", "uint8", "int8", "float32", "image").uppercase()),
        shape = readShape(fields),
        layout = Layout.valueOf(fields.choice("layout", "NHWC", "NCHW", "NC", "NTC")),
        byteOffset = fields.whole("byte_offset", INT),
    ).also { fields.end() }

internal fun readOutput(fields: Fields): OutputSpec =
    OutputSpec(
        name = fields.text("name"),
        type = OutputType.valueOf(fields.choice("dtype", "int8", "float32").uppercase()),
        shape = readShape(fields),
        scale = fields.numberOrNull("scale"),
        zeroPoint = fields.wholeOrNull("zero_point", INT),
    ).also {
        fields.choice("activation", "none")
        fields.end()
    }

private fun readShape(fields: Fields): List<Int> =
    fields.list("shape") { json, path -> Fields.whole(json, path, INT).toInt() }
