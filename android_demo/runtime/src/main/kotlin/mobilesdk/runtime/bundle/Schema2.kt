package mobilesdk.runtime.bundle

import mobilesdk.runtime.json.FieldException
import mobilesdk.runtime.json.Fields
import mobilesdk.runtime.tensor.OutputSpec

internal const val MAX_OUTPUTS = 64

private val PROCESSOR = Regex("[a-z][a-z0-9_]{0,31}")
private const val MAX_PROCESSORS = 16
private val MEASURE = Regex("(?s).{1,64}")
private val BITS = 1L..32L

/** The second schema: lists of inputs and outputs, though one input is all that is taken, and bits a layer. */
internal object Schema2 : Schema {
    override val number = 2
    override val hasUnproven = true
    override val hasOptions = true

    override fun readTensors(fields: Fields): Tensors {
        val (kind, given) = onlyInput(fields)
        val source = if (kind == "image") readPicture(given) else Source.Array(readArray(given))
        val input = readInput(given.inside("tensor"))
        given.end()
        return Tensors(source, input, readOutputs(fields))
    }

    override fun readProcessors(fields: Fields): List<String> =
        fields.list("processors", 1..MAX_PROCESSORS) { json, path -> Fields.text(json, path, PROCESSOR) }

    override fun checkRecord(fields: Fields) {
        fields.inside("quality").run {
            text("measure", MEASURE)
            checkResults(this, value = "value", count = "images")
        }
        fields.inside("quantization").run {
            checkMethod(this)
            for (name in listOf("weight_bits", "activation_bits")) {
                map(name) { json, path -> Fields.whole(json, path, BITS) }
            }
            end()
        }
    }

    /** Reads the kind of an input first: the other fields of one of another kind are unknown here. */
    private fun onlyInput(fields: Fields): Pair<String, Fields> {
        val inputs = fields.list("inputs", read = ::Fields)
        val kinds = inputs.map { it.text("kind") }
        if (kinds.singleOrNull() !in setOf("image", "tensor")) {
            val found = kinds.joinToString().ifEmpty { "none" }
            throw FieldException("expected one image or tensor as input, found $found")
        }
        return kinds.single() to inputs.single()
    }

    private fun readPicture(fields: Fields): Source {
        checkResize(fields)
        return Source.Picture(readImage(fields))
    }

    private fun readOutputs(fields: Fields): List<OutputSpec> {
        val outputs = fields.list("outputs", read = ::Fields)
        if (outputs.size in 1..MAX_OUTPUTS) return outputs.map(::readOutput)
        val found = outputs.size.takeIf { it > 0 } ?: "none"
        throw FieldException("expected 1 to $MAX_OUTPUTS outputs, found $found")
    }
}

/** The third schema is the second without the fields that nobody can check. */
internal object Schema3 : Schema by Schema2 {
    override val number = 3
    override val hasUnproven = false
}
