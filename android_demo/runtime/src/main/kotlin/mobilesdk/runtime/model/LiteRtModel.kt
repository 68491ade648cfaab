package mobilesdk.runtime.model

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Manifest
import org.tensorflow.lite.Interpreter
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * A `.tflite` file on LiteRT's interpreter, whose XNNPACK delegate is on by default.
 *
 * [invoke] runs it on the input and fills the outputs, and returns the nanoseconds of the interpreter's own run: its
 * Java API copies the input before and the outputs after that.
 */
class LiteRtModel internal constructor(
    override val manifest: Manifest,
    private val invoke: (ByteBuffer, List<ByteBuffer>) -> Long,
    private val destroy: () -> Unit,
) : Model {
    private val input = direct(manifest.input.byteCount)
    private val outputs = manifest.outputs.map { direct(it.byteCount) }
    private val outputBytes = ByteArray(outputs.sumOf { it.capacity() })

    override fun write(input: ByteArray) {
        view(this.input).put(input)
    }

    override fun run(): Long = invoke(view(input), outputs.map(::view))

    override fun read(): ByteArray {
        var end = 0
        for (output in outputs) {
            view(output).get(outputBytes, end, output.capacity())
            end += output.capacity()
        }
        return outputBytes
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
            val invoke: (ByteBuffer, List<ByteBuffer>) -> Long = { input, outputs ->
                interpreter.runForMultipleInputsOutputs(arrayOf(input), outputs.indices.associateWith(outputs::get))
                checkNotNull(interpreter.getLastNativeInferenceDurationNanoseconds()) { "the run told no duration" }
            }
            return LiteRtModel(bundle.manifest, invoke, interpreter::close)
        }
    }
}
