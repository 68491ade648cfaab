package mobilesdk.demo.camera

import android.annotation.SuppressLint
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.media.Image
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.util.Size
import android.view.Surface
import mobilesdk.runtime.picture.FrameReader
import mobilesdk.runtime.picture.Plane
import mobilesdk.runtime.picture.Rgb

/** What is told of a camera, on its own thread. */
interface CameraListener {
    /** The preview will be seen: its sides as they stand in the phone's natural way, and whether it is mirrored. */
    fun opened(
        natural: Sides,
        mirrored: Boolean,
    )

    /** A frame is there; [read] reads it upright, valid until this returns. */
    fun frame(read: () -> Rgb)

    /** There is no camera, or it was taken away. */
    fun failed()
}

/**
 * The back camera, or any where there is none: a preview on [preview], and frames for the model, on a thread of its own.
 *
 * Android's camera2 itself: a library would do no more for one preview, and the app stays free of others' code.
 * [displayQuarters] is how far the display is turned; it may change while the camera is open.
 */
class Camera(
    private val manager: CameraManager,
    private val preview: SurfaceTexture,
    @Volatile var displayQuarters: Int,
    private val listener: CameraListener,
) : AutoCloseable {
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private val lease = DeviceLease<CameraDevice>({ it.close() }, ::end)
    private val frameReader = FrameReader()
    private var reader: ImageReader? = null
    private var screen: Surface? = null

    /** Begins; needs the permission. */
    fun open() =
        handler.post {
            attempt {
                val id = manager.cameraIdList.minByOrNull { if (isBack(it)) 0 else 1 }
                if (id == null) fail(null) else openCamera(id)
            }
        }

    override fun close() {
        handler.post { lease.close() }
    }

    /** The looper goes on until the camera has come and gone: one that came after it would stay open. */
    private fun end() {
        reader?.close()
        screen?.release()
        thread.quitSafely()
    }

    /** A camera may go away, or be forbidden, at any time. */
    private fun attempt(action: () -> Unit) {
        try {
            action()
        } catch (_: CameraAccessException) {
            fail(null)
        } catch (_: SecurityException) {
            fail(null)
        } catch (_: IllegalArgumentException) {
            fail(null)
        } catch (_: IllegalStateException) {
            fail(null)
        }
    }

    private fun fail(device: CameraDevice?) {
        val isWanted = lease.isWanted
        lease.lose(device)
        if (isWanted) listener.failed()
    }

    private fun isBack(id: String) = facing(id) == CameraCharacteristics.LENS_FACING_BACK

    private fun facing(id: String): Int? = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING)

    @SuppressLint("MissingPermission")
    private fun openCamera(id: String) {
        val isFront = facing(id) == CameraCharacteristics.LENS_FACING_FRONT
        val sensor = manager.getCameraCharacteristics(id).get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
        val sensorQuarters = sensor / DEGREES_PER_QUARTER
        val sizes = sizes(id)
        if (sizes == null) return fail(null)
        val (frame, shown) = sizes
        preview.setDefaultBufferSize(shown.width, shown.height)
        val frames = ImageReader.newInstance(frame.width, frame.height, ImageFormat.YUV_420_888, IMAGES)
        val surface = Surface(preview)
        reader = frames
        screen = surface
        frames.setOnImageAvailableListener({ source ->
            source.acquireLatestImage()?.use { image ->
                val turn = sensorQuarters + if (isFront) displayQuarters else -displayQuarters
                listener.frame { read(image, turn) }
            }
        }, handler)
        listener.opened(shown.turned(sensorQuarters), isFront)
        if (lease.await()) manager.openCamera(id, Opened(listOf(surface, frames.surface)), handler)
    }

    private fun sizes(id: String): CameraSizes? {
        val map = manager.getCameraCharacteristics(id).get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
        val frames = map?.getOutputSizes(ImageFormat.YUV_420_888)
        return chooseSizes(sides(frames), sides(map?.getOutputSizes(SurfaceTexture::class.java)))
    }

    private fun sides(sizes: Array<Size>?): List<Sides> = sizes.orEmpty().map { Sides(it.width, it.height) }

    private fun read(
        image: Image,
        turn: Int,
    ): Rgb {
        val planes = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
        return frameReader.read(image.width, image.height, planes, turn)
    }

    private inner class Opened(
        private val surfaces: List<Surface>,
    ) : CameraDevice.StateCallback() {
        @Suppress("DEPRECATION") // what takes its place came with Android 9
        override fun onOpened(camera: CameraDevice) {
            if (lease.take(camera)) {
                attempt { camera.createCaptureSession(surfaces, Configured(surfaces), handler) }
            }
        }

        override fun onDisconnected(camera: CameraDevice) = fail(camera)

        override fun onError(
            camera: CameraDevice,
            error: Int,
        ) = fail(camera)
    }

    private inner class Configured(
        private val surfaces: List<Surface>,
    ) : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) =
            attempt {
                val request = session.device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                surfaces.forEach(request::addTarget)
                request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
                session.setRepeatingRequest(request.build(), null, handler)
            }

        override fun onConfigureFailed(session: CameraCaptureSession) = fail(null)
    }

    private companion object {
        const val DEGREES_PER_QUARTER = 90
        const val IMAGES = 2 // one that is read, and the newest
    }
}
