package mobilesdk.runtime.picture

import org.junit.Assert.assertEquals
import org.junit.Test

class PictureRoomTest {
    private val room = PictureRoom(heapBytes = 20_000_000) // for a million pixels

    @Test
    fun `a picture is halved until it has room`() {
        assertEquals(listOf(1, 1, 2, 2, 4), listOf(1, 1000, 1001, 4000, 4001).map { room.reduction(it, 1000) })
        assertEquals("its pixels are more than an Int counts", 128, room.reduction(65535, 65535))
    }

    @Test
    fun `a refusal says how large it is and may be`() {
        val expected = "expected a picture of at most 1.0 megapixels, found 4032 × 3024, which has 12.2"
        assertEquals(expected, room.refusal(4032, 3024))
    }
}
