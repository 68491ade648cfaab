package mobilesdk.demo.screen

import android.app.Activity
import android.os.Bundle
import android.view.WindowManager
import android.widget.TextView
import mobilesdk.demo.R
import mobilesdk.demo.benchmark.Plan
import mobilesdk.demo.benchmark.writeBenchmark
import mobilesdk.demo.benchmark.writeWhole
import mobilesdk.demo.bundle.BundleRefusal
import mobilesdk.demo.bundle.embeddedKey
import mobilesdk.demo.bundle.openBundle
import mobilesdk.demo.json.jsonText
import mobilesdk.demo.picture.BitmapDecoder
import java.io.File
import java.io.IOException

/**
 * Measures the bundle that an intent names and ends; README.md says how it is started over adb.
 *
 * The intent holds `bundle`, the path of a folder that this app may read, and may hold `out` (the result's file name),
 * `threads`, `runs` and `quick`. The result, or an object with `error`, `message` and `hint`, lies in the app's own
 * folder on the shared storage, where adb may pull it from.
 */
class BenchmarkActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        setContentView(R.layout.benchmark)
        if (savedInstanceState == null) Thread(::measure, "benchmark").start()
    }

    private fun measure() {
        // The last part alone: a name from another app must not lead out of the folder.
        val out = File(getExternalFilesDir(null) ?: filesDir, File(intent.getStringExtra("out") ?: "bench.json").name)
        out.delete()
        try {
            val bundle = openBundle(File(intent.getStringExtra("bundle").orEmpty()), BitmapDecoder, embeddedKey(assets))
            writeBenchmark(applicationContext, bundle, plan(), out, ::showProgress)
        } catch (refusal: BundleRefusal) {
            writeError(out, "BundleError", refusal, "export the bundle again, or push it again")
        } catch (problem: Exception) {
            writeError(out, "MachineError", problem, "look at the app's log")
        } catch (problem: LinkageError) {
            writeError(out, "MachineError", problem, "build the app with the runtime's library for this processor")
        }
        runOnUiThread(::finish)
    }

    private fun plan(): Plan {
        val given = Plan(threads = intent.getIntExtra("threads", 1).coerceAtLeast(1))
        if (intent.getBooleanExtra(
                "quick",
                false,
            )
        ) {
            return given.copy(minRuns = QUICK_RUNS, minSeconds = 0.0, quick = true)
        }
        return given.copy(minRuns = intent.getIntExtra("runs", given.minRuns).coerceAtLeast(1))
    }

    private fun showProgress(share: Double) =
        runOnUiThread {
            view<TextView>(R.id.benchmark_progress).text = getString(R.string.measuring, share * 100)
        }

    private fun writeError(
        out: File,
        kind: String,
        problem: Throwable,
        hint: String,
    ) {
        val message = problem.message ?: problem.javaClass.simpleName
        try {
            writeWhole(out, jsonText(mapOf("error" to kind, "message" to message, "hint" to hint)))
        } catch (_: IOException) {
            // No room even for the reason: whoever waits for the file finds none.
        }
    }

    private companion object {
        const val QUICK_RUNS = 12
    }
}
