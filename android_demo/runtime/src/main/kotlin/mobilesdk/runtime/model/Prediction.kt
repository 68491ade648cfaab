package mobilesdk.runtime.model

import mobilesdk.runtime.bundle.Manifest
import mobilesdk.runtime.bundle.Source
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.picture.prepare
import mobilesdk.runtime.task.Answer
import mobilesdk.runtime.tensor.NamedArray
import mobilesdk.runtime.tensor.namedArrays

/**
 * Returns what the model says of an upright picture of any size: its [count] best labels, or boxes, a mask or plain outputs.
 *
 * Throws [IllegalArgumentException] where the model reads arrays, [IllegalStateException] for outputs that say nothing.
 */
fun Model.answer(
    picture: Rgb,
    count: Int = 5,
): Answer {
    val source = requireNotNull(manifest.source as? Source.Picture) { "this model reads arrays, not pictures" }
    val answer = manifest.task.answer(outputs(prepare(picture, source.image)), count)
    answer.problem?.let { error(it) }
    return answer
}

/**
 * Returns all outputs of a bundle's model for an upright picture of any size: real values, by the outputs' names.
 *
 * Throws [IllegalArgumentException] where the model reads arrays.
 */
fun Model.predict(
    manifest: Manifest,
    picture: Rgb,
): List<NamedArray> {
    val source = requireNotNull(manifest.source as? Source.Picture) { "this model reads arrays, not pictures" }
    return namedArrays(outputs(prepare(picture, source.image)), manifest.outputs)
}

/**
 * Returns the same for an array's numbers in the order of its shape.
 *
 * Throws [IllegalArgumentException] where the model reads pictures, or other numbers than these.
 */
fun Model.predict(
    manifest: Manifest,
    numbers: FloatArray,
): List<NamedArray> {
    val source = requireNotNull(manifest.source as? Source.Array) { "this model reads pictures, not arrays" }
    return namedArrays(outputs(source.array.stored(numbers)), manifest.outputs)
}
