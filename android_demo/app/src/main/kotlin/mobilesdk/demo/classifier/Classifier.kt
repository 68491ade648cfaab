package mobilesdk.demo.classifier

import mobilesdk.demo.picture.Rgb

/** A loaded model. It is used by one thread at a time, and closed by whoever opened it. */
interface Classifier : AutoCloseable {
    /** A score for each label, in the output's own unit (codes of int8), of a picture that `prepare` made. */
    fun scores(picture: Rgb): FloatArray
}
