package mobilesdk.demo.bundle

import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.tensor.OutputType
import mobilesdk.demo.tensor.inputBytes
import java.io.IOException
import kotlin.math.abs
import kotlin.math.round

private const val MAX_PICTURE_BYTES = 4L shl 20
private const val FLOAT_SHARE = 1e-3 // of the largest score
private const val STEPS = 8.0 // of scores that were codes
private const val SNAP_STEPS = 1e-3

/** The kinds of files of one golden picture. */
internal fun goldenKinds(manifest: Manifest): List<String> =
    listOf(manifest.source.kind, "input.bin", "output.bin") + listOfNotNull(manifest.task.goldenFile?.kind)

/** The picture gives the input by the recipe, and the expected outputs say what is expected. */
internal fun checkGolden(
    bundle: Bundle,
    index: Int,
) {
    val manifest = bundle.manifest
    checkSizes(bundle, index)
    val written = bundle.goldenFile(index, "input.bin").readBytes()
    if (!inputBytes(picture(bundle, index), manifest.input).contentEquals(written)) {
        refuse(
            "golden",
            "expected golden/$index.input.bin to be what golden/$index.${manifest.source.kind} gives, found another",
        )
    }
    val expected = manifest.golden.pictures[index]
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

/**
 * Refuses a tolerance of real scores that is more than the expected outputs justify: a self-check that allows
 * everything checks nothing. A few steps are justified where all scores are whole steps.
 */
internal fun checkTolerance(bundle: Bundle) {
    val golden = bundle.manifest.golden
    val pictures = golden.pictures.indices.map(bundle::goldenOutputs)
    bundle.manifest.outputs.forEachIndexed { index, output ->
        if (output.type == OutputType.FLOAT32) {
            checkTolerance(golden.tolerances[index], pictures.map { it[index] }, bundle.manifest.precision)
        }
    }
}

/** Refuses the tolerance of one output, of which [goldens] are expected. */
private fun checkTolerance(
    found: Double,
    goldens: List<FloatArray>,
    precision: String,
) {
    val most = FLOAT_SHARE * maxOf(1.0, goldens.maxOf { scores -> scores.maxOf { abs(it.toDouble()) } })
    if (found <= most) return
    val areSteps = precision != "float32" && goldens.all { areSteps(it, found / STEPS) }
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
    for ((kind, sizes) in sizes(bundle.manifest)) {
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

private fun undecoded(
    bundle: Bundle,
    index: Int,
    problem: Exception,
): BundleRefusal {
    val file = "golden/$index.${bundle.manifest.source.kind}"
    return BundleRefusal("golden", "expected $file to decode, found: ${problem.message}", problem)
}
