package mobilesdk.runtime.tensor

import java.util.Locale

enum class InputType(
    val bytes: Int,
) {
    UINT8(1),
    INT8(1),
    FLOAT32(Float.SIZE_BYTES),
    IMAGE(1),
    ;

    /** As a manifest spells it. */
    val id: String get() = name.lowercase(Locale.ROOT)
}

enum class Layout { NHWC, NCHW, NC, NTC }

/** The tensor that takes the picture, or the array. It holds `byte + byteOffset` for each byte, in [layout]. */
data class InputSpec(
    val name: String,
    val type: InputType,
    val shape: List<Int>,
    val layout: Layout,
    val byteOffset: Int,
) {
    val byteCount: Long get() = shape.fold(type.bytes.toLong(), Long::times)
}

enum class OutputType(
    val bytes: Int,
) {
    INT8(1),
    FLOAT32(Float.SIZE_BYTES),
}

/** A tensor that comes out. An int8 code stands for `scale * (code - zeroPoint)`; of float32 both are null. */
data class OutputSpec(
    val name: String,
    val type: OutputType,
    val shape: List<Int>,
    val scale: Double?,
    val zeroPoint: Int?,
) {
    val byteCount: Long get() = shape.fold(type.bytes.toLong(), Long::times)
}
