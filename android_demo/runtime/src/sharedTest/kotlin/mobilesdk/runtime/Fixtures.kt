package mobilesdk.runtime

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Manifest
import mobilesdk.runtime.bundle.Source
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.json.Json
import mobilesdk.runtime.json.JsonArray
import mobilesdk.runtime.json.JsonNumber
import mobilesdk.runtime.json.JsonObject
import mobilesdk.runtime.json.JsonText
import mobilesdk.runtime.json.parseJson
import mobilesdk.runtime.picture.Fit
import mobilesdk.runtime.picture.ImageSpec
import mobilesdk.runtime.picture.PictureDecoder
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.tensor.OutputSpec
import java.io.File
import java.io.IOException
import javax.imageio.ImageIO

/** The files that `python -m tests.support.fixtures.demo_fixtures FOLDER` wrote in the SDK's checkout. */
object Fixtures {
    val folder =
        File(requireNotNull(System.getProperty("fixtures")) { "name the folder of fixtures: -Dfixtures=FOLDER" })

    val bundleFolders: List<File> = folders("bundles")

    val detectorFolders: List<File> = folders("detectors")

    val segmenterFolders: List<File> = folders("segmenters")

    /** Of models that do not read square RGB pictures. */
    val inputFolders: List<File> = folders("inputs")

    /** Of the task features. */
    val featureFolders: List<File> = folders("features")

    val earlierFolders: List<File> = folders("earlier/schema-1") + folders("earlier/schema-2")

    fun bundle(name: String): Bundle = openBundle(folder.resolve("bundles/$name"), DesktopDecoder)

    fun detector(name: String = "things.tflite"): Bundle = openBundle(folder.resolve("detectors/$name"), DesktopDecoder)

    fun segmenter(name: String = "parts.tflite"): Bundle =
        openBundle(folder.resolve("segmenters/$name"), DesktopDecoder)

    fun features(name: String = "heads.tflite"): Bundle = openBundle(folder.resolve("features/$name"), DesktopDecoder)

    fun damaged(name: String): File =
        folder
            .resolve("damaged")
            .listFiles()
            .orEmpty()
            .single { it.name.substringAfter("-") == name }

    private fun folders(below: String): List<File> =
        folder
            .resolve(below)
            .listFiles()
            .orEmpty()
            .sortedBy { it.name }

    fun list(path: String): List<JsonObject> =
        (parseJson(folder.resolve(path).readText()) as JsonArray).items.map { it as JsonObject }

    fun image(json: Json): ImageSpec {
        val fields = (json as JsonObject)
        val fit = if (fields.text("fit") == "crop") Fit.CROP else Fit.STRETCH
        val size = fields.fields.getValue("size_px")
        val sides = if (size is JsonArray) numbers(size.items) else doubleArrayOf(fields.number("size_px"))
        val channels = if ("channels" in fields.fields) fields.number("channels").toInt() else Rgb.CHANNELS
        return ImageSpec(sides.first().toInt(), sides.last().toInt(), channels, fit, fields.number("crop_share"))
    }
}

/** The recipe of a model that reads pictures. */
val Manifest.image: ImageSpec get() = (source as Source.Picture).image

/** The output of a model that has one. */
val Manifest.output: OutputSpec get() = outputs.single()

/** What is expected of it. */
fun Bundle.goldenOutput(index: Int): FloatArray = goldenOutputs(index).single()

fun JsonObject.text(name: String): String = (fields.getValue(name) as JsonText).value

fun JsonObject.number(name: String): Double = (fields.getValue(name) as JsonNumber).text.toDouble()

fun JsonObject.items(name: String): List<Json> = (fields.getValue(name) as JsonArray).items

fun numbers(items: List<Json>): DoubleArray = items.map { (it as JsonNumber).text.toDouble() }.toDoubleArray()

/** Java's own decoder, in place of Android's. */
object DesktopDecoder : PictureDecoder {
    override fun decode(file: File): Rgb {
        val image = ImageIO.read(file) ?: throw IOException("no picture")
        val argb = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
        return Rgb.overWhite(image.width, image.height, argb)
    }
}
