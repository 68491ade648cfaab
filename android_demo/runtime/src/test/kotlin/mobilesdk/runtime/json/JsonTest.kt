package mobilesdk.runtime.json

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class JsonTest {
    @Test
    fun `values of every kind are read`() {
        val text = """ {"a": [1, -2.5e3, true, false, null], "b": {"c": "ä\u00e4\n\"\\\/"}} """
        val array =
            JsonArray(listOf(JsonNumber("1"), JsonNumber("-2.5e3"), JsonTruth(true), JsonTruth(false), JsonNull))
        val inner = JsonObject(mapOf("c" to JsonText("ää\n\"\\/")))
        assertEquals(JsonObject(mapOf("a" to array, "b" to inner)), parseJson(text))
        assertEquals(JsonObject(emptyMap()), parseJson("{ }"))
        assertEquals(JsonArray(emptyList()), parseJson("[\n]"))
    }

    @Test
    fun `what is no json, and what parsers disagree about, is refused`() {
        val wrong =
            listOf("", " ", "{", "[1,]", "[1 2]", "{\"a\":1,\"a\":1}", "{a:1}", "{\"a\" 1}", "'a'", "\"a", "\"\t\"") +
                listOf("01", "+1", "1.", ".5", "1e", "NaN", "Infinity", "-Infinity", "0x1", "nul", "tru", "1 1") +
                listOf("\"\\x\"", "\"\\u12g4\"", "\"\\u+123\"", "// a\n1", "\uFEFF1", "[".repeat(100_000))
        for (text in wrong) assertThrows(text.take(20), JsonException::class.java) { parseJson(text) }
    }

    @Test
    fun `whole numbers are those without point and exponent`() {
        assertTrue((parseJson("12") as JsonNumber).isWhole)
        assertTrue(listOf("1.0", "1e2", "1E2").none { (parseJson(it) as JsonNumber).isWhole })
    }
}
