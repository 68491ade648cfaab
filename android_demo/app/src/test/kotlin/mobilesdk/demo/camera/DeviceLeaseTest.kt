package mobilesdk.demo.camera

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class DeviceLeaseTest {
    private val said = ArrayList<String>()
    private val lease = DeviceLease<String>({ said += "released $it" }, { said += "ended" })

    @Test
    fun `a device that comes before closing is given back by closing`() {
        assertTrue(lease.await() && lease.take("camera") && lease.isWanted)
        assertEquals(emptyList<String>(), said)
        lease.close()
        assertEquals(listOf("released camera", "ended"), said)
        lease.close()
        assertEquals("closing twice is closing once", 2, said.size)
    }

    @Test
    fun `a device that comes after closing is given back at once, and the thread waits for it`() {
        assertTrue(lease.await())
        lease.close()
        assertEquals("its callback has to be heard", emptyList<String>(), said)
        assertFalse(lease.isWanted || lease.take("camera"))
        assertEquals(listOf("released camera", "ended"), said)
    }

    @Test
    fun `a device that fails after closing ends the wait`() {
        lease.await()
        lease.close()
        lease.lose("camera")
        assertEquals(listOf("released camera", "ended"), said)
    }

    @Test
    fun `what was never asked for ends at once, and is not asked for afterwards`() {
        lease.close()
        assertEquals(listOf("ended"), said)
        assertFalse(lease.await())
    }

    @Test
    fun `a device that is of no use is given back, held or lost`() {
        lease.await()
        lease.take("camera")
        lease.lose(null)
        lease.close()
        assertEquals(listOf("released camera", "ended"), said)
    }
}
