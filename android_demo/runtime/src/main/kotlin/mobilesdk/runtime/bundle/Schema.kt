package mobilesdk.runtime.bundle

import mobilesdk.runtime.json.Fields

/** Reads the fields that one schema of `bundle.json` has and others do not. Every function throws FieldException. */
internal interface Schema {
    val number: Int

    /** Whether it has the fields that nobody can check, `versions` and `label_index`, which are read over. */
    val hasUnproven: Boolean

    /** Whether it has the fields `licence` and `form`, which may be left out. */
    val hasOptions: Boolean

    /** Reads the picture that the model takes and the tensors that go in and come out. */
    fun readTensors(fields: Fields): Tensors

    /** Reads the kinds of processors that the model file can run on. */
    fun readProcessors(fields: Fields): List<String>

    /** Checks the record of quantization and quality, which only people read. */
    fun checkRecord(fields: Fields)
}

/** Every schema that this app reads, the newest last. */
internal val SCHEMAS = listOf(Schema1, Schema2, Schema3)

private val SHARE = 0.0..1.0

/** Checks the two results of a record, each a share, called [value], of a [count] of pictures, or null. */
internal fun checkResults(
    fields: Fields,
    value: String,
    count: String,
) {
    for (name in listOf("float32", "int8_reference")) {
        fields.insideOrNull(name)?.run {
            number(value, SHARE)
            whole(count, 1L..Int.MAX_VALUE)
            end()
        }
    }
    fields.end()
}
