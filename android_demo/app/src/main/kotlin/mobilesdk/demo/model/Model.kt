package mobilesdk.demo.model

import mobilesdk.demo.picture.Rgb

/** A loaded model. It is used by one thread at a time, and closed by whoever opened it. */
interface Model : AutoCloseable {
    /**
     * Returns the outputs for a picture that `prepare` made, or an array as `ArraySpec.stored` has it, in the order of
     * the manifest: each flat, in its own unit (codes of int8).
     */
    fun outputs(picture: Rgb): List<FloatArray>
}
