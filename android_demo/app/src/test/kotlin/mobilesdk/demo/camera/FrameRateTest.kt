package mobilesdk.demo.camera

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class FrameRateTest {
    @Test
    fun `the rate is that of the last few, and begins anew after a pause`() {
        val rate = FrameRate()
        assertNull(rate.next(5))
        assertEquals(10.0, rate.next(100_000_005)!!, 1e-9)
        var time = 100_000_005L
        var last = 0.0
        repeat(40) {
            time += 20_000_000
            last = rate.next(time)!!
        }
        assertEquals("the slow ones are forgotten", 50.0, last, 1e-9)
        rate.clear()
        assertNull(rate.next(time + 1_000_000_000))
    }
}
