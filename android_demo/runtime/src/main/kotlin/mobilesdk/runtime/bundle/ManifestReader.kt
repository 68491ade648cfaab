package mobilesdk.runtime.bundle

import mobilesdk.runtime.json.FieldException
import mobilesdk.runtime.json.Fields
import mobilesdk.runtime.json.Json
import mobilesdk.runtime.json.JsonArray
import mobilesdk.runtime.json.JsonException
import mobilesdk.runtime.json.JsonNumber
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.json.JsonText
import mobilesdk.runtime.json.parseJson
import mobilesdk.runtime.task.Sides
import mobilesdk.runtime.task.TaskContract
import mobilesdk.runtime.task.readTask
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.security.MessageDigest

const val MANIFEST_FILE = "bundle.json"

private const val SEAL = "manifest_sha256"
private const val SEAL_DIGITS = 64
private const val ASCII_END = 0x80

/** Reads a `bundle.json`; throws [BundleRefusal] with check "manifest", "schema", "seal" or "fields". */
fun readManifest(data: ByteArray): Manifest {
    val content = parse(data)
    val schema = schemaOf(content.fields["schema_number"])
    checkSeal(data, content.fields[SEAL])
    return try {
        readFields(Fields(content, ""), schema)
    } catch (problem: FieldException) {
        throw BundleRefusal("fields", problem.message.orEmpty(), problem)
    }
}

/** SHA-256 in small hexadecimal digits. */
internal fun MessageDigest.hexadecimal(): String = digest().joinToString("") { "%02x".format(it) }

private fun parse(data: ByteArray): JsonObject {
    val json =
        try {
            val text = Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data))
            parseJson(text.toString())
        } catch (problem: JsonException) {
            throw BundleRefusal("manifest", "expected JSON in $MANIFEST_FILE, found ${problem.message}", problem)
        } catch (problem: CharacterCodingException) {
            throw BundleRefusal("manifest", "expected UTF-8 in $MANIFEST_FILE, found other bytes", problem)
        }
    return json as? JsonObject ?: refuse("manifest", "expected an object in $MANIFEST_FILE, found none")
}

private fun schemaOf(found: Json?): Schema {
    val newest = SCHEMAS.last().number
    val text = (found as? JsonNumber)?.takeIf { it.isWhole }?.text
    if (text == null || text.startsWith("-") || text == "0") {
        refuse("schema", "expected schema_number 1 to $newest, found another")
    }
    return SCHEMAS.find { it.number.toString() == text } ?: refuse(
        "schema",
        "expected schema_number $newest or lower, found $text: a newer SDK wrote this bundle, update the app",
    )
}

/** The seal is the SHA-256 of the file with the seal's own digits read as zeros. */
private fun checkSeal(
    data: ByteArray,
    found: Json?,
) {
    val seal = (found as? JsonText)?.value
    if (seal == null || seal.length != SEAL_DIGITS || seal.any { it.code >= ASCII_END }) {
        refuse("seal", "expected $SEAL of $SEAL_DIGITS digits in $MANIFEST_FILE, found another")
    }
    val unsealed = String(data, Charsets.ISO_8859_1).replace(seal, "0".repeat(SEAL_DIGITS))
    val digest = MessageDigest.getInstance("SHA-256").apply { update(unsealed.toByteArray(Charsets.ISO_8859_1)) }
    if (digest.hexadecimal() != seal) refuse("seal", "expected $MANIFEST_FILE as it was written, found it changed")
}

private const val MAX_FILES = 1000
private const val MAX_CHOICES = 16
private const val MAX_GOLDEN_PICTURES = 16
private const val MAX_FILE_BYTES = 1L shl 31 // a flatbuffer ends at 2 GiB
private val COUNT = 0L..Int.MAX_VALUE.toLong()
private val SHARE = 0.0..1.0
private val TOLERANCE = 0.0..Double.MAX_VALUE
private val NAME = Regex("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
private val LICENCE = Regex("[!-~]([ -~]{0,198}[!-~])?")
private val CHOICE = Regex("[A-Za-z][A-Za-z0-9-]{0,31}")
private val RUNTIME = Regex("[a-z][a-z0-9_]{0,31}")
private val MODEL = Regex("model\\.[a-z]{1,16}")
private val SHA_256 = Regex("[0-9a-f]{64}")
private val PATH = Regex("(?s).{1,255}")
private val WRITER = Regex("(?s).{1,64}")

private fun readFields(
    fields: Fields,
    schema: Schema,
): Manifest {
    fields.take("schema_number")
    val (labels, tensors) = readLabels(fields) to schema.readTensors(fields)
    val task = readTask(TaskContract(labels, tensors.source.pictureSides(), tensors.outputs), fields, schema.number)
    val manifest =
        Manifest(
            name = fields.text("name", NAME),
            task = task,
            labels = labels,
            tensors = tensors,
            runtime = fields.text("runtime", RUNTIME),
            processors = schema.readProcessors(fields),
            precision = fields.choice("precision", "int8", "float32", "mixed"),
            model = fields.text("model", MODEL),
            golden = readGolden(fields.inside("golden"), schema),
            files = fields.list("files", 1..MAX_FILES) { json, path -> readFile(Fields(json, path)) },
            form = if (schema.hasOptions) readForm(fields) else emptyMap(),
        )
    if (schema.hasUnproven) fields.take("versions")
    schema.checkRecord(fields)
    checkWhatOnlyPeopleRead(fields, schema)
    fields.end()
    return manifest
}

private fun readForm(fields: Fields): Map<String, String> {
    if (!fields.has("form")) return emptyMap()
    val form = fields.map("form") { json, path -> Fields.text(json, path, CHOICE) }
    if (form.size > MAX_CHOICES || !form.keys.all(RUNTIME::matches)) {
        refuse("fields", "expected at most $MAX_CHOICES choices of the model file, by their names, found others")
    }
    return form
}

/** The height and width of a picture; of an array none. */
private fun Source.pictureSides(): Sides? =
    (this as? Source.Picture)?.let { Sides(height = it.image.heightPx, width = it.image.widthPx) }

private fun readLabels(fields: Fields): List<String> {
    val labels = fields.list("labels") { json, path -> Fields.text(json, path) }
    if (labels.toSet().size < labels.size) refuse("fields", "expected unique labels, found one twice")
    if (labels.any {
            it.all(
                ::isBlank,
            ) || '\n' in it || '\r' in it
        }
    ) {
        refuse("fields", "expected labels of one line each")
    }
    return labels
}

/** Tells whether a letter shows nothing: docs/reference/bundle-format.md, "Labels"; every language has other white space. */
private fun isBlank(letter: Char): Boolean = BLANKS.any { letter.code in it }

private val BLANKS =
    listOf(0x9..0xD, 0x1C..0x20, 0x85..0x85, 0xA0..0xA0, 0x1680..0x1680, 0x2000..0x200A) +
        listOf(0x2028..0x2029, 0x202F..0x202F, 0x205F..0x205F, 0x3000..0x3000)

private fun readGolden(
    fields: Fields,
    schema: Schema,
): GoldenSpec {
    fields.choice("source", "given", "generated")
    fields.text("expected_by", WRITER)
    val tolerance = fields.number("tolerance", TOLERANCE)
    return GoldenSpec(
        tolerance = tolerance,
        tolerances = readTolerances(fields).ifEmpty { listOf(tolerance) },
        pictures =
            fields.list(
                "pictures",
                1..MAX_GOLDEN_PICTURES,
            ) { json, path -> readGoldenPicture(Fields(json, path), schema) },
    ).also { fields.end() }
}

/** Several outputs have a tolerance each; of one output they may be left out. */
private fun readTolerances(fields: Fields): List<Double> {
    if (!fields.has("tolerances")) return emptyList()
    return fields.list("tolerances", 0..MAX_OUTPUTS) { json, path -> Fields.number(json, path, TOLERANCE) }
}

private fun readGoldenPicture(
    fields: Fields,
    schema: Schema,
): GoldenPicture {
    if (schema.hasUnproven) fields.take("label_index")
    return GoldenPicture(
        top1Index = fields.whole("top1_index", COUNT),
        inputSha256 = if (fields.has("input_sha256")) fields.text("input_sha256", SHA_256) else null,
    ).also { fields.end() }
}

private fun readFile(fields: Fields): FileEntry =
    FileEntry(
        path = fields.text("path", PATH),
        bytes = fields.wideWhole("bytes", 0L..MAX_FILE_BYTES),
        sha256 = fields.text("sha256", SHA_256),
    ).also { fields.end() }

/** Fields that the app has no use for are checked all the same: one that is wrong shows damage or another writer. */
private fun checkWhatOnlyPeopleRead(
    fields: Fields,
    schema: Schema,
) {
    for (name in listOf("program_sha256", "graph_sha256", SEAL)) fields.text(name, SHA_256)
    if (schema.hasOptions && fields.has("licence")) fields.text("licence", LICENCE)
    if (fields.has("activation_limit_kib")) fields.whole("activation_limit_kib", 1L..Int.MAX_VALUE)
    checkStructure(fields.inside("structure"))
}

private fun checkStructure(fields: Fields) {
    for (name in listOf("operators", "bytes_by_part")) {
        fields.map(name) { json, path -> Fields.whole(json, path, COUNT) }
    }
    for (name in listOf("partitions", "float_convolutions")) fields.whole(name, COUNT)
    fields.number("int8_weight_share", SHARE)
    fields.list("not_delegated") { json, path ->
        val pair = (json as? JsonArray)?.items.orEmpty()
        if (pair.size != 2) refuse("fields", "expected an operator and a reason at '$path', found another")
        pair.forEach { Fields.text(it, path) }
    }
    fields.end()
}
