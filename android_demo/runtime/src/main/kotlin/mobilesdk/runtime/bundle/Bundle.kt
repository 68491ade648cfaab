package mobilesdk.runtime.bundle

import mobilesdk.runtime.picture.PictureDecoder
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.picture.prepare
import mobilesdk.runtime.tensor.readOutputs
import java.io.File
import java.io.IOException
import java.security.PublicKey

const val LABELS_FILE = "labels.txt"

private const val MAX_MANIFEST_BYTES = 8L shl 20

/**
 * A runtime by its name, with its model file and the kinds of processors that it computes on. Core ML does not run on
 * this system, but its bundles are understood.
 */
enum class Runtime(
    val id: String,
    val modelFile: String,
    val processors: Set<String> = setOf("cpu"),
) {
    EXECUTORCH("executorch", "model.pte"),
    TFLITE("tflite", "model.tflite"),
    COREML("coreml", "model.mlpackage", setOf("cpu", "gpu", "npu")),
}

/** An opened bundle: when it was opened, every byte of it was what its manifest says. */
class Bundle internal constructor(
    val folder: File,
    val manifest: Manifest,
    val runtime: Runtime,
    private val decoder: PictureDecoder,
) {
    val modelFile: File get() = File(folder, manifest.model)

    /** The size of the model, without labels and golden pictures. */
    val modelBytes: Long
        get() = manifest.files.filter { it.path.startsWith(manifest.model) }.sumOf { it.bytes }

    /** Reads the golden picture, or the golden array, as the model reads it. */
    fun goldenPicture(index: Int): Rgb {
        val file = goldenFile(index, manifest.source.kind)
        return when (val source = manifest.source) {
            is Source.Picture -> prepare(decoder.decode(file.also(::checkPng)), source.image)
            is Source.Array -> source.array.stored(file.readBytes())
        }
    }

    /** Reads the outputs that are expected of it, each in its own unit. */
    fun goldenOutputs(index: Int): List<FloatArray> =
        readOutputs(goldenFile(index, "output.bin").readBytes(), manifest.outputs)

    /** The file of a golden picture with this end of its name, such as output.bin. */
    fun goldenFile(
        index: Int,
        kind: String,
    ) = File(folder, "golden/$index.$kind")
}

/**
 * Opens a folder and checks everything in it but the model's arithmetic.
 *
 * Throws [BundleRefusal]; its checks and their order are those of docs/reference/bundle-format.md. [decoder] reads its pictures.
 * With [key] it opens what the holder of the private key has signed, and nothing else.
 */
fun openBundle(
    folder: File,
    decoder: PictureDecoder,
    key: PublicKey? = null,
): Bundle =
    try {
        open(folder, decoder, key)
    } catch (problem: IOException) {
        throw BundleRefusal("folder", "expected a readable bundle, found ${problem.message}", problem)
    }

private fun open(
    folder: File,
    decoder: PictureDecoder,
    key: PublicKey?,
): Bundle {
    if (!folder.isDirectory) refuse("folder", "expected a bundle, found no folder '${folder.name}'")
    val data = readManifestBytes(folder)
    val signature = readSignature(folder)
    if (key != null) checkSignature(data, signature, key)
    val manifest = readManifest(data)
    val runtime = runtimeOf(manifest)
    checkPaths(manifest)
    checkFiles(folder, manifest)
    for (entry in manifest.files) checkSize(folder, entry)
    for (entry in manifest.files) checkHash(folder, entry)
    checkLabels(folder, manifest)
    checkInterface(manifest)
    val bundle = Bundle(folder, manifest, runtime, decoder)
    manifest.golden.pictures.indices
        .forEach { checkGolden(bundle, it) }
    checkTolerance(bundle)
    return bundle
}

private fun readManifestBytes(folder: File): ByteArray {
    val file = File(folder, MANIFEST_FILE)
    if (isLink(file)) refuse("paths", "expected $MANIFEST_FILE to be a plain file, found a link")
    if (!file.exists()) refuse("manifest", "expected $MANIFEST_FILE in '${folder.name}', found none")
    if (!file.isFile) refuse("paths", "expected $MANIFEST_FILE to be a plain file, found another")
    if (file.length() > MAX_MANIFEST_BYTES) {
        refuse("manifest", "expected at most $MAX_MANIFEST_BYTES bytes of $MANIFEST_FILE, found ${file.length()}")
    }
    return file.readBytes()
}

private fun runtimeOf(manifest: Manifest): Runtime {
    val found = manifest.runtime
    val runtime =
        Runtime.entries.find { it.id == found }
            ?: refuse("runtime", "expected a known runtime, found '$found': update the app")
    if (manifest.model != runtime.modelFile) {
        refuse("runtime", "expected the model '${runtime.modelFile}', found '${manifest.model}'")
    }
    if (manifest.processors.none { it in runtime.processors }) {
        val (known, other) = runtime.processors.joinToString(" or ") to manifest.processors.joinToString()
        refuse("runtime", "expected a model for $known, found $other: update the app")
    }
    return runtime
}

private fun checkLabels(
    folder: File,
    manifest: Manifest,
) {
    val expected = manifest.labels.joinToString("") { "$it\n" }.toByteArray()
    if (!File(folder, LABELS_FILE).readBytes().contentEquals(expected)) {
        refuse("labels", "expected $LABELS_FILE to hold the manifest's labels in its order, found others")
    }
}
