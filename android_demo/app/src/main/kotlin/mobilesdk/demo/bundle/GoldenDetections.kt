package mobilesdk.demo.bundle

import mobilesdk.demo.model.Box
import mobilesdk.demo.model.Detection
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import kotlin.math.abs

internal const val DETECTIONS_KIND = "detections.json"

private const val TOLERANCE = 1e-6 // of a score or a pixel: an exponential's last bit differs between languages
private val NUMBER = -Double.MAX_VALUE..Double.MAX_VALUE
private val INDEX = 0L..Int.MAX_VALUE

/** Reads a `golden/N.detections.json`; [name] is its path. Throws [BundleRefusal] with the check "golden". */
internal fun readDetections(
    data: ByteArray,
    name: String,
): List<Detection> =
    try {
        val text = Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data))
        val fields = Fields(parseJson(text.toString()), "")
        fields.list("detections") { json, path -> readDetection(Fields(json, path)) }.also { fields.end() }
    } catch (problem: JsonException) {
        throw BundleRefusal("golden", "expected JSON in $name, found ${problem.message}", problem)
    } catch (problem: CharacterCodingException) {
        throw BundleRefusal("golden", "expected UTF-8 in $name, found other bytes", problem)
    } catch (problem: BundleRefusal) {
        throw BundleRefusal("golden", "expected detections in $name, found that ${problem.message}", problem)
    }

/** Whether both are the same detections in the same order, but for the last bits of their numbers. */
internal fun areNear(
    some: List<Detection>,
    others: List<Detection>,
): Boolean = some.size == others.size && some.indices.all { isNear(some[it], others[it]) }

private fun readDetection(fields: Fields): Detection =
    Detection(
        labelIndex = fields.whole("label_index", INDEX),
        score = fields.number("score", NUMBER),
        box = fields.list("box_px", 4..4) { json, path -> Fields.number(json, path, NUMBER) }.let(::box),
    ).also { fields.end() }

private fun box(sides: List<Double>) = Box(left = sides[0], top = sides[1], right = sides[2], bottom = sides[3])

private fun isNear(
    one: Detection,
    other: Detection,
): Boolean =
    one.labelIndex == other.labelIndex &&
        numbers(one).zip(numbers(other)).all { (some, others) -> abs(some - others) <= TOLERANCE }

private fun numbers(found: Detection) =
    listOf(found.score, found.box.left, found.box.top, found.box.right, found.box.bottom)
