package mobilesdk.runtime.bundle

/** A bundle that is not opened: [check] names what failed, as docs/reference/bundle-format.md lists it; the message says why. */
class BundleRefusal(
    val check: String,
    message: String,
    cause: Throwable? = null,
) : Exception("$check: $message", cause)

internal fun refuse(
    check: String,
    message: String,
): Nothing = throw BundleRefusal(check, message)
