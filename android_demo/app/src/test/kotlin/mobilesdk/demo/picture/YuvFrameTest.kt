package mobilesdk.demo.picture

import org.junit.Assert.assertArrayEquals
import org.junit.Test
import java.nio.ByteBuffer

class YuvFrameTest {
    private fun plane(
        rowStride: Int,
        pixelStride: Int,
        vararg bytes: Int,
    ) = Plane(ByteBuffer.wrap(ByteArray(bytes.size) { bytes[it].toByte() }), rowStride, pixelStride)

    @Test
    fun `grey stays grey and colours are those of jfif`() {
        val none = plane(2, 2, 128, 0, 128)
        val grey = rgbOf(2, 2, plane(2, 1, 0, 128, 200, 255), none, none)
        assertArrayEquals(ByteArray(12) { listOf(0, 128, 200, 255)[it / 3].toByte() }, grey.bytes)
        val red = rgbOf(1, 1, plane(1, 1, 76), plane(1, 1, 85), plane(1, 1, 255))
        assertArrayEquals(byteArrayOf(-2, 0, 0), red.bytes)
        val blue = rgbOf(1, 1, plane(1, 1, 29), plane(1, 1, 255), plane(1, 1, 107))
        assertArrayEquals(byteArrayOf(0, 0, -2), blue.bytes)
    }

    @Test
    fun `rows and pixels may stand apart`() {
        val light = plane(4, 1, 10, 20, 99, 99, 30, 40)
        val colour = plane(4, 2, 128, 99, 128)
        val found = rgbOf(2, 2, light, colour, colour)
        assertArrayEquals(ByteArray(12) { listOf(10, 20, 30, 40)[it / 3].toByte() }, found.bytes)
    }
}
