package mobilesdk.runtime.picture

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.media.ExifInterface
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer

/**
 * Android's decoders. They give the numbers that the file holds: a picture with a colour profile of its own, such as
 * Display P3, is not converted, as the recipe has it.
 */
object BitmapDecoder : PictureDecoder {
    /** Reads the whole picture; one that this app has no memory for is refused with its size. */
    override fun decode(file: File): Rgb {
        val sides = sides(file)
        val room = PictureRoom.ofThisApp()
        if (room.reduction(sides.first, sides.second) > 1) throw IOException(room.refusal(sides.first, sides.second))
        return read(file, 1)
    }

    /** Reads the picture, or every second, fourth, … pixel of one that this app has no memory for. */
    fun decodeReduced(file: File): ReadPicture {
        val sides = sides(file)
        val reduction = PictureRoom.ofThisApp().reduction(sides.first, sides.second)
        return ReadPicture(read(file, reduction), reduction)
    }

    /** Reads an upright bitmap of the app's own, which stays as it is: ARGB_8888, and opaque where it is to be exact. */
    fun read(bitmap: Bitmap): Rgb {
        if (bitmap.config != Bitmap.Config.ARGB_8888) throw IOException("a picture of ${bitmap.config}")
        val rgba = ByteArray(bitmap.rowBytes * bitmap.height)
        bitmap.copyPixelsToBuffer(ByteBuffer.wrap(rgba))
        return Rgb.overWhiteRgba(bitmap.width, bitmap.height, bitmap.rowBytes, rgba)
    }

    private fun sides(file: File): Pair<Int, Int> {
        val options = BitmapFactory.Options()
        options.inJustDecodeBounds = true
        BitmapFactory.decodeFile(file.path, options)
        if (options.outWidth <= 0 || options.outHeight <= 0) throw IOException("no picture that Android decodes")
        return options.outWidth to options.outHeight
    }

    private fun read(
        file: File,
        reduction: Int,
    ): Rgb {
        val options = BitmapFactory.Options()
        options.inSampleSize = reduction
        options.inPremultiplied = false
        options.inPreferredConfig = Bitmap.Config.ARGB_8888
        try {
            val bitmap = BitmapFactory.decodeFile(file.path, options) ?: throw IOException("a damaged picture")
            return upright(taken(bitmap), orientation(file))
        } catch (_: OutOfMemoryError) {
            throw IOException("a picture larger than this phone's memory")
        }
    }

    /** `getPixels` would convert the numbers to sRGB. */
    private fun taken(bitmap: Bitmap): Rgb =
        try {
            read(bitmap)
        } finally {
            bitmap.recycle()
        }

    private fun orientation(file: File): Int =
        try {
            ExifInterface(file.path).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
        } catch (_: IOException) {
            ExifInterface.ORIENTATION_NORMAL // a format without EXIF
        }
}
