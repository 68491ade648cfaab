package mobilesdk.demo.bundle

import mobilesdk.demo.model.Mask
import mobilesdk.demo.model.detect
import mobilesdk.demo.model.inputBytes
import mobilesdk.demo.model.winner
import mobilesdk.demo.picture.Rgb
import java.io.IOException

private const val MAX_PICTURE_BYTES = 4L shl 20
private const val MAX_DETECTIONS_BYTES = 1L shl 20

internal const val MASK_KIND = "mask.bin"

/** The picture gives the input by the recipe, and the expected output says what is expected. */
internal fun checkGolden(
    bundle: Bundle,
    index: Int,
) {
    val manifest = bundle.manifest
    checkSizes(bundle, index)
    val written = bundle.goldenFile(index, "input.bin").readBytes()
    if (!inputBytes(picture(bundle, index), manifest.input).contentEquals(written)) {
        refuse("golden", "expected golden/$index.input.bin to be what golden/$index.png gives, found another")
    }
    val expected = manifest.golden.pictures[index]
    val output = bundle.goldenOutput(index)
    if (winner(output, manifest) != expected.top1Index) {
        refuse("golden", "expected label ${expected.top1Index} to win in golden/$index.output.bin, found another")
    }
    if (expected.labelIndex != null && expected.labelIndex >= manifest.labels.size) {
        refuse("golden", "expected golden $index to have one of the labels, found index ${expected.labelIndex}")
    }
    when (val task = manifest.task) {
        Task.Classification -> Unit
        is Task.Detection -> checkDetections(bundle, index, output, task.rule)
        Task.Segmentation -> checkMask(bundle, index, output)
    }
}

private fun checkSizes(
    bundle: Bundle,
    index: Int,
) {
    val manifest = bundle.manifest
    val side = manifest.image.sizePx.toLong()
    val expected =
        mutableMapOf(
            "input.bin" to side * side * Rgb.CHANNELS * manifest.input.type.bytes,
            "output.bin" to
                manifest.output.shape.fold(
                    manifest.output.type.bytes
                        .toLong(),
                    Long::times,
                ),
        )
    if (manifest.task == Task.Segmentation) expected[MASK_KIND] = side * side
    for ((kind, bytes) in expected) {
        val found = bundle.goldenFile(index, kind).length()
        if (found != bytes) refuse("golden", "expected $bytes bytes of golden/$index.$kind, found $found")
    }
    val limits = mapOf("png" to MAX_PICTURE_BYTES, DETECTIONS_KIND to MAX_DETECTIONS_BYTES)
    for ((kind, bytes) in limits) {
        val found = bundle.goldenFile(index, kind).length() // 0 where the task has no such file
        if (found > bytes) refuse("golden", "expected at most $bytes bytes of golden/$index.$kind, found $found")
    }
}

private fun picture(
    bundle: Bundle,
    index: Int,
): Rgb =
    try {
        bundle.goldenPicture(index)
    } catch (problem: IOException) {
        throw BundleRefusal("golden", "expected golden/$index.png to decode, found ${problem.message}", problem)
    }

private fun checkDetections(
    bundle: Bundle,
    index: Int,
    output: FloatArray,
    rule: DetectionSpec,
) {
    val manifest = bundle.manifest
    val written =
        readDetections(bundle.goldenFile(index, DETECTIONS_KIND).readBytes(), "golden/$index.$DETECTIONS_KIND")
    if (!areNear(written, detect(output, manifest.labels.size, rule, manifest.image.sizePx))) {
        refuse(
            "golden",
            "expected golden/$index.$DETECTIONS_KIND to be what golden/$index.output.bin gives, found another",
        )
    }
}

private fun checkMask(
    bundle: Bundle,
    index: Int,
    output: FloatArray,
) {
    val manifest = bundle.manifest
    val found = Mask.of(output, manifest.labels.size, manifest.image.sizePx)
    if (!found.labels.contentEquals(bundle.goldenFile(index, MASK_KIND).readBytes())) {
        refuse("golden", "expected golden/$index.$MASK_KIND to be what golden/$index.output.bin gives, found another")
    }
}
