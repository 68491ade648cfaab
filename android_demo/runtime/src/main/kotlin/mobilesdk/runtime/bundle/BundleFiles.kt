package mobilesdk.runtime.bundle

import mobilesdk.runtime.signing.MAX_SIGNATURE_BYTES
import mobilesdk.runtime.signing.isSignature
import mobilesdk.runtime.signing.isSignedBy
import java.io.File
import java.security.MessageDigest
import java.security.PublicKey
import java.util.Locale

private const val SIGNATURE_FILE = "bundle.sig"
private const val MAX_DEPTH = 8 // folders in each other
private const val BUFFER_BYTES = 1 shl 16
private val SAFE_PART = Regex("[A-Za-z0-9_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*")

/** Returns true where a path of a manifest stays inside the bundle on every system. */
internal fun isSafePath(path: String): Boolean = path.split("/").all(SAFE_PART::matches)

/** Returns true where the last name of a path is a link; Java's own way, `java.nio.file`, came with Android 8. */
internal fun isLink(file: File): Boolean {
    val parent = file.absoluteFile.parentFile ?: return false
    val expected = File(parent.canonicalFile, file.name)
    return expected.canonicalFile != expected.absoluteFile || isDead(expected)
}

/** Returns true of a link to nowhere: its folder lists it, and it is not there. */
private fun isDead(file: File): Boolean =
    !file.exists() &&
        file.parentFile
            ?.list()
            .orEmpty()
            .contains(file.name)

internal fun checkPaths(manifest: Manifest) {
    val paths = manifest.files.map { it.path }
    paths.find { !isSafePath(it) }?.let { refuse("paths", "expected paths inside the bundle, found '$it'") }
    if (paths.map { it.lowercase(Locale.ROOT) }.toSet().size < paths.size) {
        refuse("paths", "expected every file once, found one twice")
    }
}

internal fun checkFiles(
    folder: File,
    manifest: Manifest,
) {
    val listed = manifest.files.map { it.path }.toSet()
    val fixed = goldenPaths(manifest) + LABELS_FILE
    val model = listed - fixed
    val missing = (fixed - listed).firstOrNull() ?: manifest.model.takeIf { model.isEmpty() }
    if (missing != null) refuse("files", "expected '$missing' in the manifest's files, found none")
    model.find { it != manifest.model && !it.startsWith("${manifest.model}/") }?.let {
        refuse("files", "expected labels, golden pictures and a model, found '$it' listed")
    }
    val present = filesBelow(folder, "", 0)
    (present - listed - MANIFEST_FILE - SIGNATURE_FILE).firstOrNull()?.let {
        refuse("files", "expected only what the manifest lists, found '$it'")
    }
    (listed - present).firstOrNull()?.let { refuse("files", "expected the file '$it', found none") }
}

internal fun checkSize(
    folder: File,
    entry: FileEntry,
) {
    val found = File(folder, entry.path).length()
    if (found != entry.bytes) refuse("size", "expected ${entry.bytes} bytes of '${entry.path}', found $found")
}

internal fun checkHash(
    folder: File,
    entry: FileEntry,
) {
    val digest = MessageDigest.getInstance("SHA-256")
    File(folder, entry.path).inputStream().use { stream ->
        val buffer = ByteArray(BUFFER_BYTES)
        while (true) {
            val count = stream.read(buffer)
            if (count < 0) break
            digest.update(buffer, 0, count)
        }
    }
    if (digest.hexadecimal() != entry.sha256) refuse("hash", "expected '${entry.path}' as listed, found other bytes")
}

private fun goldenPaths(manifest: Manifest): Set<String> =
    manifest.golden.pictures.indices
        .flatMap { index -> goldenKinds(manifest, index).map { "golden/$index.$it" } }
        .toSet()

private fun filesBelow(
    folder: File,
    prefix: String,
    depth: Int,
): Set<String> {
    val entries = folder.listFiles() ?: refuse("folder", "expected a readable folder '$prefix', found none")
    return entries.sortedBy { it.name }.flatMap { filesAt(it, prefix, depth) }.toSet()
}

private fun filesAt(
    entry: File,
    prefix: String,
    depth: Int,
): Set<String> {
    val path = prefix + entry.name
    return when {
        !isSafePath(entry.name) -> refuse("paths", "expected names of plain letters, found '$path'")
        isLink(entry) -> refuse("paths", "expected plain files, found the link '$path'")
        entry.isFile -> setOf(path)
        !entry.isDirectory -> refuse("paths", "expected plain files, found '$path', which is none")
        depth >= MAX_DEPTH -> refuse("paths", "expected at most $MAX_DEPTH folders in each other, found more")
        else -> filesBelow(entry, "$path/", depth + 1)
    }
}

/** Returns the content of `bundle.sig`, null where there is none; refuses a file that cannot be a signature. */
internal fun readSignature(folder: File): ByteArray? {
    val file = File(folder, SIGNATURE_FILE)
    if (isLink(file)) refuse("paths", "expected $SIGNATURE_FILE to be a plain file, found a link")
    if (!file.exists()) return null
    if (!file.isFile) refuse("paths", "expected $SIGNATURE_FILE to be a plain file, found another")
    if (file.length() > MAX_SIGNATURE_BYTES) {
        refuse("signature", "expected at most $MAX_SIGNATURE_BYTES bytes of $SIGNATURE_FILE, found ${file.length()}")
    }
    val signature = file.readBytes()
    if (!isSignature(signature)) {
        refuse("signature", "expected a signature of ECDSA over P-256 in $SIGNATURE_FILE, found other bytes")
    }
    return signature
}

/** Refuses a bundle unless [signature] is one of the bytes of its manifest by the holder of the private key. */
internal fun checkSignature(
    manifest: ByteArray,
    signature: ByteArray?,
    key: PublicKey,
) {
    if (signature == null) refuse("signature", "expected a signed bundle, found no $SIGNATURE_FILE")
    if (!isSignedBy(key, signature, manifest)) {
        refuse("signature", "expected the key's signature of $MANIFEST_FILE, found one of another key or bundle")
    }
}
