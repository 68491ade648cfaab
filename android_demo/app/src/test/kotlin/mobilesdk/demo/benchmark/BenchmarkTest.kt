package mobilesdk.demo.benchmark

import mobilesdk.demo.FakeClock
import mobilesdk.demo.FakeModels
import mobilesdk.demo.Fixtures
import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.json.jsonText
import mobilesdk.demo.model.Model
import mobilesdk.demo.model.Models
import mobilesdk.demo.picture.Rgb
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class BenchmarkTest {
    private val bundle = Fixtures.bundle("test.executorch")

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
    fun `a detector is timed, and not where one of its boxes is another`() {
        val detector = Fixtures.detector("things.executorch")
        val clock = FakeClock()
        val plan = Plan(minRuns = 1, minSeconds = 0.0)
        assertEquals(10, Benchmark(detector, FakeModels(clock), plan, clock).run().roundsMs.size)
        val wrong = wrongBy(0.5f, output = 0, element = 2)
        assertThrows(WrongScoresException::class.java) { Benchmark(detector, wrong, plan).run() }
    }

    @Test
    fun `a model of features is timed, and not where its second output is further off than its own tolerance`() {
        val mixed = Fixtures.features("mixed.tflite")
        val clock = FakeClock()
        val plan = Plan(minRuns = 1, minSeconds = 0.0)
        assertEquals(10, Benchmark(mixed, FakeModels(clock), plan, clock).run().roundsMs.size)
        val wrong = wrongBy(0.5f, output = 1, element = 3)
        val thrown = assertThrows(WrongScoresException::class.java) { Benchmark(mixed, wrong, plan).run() }
        val message = thrown.message!!
        assertTrue(message, message.startsWith("expected 'rgb.side' of golden picture 0, found another"))
    }

    @Test
    fun `the report of a benchmark is written for python to read`() {
        val clock = FakeClock()
        val plan = Plan(minRuns = 300, minSeconds = 0.0)
        for (name in listOf("test.executorch", "test-float.tflite")) {
            val bundle: Bundle = Fixtures.bundle(name)
            val samples = Benchmark(bundle, FakeModels(clock), plan, clock).run()
            val report = BenchmarkReport(bundle, plan, samples, STATE, UNKNOWN, "2026-11-25T12:00:00+00:00", VERSIONS)
            val out = File(System.getProperty("reports") ?: System.getProperty("java.io.tmpdir"), "$name.bench.json")
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
        object : Model {
            override fun outputs(picture: Rgb) = bundle.goldenOutputs(0).also { it[output][element] += difference }

            override fun close() = Unit
        }
    }

    private companion object {
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
