package mobilesdk.runtime.bundle

import mobilesdk.runtime.json.FieldException
import mobilesdk.runtime.json.Fields

private val WEIGHTS = arrayOf("int8 per channel", "float32", "int8 per channel, kept layers float32")
private val ACTIVATIONS = arrayOf("int8 per tensor", "float32", "int8 per tensor, kept layers float32")

/** The first schema: one picture, and words for the bits. */
internal object Schema1 : Schema {
    override val number = 1
    override val hasUnproven = true
    override val hasOptions = false

    override fun readTensors(fields: Fields): Tensors {
        checkResize(fields)
        val picture = fields.inside("image")
        if (picture.has("channels") || picture.isList("size_px")) {
            throw FieldException("expected a square of three channels, as schema 1 has them, found another")
        }
        val image = readImage(picture)
        picture.end()
        val tensors = fields.inside("interface")
        val (input, output) = readInput(tensors.inside("input")) to readOutput(tensors.inside("output"))
        tensors.end()
        return Tensors(Source.Picture(image), input, listOf(output))
    }

    override fun readProcessors(fields: Fields): List<String> = listOf("cpu")

    override fun checkRecord(fields: Fields) {
        checkResults(fields.inside("accuracy"), value = "share", count = "pictures")
        fields.inside("quantization").run {
            checkMethod(this)
            choice("weights", *WEIGHTS)
            choice("activations", *ACTIVATIONS)
            end()
        }
    }
}
