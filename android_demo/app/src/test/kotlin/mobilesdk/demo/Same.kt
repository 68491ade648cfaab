package mobilesdk.demo

import mobilesdk.demo.benchmark.summarize
import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModel
import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.json.Json
import mobilesdk.runtime.json.JsonArray
import mobilesdk.runtime.json.JsonException
import mobilesdk.runtime.json.JsonNull
import mobilesdk.runtime.json.JsonNumber
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.json.JsonText
import mobilesdk.runtime.json.JsonTruth
import mobilesdk.runtime.json.parseJson
import mobilesdk.runtime.model.replayGolden
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.task.Classification
import mobilesdk.runtime.task.DetectedBox
import mobilesdk.runtime.task.Detection
import mobilesdk.runtime.task.DetectionSpec
import mobilesdk.runtime.task.LabelShare
import mobilesdk.runtime.task.RawMap
import mobilesdk.runtime.task.Segmentation
import mobilesdk.runtime.task.Sides
import mobilesdk.runtime.task.TaskContract
import mobilesdk.runtime.task.detect
import mobilesdk.runtime.task.detectAnchorFree
import mobilesdk.runtime.tensor.OutputSpec
import mobilesdk.runtime.tensor.OutputType
import mobilesdk.runtime.tensor.readOutput
import java.io.File
import java.nio.ByteBuffer
import kotlin.math.abs

/**
 * Answers questions, a line each, as the SDK's `tests/support/same/python_answers.py` does. The words of a line are parted by
 * tabs; numbers are the digits of a double's bits, and bytes are digits, too. Paths are those below [folder].
 */
class Same(
    private val folder: File,
) {
    fun answer(question: String): String {
        val words = question.split('\t')
        return when (words[0]) {
            "scores" -> scores(words)
            "detections" -> detections(words)
            "maps" -> maps(words)
            "mask" -> mask(words)
            "json" -> json(bytes(words[1]))
            "open" -> open(File(folder, words[1]))
            "replay" -> replay(File(folder, words[1]), bytes(words[2]))
            "live" -> live(File(folder, words[1]), bytes(words[2]))
            "statistics" -> statistics(words[1])
            else -> throw IllegalArgumentException("expected a known kind of question, found ${words[0]}")
        }
    }

    /** scores, type, scale or -, zero point or -, labels, how many are shown, the output's bytes. */
    private fun scores(words: List<String>): String {
        val (scale, zeroPoint) = words[2].takeIf { it != "-" }?.let(::number) to words[3].toIntOrNull()
        val labels = words[4].toInt()
        val output = OutputSpec("scores", type(words[1]), listOf(1, labels), scale, zeroPoint)
        val task = Classification(TaskContract(names(labels), null, listOf(output)))
        val found = listOf(readOutput(bytes(words[6]), output))
        val answer = task.answer(found, words[5].toInt())
        return said(task.winner(found), answer.problem, answer.shares.map(::share))
    }

    /** detections, labels, three numbers of the rule, height, width, anchors, the output's bytes. */
    private fun detections(words: List<String>): String {
        val (labels, rule) = words[1].toInt() to rule(words.drop(2))
        val sides = Sides(words[5].toInt(), words[6].toInt())
        val shape = listOf(1, words[7].toInt(), labels + BOX_COLUMNS)
        val output = OutputSpec("boxes", OutputType.FLOAT32, shape, null, null)
        val task = Detection(TaskContract(names(labels), sides, listOf(output)), rule)
        val found = readOutput(bytes(words[8]), output)
        val boxes = detect(found, labels, rule, sides)
        return said(task.winner(listOf(found)), task.answer(listOf(found), 0).problem, boxes.map(::box))
    }

    /** maps, labels, three numbers of the rule, height, width, then rows, columns and bytes of each map. */
    private fun maps(words: List<String>): String {
        val sides = Sides(words[5].toInt(), words[6].toInt())
        val maps =
            words.drop(7).chunked(3) { (rows, columns, bytes) ->
                val output = OutputSpec("map", OutputType.FLOAT32, emptyList(), null, null)
                RawMap(readOutput(bytes(bytes), output), rows.toInt(), columns.toInt())
            }
        return detectAnchorFree(maps, words[1].toInt(), rule(words.drop(2)), sides).joinToString(" ", transform = ::box)
    }

    /** mask, labels, height, width, type, the output's bytes. */
    private fun mask(words: List<String>): String {
        val (labels, height, width) = words.subList(1, 4).map(String::toInt)
        val output = OutputSpec("scores", type(words[4]), listOf(1, height, width, labels), 1.0, 0)
        val task = Segmentation(TaskContract(names(labels), Sides(height, width), listOf(output)))
        val found = listOf(readOutput(bytes(words[5]), output))
        val answer = task.answer(found, 0)
        val digits = answer.mask?.labels?.joinToString("") { "%02x".format(it) }
        return said(task.winner(found), answer.problem, listOfNotNull(digits) + answer.shares.map(::share))
    }

    private fun json(data: ByteArray): String =
        try {
            val text = Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data))
            shown(parseJson(text.toString()))
        } catch (_: JsonException) {
            REFUSED
        } catch (_: CharacterCodingException) {
            REFUSED
        }

    private fun open(bundle: File): String =
        try {
            openBundle(bundle, DesktopDecoder)
            "opens"
        } catch (refusal: BundleRefusal) {
            "$REFUSED ${refusal.check}"
        }

    /** Every picture gives the same bytes; the golden outputs of the tests' bundles are of one picture. */
    private fun replay(
        folder: File,
        data: ByteArray,
    ): String {
        val bundle = openBundle(folder, DesktopDecoder)
        val output = readOutput(data, bundle.manifest.outputs.single())
        val model =
            object : FakeModel(bundle, FakeClock()) {
                override fun outputs(picture: Rgb) = listOf(output)
            }
        return if (replayGolden(bundle, model).agrees) "agrees" else "differs"
    }

    private fun live(
        folder: File,
        data: ByteArray,
    ): String {
        val manifest = openBundle(folder, DesktopDecoder).manifest
        val outputs = manifest.outputs.map { readOutput(data, it) }
        return manifest.task.answer(outputs, 3).problem ?: "answers"
    }

    private fun statistics(given: String): String {
        val rounds =
            given.split(';').map { round ->
                round
                    .split(',')
                    .filter(String::isNotEmpty)
                    .map(::number)
                    .toDoubleArray()
            }
        val found =
            try {
                summarize(rounds)
            } catch (_: IllegalArgumentException) {
                return REFUSED
            }
        val numbers =
            found.run {
                listOf(medianMs, madMs, meanMs, p90Ms, p99Ms, minMs, maxMs, cvShare, robustCvShare)
            }
        return "${found.count} ${found.rounds} ${found.outliers} " + numbers.joinToString(" ", transform = ::digits)
    }

    private fun shown(json: Json): String =
        when (json) {
            JsonNull -> {
                "n"
            }

            is JsonTruth -> {
                if (json.value) "t" else "f"
            }

            is JsonNumber -> {
                val number = json.text.toDouble() + 0.0
                (if (json.isWhole && abs(number) < BEYOND_INTEGERS) "i" else "d") + digits(number)
            }

            is JsonText -> {
                "s" + digits(json.value)
            }

            is JsonArray -> {
                json.items.joinToString(",", "[", "]", transform = ::shown)
            }

            is JsonObject -> {
                json.fields
                    .map { digits(it.key) + ":" + shown(it.value) }
                    .sorted()
                    .joinToString(",", "{", "}")
            }
        }

    private fun said(
        winner: Int,
        problem: String?,
        words: List<String>,
    ): String = (listOf("$winner") + (problem?.let(::listOf) ?: words)).joinToString(" ")

    private fun rule(words: List<String>) = DetectionSpec(number(words[0]), number(words[1]), words[2].toInt())

    private fun names(labels: Int) = List(labels) { "label $it" }

    private fun type(word: String) = OutputType.valueOf(word.uppercase())

    private fun share(of: LabelShare) = "${of.labelIndex}:${digits(of.share)}"

    private fun box(of: DetectedBox): String {
        val sides = listOf(of.box.left, of.box.top, of.box.right, of.box.bottom)
        return "${of.labelIndex}:" + (listOf(of.score) + sides).joinToString(":", transform = ::digits)
    }

    private fun digits(number: Double) = "%016x".format(number.toBits())

    private fun digits(text: String) = text.toByteArray().joinToString("") { "%02x".format(it) }

    private fun number(digits: String) = Double.fromBits(digits.toULong(16).toLong())

    private fun bytes(digits: String): ByteArray =
        ByteArray(digits.length / 2) { digits.substring(2 * it, 2 * it + 2).toInt(16).toByte() }

    private companion object {
        const val REFUSED = "refused"
        const val BOX_COLUMNS = 5
        const val BEYOND_INTEGERS = 9.223372036854775808e18
    }
}

/** Answers the questions of a file below a folder, both of which it is given: a line each. */
fun main(arguments: Array<String>) {
    val (folder, file) = arguments.map(::File)
    val same = Same(folder)
    for (question in file.readLines()) {
        println(runCatching { same.answer(question) }.getOrElse { "throws $it" })
        System.out.flush()
    }
}
