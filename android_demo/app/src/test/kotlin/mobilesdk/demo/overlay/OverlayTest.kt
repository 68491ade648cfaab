package mobilesdk.demo.overlay

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.task.Answer
import mobilesdk.runtime.task.Box
import mobilesdk.runtime.task.Found
import mobilesdk.runtime.task.LabelShare
import mobilesdk.runtime.task.Mask
import mobilesdk.runtime.task.Sides
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.awt.BasicStroke
import java.awt.Color
import java.awt.Graphics2D
import java.awt.image.BufferedImage
import java.io.File
import javax.imageio.ImageIO

/** Draws on a desktop's picture. */
private class DesktopBrush(
    private val graphics: Graphics2D,
) : Brush {
    override val textHeight: Double get() = graphics.fontMetrics.height.toDouble()

    override fun textWidth(text: String): Double = graphics.fontMetrics.stringWidth(text).toDouble()

    override fun outline(
        box: Box,
        color: Int,
    ) {
        graphics.color = Color(color, true)
        graphics.stroke = BasicStroke(3f)
        graphics.drawRect(box.left.toInt(), box.top.toInt(), width(box), height(box))
    }

    override fun mask(
        mask: Mask,
        area: Box,
    ) {
        val side = mask.sides.width
        val pixels = BufferedImage(side, side, BufferedImage.TYPE_INT_ARGB)
        pixels.setRGB(0, 0, side, side, maskColors(mask), 0, side)
        graphics.drawImage(pixels, area.left.toInt(), area.top.toInt(), width(area), height(area), null)
    }

    override fun tag(
        text: String,
        box: Box,
        color: Int,
        textColor: Int,
    ) {
        graphics.color = Color(color, true)
        graphics.fillRect(box.left.toInt(), box.top.toInt(), width(box), height(box))
        graphics.color = Color(textColor, true)
        graphics.drawString(text, box.left.toInt(), (box.top + graphics.fontMetrics.ascent).toInt())
    }

    private fun width(box: Box) = (box.right - box.left).toInt()

    private fun height(box: Box) = (box.bottom - box.top).toInt()
}

class OverlayTest {
    private val picture = Box(100.0, 50.0, 500.0, 250.0)

    private fun image(
        rgb: Rgb,
        scale: Int,
    ): BufferedImage {
        val pixels = BufferedImage(rgb.width, rgb.height, BufferedImage.TYPE_INT_ARGB)
        pixels.setRGB(0, 0, rgb.width, rgb.height, IntArray(rgb.width * rgb.height, rgb::packed), 0, rgb.width)
        val large = BufferedImage(rgb.width * scale, rgb.height * scale, BufferedImage.TYPE_INT_ARGB)
        large.createGraphics().drawImage(pixels, 0, 0, large.width, large.height, null)
        return large
    }

    @Test
    fun `a box stands where it is in the picture, however that is stretched`() {
        assertEquals(Box(200.0, 100.0, 500.0, 250.0), placed(Box(0.25, 0.25, 1.0, 1.0), picture))
    }

    @Test
    fun `a tag stands on its box, inside it where there is no room, and never past the picture's sides`() {
        assertEquals(Box(200.0, 80.0, 260.0, 100.0), tagPlace(Box(200.0, 100.0, 300.0, 200.0), picture, 60.0, 20.0))
        assertEquals(Box(200.0, 60.0, 260.0, 80.0), tagPlace(Box(200.0, 60.0, 300.0, 200.0), picture, 60.0, 20.0))
        assertEquals(440.0, tagPlace(Box(480.0, 100.0, 500.0, 200.0), picture, 60.0, 20.0).left, 0.0)
        assertEquals("wider than the picture", 100.0, tagPlace(picture, picture, 900.0, 20.0).left, 0.0)
    }

    @Test
    fun `labels have colours of their own that never change, and tags that can be read`() {
        val colors = (0 until 20).map(::labelColor)
        assertEquals(20, colors.toSet().size)
        assertEquals(colors, (0 until 20).map(::labelColor))
        assertTrue(colors.all { it ushr 24 == 0xFF })
        assertTrue((0 until 20).map(::textColor).toSet() == setOf(-1, 0xFF000000.toInt()))
        assertNotEquals(labelColor(3), labelColor(100_003))
    }

    @Test
    fun `things are drawn in their label's colour, the surest last, and a classification draws nothing`() {
        val image = BufferedImage(400, 200, BufferedImage.TYPE_INT_ARGB)
        val whole = Box(0.0, 0.0, 400.0, 200.0)
        val things =
            listOf(
                Found(LabelShare(0, "first", 0.9), Box(0.1, 0.5, 0.5, 0.9)),
                Found(LabelShare(1, "second", 0.8), Box(0.1, 0.5, 0.9, 0.9)),
            )
        drawOverlay(Answer(things.map { it.what }, things), whole, DesktopBrush(image.createGraphics())) { it.label }
        assertEquals(labelColor(0), image.getRGB(40, 150))
        assertEquals(labelColor(1), image.getRGB(360, 150))
        assertEquals(0, image.getRGB(200 - 20, 150))
        val empty = BufferedImage(400, 200, BufferedImage.TYPE_INT_ARGB)
        val labels = Answer(listOf(LabelShare(0, "first", 1.0)))
        drawOverlay(labels, whole, DesktopBrush(empty.createGraphics())) { it.label }
        assertTrue(empty.getRGB(0, 0, 400, 200, null, 0, 400).all { it == 0 })
    }

    @Test
    fun `a mask lies half transparent over the whole picture, a colour a label`() {
        val mask = Mask(Sides(2, 2), byteArrayOf(0, 3, 3, 0))
        val answer = Answer(listOf(LabelShare(0, "ground", 0.5), LabelShare(3, "sky", 0.5)), mask = mask)
        val (ground, sky) = listOf(0, 3).map { labelColor(it) and 0x80FFFFFF.toInt() }
        assertArrayEquals(intArrayOf(ground, sky, sky, ground), maskColors(mask))
        val image = BufferedImage(40, 20, BufferedImage.TYPE_INT_ARGB)
        drawOverlay(answer, Box(0.0, 0.0, 40.0, 20.0), DesktopBrush(image.createGraphics())) { it.label }
        assertEquals(
            listOf(ground, sky, sky, ground),
            listOf(5 to 5, 35 to 5, 5 to 15, 35 to 15).map { (x, y) ->
                image.getRGB(x, y)
            },
        )
    }

    @Test
    fun `golden pictures are drawn with what is in them, for people to look at`() {
        drawGolden(Fixtures.detector(), scale = 3, file = "detector.png")
        drawGolden(Fixtures.segmenter("scenes.tflite"), scale = 3, file = "segmenter.png")
    }

    private fun drawGolden(
        bundle: Bundle,
        scale: Int,
        file: String,
    ) {
        val image = image(DesktopDecoder.decode(bundle.goldenFile(0, "png")), scale)
        val before = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
        val graphics = image.createGraphics().apply { font = font.deriveFont(24f) }
        val whole = Box(0.0, 0.0, image.width.toDouble(), image.height.toDouble())
        drawOverlay(bundle.manifest.task.answer(bundle.goldenOutputs(0), 5), whole, DesktopBrush(graphics)) { it.label }
        val after = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
        assertTrue(before.indices.count { before[it] != after[it] } > 1000)
        val reports = System.getProperty("reports") ?: System.getProperty("java.io.tmpdir")
        ImageIO.write(image, "png", File(reports, file))
    }
}
