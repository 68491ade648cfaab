package mobilesdk.runtime.model

import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModel
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.picture.Rgb
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class GoldenReplayTest {
    private val mixed = Fixtures.features("mixed.tflite")

    /** Gives the expected outputs with one number changed. */
    private class Changed(
        bundle: Bundle,
        private val change: (List<FloatArray>) -> Unit,
    ) : FakeModel(bundle, FakeClock()) {
        override fun outputs(picture: Rgb): List<FloatArray> = super.outputs(picture).also(change)
    }

    private fun replay(change: (List<FloatArray>) -> Unit) = replayGolden(mixed, Changed(mixed, change))

    @Test
    fun `every bundle passes on a model that gives what it says`() {
        val classifier = Fixtures.bundle("test.tflite")
        for (bundle in Fixtures.featureFolders.map { Fixtures.features(it.name) } + classifier) {
            val replay = replayGolden(bundle, FakeModel(bundle, FakeClock()))
            assertTrue(replay.agrees)
            assertTrue(replay.text, replay.text.startsWith("golden passed: 3 of 3, "))
        }
        val one = replayGolden(classifier, FakeModel(classifier, FakeClock()))
        assertEquals("golden passed: 3 of 3, largest difference 0.0 where 0.0 is allowed", one.text)
    }

    @Test
    fun `every output is held to its own tolerance`() {
        val tolerances = mixed.manifest.golden.tolerances
        val most = tolerances[1].toFloat()
        assertTrue("within that of real values", replay { it[1][7] += most / 2 }.agrees)
        assertFalse("beyond it", replay { it[1][7] += most * 2 }.agrees)
        val codes = replay { it[0][7] += most / 2 }
        assertFalse("codes have none", codes.agrees)
        assertTrue(codes.text, codes.text.startsWith("golden failed: 0 of 3, scores: largest difference "))
        assertTrue(codes.text, "; rgb.side: largest difference 0.0 where $most" in codes.text)
    }

    @Test
    fun `a missing output and what is no number are infinitely far`() {
        val lost =
            object : FakeModel(mixed, FakeClock()) {
                override fun outputs(picture: Rgb) = super.outputs(picture).take(1)
            }
        assertEquals(listOf(0.0, Double.POSITIVE_INFINITY), replayGolden(mixed, lost).outputs.map { it.largest })
        assertEquals(Double.POSITIVE_INFINITY, replay { it[1][0] = Float.NaN }.outputs[1].largest, 0.0)
    }
}
