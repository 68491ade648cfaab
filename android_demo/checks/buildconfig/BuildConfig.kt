package mobilesdk.demo

/** What Gradle generates of the version catalogue, to compile against where Gradle is out of reach; never in an app. */
object BuildConfig {
    const val EXECUTORCH_VERSION = "unknown"
    const val LITERT_VERSION = "unknown"
}
