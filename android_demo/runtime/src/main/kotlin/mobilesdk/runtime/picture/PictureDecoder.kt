package mobilesdk.runtime.picture

import java.io.File
import java.io.IOException

/** Reads a picture file upright, as RGB over white; throws [IOException] with the reason where it does not decode. */
fun interface PictureDecoder {
    @Throws(IOException::class)
    fun decode(file: File): Rgb
}
