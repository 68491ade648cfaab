package mobilesdk.runtime.task

import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.output
import mobilesdk.runtime.tensor.reals
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import kotlin.math.ln

class ScoresTest {
    private val int8 = Fixtures.bundle("test.tflite").manifest

    @Test
    fun `codes become real values by the bundle's scale and zero point`() {
        val (scale, zeroPoint) = int8.output.scale!! to int8.output.zeroPoint!!
        val found = reals(floatArrayOf(zeroPoint.toFloat(), zeroPoint + 1f), int8.output)
        assertArrayEquals(doubleArrayOf(0.0, scale), found, 0.0)
        val float = Fixtures.bundle("test-float.tflite").manifest.output
        assertArrayEquals(doubleArrayOf(1.5, -2.5), reals(floatArrayOf(1.5f, -2.5f), float), 0.0)
    }

    @Test
    fun `shares are those of softmax, add up to one and survive large logits`() {
        assertArrayEquals(doubleArrayOf(0.25, 0.75), softmax(doubleArrayOf(0.0, ln(3.0))), 1e-15)
        val shares = softmax(doubleArrayOf(1e4, 1e4 - 1, -1e4))
        assertEquals(1.0, shares.sum(), 1e-15)
        assertTrue(shares.all { it in 0.0..1.0 })
        assertEquals(0, softmax(DoubleArray(0)).size)
    }

    @Test
    fun `the best come first, and of equal ones the lower index`() {
        val scores = FloatArray(int8.labels.size) { 0f }.also { it[3] = 9f }
        val found = int8.task.answer(listOf(scores), 3).shares
        assertEquals(listOf(3, 0, 1).map(int8.labels::get), found.map { it.label })
        assertEquals(
            int8.labels.size,
            int8.task
                .answer(listOf(scores), 99)
                .shares.size,
        )
    }

    @Test
    fun `the winner is the first of the largest, and there is none among what is no number`() {
        assertEquals(1, argMax(floatArrayOf(-1f, 2f, 2f)))
        assertEquals(-1, argMax(floatArrayOf(1f, Float.NaN)))
        assertEquals(-1, argMax(FloatArray(0)))
    }
}
