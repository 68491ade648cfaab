package mobilesdk.demo.shelf

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.picture.PictureDecoder
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.PublicKey

/** A file or a folder of another app's, as Android's picker gives it. */
interface Document {
    val name: String

    /** What is in it; null of a file. */
    @Throws(IOException::class)
    fun inside(): List<Document>?

    @Throws(IOException::class)
    fun open(): InputStream
}

/**
 * Bundles that the user opened from files, copied into [files], and the embedded ones before them.
 *
 * [key] is the app's, as of its own bundles: an app with a key opens what its holder has signed, from wherever it came.
 */
class OpenedBundles(
    private val embedded: BundleShelf,
    files: File,
    private val decoder: PictureDecoder,
    private val key: () -> PublicKey?,
) : BundleShelf {
    private val copies = File(files, "opened")

    override fun names(): List<String> {
        val opened = copies.listFiles().orEmpty().map { it.name } - UNFINISHED
        return embedded.names() + opened.sorted().map { PREFIX + it }
    }

    override fun open(name: String): Bundle {
        if (!name.startsWith(PREFIX)) return embedded.open(name)
        return openBundle(File(copies, name.removePrefix(PREFIX)), decoder, key())
    }

    /** Takes a bundle in and returns its name here; a folder that is none is refused, and nothing of it stays. */
    fun add(folder: Document): String {
        val name = UNSAFE.replace(folder.name, "_").trimStart('.').ifEmpty { "bundle" }
        val unfinished = File(copies, UNFINISHED)
        unfinished.deleteRecursively()
        try {
            Copy().below(folder, unfinished, 0)
            openBundle(unfinished, decoder, key())
            val place = File(copies, name)
            place.deleteRecursively()
            if (!unfinished.renameTo(place)) throw IOException("no right to keep it")
        } catch (problem: IOException) {
            throw BundleRefusal("folder", "expected a copy of '$name', found ${problem.message}", problem)
        } finally {
            unfinished.deleteRecursively()
        }
        return PREFIX + name
    }

    /** What is picked may be a whole storage: it is copied as far as a bundle may reach. */
    private class Copy {
        private var files = 0
        private var bytes = 0L

        fun below(
            document: Document,
            target: File,
            depth: Int,
        ) {
            val inside = document.inside() ?: return copy(document, target)
            if (depth > MAX_DEPTH) throw IOException("more than $MAX_DEPTH folders in each other")
            if (!target.mkdirs()) throw IOException("no room for folders")
            for (each in inside) {
                if (!isSafe(each.name)) throw IOException("the file name '${each.name}'")
                below(each, File(target, each.name), depth + 1)
            }
        }

        private fun copy(
            document: Document,
            target: File,
        ) {
            if (++files > MAX_FILES) throw IOException("more than $MAX_FILES files")
            target.parentFile?.mkdirs()
            document.open().use { source ->
                target.outputStream().use { sink ->
                    val buffer = ByteArray(BUFFER_BYTES)
                    generateSequence { source.read(buffer).takeIf { it >= 0 } }.forEach { count ->
                        bytes += count
                        if (bytes > MAX_BYTES) throw IOException("more than ${MAX_BYTES shr MIB_BITS} MiB")
                        sink.write(buffer, 0, count)
                    }
                }
            }
        }

        private fun isSafe(name: String) = name != "." && name != ".." && !name.contains('/') && name.isNotEmpty()
    }

    private companion object {
        const val PREFIX = "opened/"
        const val UNFINISHED = ".unfinished"
        const val MAX_DEPTH = 8
        const val MAX_FILES = 1000
        const val MAX_BYTES = 2L shl 30
        const val MIB_BITS = 20
        const val BUFFER_BYTES = 1 shl 16
        val UNSAFE = Regex("[^A-Za-z0-9_.-]")
    }
}
