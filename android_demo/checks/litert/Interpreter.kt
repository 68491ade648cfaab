package org.tensorflow.lite

import java.io.File

/**
 * The part of LiteRT's Java API that the app calls, to compile against where its AAR is out of reach; never in an app.
 *
 * Names and types are those of LiteRT's `Interpreter.java` and `InterpreterApi.java`.
 */
class Interpreter(
    @Suppress("UNUSED_PARAMETER") file: File,
    @Suppress("UNUSED_PARAMETER") options: Options,
) {
    class Options {
        fun setNumThreads(
            @Suppress("UNUSED_PARAMETER") threads: Int,
        ): Options = this
    }

    fun runForMultipleInputsOutputs(
        @Suppress("UNUSED_PARAMETER") inputs: Array<out Any>,
        @Suppress("UNUSED_PARAMETER") outputs: Map<Int, Any>,
    ): Unit = throw UnsatisfiedLinkError("this is no LiteRT")

    fun getLastNativeInferenceDurationNanoseconds(): Long? = null

    fun close() = Unit
}
