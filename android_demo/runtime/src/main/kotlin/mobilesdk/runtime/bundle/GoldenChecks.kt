package mobilesdk.runtime.bundle

import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.tensor.OutputType
import mobilesdk.runtime.tensor.inputBytes
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.security.MessageDigest
import kotlin.math.abs
import kotlin.math.round

private const val MAX_PICTURE_BYTES = 4L shl 20
private const val MAX_PICTURE_PX = 4L shl 20
private const val PNG_HEADER_BYTES = 33
private const val PNG_CHUNK = 12 // the name of the first chunk, then width and height
private const val PNG_IHDR = 0x49484452
private val PNG_START = byteArrayOf(0x89.toByte(), 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A)
private const val FLOAT_SHARE = 1e-3 // of the largest score
private const val NEURAL_ENGINE_SHARE = 0.25 // the same
private const val STEPS = 8.0 // of scores that were codes
private const val SNAP_STEPS = 1e-3

/** The kinds of files of one golden picture; the input itself is one where the manifest does not hold its hash. */
internal fun goldenKinds(
    manifest: Manifest,
    index: Int,
): List<String> {
    val input = listOfNotNull("input.bin".takeIf { manifest.golden.pictures[index].inputSha256 == null })
    return listOf(manifest.source.kind) + input + "output.bin" + listOfNotNull(manifest.task.goldenFile?.kind)
}

/** The picture gives the input by the recipe, and the expected outputs say what is expected. */
internal fun checkGolden(
    bundle: Bundle,
    index: Int,
) {
    val manifest = bundle.manifest
    checkSizes(bundle, index)
    val expected = manifest.golden.pictures[index]
    if (!isGoldenInput(bundle, index, inputBytes(picture(bundle, index), manifest.input))) {
        val written = if (expected.inputSha256 == null) "golden/$index.input.bin" else "input_sha256 of picture $index"
        refuse("golden", "expected $written to be what golden/$index.${manifest.source.kind} gives, found another")
    }
    val outputs = bundle.goldenOutputs(index)
    if (manifest.task.winner(outputs) != expected.top1Index) {
        refuse("golden", "expected label ${expected.top1Index} to win in golden/$index.output.bin, found another")
    }
    manifest.task.goldenFile?.let { file ->
        val path = "golden/$index.${file.kind}"
        file
            .misfit(
                bundle.goldenFile(index, file.kind).readBytes(),
                outputs.single(),
                path,
            )?.let { refuse("golden", it) }
    }
}

/** Tells whether these are the bytes of the input that the manifest expects of a golden picture. */
internal fun isGoldenInput(
    bundle: Bundle,
    index: Int,
    given: ByteArray,
): Boolean {
    val expected = bundle.manifest.golden.pictures[index]
    val sha256 = expected.inputSha256
    if (sha256 == null) return given.contentEquals(bundle.goldenFile(index, "input.bin").readBytes())
    val digest = MessageDigest.getInstance("SHA-256").apply { update(given) }
    return digest.hexadecimal() == sha256
}

/**
 * Refuses a tolerance of real scores that is more than the expected outputs justify: a self-check that allows
 * everything checks nothing. A model for the Neural Engine may be off by a share of the largest score. A few steps are
 * justified where all scores are whole steps, in bundles of earlier versions.
 */
internal fun checkTolerance(bundle: Bundle) {
    val golden = bundle.manifest.golden
    val pictures = golden.pictures.indices.map(bundle::goldenOutputs)
    bundle.manifest.outputs.forEachIndexed { index, output ->
        if (output.type == OutputType.FLOAT32) {
            checkTolerance(golden.tolerances[index], pictures.map { it[index] }, bundle.manifest)
        }
    }
}

/** Refuses the tolerance of one output, of which [goldens] are expected. */
private fun checkTolerance(
    found: Double,
    goldens: List<FloatArray>,
    manifest: Manifest,
) {
    val largest = goldens.maxOf { scores -> scores.maxOf { abs(it.toDouble()) } }
    val most = if (manifest.isForNeuralEngine) NEURAL_ENGINE_SHARE * largest else FLOAT_SHARE * maxOf(1.0, largest)
    if (found <= most) return
    val areSteps = manifest.precision != "float32" && goldens.all { areSteps(it, found / STEPS) }
    if (!areSteps) refuse("golden", "expected a tolerance of at most $most for these golden outputs, found $found")
}

/** Tells whether every score is a whole number of steps, and none but zero is less than one. */
private fun areSteps(
    scores: FloatArray,
    step: Double,
): Boolean =
    scores.all { score ->
        val whole = round(score / step)
        abs(score / step - whole) < SNAP_STEPS && (whole != 0.0 || score == 0f)
    }

private fun checkSizes(
    bundle: Bundle,
    index: Int,
) {
    val all = sizes(bundle.manifest)
    for (kind in goldenKinds(bundle.manifest, index)) {
        val sizes = all.getValue(kind)
        val found = bundle.goldenFile(index, kind).length()
        if (found in sizes) continue
        val expected = if (sizes.first == sizes.last) "${sizes.first}" else "at most ${sizes.last}"
        refuse("golden", "expected $expected bytes of golden/$index.$kind, found $found")
    }
}

/** How many bytes each file of a golden picture may have. */
private fun sizes(manifest: Manifest): Map<String, LongRange> {
    val (input, output) = manifest.input.byteCount to manifest.outputs.sumOf { it.byteCount }
    val ofTask = listOfNotNull(manifest.task.goldenFile).associate { it.kind to it.sizes }
    val ofSource =
        when (val source = manifest.source) {
            is Source.Picture -> 0..MAX_PICTURE_BYTES
            is Source.Array -> source.array.byteCount..source.array.byteCount
        }
    val files = mapOf("input.bin" to input..input, "output.bin" to output..output)
    return files + (manifest.source.kind to ofSource) + ofTask
}

private fun picture(
    bundle: Bundle,
    index: Int,
): Rgb =
    try {
        bundle.goldenPicture(index)
    } catch (problem: IOException) {
        throw undecoded(bundle, index, problem)
    } catch (problem: IllegalArgumentException) {
        throw undecoded(bundle, index, problem)
    }

/** Throws [IOException] unless a header says, before anything is decoded, that it is a PNG of a size that is read. */
internal fun checkPng(file: File) {
    val header = file.inputStream().use { stream -> ByteArray(PNG_HEADER_BYTES).also { stream.read(it) } }
    if (file.length() < PNG_HEADER_BYTES || !header.copyOf(PNG_START.size).contentEquals(PNG_START)) {
        throw IOException("no PNG")
    }
    val fields = ByteBuffer.wrap(header, PNG_CHUNK, header.size - PNG_CHUNK)
    if (fields.getInt() != PNG_IHDR) throw IOException("no PNG")
    val (width, height) = List(2) { fields.getInt() }
    val isRead = width > 0 && height > 0 && width.toLong() * height <= MAX_PICTURE_PX
    if (!isRead) throw IOException("expected at most $MAX_PICTURE_PX pixels, found $width × $height")
}

private fun undecoded(
    bundle: Bundle,
    index: Int,
    problem: Exception,
): BundleRefusal {
    val file = "golden/$index.${bundle.manifest.source.kind}"
    return BundleRefusal("golden", "expected $file to decode, found: ${problem.message}", problem)
}
