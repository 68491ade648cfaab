package mobilesdk.runtime.task

import kotlin.math.max
import kotlin.math.min

/** A rectangle; its sides are in pixels of the net's picture where nothing else is said. */
data class Box(
    val left: Double,
    val top: Double,
    val right: Double,
    val bottom: Double,
) {
    val area: Double get() = max(right - left, 0.0) * max(bottom - top, 0.0)

    /** In shares of a picture with those [sides]. */
    operator fun div(sides: Sides) =
        Box(left / sides.width, top / sides.height, right / sides.width, bottom / sides.height)

    /** Intersection over union; 0 where both are empty. */
    fun overlap(other: Box): Double {
        val width = max(min(right, other.right) - max(left, other.left), 0.0)
        val height = max(min(bottom, other.bottom) - max(top, other.top), 0.0)
        val common = width * height
        val union = area + other.area - common
        return if (union > 0) common / union else 0.0
    }
}
