package mobilesdk.runtime.task

import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.items
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.number
import mobilesdk.runtime.numbers
import mobilesdk.runtime.text
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder

class AnchorFreeTest {
    private fun map(json: JsonObject): RawMap {
        val bytes = Fixtures.folder.resolve("anchor_free/${json.text("file")}").readBytes()
        val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        val values = FloatArray(floats.remaining()).also(floats::get)
        return RawMap(values, json.number("rows").toInt(), json.number("columns").toInt())
    }

    @Test
    fun `every head's maps give python's detections in python's order`() {
        val cases = Fixtures.list("anchor_free/cases.json")
        assertTrue(cases.size >= 40)
        for (case in cases) {
            val name = case.text("name")
            val numbers = case.fields.getValue("rule") as JsonObject
            val rule =
                DetectionSpec(
                    numbers.number("score_threshold"),
                    numbers.number("iou_threshold"),
                    numbers.number("max_detections").toInt(),
                )
            val sides = Sides(case.number("height_px").toInt(), case.number("width_px").toInt())
            val maps = case.items("maps").map { map(it as JsonObject) }
            val found = detectAnchorFree(maps, case.number("labels").toInt(), rule, sides)
            val expected = case.items("expected").map { it as JsonObject }
            assertEquals(name, expected.map { it.number("label_index").toInt() }, found.map { it.labelIndex })
            for ((one, other) in expected.zip(found)) {
                assertEquals(name, one.number("score"), other.score, 1e-12)
                val box = doubleArrayOf(other.box.left, other.box.top, other.box.right, other.box.bottom)
                assertArrayEquals(name, numbers(one.items("box_px")), box, 1e-9)
            }
        }
        assertTrue(cases.count { it.items("expected").size > 3 } > 10)
    }

    @Test
    fun `maps of other channels are refused`() {
        val rule = DetectionSpec(0.5, 0.5, 10)
        val map = RawMap(FloatArray(4 * 11), 2, 2)
        assertTrue(detectAnchorFree(listOf(map), 3, rule, Sides(8, 8)).size <= 10)
        assertThrows(IllegalArgumentException::class.java) { detectAnchorFree(listOf(map), 4, rule, Sides(8, 8)) }
        assertThrows(IllegalArgumentException::class.java) { detectAnchorFree(listOf(map), 7, rule, Sides(8, 8)) }
    }
}
