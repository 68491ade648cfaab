package mobilesdk.demo.camera

import mobilesdk.runtime.picture.Fit
import mobilesdk.runtime.picture.ImageSpec
import mobilesdk.runtime.picture.Part
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.picture.partRead
import mobilesdk.runtime.picture.prepare
import mobilesdk.runtime.task.Box
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class PreviewPlaceTest {
    private val upright = Sides(30, 40)
    private val view = Sides(120, 80) // the picture fills (30, 0) to (90, 80)

    @Test
    fun `a picture fits into the middle of its view in its own proportions`() {
        assertEquals(Box(left = 30.0, top = 0.0, right = 90.0, bottom = 80.0), fitted(view, upright))
        assertEquals(Box(left = 0.0, top = 10.0, right = 40.0, bottom = 40.0), fitted(Sides(40, 50), Sides(4, 3)))
    }

    @Test
    fun `on a phone in its natural way the preview's corners are those of its place`() {
        val expected = floatArrayOf(30f, 0f, 90f, 0f, 90f, 80f, 30f, 80f)
        assertArrayEquals(expected, previewCorners(view, upright, 0, mirrored = false), 0f)
    }

    /**
     * Where a display is turned by a quarter (`ROTATION_90`, the phone's top to the left), what stands upright in the
     * phone's natural way lies on its right side: turned back against the clock, its top left is at the bottom left.
     */
    @Test
    fun `on a turned display the preview is turned back, against the clock`() {
        val quarter = floatArrayOf(30f, 80f, 30f, 0f, 90f, 0f, 90f, 80f)
        assertArrayEquals(quarter, previewCorners(view, upright, 1, mirrored = false), 0f)
        val half = floatArrayOf(90f, 80f, 30f, 80f, 30f, 0f, 90f, 0f)
        assertArrayEquals("landscape and its reverse", half, previewCorners(view, upright, 2, mirrored = false), 0f)
        val last = floatArrayOf(90f, 0f, 90f, 80f, 30f, 80f, 30f, 0f)
        assertArrayEquals(last, previewCorners(view, upright, 3, mirrored = false), 0f)
    }

    @Test
    fun `a front camera's mirror is undone, as the model reads its frames`() {
        val expected = floatArrayOf(90f, 0f, 30f, 0f, 30f, 80f, 90f, 80f)
        assertArrayEquals(expected, previewCorners(view, upright, 0, mirrored = true), 0f)
        val quarter = floatArrayOf(90f, 80f, 90f, 0f, 30f, 0f, 30f, 80f)
        assertArrayEquals(quarter, previewCorners(view, upright, 1, mirrored = true), 0f)
    }

    @Test
    fun `what the model reads of a frame is framed where the preview shows it`() {
        val image = ImageSpec(heightPx = 2, widthPx = 2, channels = 3, fit = Fit.CROP, cropShare = 1.0)
        val part = partRead(30, 40, image)
        assertEquals(Part(0, 5, 30, 30), part)
        val expected = Box(left = 30.0, top = 10.0, right = 90.0, bottom = 70.0)
        assertEquals(expected, placeOfPart(part, upright, fitted(view, upright)))
        assertEquals(Part(0, 0, 30, 40), partRead(30, 40, image.copy(fit = Fit.STRETCH)))
        val picture = Rgb(3, 2, ByteArray(18) { (it / 3).toByte() })
        assertEquals("the part is the one that is cut", 4, prepare(picture, image).bytes[9].toInt())
    }
}
