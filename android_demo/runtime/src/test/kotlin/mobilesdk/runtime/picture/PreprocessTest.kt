package mobilesdk.runtime.picture

import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.image
import mobilesdk.runtime.number
import mobilesdk.runtime.text
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class PreprocessTest {
    @Test
    fun `every picture gives python's bytes, from one pixel to four thousand`() {
        val folder = Fixtures.folder.resolve("preprocess")
        val cases = Fixtures.list("preprocess/cases.json") + Fixtures.list("preprocess/other_sizes.json")
        assertTrue(cases.size > 50)
        for (case in cases) {
            val (width, height) = case.number("width").toInt() to case.number("height").toInt()
            val source = Rgb(width, height, folder.resolve(case.text("source")).readBytes())
            val expected = folder.resolve(case.text("expected")).readBytes()
            val found = prepare(source, Fixtures.image(case.fields.getValue("image")))
            assertArrayEquals(case.text("name"), expected, found.bytes)
        }
    }

    @Test
    fun `a screen shows what the model reads, a whole picture in its own proportions and no larger than a screen`() {
        val large = Rgb(3000, 2000, ByteArray(3000 * 2000 * Rgb.CHANNELS))
        val small = Rgb(30, 20, ByteArray(30 * 20 * Rgb.CHANNELS))
        for ((picture, width, height) in listOf(Triple(large, 1024, 683), Triple(small, 30, 20))) {
            val stretched = ImageSpec(16, 16, Rgb.CHANNELS, Fit.STRETCH, 1.0)
            val found = shown(picture, prepare(picture, stretched), stretched)
            assertEquals(width to height, found.width to found.height)
        }
        val cut = ImageSpec(16, 16, Rgb.CHANNELS, Fit.CROP, 1.0)
        assertEquals(16, shown(large, prepare(large, cut), cut).width)
    }

    @Test
    fun `golden pictures give the bundles' input, byte for byte`() {
        for (folder in Fixtures.bundleFolders) {
            val bundle = Fixtures.bundle(folder.name) // opening compares them
            val side = bundle.manifest.image.widthPx
            assertTrue(
                bundle.manifest.golden.pictures.indices
                    .all { bundle.goldenPicture(it).width == side },
            )
        }
    }

    @Test
    fun `a grey picture is shown in colours that a screen has`() {
        val grey = ImageSpec(16, 16, 1, Fit.CROP, 1.0)
        val picture = Rgb(20, 20, ByteArray(20 * 20 * Rgb.CHANNELS) { 7 })
        assertArrayEquals(ByteArray(16 * 16 * Rgb.CHANNELS) { 7 }, shown(picture, prepare(picture, grey), grey).bytes)
    }
}
