package mobilesdk.demo.benchmark

import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.json.FieldException
import mobilesdk.runtime.json.JsonException

/** What went wrong in the words of the SDK's errors; [fields] are JSON that `mobile-sdk` raises again as such an error. */
data class Failure(
    val kind: String,
    val message: String,
    val hint: String,
) {
    fun fields(): Map<String, String> = mapOf("error" to kind, "message" to message, "hint" to hint)

    companion object {
        /** Names anything that may be thrown: a runtime throws what it likes, and memory may run out. */
        fun of(problem: Throwable): Failure {
            val said = problem.message ?: problem.javaClass.simpleName
            return when (problem) {
                is BundleRefusal, is WrongScoresException -> {
                    Failure("BundleError", said, "export the bundle again, or push it again")
                }

                is NotNowException -> {
                    Failure("MachineError", said, "unlock the phone, leave its screen on and the app in front")
                }

                is LinkageError -> {
                    Failure("MachineError", said, "build the app with the runtime's library for this processor")
                }

                is OutOfMemoryError -> {
                    Failure("MachineError", "expected enough memory, found: $said", "close other apps, or take less")
                }

                is IllegalArgumentException, is JsonException, is FieldException -> {
                    Failure("SettingError", said, "correct the request")
                }

                else -> {
                    Failure("MachineError", said, "look at the app's log: adb logcat")
                }
            }
        }
    }
}
