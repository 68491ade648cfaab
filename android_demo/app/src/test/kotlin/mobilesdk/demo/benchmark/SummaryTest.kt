package mobilesdk.demo.benchmark

import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.items
import mobilesdk.runtime.json.JsonArray
import mobilesdk.runtime.json.JsonNull
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.number
import mobilesdk.runtime.numbers
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class SummaryTest {
    private fun assertNear(
        expected: Double,
        found: Double,
    ) = assertEquals(expected, found, 1e-12 * maxOf(1.0, expected))

    @Test
    fun `statistics are python's`() {
        val entries = Fixtures.list("statistics.json")
        assertTrue(entries.size >= 8)
        for (entry in entries) {
            val summary = summarize(listOf(numbers(entry.items("samples_ms"))))
            assertNear(entry.number("p50"), summary.medianMs)
            assertNear(entry.number("p90"), summary.p90Ms)
            assertNear(entry.number("p99"), summary.p99Ms)
            assertNear(entry.number("mad"), summary.madMs)
            assertNear(entry.number("cv"), summary.cvShare)
        }
    }

    @Test
    fun `whole summaries of rounds are python's, with outliers and throttling`() {
        for (entry in Fixtures.list("summaries.json")) {
            val rounds = entry.items("rounds_ms").map { numbers((it as JsonArray).items) }
            val expected = entry.fields.getValue("summary") as JsonObject
            val found = summarize(rounds)
            assertEquals(expected.number("count").toInt(), found.count)
            assertEquals(expected.number("rounds").toInt(), found.rounds)
            assertEquals(expected.number("outliers").toInt(), found.outliers)
            assertNear(expected.number("mean_ms"), found.meanMs)
            assertNear(expected.number("min_ms"), found.minMs)
            assertNear(expected.number("max_ms"), found.maxMs)
            assertNear(expected.number("robust_cv_share"), found.robustCvShare)
            if (expected.fields["last_over_first"] in setOf(null, JsonNull)) continue
            assertNear(expected.number("last_over_first"), found.lastOverFirst!!)
        }
    }

    @Test
    fun `few, scattered and slowing rounds support no verdict, and each says why`() {
        val steady = List(20) { doubleArrayOf(2.0, 2.01) }
        assertNull(summarize(steady).advice)
        assertTrue("only 3 rounds" in summarize(steady.take(3)).advice!!)
        val scattered = List(20) { doubleArrayOf(1.0, 2.0 + it) }
        assertTrue("scatter by" in summarize(scattered).advice!!)
        val slowing = List(40) { doubleArrayOf(2.0 + it / 200.0) }
        assertTrue("let the device cool down" in summarize(slowing).advice!!)
    }

    @Test
    fun `no run at all is refused`() {
        assertThrows(IllegalArgumentException::class.java) { summarize(emptyList()) }
        assertThrows(IllegalArgumentException::class.java) { summarize(listOf(doubleArrayOf())) }
    }
}
