package mobilesdk.runtime.model

import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModel
import mobilesdk.runtime.Fixtures
import org.junit.Assert.assertEquals
import org.junit.Test

class LatencyTest {
    /** The latency that is shown of a model whose runs take so long, and how many of them it took. */
    private fun shown(vararg timesMs: Int): Pair<Double, Int> {
        val left = timesMs.toMutableList()
        val model =
            object : FakeModel(Fixtures.bundle("test.tflite"), FakeClock()) {
                override fun run(): Long = left.removeAt(0) * 1_000_000L
            }
        return model.warmLatencyMs() to timesMs.size - left.size
    }

    @Test
    fun `cold runs are not shown`() = assertEquals(3.0 to 10, shown(90, 40, 9, 9, 9, 2, 3, 3, 4, 5, 7))

    @Test
    fun `a slow model runs a few times`() {
        assertEquals(400.0 to 1, shown(400, 390))
        assertEquals(102.0 to 3, shown(130, 105, 99, 90))
    }
}
