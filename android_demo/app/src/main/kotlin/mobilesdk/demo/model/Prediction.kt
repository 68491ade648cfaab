package mobilesdk.demo.model

import mobilesdk.demo.bundle.Manifest
import mobilesdk.demo.bundle.Source
import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.picture.prepare
import mobilesdk.demo.tensor.NamedArray
import mobilesdk.demo.tensor.namedArrays

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
