package mobilesdk.runtime.task

import mobilesdk.runtime.tensor.NamedArray

/**
 * Outputs as a screen shows them: labels with their shares, the surest first, and their places in the picture.
 *
 * [found] and [mask] are drawn over the picture; an output that says nothing of places has neither. A model without
 * labels has [features], its outputs as they are.
 */
data class Answer(
    val shares: List<LabelShare> = emptyList(),
    val found: List<Found> = emptyList(),
    val mask: Mask? = null,
    val features: List<NamedArray> = emptyList(),
    /** Says why nothing follows from the outputs: they are more or fewer numbers than the bundle says, or not finite. */
    val problem: String? = null,
) {
    /** True where the labels have places, and so a colour each in the picture. */
    val isPlaced: Boolean get() = found.isNotEmpty() || mask != null

    /** The labels that are read out: all that have places, and else the surest alone. */
    val spoken: List<LabelShare> get() = if (isPlaced) shares else shares.take(1)
}

/** A label with its share, 0..1: of the probability, or of the picture's pixels. */
data class LabelShare(
    val labelIndex: Int,
    val label: String,
    val share: Double,
)

/** A thing that was found; the sides of [area] are shares of the picture's width and height, 0..1. */
data class Found(
    val what: LabelShare,
    val area: Box,
)
