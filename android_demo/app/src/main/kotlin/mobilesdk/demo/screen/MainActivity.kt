package mobilesdk.demo.screen

import android.Manifest
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.hardware.camera2.CameraManager
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.widget.AdapterView
import android.widget.Button
import android.widget.Spinner
import mobilesdk.demo.R
import mobilesdk.demo.benchmark.Plan
import mobilesdk.demo.benchmark.writeBenchmark
import mobilesdk.demo.bundle.EmbeddedBundles
import mobilesdk.demo.model.RealModels
import mobilesdk.demo.picture.BitmapDecoder
import mobilesdk.demo.picture.Rgb
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
    private var camera: Camera? = null
    private var wantsCamera = false

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        wantsCamera = savedInstanceState?.getBoolean(WANTS_CAMERA) ?: false
        view = ScreenView(this)
        @Suppress("DEPRECATION") // what takes its place is in androidx
        val kept = lastNonConfigurationInstance as ScreenModel?
        model = kept ?: newModel()
        model.observer = { state -> runOnUiThread { view.show(state) } }
        view.show(model.state)
        listen()
    }

    override fun onResume() {
        super.onResume()
        if (wantsCamera) openCamera()
    }

    override fun onPause() {
        closeCamera()
        super.onPause()
    }

    override fun onDestroy() {
        model.observer = null
        if (isFinishing) model.close()
        super.onDestroy()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putBoolean(WANTS_CAMERA, wantsCamera)
    }

    @Deprecated("What takes its place is in androidx")
    override fun onRetainNonConfigurationInstance(): Any = model

    override fun onRequestPermissionsResult(
        requestCode: Int,
        permissions: Array<out String>,
        grantResults: IntArray,
    ) {
        wantsCamera = grantResults.firstOrNull() == PackageManager.PERMISSION_GRANTED
        if (wantsCamera) openCamera() else model.cameraDenied()
    }

    @Deprecated("What takes its place is in androidx")
    override fun onActivityResult(
        requestCode: Int,
        resultCode: Int,
        data: Intent?,
    ) {
        val picked = data?.data
        if (requestCode == PICK && resultCode == RESULT_OK && picked != null) model.look { read(picked) }
    }

    private fun newModel(): ScreenModel {
        val bundles = EmbeddedBundles(applicationContext.assets, filesDir, BitmapDecoder)
        return ScreenModel(bundles, RealModels, oneThread()).apply { start() }
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
        view<Button>(R.id.camera).setOnClickListener { if (camera == null) askForCamera() else stopCamera() }
        view<Button>(R.id.pick).setOnClickListener { pick() }
        view<Button>(R.id.benchmark).setOnClickListener { benchmark() }
        view<Spinner>(R.id.bundles).onItemSelectedListener =
            object : AdapterView.OnItemSelectedListener {
                override fun onItemSelected(
                    parent: AdapterView<*>?,
                    chosen: View?,
                    position: Int,
                    id: Long,
                ) = model.select(position)

                override fun onNothingSelected(parent: AdapterView<*>?) = Unit
            }
    }

    private fun askForCamera() {
        wantsCamera = checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED
        if (wantsCamera) openCamera() else requestPermissions(arrayOf(Manifest.permission.CAMERA), ASK)
    }

    private fun openCamera() {
        if (camera != null) return
        @Suppress("DEPRECATION") // Context.getDisplay came with Android 11
        val quarters = windowManager.defaultDisplay.rotation
        val manager = getSystemService(CameraManager::class.java)
        camera = Camera(manager, quarters, model::lookAtFrame) { runOnUiThread(::cameraFailed) }.apply { open() }
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
        camera?.close()
        camera = null
    }

    private fun pick() {
        stopCamera()
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
        try {
            @Suppress("DEPRECATION") // what takes its place is in androidx
            startActivityForResult(intent, PICK)
        } catch (_: ActivityNotFoundException) {
            model.look { throw IOException(getString(R.string.no_picker)) }
        }
    }

    /** Copied first: decoders of API 23 read EXIF from files alone, and a stream of another app's may be slow. */
    private fun read(picked: Uri): Rgb {
        val copy = File(cacheDir, "picked")
        try {
            val stream = contentResolver.openInputStream(picked) ?: throw FileNotFoundException("$picked")
            stream.use { source -> copy.outputStream().use { source.copyTo(it) } }
        } catch (problem: SecurityException) {
            throw IOException(problem)
        }
        return BitmapDecoder.decode(copy).also { copy.delete() }
    }

    private fun benchmark() {
        stopCamera()
        val file = File(getExternalFilesDir(null) ?: filesDir, "bench.json")
        val context = applicationContext
        model.benchmark(file) { bundle, target, progress -> writeBenchmark(context, bundle, Plan(), target, progress) }
    }

    private companion object {
        const val IDLE_SECONDS = 10L
        const val ASK = 1
        const val PICK = 2
        const val WANTS_CAMERA = "wants camera"
    }
}
