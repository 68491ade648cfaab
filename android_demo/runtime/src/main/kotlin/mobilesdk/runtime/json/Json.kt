package mobilesdk.runtime.json

/** A JSON value as it was written: numbers keep their text, so that `1`, `1.0` and `"1"` stay apart. */
sealed interface Json

data class JsonObject(
    val fields: Map<String, Json>,
) : Json

data class JsonArray(
    val items: List<Json>,
) : Json

data class JsonText(
    val value: String,
) : Json

data class JsonNumber(
    val text: String,
) : Json {
    val isWhole: Boolean get() = text.none { it in ".eE" }
}

data class JsonTruth(
    val value: Boolean,
) : Json

data object JsonNull : Json

/** A text that is no JSON, or JSON that parsers disagree about: docs/reference/bundle-format.md, "JSON". */
class JsonException(
    message: String,
) : Exception(message)

/**
 * Reads RFC 8259 and nothing else. Android's own `org.json` takes unquoted words, comments and keys that occur twice.
 *
 * Throws [JsonException].
 */
fun parseJson(text: String): Json = JsonParser(text).parse()

private const val MAX_DEPTH = 64

private class JsonParser(
    private val text: String,
) {
    private var at = 0

    fun parse(): Json {
        val value = value(0)
        skipSpace()
        if (at < text.length) fail("the end")
        return value
    }

    private fun value(depth: Int): Json {
        if (depth >= MAX_DEPTH) throw JsonException("more than $MAX_DEPTH values in each other")
        skipSpace()
        return when (peek()) {
            '{' -> objectAt(depth)
            '[' -> arrayAt(depth)
            '"' -> JsonText(string())
            't' -> word("true", JsonTruth(true))
            'f' -> word("false", JsonTruth(false))
            'n' -> word("null", JsonNull)
            else -> number()
        }
    }

    private fun objectAt(depth: Int): JsonObject {
        val fields = LinkedHashMap<String, Json>()
        sequence('{', '}') {
            val key = string()
            skipSpace()
            expect(':')
            if (fields.put(key, value(depth + 1)) != null) throw JsonException("a key that occurs twice")
        }
        return JsonObject(fields)
    }

    private fun arrayAt(depth: Int): JsonArray {
        val items = ArrayList<Json>()
        sequence('[', ']') { items += value(depth + 1) }
        return JsonArray(items)
    }

    private fun sequence(
        open: Char,
        close: Char,
        item: () -> Unit,
    ) {
        expect(open)
        skipSpace()
        if (peek() == close) {
            at++
            return
        }
        while (true) {
            skipSpace()
            item()
            skipSpace()
            if (peek() != ',') break
            at++
        }
        expect(close)
    }

    private fun string(): String {
        expect('"')
        val value = StringBuilder()
        while (peek() != '"') {
            val letter = next()
            if (letter < ' ') fail("no control character in a text")
            value.append(if (letter == '\\') escaped() else letter)
        }
        at++
        return value.toString().also { if (!isWhole(it)) throw JsonException("half a pair of surrogates") }
    }

    /** Tells whether the halves of every letter beyond 16 bits stand together. */
    private fun isWhole(value: String): Boolean =
        value.indices.all { index ->
            val letter = value[index]
            when {
                letter.isHighSurrogate() -> value.getOrNull(index + 1)?.isLowSurrogate() == true
                letter.isLowSurrogate() -> value.getOrNull(index - 1)?.isHighSurrogate() == true
                else -> true
            }
        }

    private fun escaped(): Char =
        when (val letter = next()) {
            '"', '\\', '/' -> letter
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> hexadecimal()
            else -> fail("an escape")
        }

    private fun hexadecimal(): Char {
        val digits = String(CharArray(HEX_DIGITS) { next() })
        if (!digits.all { it in '0'..'9' || it in 'a'..'f' || it in 'A'..'F' }) fail("four digits")
        return digits.toInt(HEX).toChar()
    }

    private fun number(): JsonNumber {
        val start = at
        while (at < text.length && text[at] in "+-.0123456789eE") at++
        val found = text.substring(start, at)
        if (!NUMBER.matches(found)) fail("a value")
        if (!found.toDouble().isFinite()) fail("a number within double precision")
        return JsonNumber(found)
    }

    private fun word(
        word: String,
        value: Json,
    ): Json {
        if (!text.startsWith(word, at)) fail(word)
        at += word.length
        return value
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\n\r") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("more")

    private fun next(): Char = peek().also { at++ }

    private fun expect(letter: Char) {
        if (next() != letter) fail("$letter")
    }

    private fun fail(expected: String): Nothing = throw JsonException("expected $expected at letter $at, found another")

    private companion object {
        const val HEX = 16
        const val HEX_DIGITS = 4
        val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
    }
}
