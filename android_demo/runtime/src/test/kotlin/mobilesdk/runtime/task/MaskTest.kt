package mobilesdk.runtime.task

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class MaskTest {
    @Test
    fun `a pixel's label is that of its largest score, of equal ones the lower`() {
        val scores = floatArrayOf(0f, 1f, 0f, 5f, 5f, 5f, -3f, -2f, -2f, -1f, -2f, 0f)
        val mask = Mask.of(scores, labels = 3, sides = Sides(2, 2))
        assertArrayEquals(byteArrayOf(1, 0, 1, 2), mask.labels)
        assertArrayEquals(intArrayOf(1, 2, 1, 0), mask.pixels(4))
    }

    @Test
    fun `labels beyond a signed byte are counted too`() {
        val scores = FloatArray(4 * 200) { if (it % 200 == 199) 1f else 0f }
        assertEquals(4, Mask.of(scores, labels = 200, sides = Sides(2, 2)).pixels(200)[199])
    }
}
