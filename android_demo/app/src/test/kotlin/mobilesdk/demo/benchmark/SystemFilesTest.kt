package mobilesdk.demo.benchmark

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class SystemFilesTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun write(
        path: String,
        text: String,
    ) = folder.root.resolve(path).run {
        parentFile.mkdirs()
        writeText("$text\n")
    }

    @Test
    fun `clocks, features, memory and the hottest zone are read where they are told`() {
        val cpu = "sys/devices/system/cpu"
        write("$cpu/online", "0-1")
        write("$cpu/cpu1/cpufreq/cpuinfo_max_freq", "2800000")
        write("$cpu/cpu1/cpufreq/scaling_governor", "schedutil")
        write("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm")
        write("proc/meminfo", "MemTotal:        8388608 kB")
        write("sys/class/thermal/thermal_zone0/temp", "41500")
        write("sys/class/thermal/thermal_zone1/temp", "37")
        write("sys/class/thermal/thermal_zone2/temp", "2147483647")
        val files = SystemFiles(folder.root)
        assertEquals(listOf(Core(0, null, null, null, null), Core(1, 2800.0, null, null, "schedutil")), files.cores())
        assertEquals(listOf("asimddp", "i8mm"), files.features())
        assertEquals(8192L, files.memoryMib())
        assertEquals(41.5, files.temperatureC()!!, 0.0)
    }

    @Test
    fun `what is not told is null and never a guess`() {
        val files = SystemFiles(folder.root)
        assertNull(files.memoryMib())
        assertNull(files.temperatureC())
        assertTrue(files.features().isEmpty())
        assertTrue(files.cores().all { it.maxMhz == null && it.governor == null })
    }
}
