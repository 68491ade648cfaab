package mobilesdk.demo.picture

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.media.ExifInterface
import java.io.File
import java.io.IOException

/** Android's decoders. A picture that would take more than a quarter of the app's memory is read at a half or less. */
object BitmapDecoder : PictureDecoder {
    override fun decode(file: File): Rgb {
        val options = BitmapFactory.Options()
        options.inJustDecodeBounds = true
        BitmapFactory.decodeFile(file.path, options)
        if (options.outWidth <= 0 || options.outHeight <= 0) throw IOException("no picture that Android decodes")
        options.inJustDecodeBounds = false
        options.inSampleSize = sampleSize(options.outWidth.toLong() * options.outHeight)
        options.inPremultiplied = false
        val bitmap =
            try {
                BitmapFactory.decodeFile(file.path, options)
            } catch (_: OutOfMemoryError) {
                throw IOException("a picture larger than this phone's memory")
            }
        return upright(rgb(bitmap ?: throw IOException("a damaged picture")), orientation(file))
    }

    private fun sampleSize(pixels: Long): Int {
        val limit = Runtime.getRuntime().maxMemory() / (4 * BYTES_PER_PIXEL)
        return generateSequence(1) { it * 2 }.first { pixels / (it.toLong() * it) <= limit }
    }

    private fun rgb(bitmap: Bitmap): Rgb {
        val argb = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(argb, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        return Rgb.overWhite(bitmap.width, bitmap.height, argb).also { bitmap.recycle() }
    }

    private fun orientation(file: File): Int =
        try {
            ExifInterface(file.path).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
        } catch (_: IOException) {
            ExifInterface.ORIENTATION_NORMAL // a format without EXIF
        }

    private const val BYTES_PER_PIXEL = Int.SIZE_BYTES + Rgb.CHANNELS
}
