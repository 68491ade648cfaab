package mobilesdk.demo.benchmark

/** What decides, beside the device's [DeviceState], whether this app's times mean anything. */
data class Surroundings(
    val debuggable: Boolean,
    val screenOn: Boolean,
    val locked: Boolean,
    /** Whether the benchmark's screen is the one in front; another app's processes get the big cores else. */
    val inFront: Boolean,
    val powerSave: Boolean,
    /** The set of cores that Linux gives this process, as /top-app; null where it is not told. */
    val cpuset: String?,
) {
    /** Says why nothing may be measured now, null where it may: such times would look valid and be another core's. */
    val refusal: String?
        get() =
            when {
                !screenOn -> "expected the screen on, found it off"
                !inFront && locked -> "expected the app in front, found the phone locked"
                !inFront -> "expected the app in front, found another app or a dialog there"
                cpuset != null && "background" in cpuset -> "expected the cores of an app in front, found $cpuset"
                else -> null
            }

    fun fields(): Map<String, Any?> =
        mapOf(
            "debuggable" to debuggable,
            "screen_on" to screenOn,
            "locked" to locked,
            "in_front" to inFront,
            "power_save" to powerSave,
            "cpuset" to cpuset,
        )
}

/** The phone's or the app's state allows no measuring. */
class NotNowException(
    message: String,
) : Exception(message)
