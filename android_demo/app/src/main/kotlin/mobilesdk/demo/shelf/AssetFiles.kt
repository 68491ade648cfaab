package mobilesdk.demo.shelf

import android.content.res.AssetManager
import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.signing.publicKey
import java.io.IOException
import java.io.InputStream
import java.security.GeneralSecurityException
import java.security.PublicKey

/** The files that an app brings in itself; a folder is whatever has something in it. */
interface AssetFiles {
    /** Names in a folder, none in a file. */
    @Throws(IOException::class)
    fun list(path: String): List<String>

    @Throws(IOException::class)
    fun open(path: String): InputStream
}

/** Those of the APK. */
class ApkFiles(
    private val assets: AssetManager,
) : AssetFiles {
    override fun list(path: String): List<String> = assets.list(path).orEmpty().toList()

    override fun open(path: String): InputStream = assets.open(path)
}

/**
 * Returns the key that the app was built with, null where it was built without. Throws [BundleRefusal] where the key
 * cannot be read: an app that has one never does without it.
 */
fun embeddedKey(assets: AssetFiles): PublicKey? =
    try {
        if (KEY_FILE !in assets.list(ROOT)) null else assets.open("$ROOT/$KEY_FILE").use { publicKey(it.readBytes()) }
    } catch (problem: IOException) {
        throw BundleRefusal("signature", "expected the app's public key, found ${problem.message}", problem)
    } catch (problem: GeneralSecurityException) {
        throw BundleRefusal("signature", "expected the app's public key, found other bytes", problem)
    }

/** The same of the APK. */
fun embeddedKey(assets: AssetManager): PublicKey? = embeddedKey(ApkFiles(assets))

internal const val ROOT = "bundles"
internal const val KEY_FILE = "bundle-key.der"
