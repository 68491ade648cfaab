package mobilesdk.demo.bundle

import android.content.res.AssetManager
import mobilesdk.demo.picture.PictureDecoder
import java.io.File
import java.io.IOException

/** Bundles that an app brings, by name. */
interface BundleShelf {
    fun names(): List<String>

    /** Throws [BundleRefusal]. */
    fun open(name: String): Bundle
}

/**
 * The folders of `assets/bundles`. Runtimes map a model from a file, so a bundle is copied out of the APK into [files]
 * once, and again where the copy is another's or does not open.
 */
class EmbeddedBundles(
    private val assets: AssetManager,
    private val files: File,
    private val decoder: PictureDecoder,
) : BundleShelf {
    override fun names(): List<String> = assets.list(ROOT).orEmpty().sorted()

    override fun open(name: String): Bundle {
        val folder = File(files, "$ROOT/$name")
        if (isCopyOf(name, folder)) {
            try {
                return openBundle(folder, decoder)
            } catch (_: BundleRefusal) {
                // The copy was damaged; what the APK holds may be whole.
            }
        }
        copy(name, folder)
        return openBundle(folder, decoder)
    }

    private fun isCopyOf(
        name: String,
        folder: File,
    ): Boolean {
        val manifest = File(folder, MANIFEST_FILE)
        return manifest.isFile && manifest.readBytes().contentEquals(read("$ROOT/$name/$MANIFEST_FILE"))
    }

    private fun copy(
        name: String,
        folder: File,
    ) {
        try {
            folder.deleteRecursively()
            copyBelow("$ROOT/$name", folder)
        } catch (problem: IOException) {
            throw BundleRefusal("folder", "expected room for a copy of '$name', found ${problem.message}", problem)
        }
    }

    private fun copyBelow(
        asset: String,
        target: File,
    ) {
        val inside = assets.list(asset).orEmpty()
        if (inside.isEmpty()) {
            target.parentFile?.mkdirs()
            assets.open(asset).use { source -> target.outputStream().use { source.copyTo(it) } }
        }
        for (name in inside) copyBelow("$asset/$name", File(target, name))
    }

    private fun read(asset: String): ByteArray? =
        try {
            assets.open(asset).use { it.readBytes() }
        } catch (_: IOException) {
            null
        }

    private companion object {
        const val ROOT = "bundles"
    }
}
