package mobilesdk.runtime.model

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Manifest
import mobilesdk.runtime.tensor.InputType
import mobilesdk.runtime.tensor.OutputSpec
import mobilesdk.runtime.tensor.OutputType
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A `.pte` file. [forward] is its method, which tests put another one in place of: `Module` itself needs a phone. */
class ExecuTorchModel internal constructor(
    override val manifest: Manifest,
    private val forward: (EValue) -> Array<EValue>,
    private val now: () -> Long = System::nanoTime,
    private val destroy: () -> Unit,
) : Model {
    private val memory =
        ByteBuffer.allocateDirect(manifest.input.byteCount.toInt()).order(ByteOrder.nativeOrder())
    private val input = EValue.from(tensor(memory.duplicate().order(ByteOrder.nativeOrder()))) // it moves its own place
    private val outputBytes = ByteArray(manifest.outputs.sumOf { it.byteCount.toInt() })
    private var found: Array<EValue> = emptyArray()

    override fun write(input: ByteArray) {
        memory.duplicate().put(input)
    }

    override fun run(): Long {
        val start = now()
        found = forward(input)
        return now() - start
    }

    override fun read(): ByteArray {
        check(found.size == manifest.outputs.size) { "expected ${manifest.outputs.size} outputs, found ${found.size}" }
        var end = 0
        manifest.outputs.zip(found) { output, value ->
            put(value.toTensor(), output, end)
            end += output.byteCount.toInt()
        }
        return outputBytes
    }

    override fun close() = destroy()

    private fun put(
        tensor: Tensor,
        output: OutputSpec,
        at: Int,
    ) {
        val count = output.byteCount / output.type.bytes
        check(tensor.numel() == count) { "expected $count numbers of '${output.name}', found ${tensor.numel()}" }
        when (output.type) {
            OutputType.INT8 -> tensor.dataAsByteArray.copyInto(outputBytes, at)
            OutputType.FLOAT32 -> floats(at, output).put(tensor.dataAsFloatArray)
        }
    }

    private fun floats(
        at: Int,
        output: OutputSpec,
    ) = ByteBuffer.wrap(outputBytes, at, output.byteCount.toInt()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()

    /** The tensor whose numbers are those of [memory], whatever they become. */
    private fun tensor(memory: ByteBuffer): Tensor {
        val shape =
            manifest.input.shape
                .map(Int::toLong)
                .toLongArray()
        return when (manifest.input.type) {
            InputType.INT8 -> Tensor.fromBlob(memory, shape)
            InputType.UINT8, InputType.IMAGE -> Tensor.fromBlobUnsigned(memory, shape)
            InputType.FLOAT32 -> Tensor.fromBlob(memory.asFloatBuffer(), shape)
        }
    }

    companion object {
        /** Loads the bundle's model and its method, so that the first picture does not pay for it. */
        fun open(
            bundle: Bundle,
            threads: Int,
        ): ExecuTorchModel {
            val module = Module.load(bundle.modelFile.path, Module.LOAD_MODE_MMAP, threads)
            module.loadMethod("forward")
            return ExecuTorchModel(bundle.manifest, { module.forward(it) }, destroy = module::destroy)
        }
    }
}
