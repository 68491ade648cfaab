package mobilesdk.demo.benchmark

import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModel
import mobilesdk.runtime.FakeModels
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.json.jsonText
import mobilesdk.runtime.json.parseJson
import mobilesdk.runtime.model.Models
import mobilesdk.runtime.tensor.OutputSpec
import mobilesdk.runtime.tensor.OutputType
import mobilesdk.runtime.tensor.readOutputs
import mobilesdk.runtime.text
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

class BenchmarkTest {
    private val bundle = Fixtures.bundle("test.executorch")
    private val reports = File(System.getProperty("reports") ?: System.getProperty("java.io.tmpdir"))

    private fun measured(plan: Plan): Pair<Samples, List<Double>> {
        val clock = FakeClock()
        val shares = ArrayList<Double>()
        return Benchmark(bundle, FakeModels(clock), plan, clock, shares::add).run() to shares
    }

    @Test
    fun `it warms up, runs rounds of 25 ms and ends when runs, seconds and rounds are enough`() {
        val (samples, shares) = measured(Plan(minRuns = 200, minSeconds = 0.5))
        assertEquals(10, samples.warmUpMs.size)
        assertTrue(samples.roundsMs.all { it.size == 12 })
        assertEquals(samples.roundsMs.size, samples.rewarmMs.size)
        val runs = samples.roundsMs.sumOf { it.size }
        assertTrue(runs >= 200 && seconds(samples.roundsMs) >= 0.5)
        assertTrue(runs - 12 < 200 || seconds(samples.roundsMs.dropLast(1)) < 0.5)
        assertEquals(shares.sorted(), shares)
        assertTrue(shares.first() == 0.0 && shares.last() < 1)
    }

    @Test
    fun `a slow model's benchmark ends after the seconds that are enough`() {
        val clock = FakeClock(runNanoseconds = 650_000_000)
        val samples = Benchmark(bundle, FakeModels(clock), Plan(enoughSeconds = 20.0), clock).run()
        assertTrue(seconds(samples.roundsMs) in 20.0..21.0)
        assertEquals(31, samples.roundsMs.sumOf { it.size })
    }

    @Test
    fun `only end-to-end times hold what is made of a picture before a run`() {
        val clock = FakeClock()
        val slow =
            Models { bundle, _ ->
                object : FakeModel(bundle, clock) {
                    override fun write(input: ByteArray) = super.write(input).also { clock.pass() }

                    override fun read() = super.read().also { clock.pass() }
                }
            }
        val samples = Benchmark(bundle, slow, Plan(minRuns = 1, minSeconds = 0.0), clock).run()
        assertTrue(samples.roundsMs.flatMap { it.asList() }.all { it < 2.2 })
        assertEquals(samples.roundsMs.size, samples.endToEndMs.size)
        assertTrue(samples.endToEndMs.all { it > 6 })
    }

    @Test
    fun `plans without an end are refused`() {
        for (plan in listOf({ Plan(minRuns = Int.MAX_VALUE) }, { Plan(minRuns = 0) }, { Plan(threads = 0) })) {
            assertThrows(IllegalArgumentException::class.java) { plan() }
        }
    }

    @Test
    fun `names of results that are empty or lead elsewhere are refused`() {
        val folder = File("folder")
        for (name in listOf("", ".", "..", "../a", "a/b", "/a", ".a", "a\u0000", "ä", "a".repeat(101))) {
            assertThrows(name, IllegalArgumentException::class.java) { resultFile(folder, name) }
        }
        assertEquals(File(folder, "digits.bench.json"), resultFile(folder, "digits.bench.json"))
    }

    @Test
    fun `whatever is thrown is written in the place of the result`() {
        val out = File(reports, "failure.json")
        val problems =
            mapOf(
                BundleRefusal("hash", "other bytes") to "BundleError",
                OutOfMemoryError("no 8 GB") to "MachineError",
                UnsatisfiedLinkError("no library") to "MachineError",
                IllegalStateException() to "MachineError",
                Plan.runCatching { Plan(threads = -1) }.exceptionOrNull()!! to "SettingError",
            )
        for ((problem, kind) in problems) {
            writeFailure(out, problem)
            val written = parseJson(out.readText()) as JsonObject
            assertEquals(kind, written.text("error"))
            assertEquals(setOf("error", "message", "hint"), written.fields.keys)
        }
        out.delete()
    }

    @Test
    fun `ten rounds are the least`() {
        assertEquals(10, measured(Plan(minRuns = 1, minSeconds = 0.0)).first.roundsMs.size)
    }

    @Test
    fun `a model that gives other scores than its bundle says is not timed`() {
        val wrong = wrongBy(1f, output = 0, element = 0)
        val thrown = assertThrows(WrongScoresException::class.java) { Benchmark(bundle, wrong, Plan()).run() }
        assertTrue(thrown.message!!, "golden picture 0" in thrown.message!! && "1.0 apart" in thrown.message!!)
    }

    @Test
    fun `a detector is timed, with a remark where one of its boxes is another`() {
        val detector = Fixtures.detector("things.executorch")
        val clock = FakeClock()
        val plan = Plan(minRuns = 1, minSeconds = 0.0)
        assertEquals(10, Benchmark(detector, FakeModels(clock), plan, clock).run().roundsMs.size)
        val wrong = wrongBy(0.5f, output = 0, element = 2)
        assertTrue("0.5 apart" in Benchmark(detector, wrong, plan).run().remark!!)
    }

    @Test
    fun `a float32 output further off than its own tolerance is timed with a remark, and codes are not`() {
        val mixed = Fixtures.features("mixed.tflite")
        val plan = Plan(minRuns = 1, minSeconds = 0.0)
        assertNull(Benchmark(mixed, FakeModels(), plan) { }.run().remark)
        val remark = Benchmark(mixed, wrongBy(0.5f, output = 1, element = 3), plan) { }.run().remark!!
        assertTrue(remark, remark.startsWith("expected 'rgb.side' of golden picture 0, found another, 0.5"))
        val codes = wrongBy(1f, output = 0, element = 3)
        assertThrows(WrongScoresException::class.java) { Benchmark(mixed, codes, plan).run() }
        val noNumber = wrongBy(Float.NaN, output = 1, element = 3)
        assertThrows(WrongScoresException::class.java) { Benchmark(mixed, noNumber, plan).run() }
    }

    @Test
    fun `the report of a benchmark is written for python to read`() {
        val clock = FakeClock()
        val plan = Plan(minRuns = 300, minSeconds = 0.0)
        for (name in listOf("test.executorch", "test-float.tflite")) {
            val bundle: Bundle = Fixtures.bundle(name)
            val samples = Benchmark(bundle, FakeModels(clock), plan, clock).run()
            val date = "2026-11-25T12:00:00+00:00"
            val report = BenchmarkReport(bundle, plan, samples, STATE, UNKNOWN, IN_FRONT, date, VERSIONS)
            val out = File(reports, "$name.bench.json")
            writeWhole(out, report.toJson())
            assertTrue(out.length() > 1000)
        }
    }

    @Test
    fun `what is no json is never written as json`() {
        assertThrows(IllegalArgumentException::class.java) { jsonText(Double.NaN) }
        assertThrows(IllegalArgumentException::class.java) { jsonText(listOf(Any())) }
        assertEquals(
            "{\"a\\\"\\u000a\": [1, 2.5, true, null, \"ä\"]}",
            jsonText(
                mapOf("a\"\n" to listOf(1, 2.5, true, null, "ä")),
            ),
        )
    }

    /** Models whose outputs for a golden picture are the bundle's own, but for one element. */
    private fun wrongBy(
        difference: Float,
        output: Int,
        element: Int,
    ) = Models { bundle, _ ->
        object : FakeModel(bundle, FakeClock()) {
            override fun answer(input: ByteArray): ByteArray {
                val outputs = readOutputs(super.answer(input), manifest.outputs)
                outputs[output][element] += difference
                return outputs.zip(manifest.outputs, ::bytes).reduce(ByteArray::plus)
            }
        }
    }

    private fun bytes(
        numbers: FloatArray,
        output: OutputSpec,
    ): ByteArray {
        val bytes = ByteBuffer.allocate(output.byteCount.toInt()).order(ByteOrder.LITTLE_ENDIAN)
        numbers.forEach { if (output.type == OutputType.INT8) bytes.put(it.toInt().toByte()) else bytes.putFloat(it) }
        return bytes.array()
    }

    private companion object {
        val IN_FRONT = Surroundings(false, screenOn = true, locked = false, inFront = true, false, "/top-app")
        val VERSIONS = mapOf("executorch" to "1.5.1")
        val STATE =
            DeviceState(
                machine = "aarch64",
                processor = "Example \"phone\"",
                features = listOf("asimddp"),
                system = "Android 16",
                kernel = "Linux 6.1",
                memoryMib = 8192,
                cores = listOf(Core(0, 1800.0, 1800.0, 600.0, "schedutil"), Core(1, 2800.5, null, null, null)),
                temperatureC = 31.5,
                thermalStatus = 1,
                batteryShare = 0.75,
                charger = "not charging",
            )
        val UNKNOWN =
            DeviceState("aarch64", null, emptyList(), null, "Linux 6.1", null, emptyList(), null, null, null, null)
    }
}
