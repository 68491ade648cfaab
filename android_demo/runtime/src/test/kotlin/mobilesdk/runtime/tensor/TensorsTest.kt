package mobilesdk.runtime.tensor

import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.picture.Rgb
import org.junit.Assert.assertArrayEquals
import org.junit.Test

class TensorsTest {
    private val picture = Rgb(2, 1, byteArrayOf(0, 1, 2, -3, -2, -1))
    private val input = Fixtures.bundle("test.tflite").manifest.input

    @Test
    fun `channels stand beside each other or one plane after the other`() {
        assertArrayEquals(picture.bytes, inputBytes(picture, input))
        val planes = inputBytes(picture, input.copy(layout = Layout.NCHW))
        assertArrayEquals(byteArrayOf(0, -3, 1, -2, 2, -1), planes)
    }

    @Test
    fun `the offset is added to the byte, not to its sign`() {
        val offset = Byte.MIN_VALUE.toInt()
        val codes = inputBytes(picture, input.copy(type = InputType.INT8, byteOffset = offset))
        assertArrayEquals(byteArrayOf(-128, -127, -126, 125, 126, 127), codes)
    }

    @Test
    fun `floats are little-endian`() {
        val floats = inputBytes(Rgb(1, 1, byteArrayOf(1, 0, -1)), input.copy(type = InputType.FLOAT32))
        assertArrayEquals(byteArrayOf(0, 0, -128, 63, 0, 0, 0, 0, 0, 0, 127, 67), floats)
    }

    @Test
    fun `a platform that takes pictures gets the picture's bytes`() {
        val image = input.copy(type = InputType.IMAGE, layout = Layout.NCHW)
        assertArrayEquals(picture.bytes, inputBytes(picture, image))
    }
}
