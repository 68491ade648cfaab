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

    private fun zone(
        index: Int,
        type: String,
        told: String,
    ) {
        write("sys/class/thermal/thermal_zone$index/type", type)
        write("sys/class/thermal/thermal_zone$index/temp", told)
    }

    @Test
    fun `a process's set of cores and memory are read, and no others`() {
        write("proc/self/cgroup", "5:schedtune:/background\n4:cpuset:/top-app\n0::/uid_10123/pid_7")
        write("proc/self/status", "VmPeak:\t  9000 kB\nVmHWM:\t  4096 kB\nVmRSS:\t  2048 kB")
        assertEquals("/top-app", SystemFiles(folder.root).cpuset())
        val memory = ProcessMemory(folder.root)
        assertEquals(2.0, memory.residentMib!!, 0.0)
        assertEquals(4.0, memory.peakMib!!, 0.0)
        memory.forgetPeak()
        assertEquals("5", folder.root.resolve("proc/self/clear_refs").readText())
    }

    @Test
    fun `clocks, features, memory and the hottest zone of processor or skin are read where they are told`() {
        val cpu = "sys/devices/system/cpu"
        write("$cpu/online", "0-1")
        write("$cpu/cpu1/cpufreq/cpuinfo_max_freq", "2800000")
        write("$cpu/cpu1/cpufreq/scaling_governor", "schedutil")
        write("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm")
        write("proc/meminfo", "MemTotal:        8388608 kB")
        zone(0, "cpu-0-0", "41500")
        zone(1, "skin-therm", "37")
        zone(2, "big", "2147483647")
        zone(3, "battery", "44000")
        zone(4, "bcl-soc", "65")
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
        assertNull(files.cpuset())
        assertNull(ProcessMemory(folder.root.resolve("none")).apply { forgetPeak() }.peakMib)
        assertTrue(files.features().isEmpty())
        assertTrue(files.cores().all { it.maxMhz == null && it.governor == null })
    }
}
