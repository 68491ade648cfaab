package mobilesdk.demo.classifier

import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.bundle.Runtime

/** Loads models; tests put a fake in its place. */
fun interface Classifiers {
    fun open(
        bundle: Bundle,
        threads: Int,
    ): Classifier
}

/** The runtimes of this system. Throws [UnsupportedOperationException] for a bundle of another. */
object RealClassifiers : Classifiers {
    override fun open(
        bundle: Bundle,
        threads: Int,
    ): Classifier =
        when (bundle.runtime) {
            Runtime.EXECUTORCH -> ExecuTorchClassifier.open(bundle, threads)
            Runtime.TFLITE -> LiteRtClassifier.open(bundle, threads)
            Runtime.COREML -> throw UnsupportedOperationException("Core ML runs on Apple's systems only")
        }
}
