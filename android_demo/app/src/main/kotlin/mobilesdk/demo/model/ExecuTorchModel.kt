package mobilesdk.demo.model

import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.bundle.Manifest
import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.tensor.InputType
import mobilesdk.demo.tensor.OutputSpec
import mobilesdk.demo.tensor.OutputType
import mobilesdk.demo.tensor.inputBytes
import mobilesdk.demo.tensor.readOutput
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A `.pte` file. [forward] is its method, which tests put another one in place of: `Module` itself needs a phone. */
class ExecuTorchModel internal constructor(
    private val manifest: Manifest,
    private val forward: (EValue) -> Array<EValue>,
    private val destroy: () -> Unit,
) : Model {
    private val shape =
        manifest.input.shape
            .map(Int::toLong)
            .toLongArray()

    override fun outputs(picture: Rgb): List<FloatArray> {
        val found = forward(EValue.from(tensor(inputBytes(picture, manifest.input))))
        check(found.size == manifest.outputs.size) { "expected ${manifest.outputs.size} outputs, found ${found.size}" }
        return manifest.outputs.zip(found) { output, value -> numbers(value.toTensor(), output) }
    }

    override fun close() = destroy()

    private fun numbers(
        tensor: Tensor,
        output: OutputSpec,
    ): FloatArray =
        when (output.type) {
            OutputType.INT8 -> readOutput(tensor.dataAsByteArray, output)
            OutputType.FLOAT32 -> tensor.dataAsFloatArray
        }

    private fun tensor(bytes: ByteArray): Tensor =
        when (manifest.input.type) {
            InputType.INT8 -> Tensor.fromBlob(bytes, shape)
            InputType.UINT8, InputType.IMAGE -> Tensor.fromBlobUnsigned(bytes, shape)
            InputType.FLOAT32 -> Tensor.fromBlob(floats(bytes), shape)
        }

    private fun floats(bytes: ByteArray): FloatArray {
        val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        return FloatArray(floats.remaining()).also(floats::get)
    }

    companion object {
        /** Loads the bundle's model and its method, so that the first picture does not pay for it. */
        fun open(
            bundle: Bundle,
            threads: Int,
        ): ExecuTorchModel {
            val module = Module.load(bundle.modelFile.path, Module.LOAD_MODE_MMAP, threads)
            module.loadMethod("forward")
            return ExecuTorchModel(bundle.manifest, { module.forward(it) }, module::destroy)
        }
    }
}
