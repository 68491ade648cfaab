package mobilesdk.demo.benchmark

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModels
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.Runtime
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.items
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.json.parseJson
import mobilesdk.runtime.model.Models
import mobilesdk.runtime.tensor.inputBytes
import mobilesdk.runtime.text
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.ByteArrayOutputStream

class SessionTest {
    private val folder = Fixtures.folder.resolve("bundles/test.executorch")
    private val bundle = Fixtures.bundle("test.executorch")
    private val clock = FakeClock()
    private val models = FakeModels(clock)

    private fun served(
        requests: ByteArray,
        models: Models = this.models,
        surroundings: () -> Surroundings = { IN_FRONT },
    ): ByteArray {
        val output = ByteArrayOutputStream()
        val open = { folder: java.io.File -> openBundle(folder, DesktopDecoder) }
        Session(requests.inputStream(), output, models, open, surroundings, VERSIONS, clock).serve()
        return output.toByteArray()
    }

    private fun answers(
        vararg requests: String,
        models: Models = this.models,
        surroundings: () -> Surroundings = { IN_FRONT },
    ): List<JsonObject> =
        served(requests.joinToString("") { "$it\n" }.toByteArray(), models, surroundings)
            .decodeToString()
            .trim()
            .lines()
            .map { parseJson(it) as JsonObject }

    private fun first(verb: String) = """{"do": "$verb", "bundle": "$folder", "threads": 1}"""

    @Test
    fun `it tells the app's state and the runtimes that ship in it`() {
        val (found) = answers("""{"do": "state"}""")
        assertEquals(IN_FRONT.fields().keys, (found.fields.getValue("app") as JsonObject).fields.keys)
        assertEquals("2", (found.fields.getValue("versions") as JsonObject).text("tflite"))
    }

    @Test
    fun `a timed model takes a turn at each request, and is closed with the connection`() {
        val (ready, turn, other) = answers(first("time"), """{"runs": 7}""", """{"runs": 3}""")
        assertEquals(10, ready.items("warm_up_ms").size)
        assertEquals(listOf(7, 3), listOf(turn, other).map { it.items("times_ms").size })
        assertTrue(turn.fields.keys.containsAll(listOf("rewarm_ms", "end_to_end_ms", "peak_mib")))
        assertTrue(models.opened.single().isClosed)
    }

    @Test
    fun `inputs come back as outputs, byte for byte`() {
        val inputs = (0 until 2).map { inputBytes(bundle.goldenPicture(it), bundle.manifest.input) }
        val request = """{"pictures": 2, "bytes": ${inputs.sumOf { it.size }}}"""
        val said = "${first("score")}\n$request\n".toByteArray() + inputs[0] + inputs[1]
        val outputs = (0 until 2).map { bundle.goldenFile(it, "output.bin").readBytes() }
        val expected = outputs[0] + outputs[1]
        val found = served(said)
        assertArrayEquals(expected, found.copyOfRange(found.size - expected.size, found.size))
        val lines = found.copyOf(found.size - expected.size).decodeToString().trim()
        assertTrue(lines, lines.endsWith("""{"bytes": ${expected.size}}"""))
        assertTrue(models.opened.single().isClosed)
    }

    @Test
    fun `nothing is measured on a phone whose times would lie`() {
        val states =
            mapOf(
                IN_FRONT.copy(screenOn = false) to "expected the screen on, found it off",
                IN_FRONT.copy(inFront = false, locked = true) to "expected the app in front, found the phone locked",
                IN_FRONT.copy(inFront = false) to "expected the app in front, found another app or a dialog there",
                IN_FRONT.copy(cpuset = "/background") to "expected the cores of an app in front, found /background",
            )
        for ((state, said) in states) {
            for (verb in listOf("time", "score")) {
                val (found) = answers(first(verb), surroundings = { state })
                assertEquals("MachineError" to said, found.text("error") to found.text("message"))
            }
        }
        assertTrue(models.opened.isEmpty())
        assertEquals(null, IN_FRONT.copy(locked = true, debuggable = true).refusal) // over the lock, in front
    }

    @Test
    fun `a screen that goes off between turns ends the measurement`() {
        val states = ArrayDeque(listOf(IN_FRONT, IN_FRONT, IN_FRONT, IN_FRONT.copy(screenOn = false)))
        val found = answers(first("time"), """{"runs": 1}""", """{"runs": 1}""", surroundings = states::removeFirst)
        assertEquals(listOf(true, true, false), found.map { "error" !in it.fields })
    }

    @Test
    fun `whatever goes wrong is an answer, memory that runs out too`() {
        val noMemory = Models { _, _ -> throw OutOfMemoryError("no 8 GB") }
        assertEquals("expected enough memory, found: no 8 GB", said(answers(first("time"), models = noMemory)))
        assertEquals("SettingError", answers("nonsense").single().text("error"))
        assertEquals("SettingError", answers("""{"do": "dance"}""").single().text("error"))
        assertEquals("SettingError", answers(first("time"), """{"runs": 2147483647}""").last().text("error"))
        assertEquals("BundleError", answers(first("time").replace("test.exec", "none.exec")).single().text("error"))
        val wrong = """{"pictures": 2, "bytes": 5}"""
        assertTrue(said(answers(first("score"), wrong)).endsWith("found 5"))
    }

    private fun said(answers: List<JsonObject>) = answers.last().text("message")

    private companion object {
        val VERSIONS = Runtime.entries.associateWith { mapOf(it.id to "2") }
        val IN_FRONT = Surroundings(false, screenOn = true, locked = false, inFront = true, false, "/top-app")
    }
}
