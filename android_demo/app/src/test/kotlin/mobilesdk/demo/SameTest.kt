package mobilesdk.demo

import mobilesdk.runtime.Fixtures
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class SameTest {
    @Test
    fun `every question is answered as python answers it`() {
        val folder = Fixtures.folder.resolve("same")
        val (questions, answers) = listOf("questions.txt", "answers.txt").map { folder.resolve(it).readLines() }
        assertTrue(questions.size > 100 && questions.size == answers.size)
        val same = Same(folder)
        for ((question, expected) in questions.zip(answers)) {
            assertEquals(question.take(200), expected, same.answer(question))
        }
    }
}
