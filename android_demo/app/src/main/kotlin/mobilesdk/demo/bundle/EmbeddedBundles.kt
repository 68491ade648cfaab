package mobilesdk.demo.bundle

import android.content.res.AssetManager
import mobilesdk.demo.picture.PictureDecoder
import mobilesdk.demo.signing.publicKey
import java.io.File
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.PublicKey

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
    override fun names(): List<String> = (assets.list(ROOT).orEmpty().toList() - KEY_FILE).sorted()

    override fun open(name: String): Bundle {
        val key = embeddedKey(assets)
        val folder = File(files, "$ROOT/$name")
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
}

/**
 * Returns the key that the app was built with, null where it was built without. Throws [BundleRefusal] where the key
 * cannot be read: an app that has one never does without it.
 */
fun embeddedKey(assets: AssetManager): PublicKey? =
    try {
        if (KEY_FILE !in assets.list(ROOT).orEmpty()) {
            null
        } else {
            assets.open("$ROOT/$KEY_FILE").use { publicKey(it.readBytes()) }
        }
    } catch (problem: IOException) {
        throw BundleRefusal("signature", "expected the app's public key, found ${problem.message}", problem)
    } catch (problem: GeneralSecurityException) {
        throw BundleRefusal("signature", "expected the app's public key, found other bytes", problem)
    }

private const val ROOT = "bundles"
private const val KEY_FILE = "bundle-key.der"
