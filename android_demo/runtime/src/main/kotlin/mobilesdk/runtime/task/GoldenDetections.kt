package mobilesdk.runtime.task

import mobilesdk.runtime.json.FieldException
import mobilesdk.runtime.json.Fields
import mobilesdk.runtime.json.JsonException
import mobilesdk.runtime.json.parseJson
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import kotlin.math.abs

private const val MAX_BYTES = 1L shl 20
private const val TOLERANCE = 1e-6 // of a score or a pixel: earlier versions took a library's exponential
private val NUMBER = -Double.MAX_VALUE..Double.MAX_VALUE
private val INDEX = 0L..Int.MAX_VALUE

/** A `golden/N.detections.json`: the things that [detect] must find in the golden output. */
internal class GoldenDetections(
    private val detect: (FloatArray) -> List<DetectedBox>,
) : GoldenFile {
    override val kind get() = "detections.json"

    override val sizes get() = 0..MAX_BYTES

    override fun misfit(
        written: ByteArray,
        output: FloatArray,
        path: String,
    ): String? =
        try {
            "expected $path to be the detections of its output, found others".takeIf {
                !areNear(read(written), detect(output))
            }
        } catch (problem: JsonException) {
            "expected JSON in $path, found ${problem.message}"
        } catch (_: CharacterCodingException) {
            "expected UTF-8 in $path, found other bytes"
        } catch (problem: FieldException) {
            "expected detections in $path, found that it does not hold them: ${problem.message}"
        }

    private fun read(written: ByteArray): List<DetectedBox> {
        val text = Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(written))
        val fields = Fields(parseJson(text.toString()), "")
        return fields.list("detections") { json, path -> readBox(Fields(json, path)) }.also { fields.end() }
    }
}

private fun readBox(fields: Fields): DetectedBox =
    DetectedBox(
        labelIndex = fields.whole("label_index", INDEX),
        score = fields.number("score", NUMBER),
        box = fields.list("box_px", 4..4) { json, path -> Fields.number(json, path, NUMBER) }.let(::box),
    ).also { fields.end() }

private fun box(sides: List<Double>) = Box(left = sides[0], top = sides[1], right = sides[2], bottom = sides[3])

/** Returns true for the same things in the same order, whose numbers differ in their last bits at most. */
private fun areNear(
    some: List<DetectedBox>,
    others: List<DetectedBox>,
): Boolean = some.size == others.size && some.indices.all { isNear(some[it], others[it]) }

private fun isNear(
    one: DetectedBox,
    other: DetectedBox,
): Boolean =
    one.labelIndex == other.labelIndex &&
        numbers(one).zip(numbers(other)).all { (some, others) -> abs(some - others) <= TOLERANCE }

private fun numbers(found: DetectedBox) =
    listOf(found.score, found.box.left, found.box.top, found.box.right, found.box.bottom)
