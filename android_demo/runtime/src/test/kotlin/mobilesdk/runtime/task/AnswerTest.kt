package mobilesdk.runtime.task

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class AnswerTest {
    private val shares = listOf(LabelShare(1, "cat", 0.8), LabelShare(0, "dog", 0.2))

    @Test
    fun `of labels of the whole picture the surest is read out, of labels with places every one`() {
        val found = listOf(Found(shares[0], Box(0.0, 0.0, 1.0, 1.0)))
        val placed = listOf(Answer(shares, found), Answer(shares, mask = Mask(Sides(1, 1), byteArrayOf(1))))
        assertEquals(listOf("cat"), Answer(shares).spoken.map { it.label })
        assertFalse(Answer(shares).isPlaced)
        for (answer in placed) {
            assertEquals(shares, answer.spoken)
            assertTrue(answer.isPlaced)
        }
        assertTrue(Answer(emptyList()).spoken.isEmpty())
    }
}
