package mobilesdk.demo.benchmark

import java.io.File
import java.io.IOException

/** This process's memory as Linux tells it, in MiB. */
class ProcessMemory(
    private val root: File = File("/"),
) {
    val residentMib: Double? get() = status("VmRSS")

    val peakMib: Double? get() = status("VmHWM")

    /** Sets the peak back to what is resident now; a process that nobody may debug may not do that. */
    fun forgetPeak() {
        try {
            root.resolve("proc/self/clear_refs").writeText("5")
        } catch (_: IOException) {
            // The peak stays that of the process's whole life.
        }
    }

    private fun status(field: String): Double? =
        try {
            val line = root.resolve("proc/self/status").useLines { lines -> lines.find { it.startsWith("$field:") } }
            line?.filter(Char::isDigit)?.toDoubleOrNull()?.let { it / KIB_PER_MIB }
        } catch (_: IOException) {
            null
        }

    private companion object {
        const val KIB_PER_MIB = 1024
    }
}
