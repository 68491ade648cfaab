package mobilesdk.runtime.task

import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.goldenOutput
import mobilesdk.runtime.image
import mobilesdk.runtime.items
import mobilesdk.runtime.json.JsonArray
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.number
import mobilesdk.runtime.numbers
import mobilesdk.runtime.text
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder

class DetectionsTest {
    private fun rule(json: JsonObject) =
        DetectionSpec(
            json.number("score_threshold"),
            json.number("iou_threshold"),
            json.number("max_detections").toInt(),
        )

    private fun output(name: String): FloatArray {
        val bytes = Fixtures.folder.resolve("detections/$name").readBytes()
        val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        return FloatArray(floats.remaining()).also(floats::get)
    }

    private fun sides(box: Box) = doubleArrayOf(box.left, box.top, box.right, box.bottom)

    @Test
    fun `every output gives python's detections in python's order`() {
        val cases = Fixtures.list("detections/cases.json")
        assertTrue(cases.size > 200)
        for (case in cases) {
            val (name, rule) = case.text("name") to rule(case.fields.getValue("rule") as JsonObject)
            val side = case.number("size_px").toInt()
            val found = detect(output(case.text("output")), case.number("labels").toInt(), rule, Sides(side, side))
            val expected = (case.fields.getValue("expected") as JsonArray).items.map { it as JsonObject }
            assertEquals(name, expected.map { it.number("label_index").toInt() }, found.map { it.labelIndex })
            for ((one, other) in expected.zip(found)) {
                assertEquals(name, one.number("score"), other.score, 1e-12)
                assertArrayEquals(name, numbers(one.items("box_px")), sides(other.box), 0.0)
            }
        }
        assertTrue(cases.count { it.items("expected").isEmpty() } > 5)
        assertTrue(
            cases.count { it.items("expected").size == rule(it.fields.getValue("rule") as JsonObject).maxDetections } >
                20,
        )
    }

    @Test
    fun `the surest label is that of the largest share, of equal ones the first, and none among what is no number`() {
        val row = floatArrayOf(0f, 0f, 1f, 1f, 0f, 0f, 0f)
        assertEquals(0, surestLabel(row + row, 2))
        assertEquals(1, surestLabel(row + floatArrayOf(0f, 0f, 1f, 1f, 0f, 1f, 2f), 2))
        assertEquals(-1, surestLabel(row + floatArrayOf(Float.NaN, 0f, 1f, 1f, 0f, 1f, 2f), 2))
    }

    @Test
    fun `boxes of no size overlap with nothing`() {
        val empty = Box(2.0, 2.0, 2.0, 2.0)
        assertEquals(0.0, empty.overlap(empty), 0.0)
        assertEquals(0.0, empty.overlap(Box(0.0, 0.0, 4.0, 4.0)), 0.0)
        assertEquals(0.0, Box(0.0, 0.0, 4.0, 4.0).overlap(Box(4.0, 0.0, 8.0, 4.0)), 0.0)
        assertEquals(1.0 / 3, Box(0.0, 0.0, 2.0, 2.0).overlap(Box(1.0, 0.0, 3.0, 2.0)), 1e-15)
    }

    @Test
    fun `an answer has labels, and places in shares of the picture`() {
        val bundle = Fixtures.detector()
        val manifest = bundle.manifest
        val output = bundle.goldenOutput(0)
        val rule = (manifest.task as Detection).rule
        val boxes = detect(output, manifest.labels.size, rule, Sides(manifest.image.heightPx, manifest.image.widthPx))
        val found = manifest.task.answer(listOf(output), 1).found
        assertEquals(
            boxes.map { manifest.labels[it.labelIndex] to it.score },
            found.map {
                it.what.label to
                    it.what.share
            },
        )
        for ((one, other) in boxes.zip(found)) {
            val expected = sides(one.box).map { it / manifest.image.widthPx }.toDoubleArray()
            assertArrayEquals(expected, sides(other.area), 0.0)
        }
        assertEquals(manifest.golden.pictures[0].top1Index, manifest.task.winner(listOf(output)))
    }
}
