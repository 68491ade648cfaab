package mobilesdk.runtime.model

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Runtime

/** Loads models; tests put a fake in its place. */
fun interface Models {
    fun open(
        bundle: Bundle,
        threads: Int,
    ): Model
}

/** The runtimes of this system. Throws [UnsupportedOperationException] for a bundle of another. */
object RealModels : Models {
    override fun open(
        bundle: Bundle,
        threads: Int,
    ): Model =
        when (bundle.runtime) {
            Runtime.EXECUTORCH -> ExecuTorchModel.open(bundle, threads)
            Runtime.TFLITE -> LiteRtModel.open(bundle, threads)
            Runtime.COREML -> throw UnsupportedOperationException("Core ML runs on Apple's systems only")
        }
}
