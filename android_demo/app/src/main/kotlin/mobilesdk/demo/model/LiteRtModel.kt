package mobilesdk.demo.model

import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.tensor.inputBytes
import mobilesdk.demo.tensor.readOutput
import org.tensorflow.lite.Interpreter
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A `.tflite` file on LiteRT's interpreter, whose XNNPACK delegate is on by default. */
class LiteRtModel internal constructor(
    private val bundle: Bundle,
    private val run: (ByteBuffer, List<ByteBuffer>) -> Unit,
    private val destroy: () -> Unit,
) : Model {
    private val input = direct(bundle.manifest.input.byteCount)
    private val outputs = bundle.manifest.outputs.map { direct(it.byteCount) }

    override fun outputs(picture: Rgb): List<FloatArray> {
        view(input).put(inputBytes(picture, bundle.manifest.input))
        run(view(input), outputs.map(::view))
        return bundle.manifest.outputs.zip(outputs) { spec, output ->
            readOutput(ByteArray(output.capacity()).also { view(output).get(it) }, spec)
        }
    }

    override fun close() = destroy()

    /** Starts again at the beginning: `ByteBuffer.rewind` compiled against a new Android is another method than an old one has. */
    private fun view(buffer: ByteBuffer): ByteBuffer = buffer.duplicate().order(ByteOrder.nativeOrder())

    private fun direct(bytes: Long): ByteBuffer =
        ByteBuffer.allocateDirect(bytes.toInt()).order(ByteOrder.nativeOrder())

    companion object {
        /** Loads the bundle's model. */
        fun open(
            bundle: Bundle,
            threads: Int,
        ): LiteRtModel {
            val interpreter = Interpreter(bundle.modelFile, Interpreter.Options().setNumThreads(threads))
            val run: (ByteBuffer, List<ByteBuffer>) -> Unit = { input, outputs ->
                interpreter.runForMultipleInputsOutputs(arrayOf(input), outputs.indices.associateWith(outputs::get))
            }
            return LiteRtModel(bundle, run, interpreter::close)
        }
    }
}
