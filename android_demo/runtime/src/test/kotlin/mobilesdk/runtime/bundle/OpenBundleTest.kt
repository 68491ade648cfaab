package mobilesdk.runtime.bundle

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.image
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.json.parseJson
import mobilesdk.runtime.number
import mobilesdk.runtime.output
import mobilesdk.runtime.task.Classification
import mobilesdk.runtime.task.Detection
import mobilesdk.runtime.task.DetectionSpec
import mobilesdk.runtime.task.Features
import mobilesdk.runtime.task.Segmentation
import mobilesdk.runtime.tensor.OutputType
import mobilesdk.runtime.text
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
    fun `bundles of schemas 1 and 2 open, of every task, as the code wrote them that knew no later schema`() {
        val bundles = Fixtures.earlierFolders.map { openBundle(it, DesktopDecoder) }
        val tasks = listOf(Classification::class, Detection::class, Segmentation::class)
        assertEquals(tasks + tasks, bundles.map { it.manifest.task::class })
        bundles.take(tasks.size).zip(bundles.drop(tasks.size)).forEach { (first, second) ->
            assertEquals(first.manifest.tensors, second.manifest.tensors)
            assertEquals(first.manifest.golden, second.manifest.golden)
        }
        for (bundle in bundles.take(tasks.size)) {
            val written = parseJson(bundle.folder.resolve(MANIFEST_FILE).readText()) as JsonObject
            val image = written.fields.getValue("image")
            val output = (written.fields.getValue("interface") as JsonObject).fields.getValue("output") as JsonObject
            assertEquals(1, written.number("schema_number").toInt())
            assertEquals(Fixtures.image(image), bundle.manifest.image)
            assertEquals(output.text("name"), bundle.manifest.output.name)
            assertEquals(listOf("cpu"), bundle.manifest.processors)
        }
        val rule = DetectionSpec(scoreThreshold = 0.3, iouThreshold = 0.5, maxDetections = 100)
        assertEquals(rule, (bundles[1].manifest.task as Detection).rule)
    }

    @Test
    fun `pictures of unequal sides, grey ones and arrays open, and give the golden inputs`() {
        val bundles = Fixtures.inputFolders.map { openBundle(it, DesktopDecoder) }
        assertEquals(9, bundles.size)
        assertEquals(setOf("png", "values.bin"), bundles.map { it.manifest.source.kind }.toSet())
    }

    @Test
    fun `features open for every runtime, with all outputs and a tolerance each`() {
        val bundles = Fixtures.featureFolders.map { openBundle(it, DesktopDecoder) }
        assertEquals(Runtime.entries.toSet(), bundles.map { it.runtime }.toSet())
        assertTrue(bundles.all { it.manifest.task is Features && it.manifest.labels.isEmpty() })
        assertTrue(bundles.all { it.manifest.outputs.size == 2 && it.manifest.golden.tolerances.size == 2 })
        assertEquals(setOf("png", "values.bin"), bundles.map { it.manifest.source.kind }.toSet())
        val (scores, side) = Fixtures.features("mixed.tflite").manifest.outputs
        assertEquals(OutputType.INT8 to OutputType.FLOAT32, scores.type to side.type)
        assertEquals(listOf(1, 10) to listOf(1, 8, 8, 5), scores.shape to side.shape)
        assertTrue(scores.scale != null && scores.zeroPoint != null && side.scale == null && side.zeroPoint == null)
    }

    @Test
    fun `damaged features are refused in the words of both apps`() {
        val misfit = "interface: expected an output (1, …) with one to 4 sides behind the batch, found"
        val messages =
            mapOf(
                "an-output-without-a-batch" to "$misfit [10]",
                "an-output-of-six-sides" to "$misfit [1, 1, 1, 1, 1, 10]",
                "an-output-that-is-missing" to
                    "interface: expected a golden tolerance for each of 1 outputs, found 0.0, 0.0",
                "a-tolerance-that-is-missing" to
                    "interface: expected a golden tolerance for each of 2 outputs, found 0.0",
                "no-tolerances" to "interface: expected a golden tolerance for each of 2 outputs, found 0.0",
                "outputs-of-one-name" to "interface: expected outputs of different names, found scores, scores",
                "an-output-larger-than-any-memory" to
                    "interface: expected at most 2147483647 bytes of all outputs, found more",
                "a-second-tolerance-of-codes" to
                    "interface: expected a golden tolerance of at most 0.0 for codes, found 1.0",
                "features-of-65-outputs" to "fields: expected 1 to 64 outputs, found 65",
                "golden-features-without-the-second-output" to
                    "golden: expected 330 bytes of golden/0.output.bin, found 10",
                "an-arrays-offset-of-nothing" to "interface: expected the byte_offset -128 for float32, found 0",
                "a-golden-array-with-infinity" to
                    "golden: expected golden/0.values.bin to decode, found: " +
                    "expected finite numbers in an array, found NaN or infinity",
            )
        for ((name, message) in messages) {
            val folder = Fixtures.damaged(name)
            val refusal = assertThrows(name, BundleRefusal::class.java) { openBundle(folder, DesktopDecoder) }
            assertEquals(message, refusal.message)
        }
        val flipped = Fixtures.damaged("a-flipped-byte-of-golden-features")
        assertEquals("hash", assertThrows(BundleRefusal::class.java) { openBundle(flipped, DesktopDecoder) }.check)
    }

    @Test
    fun `inputs and outputs that this app does not take are named`() {
        val messages =
            mapOf(
                "another-kind-of-input" to "fields: expected one image or tensor as input, found sound",
                "two-inputs" to "fields: expected one image or tensor as input, found image, image",
                "no-input" to "fields: expected one image or tensor as input, found none",
                "two-outputs" to "fields: expected one output for classification, found 2",
                "no-output" to "fields: expected 1 to 64 outputs, found none",
                "an-unknown-processor-alone" to "runtime: expected a model for cpu, found abacus: update the app",
            )
        for ((name, message) in messages) {
            val folder = Fixtures.damaged(name)
            val refusal = assertThrows(BundleRefusal::class.java) { openBundle(folder, DesktopDecoder) }
            assertEquals(message, refusal.message)
        }
    }

    @Test
    fun `every damage is refused by the check that python refuses it by`() {
        val cases = Fixtures.list("damaged/cases.json")
        assertTrue(cases.size > 200)
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
        val folder = Fixtures.damaged("a-newer-schema")
        val refusal = assertThrows(BundleRefusal::class.java) { openBundle(folder, DesktopDecoder) }
        val reason = "expected schema_number 3 or lower, found 4: a newer SDK wrote this bundle, update the app"
        assertEquals("schema: $reason", refusal.message)
    }

    @Test
    fun `what is no folder is refused`() {
        val refusal = assertThrows(BundleRefusal::class.java) { openBundle(File("/nowhere/at/all"), DesktopDecoder) }
        assertEquals("folder", refusal.check)
    }
}
