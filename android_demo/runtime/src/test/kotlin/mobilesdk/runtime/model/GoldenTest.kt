package mobilesdk.runtime.model

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Runtime
import mobilesdk.runtime.bundle.isGoldenInput
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.output
import mobilesdk.runtime.tensor.InputType
import mobilesdk.runtime.tensor.OutputSpec
import mobilesdk.runtime.tensor.OutputType
import mobilesdk.runtime.tensor.inputBytes
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pytorch.executorch.DType
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor
import java.nio.ByteBuffer

/** Golden pictures through the real adapters; only the runtime below them is played. */
class GoldenTest {
    private fun bundles(runtime: Runtime): List<Bundle> =
        listOf(
            Fixtures.bundleFolders,
            Fixtures.detectorFolders,
            Fixtures.segmenterFolders,
            Fixtures.featureFolders,
            Fixtures.earlierFolders,
        ).flatten()
            .map { openBundle(it, DesktopDecoder) }
            .filter { it.runtime == runtime }

    /** Answers a golden input with the golden output, through ExecuTorch's own tensors, and knows nothing else. */
    private fun playedModule(bundle: Bundle): (EValue) -> Array<EValue> =
        { value ->
            val input = value.toTensor()
            assertArrayEquals(
                bundle.manifest.input.shape
                    .map(Int::toLong)
                    .toLongArray(),
                input.shape(),
            )
            val given = if (input.dtype() == DType.INT8) input.dataAsByteArray else input.dataAsUnsignedByteArray
            val index = goldenIndex(bundle, given)
            val answers = bundle.manifest.outputs.zip(bundle.goldenOutputs(index), ::tensor)
            answers.map(EValue::from).toTypedArray()
        }

    private fun tensor(
        output: OutputSpec,
        scores: FloatArray,
    ): Tensor {
        val shape = output.shape.map(Int::toLong).toLongArray()
        return when (output.type) {
            OutputType.INT8 -> Tensor.fromBlob(ByteArray(scores.size) { scores[it].toInt().toByte() }, shape)
            OutputType.FLOAT32 -> Tensor.fromBlob(scores, shape)
        }
    }

    private fun goldenIndex(
        bundle: Bundle,
        given: ByteArray,
    ): Int {
        val pictures = bundle.manifest.golden.pictures
        return pictures.indices.single { index -> isGoldenInput(bundle, index, given) }
    }

    private fun check(
        bundle: Bundle,
        model: Model,
    ) {
        bundle.manifest.golden.pictures.forEachIndexed { index, expected ->
            val outputs = model.outputs(bundle.goldenPicture(index))
            assertEquals(bundle.manifest.outputs.size, outputs.size)
            bundle.goldenOutputs(index).zip(outputs).forEach { (golden, output) ->
                assertArrayEquals(golden, output, 0f)
            }
            assertEquals(expected.top1Index, bundle.manifest.task.winner(outputs))
        }
    }

    @Test
    fun `executorch's tensors carry golden inputs and outputs unchanged`() {
        val bundles = bundles(Runtime.EXECUTORCH)
        val types = bundles.flatMap { it.manifest.outputs }.map { it.type }
        assertEquals(setOf(OutputType.INT8, OutputType.FLOAT32), types.toSet())
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
                val shape =
                    bundle.manifest.output.shape
                        .map(Int::toLong)
                        .toLongArray()
                arrayOf(EValue.from(Tensor.fromBlob(FloatArray(Tensor.numel(shape).toInt()), shape)))
            }
            val manifest =
                bundle.manifest.copy(
                    tensors =
                        bundle.manifest.tensors.copy(
                            input = input,
                            outputs = listOf(bundle.manifest.output.copy(type = OutputType.FLOAT32)),
                        ),
                )
            ExecuTorchModel(manifest, forward) { }.outputs(picture)
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
    fun `a file with fewer outputs than its bundle says is not taken`() {
        val bundle = Fixtures.features("heads.executorch")
        val forward: (EValue) -> Array<EValue> = { playedModule(bundle)(it).copyOfRange(0, 1) }
        val model = ExecuTorchModel(bundle.manifest, forward) { }
        val thrown = assertThrows(IllegalStateException::class.java) { model.outputs(bundle.goldenPicture(0)) }
        assertEquals("expected 2 outputs, found 1", thrown.message)
    }

    @Test
    fun `an output of another size than its bundle says is not taken`() {
        val bundle = Fixtures.bundle("test.executorch")
        val forward: (EValue) -> Array<EValue> = { arrayOf(EValue.from(Tensor.fromBlob(ByteArray(1), longArrayOf(1)))) }
        val model = ExecuTorchModel(bundle.manifest, forward) { }
        val thrown = assertThrows(IllegalStateException::class.java) { model.outputs(bundle.goldenPicture(0)) }
        assertTrue(thrown.message!!, thrown.message!!.endsWith("found 1"))
    }

    @Test
    fun `executorch's time is that of its call, and its input is one tensor run after run`() {
        val bundle = Fixtures.bundle("test.executorch")
        val seen = ArrayList<EValue>()
        val ticks = generateSequence(0L) { it + 1 }.iterator()
        val forward: (EValue) -> Array<EValue> = {
            seen += it
            repeat(9) { ticks.next() }
            playedModule(bundle)(it)
        }
        val model = ExecuTorchModel(bundle.manifest, forward, ticks::next) { }
        for (index in 0 until 2) {
            model.write(inputBytes(bundle.goldenPicture(index), bundle.manifest.input))
            assertEquals(10L, model.run())
            assertArrayEquals(bundle.goldenFile(index, "output.bin").readBytes(), model.read())
        }
        assertTrue(seen[0] === seen[1])
    }

    @Test
    fun `litert's buffers carry golden inputs and outputs unchanged, run after run`() {
        val bundles = bundles(Runtime.TFLITE)
        assertEquals(18, bundles.size)
        for (bundle in bundles) {
            val run: (ByteBuffer, List<ByteBuffer>) -> Long = { input, outputs ->
                assertTrue(input.isDirect && outputs.all { it.isDirect })
                val given = ByteArray(input.remaining()).also(input::get)
                val golden = ByteBuffer.wrap(bundle.goldenFile(goldenIndex(bundle, given), "output.bin").readBytes())
                outputs.forEach { output -> output.put(ByteArray(output.remaining()).also(golden::get)) }
                assertFalse(golden.hasRemaining())
                7L
            }
            var closed = 0
            LiteRtModel(bundle.manifest, run) { closed++ }.use {
                check(bundle, it)
                assertEquals("the runtime's own time", 7L, it.run())
            }
            assertEquals(1, closed)
        }
    }
}
