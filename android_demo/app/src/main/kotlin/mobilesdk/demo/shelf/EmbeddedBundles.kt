package mobilesdk.demo.shelf

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.bundle.MANIFEST_FILE
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.picture.PictureDecoder
import java.io.File
import java.io.IOException

/** Bundles that an app has, by name. */
interface BundleShelf {
    fun names(): List<String>

    /** Throws [BundleRefusal]. */
    fun open(name: String): Bundle
}

/**
 * The folders of `assets/bundles`. Runtimes map a model from a file, so a bundle is copied out of the APK into [files]
 * once, and again where the copy is another's or does not open. Copies of bundles that an update took away are deleted.
 */
class EmbeddedBundles(
    private val assets: AssetFiles,
    files: File,
    private val decoder: PictureDecoder,
) : BundleShelf {
    private val copies = File(files, ROOT)

    override fun names(): List<String> {
        val names = (assets.list(ROOT) - KEY_FILE).sorted()
        for (copy in copies.listFiles().orEmpty()) if (copy.name !in names) copy.deleteRecursively()
        return names
    }

    override fun open(name: String): Bundle {
        val key = embeddedKey(assets)
        val folder = File(copies, name)
        if (isCopyOf(name, folder)) {
            try {
                return openBundle(folder, decoder, key)
            } catch (_: BundleRefusal) {
                // The copy was damaged; what the APK holds may be whole.
            }
        }
        copy(name, folder)
        return openBundle(folder, decoder, key)
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
        val inside = assets.list(asset)
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
}
