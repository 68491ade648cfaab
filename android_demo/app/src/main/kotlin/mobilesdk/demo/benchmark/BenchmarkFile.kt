package mobilesdk.demo.benchmark

import android.content.Context
import mobilesdk.demo.BuildConfig
import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.model.RealModels
import java.io.File
import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone

/** Measures a bundle on this phone and writes [file], whole or not at all; gives what it says. */
fun writeBenchmark(
    context: Context,
    bundle: Bundle,
    plan: Plan,
    file: File,
    progress: (Double) -> Unit,
): Summary {
    val device = AndroidDevice(context)
    val before = device.state()
    val samples = Benchmark(bundle, RealModels, plan, progress = progress).run()
    val date = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'+00:00'", Locale.ROOT)
    date.timeZone = TimeZone.getTimeZone("UTC")
    val versions = mapOf("executorch" to BuildConfig.EXECUTORCH_VERSION, "litert" to BuildConfig.LITERT_VERSION)
    val report = BenchmarkReport(bundle, plan, samples, before, device.state(), date.format(Date()), versions)
    writeWhole(file, report.toJson())
    return report.summary
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
