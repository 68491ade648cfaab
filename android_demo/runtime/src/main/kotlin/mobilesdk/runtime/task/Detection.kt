package mobilesdk.runtime.task

import mobilesdk.runtime.json.Fields
import mobilesdk.runtime.tensor.OutputType
import kotlin.math.nextDown

/** The numbers of the rule in docs/guides/detection.md; thresholds are 0..1. */
data class DetectionSpec(
    val scoreThreshold: Double,
    val iouThreshold: Double,
    val maxDetections: Int,
)

/** A row for each anchor: a box, then the logits of "nothing" and of every label. [rule] finds things in them. */
data class Detection(
    override val contract: TaskContract,
    val rule: DetectionSpec,
) : OneOutputTask {
    private val labels get() = contract.labels.size
    private val sides get() = contract.sides ?: Sides(0, 0)

    override val labelCounts get() = 1..Int.MAX_VALUE

    override val takesArrays get() = false

    override val goldenFile: GoldenFile get() = GoldenDetections(::detections)

    override fun outputMisfit(): String? {
        val (shape, columns) = contract.output.shape to DetectionRow.columns(labels)
        return when {
            shape.size != 3 || shape[0] != 1 || shape[1] < 1 || shape[2] != columns -> {
                "expected an output [1, anchors, $columns], found $shape"
            }

            contract.output.type != OutputType.FLOAT32 -> {
                "expected boxes in float32, found codes"
            }

            else -> {
                null
            }
        }
    }

    override fun winner(output: FloatArray): Int = surestLabel(output, labels)

    /** Every thing that is found, the surest first. */
    override fun answer(
        output: FloatArray,
        count: Int,
    ): Answer {
        val found =
            detections(output).map {
                Found(LabelShare(it.labelIndex, contract.labels[it.labelIndex], it.score), it.box / sides)
            }
        return Answer(found.map { it.what }, found)
    }

    private fun detections(output: FloatArray) = detect(output, labels, rule, sides)
}

internal const val DETECTION_FIELD = "detection"

private const val MAX_DETECTIONS = 1000L
private val INNER_SHARE = Double.MIN_VALUE..1.0.nextDown()

/** Reads the rule's numbers, which schema 1 calls by other names. */
internal fun readDetectionSpec(
    fields: Fields,
    schema: Int,
): DetectionSpec {
    val rule = fields.inside(DETECTION_FIELD)
    val (score, iou, most) =
        if (schema == 1) {
            listOf("least_score_share", "overlap_share", "most")
        } else {
            listOf("score_threshold", "iou_threshold", "max_detections")
        }
    return DetectionSpec(
        scoreThreshold = rule.number(score, INNER_SHARE),
        iouThreshold = rule.number(iou, INNER_SHARE),
        maxDetections = rule.whole(most, 1L..MAX_DETECTIONS),
    ).also { rule.end() }
}
