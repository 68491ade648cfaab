package mobilesdk.demo.screen

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.os.Process
import android.util.Log
import android.view.WindowManager
import android.widget.TextView
import mobilesdk.demo.R
import mobilesdk.demo.benchmark.AndroidDevice
import mobilesdk.demo.benchmark.Plan
import mobilesdk.demo.benchmark.RUNTIME_VERSIONS
import mobilesdk.demo.benchmark.Session
import mobilesdk.demo.benchmark.SessionServer
import mobilesdk.demo.benchmark.Surroundings
import mobilesdk.demo.benchmark.resultFile
import mobilesdk.demo.benchmark.writeBenchmark
import mobilesdk.demo.benchmark.writeFailure
import mobilesdk.demo.shelf.embeddedKey
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.model.RealModels
import mobilesdk.runtime.picture.BitmapDecoder
import java.io.File
import java.io.InputStream
import java.io.OutputStream
import java.util.concurrent.CancellationException

/**
 * Measures or scores for whoever starts it over adb, and shows how far it is; README.md says how.
 *
 * An intent holds `socket`, the name of an abstract socket on which one [Session] is then served; several may be served
 * at once. Or it holds `bundle`, the path of a folder that this app may read, and may hold `out` (the result's file name),
 * `threads`, `runs` and `quick`: then the result, or what went wrong, is a file in [folder]. It has a process of its own,
 * needs the shell's permission, and ends when nothing is asked of it any more.
 */
class BenchmarkActivity : Activity() {
    private val servers = LinkedHashSet<SessionServer>() // touched on the main thread alone

    @Volatile
    private var inFront = false

    /** Of the benchmark whose result is a file; another intent, or the end, takes it away. */
    @Volatile
    private var measuring: Intent? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        wakeUp()
        setContentView(R.layout.benchmark)
        // After the process's death nobody waits for what the old intent asked.
        if (savedInstanceState == null) begin(intent) else finish()
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        begin(intent)
    }

    override fun onResume() {
        super.onResume()
        inFront = true
    }

    override fun onPause() {
        inFront = false
        super.onPause()
    }

    override fun onDestroy() {
        measuring = null
        servers.toList().forEach(SessionServer::close)
        super.onDestroy()
    }

    private fun begin(intent: Intent) {
        val socket = intent.getStringExtra("socket")
        if (socket != null) {
            serve(socket)
        } else {
            measuring = intent
            Thread({ measure(intent) }, "benchmark").start()
        }
    }

    private fun serve(name: String) {
        val server = SessionServer(applicationContext, name, ::answer) { ended -> runOnUiThread { forget(ended) } }
        servers += server
        server.start()
    }

    private fun answer(
        input: InputStream,
        output: OutputStream,
    ) = Session(
        input = input,
        output = output,
        models = RealModels,
        open = ::open,
        surroundings = ::surroundings,
        versions = RUNTIME_VERSIONS,
        progress = ::show,
    ).serve()

    /** Ends some time after the last session, as the next one may follow. */
    private fun forget(server: SessionServer) {
        servers -= server
        if (servers.isEmpty()) window.decorView.postDelayed({ if (servers.isEmpty()) finish() }, IDLE_MS)
    }

    private fun measure(intent: Intent) {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_DISPLAY) // threads of the runtimes inherit it
        val out =
            try {
                resultFile(folder(), intent.getStringExtra("out") ?: "bench.json")
            } catch (refused: IllegalArgumentException) {
                Log.e(TAG, refused.message.orEmpty())
                show(refused.message.orEmpty())
                runOnUiThread { window.decorView.postDelayed(::finish, IDLE_MS) }
                return
            }
        out.delete()
        try {
            val bundle = open(File(intent.getStringExtra("bundle").orEmpty()))
            val said: (Double) -> Unit = { share -> say(share, intent) }
            writeBenchmark(applicationContext, bundle, plan(intent), out, said) { surroundings().inFront }
        } catch (_: CancellationException) {
            return // another intent has come, or the screen is gone
        } catch (problem: Throwable) {
            writeFailure(out, problem)
        }
        if (measuring === intent) runOnUiThread(::finish)
    }

    private fun open(folder: File) = openBundle(folder, BitmapDecoder, embeddedKey(assets))

    private fun plan(intent: Intent): Plan {
        val given = Plan(threads = intent.getIntExtra("threads", 1))
        if (intent.getBooleanExtra("quick", false)) {
            return given.copy(minRuns = QUICK_RUNS, minSeconds = 0.0, quick = true)
        }
        return given.copy(minRuns = intent.getIntExtra("runs", given.minRuns))
    }

    /** Gives the screen time to come to the front, as an intent is served before it is shown. */
    private fun surroundings(): Surroundings {
        val device = AndroidDevice(applicationContext)
        var found = device.surroundings(inFront)
        var waitedMs = 0L
        while (found.refusal != null && waitedMs < PATIENCE_MS) {
            Thread.sleep(LOOK_EVERY_MS)
            waitedMs += LOOK_EVERY_MS
            found = device.surroundings(inFront)
        }
        return found
    }

    /** The folder of this app that a shell may read on every Android: since 11 it may not read Android/data. */
    @Suppress("DEPRECATION")
    private fun folder(): File = externalMediaDirs.firstOrNull { it != null } ?: getExternalFilesDir(null) ?: filesDir

    private fun say(
        share: Double,
        intent: Intent,
    ) {
        if (measuring !== intent) throw CancellationException("another benchmark was asked for")
        show(getString(R.string.measuring, share * 100))
    }

    private fun show(text: String) =
        runOnUiThread {
            view<TextView>(R.id.benchmark_progress).text = text
        }

    /** Shows itself over the lock, with the screen on: a phone that sleeps measures its slow cores. */
    @Suppress("DEPRECATION")
    private fun wakeUp() {
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        window.addFlags(WindowManager.LayoutParams.FLAG_SHOW_WHEN_LOCKED) // before Android 8.1; then the manifest's
        window.addFlags(WindowManager.LayoutParams.FLAG_TURN_SCREEN_ON)
    }

    private companion object {
        const val TAG = "benchmark"
        const val QUICK_RUNS = 12
        const val IDLE_MS = 30_000L
        const val PATIENCE_MS = 3_000L
        const val LOOK_EVERY_MS = 100L
    }
}
