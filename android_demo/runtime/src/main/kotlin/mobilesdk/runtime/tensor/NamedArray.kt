package mobilesdk.runtime.tensor

/** An output of a model for one picture: real values, flat, of an array of that [shape], which has no batch. */
class NamedArray(
    val name: String,
    val shape: List<Int>,
    val values: DoubleArray,
) {
    val mean: Double get() = values.average()

    /** The least value; NaN where one is. */
    val least: Double get() = values.min()

    /** The greatest value; NaN where one is. */
    val greatest: Double get() = values.max()
}

/** Returns the real values of a model's outputs, which are in their own units. */
fun namedArrays(
    outputs: List<FloatArray>,
    specs: List<OutputSpec>,
): List<NamedArray> =
    specs.zip(outputs) { spec, output -> NamedArray(spec.name, spec.shape.drop(1), reals(output, spec)) }

/** Returns the real values of numbers in an output's own unit. */
fun reals(
    numbers: FloatArray,
    output: OutputSpec,
): DoubleArray {
    val scale = output.scale ?: 1.0
    val zeroPoint = output.zeroPoint ?: 0
    return DoubleArray(numbers.size) { scale * (numbers[it] - zeroPoint) }
}
