package mobilesdk.runtime.picture

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Test
import java.nio.ByteBuffer

class YuvFrameTest {
    private fun plane(
        rowStride: Int,
        pixelStride: Int,
        vararg bytes: Int,
    ): Plane {
        val direct = ByteBuffer.allocateDirect(bytes.size) // as cameras have them
        bytes.forEachIndexed { index, byte -> direct.put(index, byte.toByte()) }
        return Plane(direct, rowStride, pixelStride)
    }

    private fun read(
        width: Int,
        height: Int,
        vararg planes: Plane,
    ) = FrameReader().read(width, height, planes.toList())

    @Test
    fun `grey stays grey and colours are those of jfif`() {
        val none = plane(2, 2, 128, 0, 128)
        val grey = read(2, 2, plane(2, 1, 0, 128, 200, 255), none, none)
        assertArrayEquals(ByteArray(12) { listOf(0, 128, 200, 255)[it / 3].toByte() }, grey.bytes)
        val red = read(1, 1, plane(1, 1, 76), plane(1, 1, 85), plane(1, 1, 255))
        assertArrayEquals(byteArrayOf(-2, 0, 0), red.bytes)
        val blue = read(1, 1, plane(1, 1, 29), plane(1, 1, 255), plane(1, 1, 107))
        assertArrayEquals(byteArrayOf(0, 0, -2), blue.bytes)
    }

    @Test
    fun `rows and pixels may stand apart`() {
        val light = plane(4, 1, 10, 20, 99, 99, 30, 40)
        val colour = plane(4, 2, 128, 99, 128)
        assertArrayEquals(
            ByteArray(12) { listOf(10, 20, 30, 40)[it / 3].toByte() },
            read(2, 2, light, colour, colour).bytes,
        )
    }

    @Test
    fun `a frame comes turned as its picture would be`() {
        val planes = listOf(plane(4, 1, *IntArray(8) { 10 * it }), plane(2, 1, 90, 160), plane(2, 1, 200, 60))
        val upright = FrameReader().read(4, 2, planes)
        for (quarters in -1..4) {
            val turned = FrameReader().read(4, 2, planes, quarters)
            assertArrayEquals("$quarters quarters", upright.turned(quarters).bytes, turned.bytes)
            assertEquals(upright.turned(quarters).width, turned.width)
        }
    }

    @Test
    fun `one reader's frames share their arrays, of whatever size they are`() {
        val reader = FrameReader()
        val none = plane(2, 1, 128)
        val first = reader.read(2, 1, listOf(plane(2, 1, 7, 8), none, none))
        val next = reader.read(2, 1, listOf(plane(2, 1, 9, 9), none, none))
        assertSame(first.bytes, next.bytes)
        assertEquals(listOf<Byte>(9, 9, 9), next.bytes.take(3))
        assertEquals(3, reader.read(1, 1, listOf(plane(1, 1, 5), none, none)).bytes.size)
    }
}
