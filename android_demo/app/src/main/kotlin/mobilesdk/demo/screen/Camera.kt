package mobilesdk.demo.screen

import android.annotation.SuppressLint
import android.graphics.ImageFormat
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
import mobilesdk.demo.picture.Plane
import mobilesdk.demo.picture.Rgb
import mobilesdk.demo.picture.rgbOf

/**
 * Frames of the back camera, or of any where there is none, upright, one after the other on a thread of its own.
 *
 * [onFrame] gets a function that reads the frame, valid until it returns; [onFailure] is told once where there is no
 * camera, or it is taken away.
 */
class Camera(
    private val manager: CameraManager,
    private val displayQuarters: Int,
    private val onFrame: (() -> Rgb) -> Unit,
    private val onFailure: () -> Unit,
) : AutoCloseable {
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private var device: CameraDevice? = null
    private var reader: ImageReader? = null

    /** Begins; needs the permission. */
    @SuppressLint("MissingPermission")
    fun open() =
        handler.post {
            try {
                val id = manager.cameraIdList.minByOrNull { if (isBack(it)) 0 else 1 }
                if (id == null) onFailure() else openCamera(id)
            } catch (_: CameraAccessException) {
                onFailure()
            } catch (_: SecurityException) {
                onFailure()
            } catch (_: IllegalArgumentException) {
                onFailure() // a camera that went away while it was asked for
            }
        }

    override fun close() {
        handler.post {
            device?.close()
            reader?.close()
            thread.quitSafely()
        }
    }

    private fun isBack(id: String) = facing(id) == CameraCharacteristics.LENS_FACING_BACK

    private fun facing(id: String): Int? = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING)

    @SuppressLint("MissingPermission")
    private fun openCamera(id: String) {
        val turn = quarters(id)
        val size = size(id)
        val frames = ImageReader.newInstance(size.width, size.height, ImageFormat.YUV_420_888, 2)
        reader = frames
        frames.setOnImageAvailableListener({
            it.acquireLatestImage()?.use { image ->
                onFrame { read(image, turn) }
            }
        }, handler)
        manager.openCamera(id, Opened(frames), handler)
    }

    /** How often a frame is turned, clockwise, to stand as the phone is held. */
    private fun quarters(id: String): Int {
        val sensor = manager.getCameraCharacteristics(id).get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
        val front = facing(id) == CameraCharacteristics.LENS_FACING_FRONT
        return sensor / DEGREES_PER_QUARTER + if (front) displayQuarters else -displayQuarters
    }

    /** The smallest frames of a television's size or more: nets read less, and larger ones cost time to convert. */
    private fun size(id: String): Size {
        val map = manager.getCameraCharacteristics(id).get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
        val sizes = map?.getOutputSizes(ImageFormat.YUV_420_888).orEmpty().sortedBy { it.width * it.height }
        return sizes.find { minOf(it.width, it.height) >= FRAME_ROWS } ?: sizes.last()
    }

    private fun read(
        image: Image,
        turn: Int,
    ): Rgb {
        val (y, u, v) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
        return rgbOf(image.width, image.height, y, u, v).turned(turn)
    }

    private inner class Opened(
        private val frames: ImageReader,
    ) : CameraDevice.StateCallback() {
        @Suppress("DEPRECATION") // what takes its place came with Android 9
        override fun onOpened(camera: CameraDevice) {
            device = camera
            try {
                camera.createCaptureSession(listOf(frames.surface), Configured(frames), handler)
            } catch (_: CameraAccessException) {
                onFailure()
            }
        }

        override fun onDisconnected(camera: CameraDevice) = failed(camera)

        override fun onError(
            camera: CameraDevice,
            error: Int,
        ) = failed(camera)

        private fun failed(camera: CameraDevice) {
            camera.close()
            onFailure()
        }
    }

    private inner class Configured(
        private val frames: ImageReader,
    ) : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            try {
                val request = session.device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                request.addTarget(frames.surface)
                request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
                session.setRepeatingRequest(request.build(), null, handler)
            } catch (_: CameraAccessException) {
                onFailure()
            } catch (_: IllegalStateException) {
                onFailure() // closed meanwhile
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) = onFailure()
    }

    private companion object {
        const val DEGREES_PER_QUARTER = 90
        const val FRAME_ROWS = 480
    }
}
