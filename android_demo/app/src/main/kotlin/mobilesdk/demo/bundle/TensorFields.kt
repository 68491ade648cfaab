package mobilesdk.demo.bundle

import mobilesdk.demo.json.Fields
import mobilesdk.demo.picture.Fit
import mobilesdk.demo.picture.ImageSpec
import mobilesdk.demo.tensor.InputSpec
import mobilesdk.demo.tensor.InputType
import mobilesdk.demo.tensor.Layout
import mobilesdk.demo.tensor.OutputSpec
import mobilesdk.demo.tensor.OutputType

private val INT = Int.MIN_VALUE..Int.MAX_VALUE.toLong()

/** Reads the recipe of a picture, whose fields stand among others. */
internal fun readImage(fields: Fields): ImageSpec {
    fields.list("mean_byte", 3..3) { json, path -> Fields.number(json, path, 0.0..255.0) }
    fields.list("std_byte", 3..3) { json, path -> Fields.number(json, path, 1.0..1024.0) }
    return ImageSpec(
        sizePx = fields.whole("size_px", 8L..4096L),
        fit = if (fields.choice("fit", "crop", "stretch") == "crop") Fit.CROP else Fit.STRETCH,
        cropShare = fields.number("crop_share", Double.MIN_VALUE..1.0),
    )
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
        layout = Layout.valueOf(fields.choice("layout", "NHWC", "NCHW", "NC")),
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
