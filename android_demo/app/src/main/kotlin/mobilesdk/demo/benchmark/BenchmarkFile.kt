package mobilesdk.demo.benchmark

import android.content.Context
import mobilesdk.demo.BuildConfig
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Runtime
import mobilesdk.runtime.json.jsonText
import mobilesdk.runtime.model.RealModels
import java.io.File
import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone

/** The runtimes that ship in this app, with XNNPACK inside. LiteRT has two ways to run a model: this is the interpreter. */
val RUNTIME_VERSIONS: Map<Runtime, Map<String, String>> =
    mapOf(
        Runtime.EXECUTORCH to mapOf("executorch" to BuildConfig.EXECUTORCH_VERSION),
        Runtime.TFLITE to mapOf("litert" to "${BuildConfig.LITERT_VERSION} (Interpreter)"),
    )

private val RESULT_NAME = Regex("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

/** Measures a bundle on this phone and writes [file], whole or not at all; gives what it says. */
fun writeBenchmark(
    context: Context,
    bundle: Bundle,
    plan: Plan,
    file: File,
    progress: (Double) -> Unit,
    inFront: () -> Boolean = { true },
): Summary {
    val device = AndroidDevice(context)
    val before = device.state()

    fun checked(): Surroundings =
        device.surroundings(inFront()).also { found -> found.refusal?.let { throw NotNowException(it) } }
    checked()
    val samples =
        Benchmark(bundle, RealModels, plan) { share ->
            checked()
            progress(share)
        }.run()
    val date = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'+00:00'", Locale.ROOT)
    date.timeZone = TimeZone.getTimeZone("UTC")
    val report =
        BenchmarkReport(
            bundle,
            plan,
            samples,
            before,
            device.state(),
            checked(),
            date.format(Date()),
            RUNTIME_VERSIONS.getValue(bundle.runtime),
        )
    writeWhole(file, report.toJson())
    return report.summary
}

/** Returns the file of that name in [folder]. Throws [IllegalArgumentException] for a name that is none, or a path. */
fun resultFile(
    folder: File,
    name: String,
): File {
    require(RESULT_NAME.matches(name)) { "expected a file's name of letters, digits, '.', '_', '-', found '$name'" }
    return File(folder, name)
}

/** Writes what went wrong where the result would be; there may be no room even for that, and then there is no file. */
fun writeFailure(
    file: File,
    problem: Throwable,
) {
    try {
        writeWhole(file, jsonText(Failure.of(problem).fields()))
    } catch (_: IOException) {
        // Whoever waits for the file finds none.
    }
}

/** Writes beside the file and renames, so that nobody who waits for it reads a half. */
fun writeWhole(
    file: File,
    text: String,
) {
    val unfinished = File(file.path + ".unfinished")
    unfinished.writeText(text)
    if (!unfinished.renameTo(file)) throw IOException("expected to write ${file.name}, found no room or no right to")
}
