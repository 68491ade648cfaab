package mobilesdk.runtime.model

import mobilesdk.runtime.bundle.Manifest
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.tensor.inputBytes
import mobilesdk.runtime.tensor.readOutputs

/**
 * A loaded model. It is used by one thread at a time, and closed by whoever opened it.
 *
 * [write], [run] and [read] are one run in three parts, so that the model alone can be timed; memory is used again.
 */
interface Model : AutoCloseable {
    val manifest: Manifest

    /** Puts an input tensor's bytes, as [inputBytes] makes them, where the runtime reads them. */
    fun write(input: ByteArray)

    /** Runs on what was written, and returns the nanoseconds of the runtime's own call, without copies beside it. */
    fun run(): Long

    /** Returns the outputs of the last run as bytes, little-endian, one after another in the manifest's order. */
    fun read(): ByteArray

    /**
     * Returns the outputs for a picture that `prepare` made, or an array as `ArraySpec.stored` has it, in the order of
     * the manifest: each flat, in its own unit (codes of int8).
     */
    fun outputs(picture: Rgb): List<FloatArray> {
        write(inputBytes(picture, manifest.input))
        run()
        return readOutputs(read(), manifest.outputs)
    }
}
