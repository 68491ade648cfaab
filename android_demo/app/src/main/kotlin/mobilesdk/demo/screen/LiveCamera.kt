package mobilesdk.demo.screen

import android.graphics.Matrix
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraManager
import android.hardware.display.DisplayManager
import android.os.Handler
import android.os.Looper
import android.view.Surface
import android.view.TextureView
import mobilesdk.demo.camera.Camera
import mobilesdk.demo.camera.CameraListener
import mobilesdk.demo.camera.Sides
import mobilesdk.demo.camera.previewCorners
import mobilesdk.runtime.picture.Rgb

/**
 * The camera and its preview on [view], which it keeps upright while the display turns.
 *
 * [onFrame] gets a function that reads a frame, on the camera's thread; [onFailure] is told on the main one.
 */
class LiveCamera(
    private val view: TextureView,
    private val onFrame: (() -> Rgb) -> Unit,
    private val onFailure: () -> Unit,
) : TextureView.SurfaceTextureListener,
    DisplayManager.DisplayListener {
    private val main = Handler(Looper.getMainLooper())
    private val displays = view.context.getSystemService(DisplayManager::class.java)
    private var camera: Camera? = null
    private var natural: Sides? = null // how the preview stands where the display is not turned
    private var isMirrored = false

    var isOn = false
        private set

    init {
        view.surfaceTextureListener = this
    }

    fun open() {
        if (isOn) return
        isOn = true
        displays.registerDisplayListener(this, main)
        view.surfaceTexture?.let(::begin)
    }

    fun close() {
        if (!isOn) return
        isOn = false
        displays.unregisterDisplayListener(this)
        camera?.close()
        camera = null
        natural = null
    }

    private fun begin(preview: SurfaceTexture) {
        val manager = view.context.getSystemService(CameraManager::class.java)
        camera = Camera(manager, preview, quarters(), Listener()).apply { open() }
    }

    /** Landscape and its reverse make no new activity: only the display's listener hears of that turn. */
    private fun turn() {
        val quarters = quarters()
        camera?.displayQuarters = quarters
        val upright = natural?.turned(quarters) ?: return
        val seen = Sides(view.width, view.height)
        val (width, height) = seen.width.toFloat() to seen.height.toFloat()
        val corners = floatArrayOf(0f, 0f, width, 0f, width, height, 0f, height)
        val matrix = Matrix()
        matrix.setPolyToPoly(corners, 0, previewCorners(seen, upright, quarters, isMirrored), 0, corners.size / 2)
        view.setTransform(matrix)
    }

    private fun quarters(): Int = view.display?.rotation ?: Surface.ROTATION_0

    private inner class Listener : CameraListener {
        override fun opened(
            natural: Sides,
            mirrored: Boolean,
        ) {
            main.post {
                this@LiveCamera.natural = natural
                isMirrored = mirrored
                turn()
            }
        }

        override fun frame(read: () -> Rgb) = onFrame(read)

        override fun failed() {
            main.post(onFailure)
        }
    }

    override fun onDisplayChanged(displayId: Int) = turn()

    override fun onDisplayAdded(displayId: Int) = Unit

    override fun onDisplayRemoved(displayId: Int) = Unit

    override fun onSurfaceTextureAvailable(
        texture: SurfaceTexture,
        width: Int,
        height: Int,
    ) {
        if (isOn && camera == null) begin(texture)
    }

    override fun onSurfaceTextureSizeChanged(
        texture: SurfaceTexture,
        width: Int,
        height: Int,
    ) = turn()

    override fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean {
        close()
        return true
    }

    override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit
}
