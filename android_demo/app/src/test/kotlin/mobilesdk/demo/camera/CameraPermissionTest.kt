package mobilesdk.demo.camera

import org.junit.Assert.assertEquals
import org.junit.Test

class CameraPermissionTest {
    private fun answer(
        vararg grants: Int,
        answered: Int = 1,
        mayAskAgain: Boolean = true,
    ) = permissionAnswer(1, answered, grants, mayAskAgain)

    @Test
    fun `an answer is granted, denied, or denied for good`() {
        assertEquals(PermissionAnswer.GRANTED, answer(0))
        assertEquals(PermissionAnswer.DENIED, answer(-1))
        assertEquals(PermissionAnswer.BLOCKED, answer(-1, mayAskAgain = false))
    }

    @Test
    fun `a dialog that was cut off and the answer to another question say nothing`() {
        assertEquals(PermissionAnswer.NONE, answer())
        assertEquals(PermissionAnswer.NONE, answer(mayAskAgain = false))
        assertEquals(PermissionAnswer.NONE, answer(0, answered = 2))
    }
}
