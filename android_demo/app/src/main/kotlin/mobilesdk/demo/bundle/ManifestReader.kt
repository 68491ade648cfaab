package mobilesdk.demo.bundle

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.security.MessageDigest
import kotlin.math.nextDown

const val MANIFEST_FILE = "bundle.json"

private const val SCHEMA = 1L
private const val SEAL = "manifest_sha256"
private const val SEAL_DIGITS = 64

/** Reads a `bundle.json`; throws [BundleRefusal] with check "manifest", "schema", "seal" or "fields". */
fun readManifest(data: ByteArray): Manifest {
    val content = parse(data)
    checkSchema(content.fields["schema_number"])
    checkSeal(data, content.fields[SEAL])
    return readFields(Fields(content, ""))
}

/** SHA-256 in small hexadecimal digits. */
internal fun MessageDigest.hexadecimal(): String = digest().joinToString("") { "%02x".format(it) }

private fun parse(data: ByteArray): JsonObject {
    val json =
        try {
            parseJson(
                Charsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(data))
                    .toString(),
            )
        } catch (problem: JsonException) {
            throw BundleRefusal("manifest", "expected JSON in $MANIFEST_FILE, found ${problem.message}", problem)
        } catch (problem: CharacterCodingException) {
            throw BundleRefusal("manifest", "expected UTF-8 in $MANIFEST_FILE, found other bytes", problem)
        }
    return json as? JsonObject ?: refuse("manifest", "expected an object in $MANIFEST_FILE, found none")
}

private fun checkSchema(found: Json?) {
    val text = (found as? JsonNumber)?.takeIf { it.isWhole }?.text
    if (text == null || text.startsWith("-") || text == "0") {
        refuse("schema", "expected schema_number $SCHEMA, found another")
    }
    if ((text.toLongOrNull() ?: Long.MAX_VALUE) > SCHEMA) {
        refuse("schema", "expected schema_number $SCHEMA, found $text: a newer SDK wrote this bundle, update the app")
    }
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

private const val ASCII_END = 0x80
private const val MAX_FILES = 1000
private const val MAX_DETECTIONS = 1000L
private const val MAX_MASK_LABELS = 255
private const val MAX_GOLDEN_PICTURES = 16
private const val MAX_FILE_BYTES = 1L shl 31 // a flatbuffer ends at 2 GiB
private val COUNT = 0L..Int.MAX_VALUE.toLong()
private val SHARE = 0.0..1.0
private val INNER_SHARE = Double.MIN_VALUE..1.0.nextDown()
private val NAME = Regex("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
private val RUNTIME = Regex("[a-z][a-z0-9_]{0,31}")
private val MODEL = Regex("model\\.[a-z]{1,16}")
private val SHA_256 = Regex("[0-9a-f]{64}")
private val PATH = Regex("(?s).{1,255}")
private val WRITER = Regex("(?s).{1,64}")
private val WEIGHTS = arrayOf("int8 per channel", "float32", "int8 per channel, kept layers float32")
private val ACTIVATIONS = arrayOf("int8 per tensor", "float32", "int8 per tensor, kept layers float32")

private fun readFields(fields: Fields): Manifest {
    fields.whole("schema_number", SCHEMA..SCHEMA)
    fields.choice("resize", "pillow-bilinear")
    checkWhatOnlyPeopleRead(fields)
    val tensors = fields.inside("interface")
    val manifest =
        Manifest(
            name = fields.text("name", NAME),
            task = readTask(fields),
            labels = readLabels(fields),
            image = readImage(fields.inside("image")),
            runtime = fields.text("runtime", RUNTIME),
            precision = fields.choice("precision", "int8", "float32", "mixed"),
            model = fields.text("model", MODEL),
            input = readInput(tensors.inside("input")),
            output = readOutput(tensors.inside("output")),
            golden = readGolden(fields.inside("golden")),
            files = fields.list("files", 1..MAX_FILES) { json, path -> readFile(Fields(json, path)) },
            versions = fields.map("versions") { json, path -> Fields.text(json, path) },
        )
    tensors.end()
    fields.end()
    val range = labelsOf(manifest.task)
    if (manifest.labels.size !in range) {
        refuse("fields", "expected $range labels for this task, found ${manifest.labels.size}")
    }
    return manifest
}

/** A mask is bytes, and one of them says in training that no label is asked of a pixel. */
private fun labelsOf(task: Task): IntRange =
    when (task) {
        Task.Classification -> 2..Int.MAX_VALUE
        is Task.Detection -> 1..Int.MAX_VALUE
        Task.Segmentation -> 2..MAX_MASK_LABELS
    }

private fun readTask(fields: Fields): Task {
    val task = fields.choice("task", "classification", "detection", "segmentation")
    val rule = if (fields.has("detection")) fields.insideOrNull("detection")?.let(::readDetection) else null
    if ((task == "detection") != (rule != null)) {
        refuse("fields", "expected the field 'detection' for the task detection, and only for it")
    }
    return when {
        rule != null -> Task.Detection(rule)
        task == "segmentation" -> Task.Segmentation
        else -> Task.Classification
    }
}

private fun readDetection(fields: Fields): DetectionSpec =
    DetectionSpec(
        leastScoreShare = fields.number("least_score_share", INNER_SHARE),
        overlapShare = fields.number("overlap_share", INNER_SHARE),
        most = fields.whole("most", 1L..MAX_DETECTIONS),
    ).also { fields.end() }

private fun readLabels(fields: Fields): List<String> {
    val labels = fields.list("labels", 1..Int.MAX_VALUE) { json, path -> Fields.text(json, path) }
    if (labels.toSet().size < labels.size) refuse("fields", "expected unique labels, found one twice")
    if (labels.any { it.isBlank() || '\n' in it || '\r' in it }) refuse("fields", "expected labels of one line each")
    return labels
}

private fun readImage(fields: Fields): ImageSpec {
    val image =
        ImageSpec(
            sizePx = fields.whole("size_px", 8L..4096L),
            fit = if (fields.choice("fit", "crop", "stretch") == "crop") Fit.CROP else Fit.STRETCH,
            cropShare = fields.number("crop_share", Double.MIN_VALUE..1.0),
        )
    fields.list("mean_byte", 3..3) { json, path -> Fields.number(json, path, 0.0..255.0) }
    fields.list("std_byte", 3..3) { json, path -> Fields.number(json, path, 1.0..1024.0) }
    fields.end()
    return image
}

private fun readInput(fields: Fields): InputSpec =
    InputSpec(
        name = fields.text("name"),
        type = InputType.valueOf(fields.choice("dtype", "uint8", "int8", "float32", "image").uppercase()),
        shape = readShape(fields),
        layout = Layout.valueOf(fields.choice("layout", "NHWC", "NCHW", "NC")),
        byteOffset = fields.whole("byte_offset", Int.MIN_VALUE..Int.MAX_VALUE.toLong()),
    ).also { fields.end() }

private fun readOutput(fields: Fields): OutputSpec =
    OutputSpec(
        name = fields.text("name"),
        type = OutputType.valueOf(fields.choice("dtype", "int8", "float32").uppercase()),
        shape = readShape(fields),
        scale = fields.numberOrNull("scale"),
        zeroPoint = fields.wholeOrNull("zero_point", Int.MIN_VALUE..Int.MAX_VALUE.toLong()),
    ).also {
        fields.choice("activation", "none")
        fields.end()
    }

private fun readShape(fields: Fields): List<Int> =
    fields.list("shape") { json, path -> Fields.whole(json, path, Int.MIN_VALUE..Int.MAX_VALUE.toLong()).toInt() }

private fun readGolden(fields: Fields): GoldenSpec {
    fields.choice("source", "given", "generated")
    fields.text("expected_by", WRITER)
    return GoldenSpec(
        tolerance = fields.number("tolerance", 0.0..Double.MAX_VALUE),
        pictures =
            fields.list(
                "pictures",
                1..MAX_GOLDEN_PICTURES,
            ) { json, path -> readGoldenPicture(Fields(json, path)) },
    ).also { fields.end() }
}

private fun readGoldenPicture(fields: Fields): GoldenPicture =
    GoldenPicture(
        top1Index = fields.whole("top1_index", COUNT),
        labelIndex = fields.wholeOrNull("label_index", COUNT),
    ).also { fields.end() }

private fun readFile(fields: Fields): FileEntry =
    FileEntry(
        path = fields.text("path", PATH),
        bytes = fields.wideWhole("bytes", 0L..MAX_FILE_BYTES),
        sha256 = fields.text("sha256", SHA_256),
    ).also { fields.end() }

/** Fields that the app has no use for are checked all the same: one that is wrong shows damage or another writer. */
private fun checkWhatOnlyPeopleRead(fields: Fields) {
    for (name in listOf("program_sha256", "graph_sha256", "manifest_sha256")) fields.text(name, SHA_256)
    if (fields.has("activation_limit_kib")) fields.whole("activation_limit_kib", 1L..Int.MAX_VALUE)
    fields.inside("quantization").run {
        choice("method", "float32", "calibrated", "qat")
        choice("weights", *WEIGHTS)
        choice("activations", *ACTIVATIONS)
        end()
    }
    fields.inside("accuracy").run {
        for (name in listOf("float32", "int8_reference")) insideOrNull(name)?.let(::checkAccuracy)
        end()
    }
    checkStructure(fields.inside("structure"))
}

private fun checkAccuracy(fields: Fields) {
    fields.number("share", SHARE)
    fields.whole("pictures", 1L..Int.MAX_VALUE)
    fields.end()
}

private fun checkStructure(fields: Fields) {
    for (name in listOf(
        "operators",
        "bytes_by_part",
    )) {
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
