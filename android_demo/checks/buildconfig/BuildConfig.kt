package mobilesdk.demo

/** Stands in for the class that Gradle makes of the version catalogue, where Gradle is out of reach; no app has it. */
object BuildConfig {
    const val EXECUTORCH_VERSION = "unknown"
    const val LITERT_VERSION = "unknown"
}
