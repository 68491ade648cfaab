package mobilesdk.runtime.picture

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class RgbTest {
    /** Two rows of three pixels, 0 to 5, each channel apart. */
    private val picture = Rgb(3, 2, ByteArray(18) { (it / 3 + 10 * (it % 3)).toByte() })

    private fun Rgb.pixels(): List<Int> = bytes.toList().chunked(3).map { it[0].toInt() }

    @Test
    fun `a quarter turn brings the left edge to the top`() {
        assertEquals(listOf(3, 0, 4, 1, 5, 2), picture.turned(1).pixels())
        assertEquals(2 to 3, picture.turned(1).run { width to height })
        assertEquals(listOf(5, 4, 3, 2, 1, 0), picture.turned(2).pixels())
        assertEquals(listOf(2, 5, 1, 4, 0, 3), picture.turned(-1).pixels())
        assertArrayEquals(picture.bytes, picture.turned(4).bytes)
    }

    @Test
    fun `mirroring exchanges left and right`() {
        assertEquals(listOf(2, 1, 0, 5, 4, 3), picture.mirrored().pixels())
    }

    @Test
    fun `pictures stored in any of exif's eight ways come upright`() {
        val stored =
            mapOf(
                1 to picture,
                2 to picture.mirrored(),
                3 to picture.turned(2),
                4 to picture.turned(2).mirrored(),
                5 to picture.turned(1).mirrored(),
                6 to picture.turned(3),
                7 to picture.turned(3).mirrored(),
                8 to picture.turned(1),
            )
        for ((orientation, turned) in stored) {
            val found = upright(turned, orientation)
            assertArrayEquals("orientation $orientation", picture.bytes, found.bytes)
            assertEquals(picture.width, found.width)
        }
    }

    @Test
    fun `pixels are packed opaque, red first`() {
        assertEquals(0xFF010B15.toInt(), picture.packed(1))
        assertEquals(0xFFFF80C8.toInt(), Rgb(1, 1, byteArrayOf(-1, -128, -56)).packed(0))
        assertArrayEquals(IntArray(6, picture::packed), picture.argb)
    }

    @Test
    fun `a part is cut out with all of its channels`() {
        assertArrayEquals(byteArrayOf(1, 11, 21, 2, 12, 22, 4, 14, 24, 5, 15, 25), picture.part(1, 0, 2, 2).bytes)
    }

    @Test
    fun `transparency lies over white`() {
        val argb = intArrayOf(0x00112233, 0xFF112233.toInt(), 0x80000000.toInt(), 0x80FFFFFF.toInt())
        val expected = byteArrayOf(-1, -1, -1, 0x11, 0x22, 0x33, 127, 127, 127, -1, -1, -1)
        assertArrayEquals(expected, Rgb.overWhite(4, 1, argb).bytes)
    }

    /** A picture's numbers stay as they are, whatever colours its profile means by them. */
    @Test
    fun `pixels as bitmaps hold them in memory give the same, for every value, alpha and length of rows`() {
        val argb = IntArray(65536) { (it ushr 8 shl 24) or (it and 0xFF shl 16) or (it * 7 and 0xFF shl 8) or 0x2A }
        val rowBytes = 256 * 4 + 12
        val rgba = ByteArray(rowBytes * 256)
        argb.forEachIndexed { index, pixel ->
            val at = index / 256 * rowBytes + index % 256 * 4
            listOf(pixel shr 16, pixel shr 8, pixel, pixel ushr 24).forEachIndexed { channel, value ->
                rgba[at + channel] = value.toByte()
            }
        }
        val expected = Rgb.overWhite(256, 256, argb).bytes
        assertArrayEquals(expected, Rgb.overWhiteRgba(256, 256, rowBytes, rgba).bytes)
        assertArrayEquals(byteArrayOf(60, -96, 70), Rgb.overWhiteRgba(1, 1, 4, byteArrayOf(60, -96, 70, -1)).bytes)
    }

    @Test
    fun `bytes that are no whole picture are refused`() {
        assertThrows(IllegalArgumentException::class.java) { Rgb(2, 2, ByteArray(11)) }
    }
}
