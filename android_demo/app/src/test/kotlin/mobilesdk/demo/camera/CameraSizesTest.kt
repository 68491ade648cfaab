package mobilesdk.demo.camera

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class CameraSizesTest {
    private val offered =
        listOf(Sides(4000, 3000), Sides(1920, 1080), Sides(1280, 960), Sides(640, 480), Sides(320, 240))

    @Test
    fun `frames are the smallest of a television's size and the preview shows the same in more pixels`() {
        assertEquals(CameraSizes(Sides(640, 480), Sides(1280, 960)), chooseSizes(offered, offered))
    }

    @Test
    fun `smaller frames are better than none, and so is a preview of other proportions`() {
        assertEquals(
            CameraSizes(Sides(320, 240), Sides(1920, 1080)),
            chooseSizes(listOf(Sides(176, 144), Sides(320, 240)), listOf(Sides(1920, 1080), Sides(1280, 720))),
        )
        assertEquals(Sides(4000, 3000), chooseSizes(offered, listOf(Sides(4000, 3000)))!!.preview)
    }

    @Test
    fun `a camera without frames or without a preview is none`() {
        assertNull(chooseSizes(emptyList(), offered))
        assertNull(chooseSizes(offered, emptyList()))
    }

    @Test
    fun `a quarter turn exchanges the sides`() {
        assertEquals(listOf(Sides(3, 4), Sides(4, 3)), listOf(2, -1).map { Sides(3, 4).turned(it) })
    }
}
