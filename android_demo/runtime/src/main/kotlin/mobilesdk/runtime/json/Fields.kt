package mobilesdk.runtime.json

/** A field that is missing, unknown, or of another type or range than it must be. */
class FieldException(
    message: String,
) : Exception(message)

/**
 * The fields of one JSON object. A reader takes each of them once and then calls [end].
 *
 * Every function throws [FieldException].
 */
class Fields(
    json: Json,
    private val path: String,
) {
    private val left = LinkedHashMap((json as? JsonObject ?: wrong(path, "an object")).fields)

    fun has(name: String): Boolean = name in left

    fun isList(name: String): Boolean = left[name] is JsonArray

    /** Takes a field away where it is null: of an optional field that says the same as leaving it out. */
    fun dropNull(name: String) {
        if (left[name] == JsonNull) left.remove(name)
    }

    fun take(name: String): Json = left.remove(name) ?: wrong(of(name), "a value")

    fun inside(name: String): Fields = Fields(take(name), of(name))

    fun insideOrNull(name: String): Fields? = take(name).takeIf { it != JsonNull }?.let { Fields(it, of(name)) }

    fun text(
        name: String,
        pattern: Regex = ANY_TEXT,
    ): String = text(take(name), of(name), pattern)

    fun whole(
        name: String,
        range: LongRange,
    ): Int = wideWhole(name, range).toInt()

    fun wideWhole(
        name: String,
        range: LongRange,
    ): Long = whole(take(name), of(name), range)

    fun wholeOrNull(
        name: String,
        range: LongRange,
    ): Int? = take(name).takeIf { it != JsonNull }?.let { whole(it, of(name), range).toInt() }

    fun number(
        name: String,
        range: ClosedFloatingPointRange<Double>,
    ): Double = number(take(name), of(name), range)

    fun numberOrNull(name: String): Double? =
        take(name).takeIf { it != JsonNull }?.let { number(it, of(name), ANY_NUMBER) }

    fun choice(
        name: String,
        vararg known: String,
    ): String = text(name).also { if (it !in known) wrong(of(name), known.joinToString(" or ")) }

    fun <T> list(
        name: String,
        count: IntRange = ANY_COUNT,
        read: (Json, String) -> T,
    ): List<T> {
        val items = (take(name) as? JsonArray ?: wrong(of(name), "a list")).items
        if (items.size !in count) wrong(of(name), "$count entries")
        return items.mapIndexed { index, item -> read(item, "${of(name)}.$index") }
    }

    fun <T> map(
        name: String,
        read: (Json, String) -> T,
    ): Map<String, T> {
        val fields = (take(name) as? JsonObject ?: wrong(of(name), "an object")).fields
        return fields.mapValues { (key, value) -> read(value, "${of(name)}.$key") }
    }

    /** Refuses a field that nobody has taken. */
    fun end() {
        left.keys.firstOrNull()?.let { wrong(of(it), "no such field") }
    }

    private fun of(name: String) = if (path.isEmpty()) name else "$path.$name"

    companion object {
        private val ANY_TEXT = Regex("(?s).*")
        private val ANY_COUNT = 0..Int.MAX_VALUE
        private val ANY_NUMBER = -Double.MAX_VALUE..Double.MAX_VALUE

        fun text(
            json: Json,
            path: String,
            pattern: Regex = ANY_TEXT,
        ): String {
            val value = (json as? JsonText ?: wrong(path, "a text")).value
            return if (pattern.matches(value)) value else wrong(path, "a text like $pattern")
        }

        fun whole(
            json: Json,
            path: String,
            range: LongRange,
        ): Long {
            val value = (json as? JsonNumber)?.takeIf { it.isWhole }?.text?.toLongOrNull()
            return if (value != null && value in range) value else wrong(path, "a whole number of $range")
        }

        fun number(
            json: Json,
            path: String,
            range: ClosedFloatingPointRange<Double>,
        ): Double {
            val value = (json as? JsonNumber)?.text?.toDouble()
            return if (value != null && value in range) value else wrong(path, "a number of $range")
        }

        private fun wrong(
            path: String,
            expected: String,
        ): Nothing = throw FieldException("expected $expected at '$path', found another")
    }
}
