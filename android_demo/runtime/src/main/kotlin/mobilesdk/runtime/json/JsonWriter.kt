package mobilesdk.runtime.json

/** JSON of maps, lists, texts, finite numbers, truth values and nulls. */
fun jsonText(value: Any?): String =
    when (value) {
        null -> {
            "null"
        }

        is String -> {
            quoted(value)
        }

        is Boolean, is Int, is Long -> {
            value.toString()
        }

        is Double -> {
            value.toString().also { require(value.isFinite()) { "expected a finite number, found $it" } }
        }

        is Map<*, *> -> {
            value.entries.joinToString(
                ", ",
                "{",
                "}",
            ) { "${quoted(it.key as String)}: ${jsonText(it.value)}" }
        }

        is List<*> -> {
            value.joinToString(", ", "[", "]", transform = ::jsonText)
        }

        else -> {
            throw IllegalArgumentException("expected a value of JSON, found ${value::class}")
        }
    }

private fun quoted(text: String): String =
    buildString {
        append('"')
        for (letter in text) {
            when {
                letter == '"' || letter == '\\' -> append('\\').append(letter)
                letter < ' ' -> append("\\u%04x".format(letter.code))
                else -> append(letter)
            }
        }
        append('"')
    }
