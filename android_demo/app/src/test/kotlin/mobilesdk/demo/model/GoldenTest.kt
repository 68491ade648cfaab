package mobilesdk.demo.model

import mobilesdk.demo.DesktopDecoder
import mobilesdk.demo.Fixtures
import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.bundle.Runtime
import mobilesdk.demo.bundle.openBundle
import mobilesdk.demo.tensor.InputType
import mobilesdk.demo.tensor.OutputType
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pytorch.executorch.DType
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor
import java.nio.ByteBuffer

/** Golden pictures through the real adapters; only the runtime below them is played. */
class GoldenTest {
    private fun bundles(runtime: Runtime): List<Bundle> =
        (Fixtures.bundleFolders + Fixtures.detectorFolders + Fixtures.segmenterFolders + Fixtures.earlierFolders)
            .map { openBundle(it, DesktopDecoder) }
            .filter { it.runtime == runtime }

    /** Answers a golden input with the golden output, through ExecuTorch's own tensors, and knows nothing else. */
    private fun playedModule(bundle: Bundle): (EValue) -> Array<EValue> =
        { value ->
            val (input, output) = value.toTensor() to bundle.manifest.output
            assertArrayEquals(
                bundle.manifest.input.shape
                    .map(Int::toLong)
                    .toLongArray(),
                input.shape(),
            )
            val given = if (input.dtype() == DType.INT8) input.dataAsByteArray else input.dataAsUnsignedByteArray
            val index = goldenIndex(bundle, given)
            val shape = output.shape.map(Int::toLong).toLongArray()
            val scores = bundle.goldenOutput(index)
            val answer =
                when (output.type) {
                    OutputType.INT8 -> Tensor.fromBlob(ByteArray(scores.size) { scores[it].toInt().toByte() }, shape)
                    OutputType.FLOAT32 -> Tensor.fromBlob(scores, shape)
                }
            arrayOf(EValue.from(answer))
        }

    private fun goldenIndex(
        bundle: Bundle,
        given: ByteArray,
    ): Int =
        bundle.manifest.golden.pictures.indices.single { index ->
            given.contentEquals(bundle.goldenFile(index, "input.bin").readBytes())
        }

    private fun check(
        bundle: Bundle,
        model: Model,
    ) {
        bundle.manifest.golden.pictures.forEachIndexed { index, expected ->
            val output = model.output(bundle.goldenPicture(index))
            assertArrayEquals(bundle.goldenOutput(index), output, 0f)
            assertEquals(expected.top1Index, bundle.manifest.task.winner(output))
        }
    }

    @Test
    fun `executorch's tensors carry golden inputs and outputs unchanged`() {
        val bundles = bundles(Runtime.EXECUTORCH)
        assertEquals(setOf(OutputType.INT8, OutputType.FLOAT32), bundles.map { it.manifest.output.type }.toSet())
        for (bundle in bundles) {
            var closed = 0
            val model = ExecuTorchModel(bundle.manifest, playedModule(bundle)) { closed++ }
            model.use { check(bundle, it) }
            assertEquals(1, closed)
        }
    }

    @Test
    fun `executorch's tensors carry unsigned bytes and floats too`() {
        val bundle = bundles(Runtime.EXECUTORCH).first()
        val picture = bundle.goldenPicture(0)
        for ((type, offset) in listOf(InputType.UINT8 to 0, InputType.FLOAT32 to Byte.MIN_VALUE.toInt())) {
            val input = bundle.manifest.input.copy(type = type, byteOffset = offset)
            var seen: Tensor? = null
            val forward: (EValue) -> Array<EValue> = { value ->
                seen = value.toTensor()
                arrayOf(EValue.from(Tensor.fromBlob(FloatArray(1), longArrayOf(1))))
            }
            val manifest =
                bundle.manifest.copy(
                    tensors =
                        bundle.manifest.tensors.copy(
                            input = input,
                            output = bundle.manifest.output.copy(type = OutputType.FLOAT32),
                        ),
                )
            ExecuTorchModel(manifest, forward) { }.output(picture)
            if (type == InputType.UINT8) {
                assertArrayEquals(picture.bytes, seen!!.dataAsUnsignedByteArray)
            } else {
                val expected =
                    FloatArray(picture.bytes.size) { ((picture.bytes[it].toInt() and 0xFF) + offset).toFloat() }
                assertArrayEquals(expected, seen!!.dataAsFloatArray, 0f)
            }
        }
    }

    @Test
    fun `litert's buffers carry golden inputs and outputs unchanged, run after run`() {
        val bundles = bundles(Runtime.TFLITE)
        assertEquals(13, bundles.size)
        for (bundle in bundles) {
            val run: (ByteBuffer, ByteBuffer) -> Unit = { input, output ->
                assertTrue(input.isDirect && output.isDirect)
                val given = ByteArray(input.remaining()).also(input::get)
                output.put(bundle.goldenFile(goldenIndex(bundle, given), "output.bin").readBytes())
            }
            var closed = 0
            LiteRtModel(bundle, run) { closed++ }.use { check(bundle, it) }
            assertEquals(1, closed)
        }
    }
}
