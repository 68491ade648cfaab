package mobilesdk.demo.benchmark

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Runtime
import mobilesdk.runtime.json.Fields
import mobilesdk.runtime.json.jsonText
import mobilesdk.runtime.json.parseJson
import mobilesdk.runtime.model.Model
import mobilesdk.runtime.model.Models
import java.io.EOFException
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream

/**
 * Answers one connection of `mobile-sdk … --device app`: the first request says what is wanted, and for how long the
 * connection is held.
 *
 * Requests and answers are lines of JSON; `"bytes": N` says that N raw bytes follow.
 * - `{"do": "state"}`: [Surroundings], and the [versions] of the runtimes.
 * - `{"do": "time", "bundle": FOLDER, "threads": N}`: a [TimedModel], which then answers each `{"runs": N}` with a turn.
 * - `{"do": "score", …}`: a model, which answers each `{"pictures": N, "bytes": B}`, the bytes of N input tensors, with
 *   the bytes of their outputs.
 *
 * What goes wrong is a [Failure] in place of an answer, and the end.
 */
class Session(
    private val input: InputStream,
    private val output: OutputStream,
    private val models: Models,
    private val open: (File) -> Bundle,
    private val surroundings: () -> Surroundings,
    private val versions: Map<Runtime, Map<String, String>>,
    private val now: () -> Long = System::nanoTime,
    private val progress: (String) -> Unit = {},
) {
    /** Returns when the other end has closed the connection, or after a failure. */
    fun serve() {
        try {
            answerAll(request() ?: return)
        } catch (_: IOException) {
            // Nobody listens any more.
        } catch (problem: Throwable) {
            tell(Failure.of(problem))
        }
    }

    private fun answerAll(first: Fields) {
        when (first.choice("do", "state", "time", "score")) {
            "state" -> state()
            "time" -> time(bundle(first), threads(first))
            "score" -> score(bundle(first), threads(first))
        }
    }

    private fun state() = reply(mapOf("app" to surroundings().fields(), "versions" to all(versions.values)))

    private fun time(
        bundle: Bundle,
        threads: Int,
    ) {
        checkNow()
        TimedModel(bundle, models, threads, now).use { model ->
            checkNow()
            reply(
                mapOf(
                    "load_ms" to model.loadMs,
                    "first_run_ms" to model.firstRunMs,
                    "warm_up_ms" to model.warmUpMs.asList(),
                    "remark" to model.remark,
                ),
            )
            while (true) {
                val runs = (request() ?: return).whole("runs", 1L..Plan.MAX_RUNS)
                val turn = model.turn(runs)
                checkNow()
                reply(
                    mapOf(
                        "rewarm_ms" to turn.rewarmMs,
                        "times_ms" to turn.timesMs.asList(),
                        "end_to_end_ms" to turn.endToEndMs,
                        "peak_mib" to model.peakMib,
                    ),
                )
            }
        }
    }

    private fun score(
        bundle: Bundle,
        threads: Int,
    ) {
        checkNow()
        models.open(bundle, threads).use { model ->
            reply(mapOf("ready" to true, "versions" to versions.getValue(bundle.runtime)))
            while (true) {
                val request = request() ?: return
                val pictures = request.whole("pictures", 1L..MAX_PICTURES)
                val bytes = request.whole("bytes", 1L..MAX_BYTES)
                val size = bundle.manifest.input.byteCount
                require(pictures * size == bytes.toLong()) { "expected $pictures inputs of $size bytes, found $bytes" }
                scores(model, pictures, size.toInt())
            }
        }
    }

    private fun scores(
        model: Model,
        pictures: Int,
        size: Int,
    ) {
        val given = ByteArray(size)
        val outputBytes = model.manifest.outputs.sumOf { it.byteCount }
        val found = ByteArray((pictures * outputBytes).toInt())
        for (index in 0 until pictures) {
            readFully(given)
            model.write(given)
            model.run()
            model.read().copyInto(found, index * outputBytes.toInt())
            progress("${index + 1} / $pictures")
        }
        reply(mapOf("bytes" to found.size))
        output.write(found)
        output.flush()
    }

    private fun all(versions: Collection<Map<String, String>>) = versions.fold(emptyMap(), Map<String, String>::plus)

    private fun bundle(request: Fields): Bundle = open(File(request.text("bundle")))

    private fun threads(request: Fields): Int = request.whole("threads", 1L..Plan.MAX_THREADS)

    private fun checkNow() {
        surroundings().refusal?.let { throw NotNowException(it) }
    }

    private fun request(): Fields? {
        val line = readLine() ?: return null
        return Fields(parseJson(line), "")
    }

    private fun readLine(): String? {
        val line = StringBuilder()
        while (true) {
            val byte = input.read()
            if (byte < 0) return null
            if (byte == '\n'.code) return line.toString()
            require(line.length < MAX_LINE) { "expected a request in a line, found more than $MAX_LINE letters" }
            line.append(byte.toChar())
        }
    }

    private fun readFully(bytes: ByteArray) {
        var end = 0
        while (end < bytes.size) {
            val count = input.read(bytes, end, bytes.size - end)
            if (count < 0) throw EOFException("expected ${bytes.size} bytes of an input, found $end")
            end += count
        }
    }

    private fun reply(fields: Map<String, Any?>) {
        output.write((jsonText(fields) + "\n").toByteArray())
        output.flush()
    }

    private fun tell(failure: Failure) {
        try {
            reply(failure.fields())
        } catch (_: IOException) {
            // Whoever waits finds the connection closed.
        }
    }

    private companion object {
        const val MAX_LINE = 4096
        const val MAX_PICTURES = 1_000_000L
        const val MAX_BYTES = 64L shl 20
    }
}
