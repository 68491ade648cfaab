package mobilesdk.demo.bundle

import mobilesdk.demo.DesktopDecoder
import mobilesdk.demo.Fixtures
import mobilesdk.demo.task.Detection
import mobilesdk.demo.task.Segmentation
import mobilesdk.demo.tensor.OutputType
import mobilesdk.demo.text
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class OpenBundleTest {
    @Test
    fun `every bundle that python wrote opens, for every runtime and in both precisions`() {
        val bundles = Fixtures.bundleFolders.map { openBundle(it, DesktopDecoder) }
        assertEquals(Runtime.entries.toSet(), bundles.map { it.runtime }.toSet())
        assertEquals(setOf("int8", "float32"), bundles.map { it.manifest.precision }.toSet())
        bundles.forEach { bundle ->
            val files = bundle.modelFile.walk().filter(File::isFile)
            assertEquals(bundle.folder.name, files.sumOf { it.length() }, bundle.modelBytes)
        }
    }

    @Test
    fun `detectors open, with golden numbers that are off by no more than languages are`() {
        val bundles = Fixtures.detectorFolders.map { openBundle(it, DesktopDecoder) }
        assertEquals(Runtime.entries.toSet(), bundles.map { it.runtime }.toSet())
        assertTrue(bundles.all { it.manifest.task is Detection && it.manifest.output.shape.size == 3 })
        assertTrue(bundles.any { it.folder.name.startsWith("off-by-a-hair") })
    }

    @Test
    fun `segmenters open, with as many labels as there may be`() {
        val bundles = Fixtures.segmenterFolders.map { openBundle(it, DesktopDecoder) }
        assertEquals(Runtime.entries.toSet(), bundles.map { it.runtime }.toSet())
        assertTrue(bundles.all { it.manifest.task is Segmentation })
        assertEquals(setOf(OutputType.INT8, OutputType.FLOAT32), bundles.map { it.manifest.output.type }.toSet())
        assertEquals(255, bundles.maxOf { it.manifest.labels.size })
    }

    @Test
    fun `every damage is refused by the check that python refuses it by`() {
        val cases = Fixtures.list("damaged/cases.json")
        assertTrue(cases.size > 150)
        val found =
            cases.map { case ->
                val folder = Fixtures.folder.resolve("damaged").resolve(case.text("folder"))
                folder.name to
                    assertThrows(folder.name, BundleRefusal::class.java) { openBundle(folder, DesktopDecoder) }
            }
        assertEquals(
            cases.map { "${it.text("folder")}: ${it.text("expects")}" },
            found.map { (name, refusal) -> "$name: ${refusal.check}" },
        )
        found.forEach { (name, refusal) ->
            assertTrue(name, refusal.message!!.startsWith("${refusal.check}: ") && '\n' !in refusal.message!!)
        }
    }

    @Test
    fun `a newer schema says that the app is to be updated`() {
        val case = Fixtures.list("damaged/cases.json").single { "newer" in it.text("folder") }
        val folder = Fixtures.folder.resolve("damaged").resolve(case.text("folder"))
        val refusal = assertThrows(BundleRefusal::class.java) { openBundle(folder, DesktopDecoder) }
        assertTrue(refusal.message!!, "a newer SDK wrote this bundle, update the app" in refusal.message!!)
    }

    @Test
    fun `what is no folder is refused`() {
        val refusal = assertThrows(BundleRefusal::class.java) { openBundle(File("/nowhere/at/all"), DesktopDecoder) }
        assertEquals("folder", refusal.check)
    }
}
