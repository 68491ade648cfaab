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
    private val run: (ByteBuffer, ByteBuffer) -> Unit,
    private val destroy: () -> Unit,
) : Model {
    private val input = direct(bundle.manifest.input.let { it.shape.fold(it.type.bytes, Int::times) })
    private val output = direct(bundle.manifest.output.let { it.shape.fold(it.type.bytes, Int::times) })

    override fun output(picture: Rgb): FloatArray {
        view(input).put(inputBytes(picture, bundle.manifest.input))
        run(view(input), view(output))
        return readOutput(ByteArray(output.capacity()).also { view(output).get(it) }, bundle.manifest.output)
    }

    override fun close() = destroy()

    /** Starts again at the beginning: `ByteBuffer.rewind` compiled against a new Android is another method than an old one has. */
    private fun view(buffer: ByteBuffer): ByteBuffer = buffer.duplicate().order(ByteOrder.nativeOrder())

    private fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

    companion object {
        /** Loads the bundle's model. */
        fun open(
            bundle: Bundle,
            threads: Int,
        ): LiteRtModel {
            val interpreter = Interpreter(bundle.modelFile, Interpreter.Options().setNumThreads(threads))
            return LiteRtModel(bundle, { input, output -> interpreter.run(input, output) }, interpreter::close)
        }
    }
}
