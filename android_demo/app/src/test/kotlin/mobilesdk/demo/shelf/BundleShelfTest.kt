package mobilesdk.demo.shelf

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.BundleRefusal
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException
import java.io.InputStream

class BundleShelfTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val bundles = Fixtures.folder.resolve("bundles")

    /** The fixtures' bundles as assets. */
    private inner class Assets : AssetFiles {
        var names = listOf("test.executorch", "test.tflite")

        private fun file(path: String) = bundles.resolve(path.removePrefix("bundles/"))

        override fun list(path: String) = if (path == "bundles") names else file(path).list().orEmpty().toList()

        override fun open(path: String): InputStream = file(path).inputStream()
    }

    private val assets = Assets()
    private val files: File get() = folder.root
    private val embedded get() = EmbeddedBundles(assets, files, DesktopDecoder)
    private val shelf get() = OpenedBundles(embedded, files, DesktopDecoder) { embeddedKey(assets) }

    @Test
    fun `a bundle is copied once, and again where its copy was damaged`() {
        val first = embedded.open("test.tflite")
        val written = first.modelFile.apply { setLastModified(1000) }
        assertEquals("it is opened where it lies", 1000, embedded.open("test.tflite").modelFile.lastModified())
        written.appendBytes(byteArrayOf(1))
        assertTrue(embedded.open("test.tflite").modelFile.lastModified() > 1000)
    }

    @Test
    fun `copies of bundles that an update took away are deleted, and what was opened from files stays`() {
        embedded.names().forEach(embedded::open)
        shelf.add(FileDocument(bundles.resolve("test.tflite")))
        assets.names = listOf("test.tflite")
        assertEquals(listOf("test.tflite", "opened/test.tflite"), shelf.names())
        assertEquals(listOf("test.tflite"), files.resolve("bundles").list()!!.toList())
        assertEquals("tflite", shelf.open("opened/test.tflite").runtime.id)
    }

    @Test
    fun `a bundle from files is copied, opened beside the embedded ones, and replaced by its next version`() {
        repeat(
            2,
        ) { assertEquals("opened/test.executorch", shelf.add(FileDocument(bundles.resolve("test.executorch")))) }
        assertEquals(listOf("test.executorch", "test.tflite", "opened/test.executorch"), shelf.names())
        assertEquals(files.resolve("opened/test.executorch"), shelf.open("opened/test.executorch").folder)
    }

    @Test
    fun `a folder that is no bundle is refused and leaves nothing behind`() {
        folder.newFolder("picked").resolve("note.txt").writeText("no bundle")
        val picked = FileDocument(files.resolve("picked"))
        assertThrows(BundleRefusal::class.java) { shelf.add(picked) }
        assertEquals(assets.names, shelf.names())
        assertFalse(files.resolve("opened/.unfinished").exists())
    }

    @Test
    fun `names from other apps lead out of no folder`() {
        val bundle = FileDocument(bundles.resolve("test.tflite"))
        assertEquals("opened/_.._x y".replace(" ", "_"), shelf.add(Renamed(bundle, "../../x y")))
        for (name in listOf("..", "a/b", "")) {
            val evil =
                object : Document {
                    override val name = "evil"

                    override fun inside() =
                        listOf(Renamed(FileDocument(bundles.resolve("test.tflite/labels.txt")), name))

                    override fun open(): InputStream = throw IOException("a folder")
                }
            val refusal = assertThrows(BundleRefusal::class.java) { shelf.add(evil) }
            assertTrue(refusal.message!!, "the file name '$name'" in refusal.message!!)
        }
    }

    @Test
    fun `a folder without an end and one of too many files are refused`() {
        val endless =
            object : Document {
                override val name = "endless"

                override fun inside() = listOf(this)

                override fun open(): InputStream = throw IOException("a folder")
            }
        val deep = assertThrows(BundleRefusal::class.java) { shelf.add(endless) }
        assertTrue(deep.message!!, "folders in each other" in deep.message!!)
        val many =
            object : Document {
                override val name = "many"

                override fun inside() = List(1001) { Renamed(Empty, "$it") }

                override fun open(): InputStream = throw IOException("a folder")
            }
        val full = assertThrows(BundleRefusal::class.java) { shelf.add(many) }
        assertTrue(full.message!!, "more than 1000 files" in full.message!!)
    }

    private class FileDocument(
        private val file: File,
    ) : Document {
        override val name: String get() = file.name

        override fun inside() = file.listFiles()?.map(::FileDocument)

        override fun open() = file.inputStream()
    }

    private class Renamed(
        private val document: Document,
        override val name: String,
    ) : Document by document

    private object Empty : Document {
        override val name = "empty"

        override fun inside(): List<Document>? = null

        override fun open(): InputStream = ByteArray(0).inputStream()
    }
}
