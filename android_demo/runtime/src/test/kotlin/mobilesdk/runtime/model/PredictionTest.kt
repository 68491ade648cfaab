package mobilesdk.runtime.model

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModel
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Source
import mobilesdk.runtime.items
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.number
import mobilesdk.runtime.numbers
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.tensor.NamedArray
import mobilesdk.runtime.text
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder

class PredictionTest {
    private val arrays = Fixtures.features("spectrum.tflite")
    private val pictures = Fixtures.features("heads.tflite")

    private fun model(bundle: Bundle) = FakeModel(bundle, FakeClock())

    private fun numbersOf(index: Int): FloatArray {
        val bytes = arrays.goldenFile(index, "values.bin").readBytes()
        val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        return FloatArray(floats.remaining()).also(floats::get)
    }

    private fun predicted(
        bundle: Bundle,
        index: Int,
    ): List<NamedArray> {
        val file = bundle.goldenFile(index, bundle.manifest.source.kind)
        if (bundle.manifest.source is Source.Picture) {
            return model(bundle).predict(bundle.manifest, DesktopDecoder.decode(file))
        }
        return model(bundle).predict(bundle.manifest, numbersOf(index))
    }

    private fun check(
        name: String,
        expected: JsonObject,
        found: NamedArray,
    ) {
        assertEquals(name, expected.text("name"), found.name)
        assertEquals(name, numbers(expected.items("shape")).map(Double::toInt), found.shape)
        assertArrayEquals(name, numbers(expected.items("values")), found.values, 0.0)
        assertEquals(name, expected.number("least"), found.least, 0.0)
        assertEquals(name, expected.number("greatest"), found.greatest, 0.0)
        assertEquals(name, expected.number("mean"), found.mean, 1e-12)
    }

    @Test
    fun `golden pictures and arrays give python's real values, output by output`() {
        val cases = Fixtures.list("features.json")
        assertEquals(Fixtures.featureFolders.map { it.name }.toSet(), cases.map { it.text("bundle") }.toSet())
        for (case in cases) {
            val name = case.text("bundle")
            val found = predicted(Fixtures.features(name), case.number("index").toInt())
            val expected = case.items("arrays").map { it as JsonObject }
            assertEquals(name, expected.size, found.size)
            expected.zip(found).forEach { (one, other) -> check(name, one, other) }
        }
    }

    @Test
    fun `a golden picture's answer begins with the label that wins`() {
        for (name in listOf("test.tflite", "test.executorch")) {
            val bundle = Fixtures.bundle(name)
            val picture = DesktopDecoder.decode(bundle.goldenFile(0, "png"))
            val answer = model(bundle).answer(picture, 2)
            assertEquals(2, answer.shares.size)
            assertEquals(bundle.manifest.task.winner(bundle.goldenOutputs(0)), answer.shares[0].labelIndex)
        }
        val refusal =
            assertThrows(IllegalArgumentException::class.java) { model(arrays).answer(Rgb(1, 1, ByteArray(3))) }
        assertEquals("this model reads arrays, not pictures", refusal.message)
    }

    @Test
    fun `models of arrays take no pictures, and the other way round`() {
        val picture = Rgb(1, 1, ByteArray(Rgb.CHANNELS))
        val (ofArrays, ofPictures) = arrays.manifest to pictures.manifest
        val refusals =
            mapOf(
                "this model reads arrays, not pictures" to { model(arrays).predict(ofArrays, picture) },
                "this model reads pictures, not arrays" to { model(pictures).predict(ofPictures, FloatArray(60)) },
                "expected an array of 60 numbers, found 59" to { model(arrays).predict(ofArrays, FloatArray(59)) },
                "expected finite numbers in an array, found NaN or infinity" to {
                    model(arrays).predict(ofArrays, FloatArray(60) { Float.NaN })
                },
            )
        for ((message, predict) in refusals) {
            assertEquals(message, assertThrows(IllegalArgumentException::class.java) { predict() }.message)
        }
    }

    @Test
    fun `an array with NaN has NaN for least, greatest and mean`() {
        val array = NamedArray("a", listOf(3), doubleArrayOf(1.0, Double.NaN, -1.0))
        assertTrue(listOf(array.least, array.greatest, array.mean).all { it.isNaN() })
    }
}
