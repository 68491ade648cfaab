package mobilesdk.demo.model

import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.bundle.Manifest
import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.tensor.InputType
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

    override fun output(picture: Rgb): FloatArray {
        val output = forward(EValue.from(tensor(inputBytes(picture, manifest.input)))).single().toTensor()
        return when (manifest.output.type) {
            OutputType.INT8 -> readOutput(output.dataAsByteArray, manifest.output)
            OutputType.FLOAT32 -> output.dataAsFloatArray
        }
    }

    override fun close() = destroy()

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
