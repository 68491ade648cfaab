package mobilesdk.demo.model

import mobilesdk.demo.picture.Rgb

/** A loaded model. It is used by one thread at a time, and closed by whoever opened it. */
interface Model : AutoCloseable {
    /** Returns the output for a picture that `prepare` made, flat, in the output's own unit (codes of int8). */
    fun output(picture: Rgb): FloatArray
}
