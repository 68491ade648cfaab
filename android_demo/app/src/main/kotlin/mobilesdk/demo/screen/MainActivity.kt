package mobilesdk.demo.screen

import android.Manifest
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Bundle
import android.provider.Settings
import android.view.View
import android.widget.AdapterView
import android.widget.Button
import android.widget.Spinner
import mobilesdk.demo.R
import mobilesdk.demo.benchmark.Plan
import mobilesdk.demo.benchmark.writeBenchmark
import mobilesdk.demo.camera.PermissionAnswer
import mobilesdk.demo.camera.permissionAnswer
import mobilesdk.demo.shelf.ApkFiles
import mobilesdk.demo.shelf.EmbeddedBundles
import mobilesdk.demo.shelf.OpenedBundles
import mobilesdk.demo.shelf.PickedFolder
import mobilesdk.demo.shelf.embeddedKey
import mobilesdk.runtime.model.RealModels
import mobilesdk.runtime.picture.BitmapDecoder
import mobilesdk.runtime.picture.ReadPicture
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

/** The one screen: it passes on what the user does, and shows the state that comes of it. */
class MainActivity : Activity() {
    private lateinit var model: ScreenModel
    private lateinit var view: ScreenView
    private lateinit var camera: LiveCamera
    private lateinit var shelf: OpenedBundles
    private var wantsCamera = false

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        wantsCamera = savedInstanceState?.getBoolean(WANTS_CAMERA) ?: false
        view = ScreenView(this)
        shelf = newShelf()
        @Suppress("DEPRECATION") // what takes its place is in androidx
        val kept = lastNonConfigurationInstance as ScreenModel?
        model = kept ?: newModel(savedInstanceState)
        camera = LiveCamera(view(R.id.preview), model::lookAtFrame, ::cameraFailed)
        model.observer = { state -> runOnUiThread { view.show(state) } }
        view.show(model.state)
        listen()
    }

    override fun onResume() {
        super.onResume()
        if (wantsCamera) openCamera()
    }

    /** A benchmark ends with the screen: an app that is not seen computes on the slow cores. */
    override fun onPause() {
        closeCamera()
        if (!isChangingConfigurations) model.stop()
        super.onPause()
    }

    override fun onDestroy() {
        model.observer = null
        if (isFinishing) model.close()
        super.onDestroy()
    }

    /** Android may end the app while it is not seen, and begin it again with this. */
    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putBoolean(WANTS_CAMERA, wantsCamera)
        outState.putInt(THREADS, model.state.threads)
        outState.putString(BUNDLE, model.state.selected?.let(model.state.bundles::getOrNull))
    }

    @Deprecated("What takes its place is in androidx")
    override fun onRetainNonConfigurationInstance(): Any = model

    override fun onRequestPermissionsResult(
        requestCode: Int,
        permissions: Array<out String>,
        grantResults: IntArray,
    ) {
        val mayAskAgain = shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)
        when (permissionAnswer(ASK, requestCode, grantResults, mayAskAgain)) {
            PermissionAnswer.GRANTED -> wantCamera()
            PermissionAnswer.DENIED -> model.cameraDenied()
            PermissionAnswer.BLOCKED -> model.cameraDenied(isBlocked = true)
            PermissionAnswer.NONE -> Unit
        }
    }

    @Deprecated("What takes its place is in androidx")
    override fun onActivityResult(
        requestCode: Int,
        resultCode: Int,
        data: Intent?,
    ) {
        val picked = data?.data
        if (resultCode != RESULT_OK || picked == null) return
        when (requestCode) {
            PICK -> model.look { read(picked) }
            OPEN -> model.openAnother { shelf.add(PickedFolder.of(contentResolver, picked)) }
        }
    }

    private fun newShelf(): OpenedBundles {
        val apk = ApkFiles(applicationContext.assets)
        return OpenedBundles(
            EmbeddedBundles(apk, filesDir, BitmapDecoder),
            filesDir,
            BitmapDecoder,
        ) { embeddedKey(apk) }
    }

    private fun newModel(saved: Bundle?): ScreenModel =
        ScreenModel(shelf, RealModels, oneThread()).apply {
            start(saved?.getString(BUNDLE), saved?.getInt(THREADS) ?: 1)
        }

    /** A thread that ends where nothing has been asked of it for some seconds. */
    private fun oneThread() =
        ThreadPoolExecutor(
            1,
            1,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            LinkedBlockingQueue(),
        ).apply { allowCoreThreadTimeOut(true) }

    private fun listen() {
        view<Button>(R.id.camera).setOnClickListener { if (camera.isOn) stopCamera() else askForCamera() }
        view<Button>(R.id.pick).setOnClickListener { pick() }
        view<Button>(R.id.sample).setOnClickListener { sample() }
        view<Button>(R.id.benchmark).setOnClickListener { if (model.state.isMeasuring) model.stop() else benchmark() }
        view<Button>(R.id.open).setOnClickListener { openBundle() }
        view<Button>(R.id.share).setOnClickListener { share() }
        onChoice(R.id.bundles, model::select)
        onChoice(R.id.beside) { model.compare(if (it == 0) null else it - 1) }
        onChoice(R.id.threads) { model.setThreads(ScreenView.THREADS[it]) }
    }

    private fun onChoice(
        list: Int,
        choose: (Int) -> Unit,
    ) {
        view<Spinner>(list).onItemSelectedListener =
            object : AdapterView.OnItemSelectedListener {
                override fun onItemSelected(
                    parent: AdapterView<*>?,
                    chosen: View?,
                    position: Int,
                    id: Long,
                ) = choose(position)

                override fun onNothingSelected(parent: AdapterView<*>?) = Unit
            }
    }

    private fun askForCamera() {
        when {
            checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED -> wantCamera()
            model.state.notice == Notice.CameraBlocked -> openSettings()
            else -> requestPermissions(arrayOf(Manifest.permission.CAMERA), ASK)
        }
    }

    private fun wantCamera() {
        wantsCamera = true
        openCamera()
    }

    private fun openCamera() {
        if (camera.isOn) return
        model.cameraOn()
        camera.open()
    }

    private fun cameraFailed() {
        stopCamera()
        model.noCamera()
    }

    private fun stopCamera() {
        wantsCamera = false
        closeCamera()
    }

    private fun closeCamera() {
        camera.close()
        model.cameraOff()
    }

    private fun pick() {
        stopCamera()
        ask(Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*"), PICK)
    }

    private fun openBundle() {
        stopCamera()
        ask(Intent(Intent.ACTION_OPEN_DOCUMENT_TREE), OPEN)
    }

    private fun openSettings() {
        val page = Uri.fromParts("package", packageName, null)
        ask(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, page), null)
    }

    private fun share() {
        val told = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, view.told(model.state))
        ask(Intent.createChooser(told, null), null)
    }

    /** Starts another app's screen; [answer] is the code of its answer, null where none is awaited. */
    private fun ask(
        intent: Intent,
        answer: Int?,
    ) = try {
        @Suppress("DEPRECATION") // what takes its place is in androidx
        if (answer == null) startActivity(intent) else startActivityForResult(intent, answer)
    } catch (_: ActivityNotFoundException) {
        model.look { throw IOException(getString(R.string.no_picker)) }
    }

    private fun sample() {
        stopCamera()
        model.lookAtSample(BitmapDecoder::decode)
    }

    /** Copied first: a stream of another app's may be slow, and is read twice, for its size and its pixels. */
    private fun read(picked: Uri): ReadPicture {
        val copy = File(cacheDir, "picked")
        try {
            val stream = contentResolver.openInputStream(picked) ?: throw FileNotFoundException("$picked")
            stream.use { source -> copy.outputStream().use { source.copyTo(it) } }
            return BitmapDecoder.decodeReduced(copy)
        } catch (problem: SecurityException) {
            throw IOException(problem)
        } finally {
            copy.delete()
        }
    }

    private fun benchmark() {
        stopCamera()
        val file = File(getExternalFilesDir(null) ?: filesDir, "bench.json")
        val (context, plan) = applicationContext to Plan(threads = model.state.threads)
        model.benchmark(file) { bundle, target, progress -> writeBenchmark(context, bundle, plan, target, progress) }
    }

    private companion object {
        const val IDLE_SECONDS = 10L
        const val ASK = 1
        const val PICK = 2
        const val OPEN = 3
        const val WANTS_CAMERA = "wants camera"
        const val THREADS = "threads"
        const val BUNDLE = "bundle"
    }
}
