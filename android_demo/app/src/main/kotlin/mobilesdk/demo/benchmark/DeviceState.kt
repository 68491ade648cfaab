package mobilesdk.demo.benchmark

import java.io.File
import java.io.IOException

/** One core of the processor. */
data class Core(
    val index: Int,
    val maxMhz: Double?,
    val limitMhz: Double?,
    val nowMhz: Double?,
    val governor: String?,
)

/** The device at one time. What could not be read is null, never a guess. */
data class DeviceState(
    val machine: String,
    val processor: String?,
    val features: List<String>,
    val system: String?,
    val kernel: String,
    val memoryMib: Long?,
    val cores: List<Core>,
    val temperatureC: Double?,
    val thermalStatus: Int?,
    val batteryShare: Double?,
    val charger: String?,
)

/** Reads the files in which Linux tells its state; most phones let an app read the clocks, few the thermal zones. */
class SystemFiles(
    private val root: File = File("/"),
) {
    fun cores(): List<Core> =
        (0 until coreCount()).map { index ->
            Core(
                index = index,
                maxMhz = mhz(index, "cpuinfo_max_freq"),
                limitMhz = mhz(index, "scaling_max_freq"),
                nowMhz = mhz(index, "scaling_cur_freq"),
                governor = line("$CPU/cpu$index/cpufreq/scaling_governor"),
            )
        }

    /** Features that choose int8 kernels, by their names in /proc/cpuinfo. */
    fun features(): List<String> {
        val told = text("proc/cpuinfo").orEmpty().lines().filter { it.startsWith("Features") || it.startsWith("flags") }
        val found = told.flatMap { it.substringAfter(':').trim().split(' ') }.toSet()
        return INT8_FEATURES.filter { it in found }
    }

    fun memoryMib(): Long? {
        val total = text("proc/meminfo").orEmpty().lines().find { it.startsWith("MemTotal:") }
        return total?.filter(Char::isDigit)?.toLongOrNull()?.let { it / KIB_PER_MIB }
    }

    /** The set of cores that Linux gives this process: /top-app, /foreground, /background. */
    fun cpuset(): String? =
        text("proc/self/cgroup")
            .orEmpty()
            .lines()
            .map { it.split(':', limit = CGROUP_FIELDS) }
            .find { it.size == CGROUP_FIELDS && "cpuset" in it[1].split(',') }
            ?.last()

    /** Returns the hottest temperature of the processor or the skin; other zones are batteries, chargers and radios. */
    fun temperatureC(): Double? {
        val zones = root.resolve("sys/class/thermal").listFiles { file -> file.name.startsWith("thermal_zone") }
        return zones
            .orEmpty()
            .filter { PROCESSOR_OR_SKIN.containsMatchIn(line("sys/class/thermal/${it.name}/type").orEmpty()) }
            .mapNotNull { line("sys/class/thermal/${it.name}/temp")?.toDoubleOrNull() }
            .map { if (it > MAX_CELSIUS) it / 1000 else it }
            .filter { it > 0 && it < MAX_CELSIUS }
            .maxOrNull()
    }

    private fun coreCount(): Int {
        val last = line("$CPU/online")?.substringAfterLast(',')?.substringAfterLast('-')?.toIntOrNull()
        return if (last != null) {
            last + 1
        } else {
            java.lang.Runtime
                .getRuntime()
                .availableProcessors()
        }
    }

    private fun mhz(
        index: Int,
        name: String,
    ): Double? = line("$CPU/cpu$index/cpufreq/$name")?.toDoubleOrNull()?.let { it / 1000 }

    private fun line(path: String): String? = text(path)?.lineSequence()?.firstOrNull()?.trim()

    private fun text(path: String): String? =
        try {
            root.resolve(path).readText()
        } catch (_: IOException) {
            null
        }

    private companion object {
        const val CPU = "sys/devices/system/cpu"
        const val CGROUP_FIELDS = 3
        const val KIB_PER_MIB = 1024
        const val MAX_CELSIUS = 150.0 // zones that tell more are no thermometers
        val PROCESSOR_OR_SKIN =
            Regex("cpu|skin|^(big|mid|little)|x86_pkg|soc[-_]thermal|tsens", RegexOption.IGNORE_CASE)
        val INT8_FEATURES = listOf("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimddp", "i8mm", "sve2")
    }
}
