import AVFoundation
import CoreMedia
import CoreVideo
import Foundation
import MobileSDKDemoCore

/// One frame of the camera, upright, and when the app got it on `Engine.monotonicMs`'s clock.
struct CameraFrame: Sendable {
  let picture: RGBPicture
  let takenMs: Double
}

/// A camera that gives its newest frame to whoever is ready for one, and drops the others.
///
/// The session is set up, started and stopped on one queue, in the order in which that is asked for: a camera that is
/// stopped before it was open is closed all the same.
final class LiveCamera: NSObject, @unchecked Sendable {
  let session = AVCaptureSession()
  private let queue = DispatchQueue(label: "camera")
  private let output = AVCaptureVideoDataOutput()
  private var frames: AsyncStream<CameraFrame>.Continuation?  // of the queue alone

  /// Starts the camera of that side, and returns its frames; they end when the camera is stopped. Throws `DemoError`
  /// where there is no such camera.
  func start(_ position: AVCaptureDevice.Position) async throws -> AsyncStream<CameraFrame> {
    let (stream, continuation) = AsyncStream.makeStream(of: CameraFrame.self, bufferingPolicy: .bufferingNewest(1))
    return try await withCheckedThrowingContinuation { started in
      queue.async {
        do {
          try self.open(position)
          self.frames = continuation
          self.session.startRunning()
          started.resume(returning: stream)
        } catch {
          started.resume(throwing: error)
        }
      }
    }
  }

  func stop() {
    queue.async {
      self.session.stopRunning()
      self.frames?.finish()
      self.frames = nil
    }
  }

  /// Turns frames and preview by so many degrees, so that both are level with the horizon.
  func turn(by degrees: CGFloat) {
    queue.async {
      for connection in self.session.connections
      where connection.videoRotationAngle != degrees && connection.isVideoRotationAngleSupported(degrees) {
        connection.videoRotationAngle = degrees
      }
    }
  }

  static func device(_ position: AVCaptureDevice.Position) -> AVCaptureDevice? {
    AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: position)
  }

  private func open(_ position: AVCaptureDevice.Position) throws {
    guard let device = Self.device(position), let input = try? AVCaptureDeviceInput(device: device) else {
      throw DemoError("expected a camera, found none", hint: "choose a picture from the library")
    }
    session.beginConfiguration()
    defer { session.commitConfiguration() }
    for old in session.inputs { session.removeInput(old) }
    if session.canSetSessionPreset(.hd1280x720) { session.sessionPreset = .hd1280x720 }
    output.alwaysDiscardsLateVideoFrames = true
    output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
    output.setSampleBufferDelegate(self, queue: queue)
    guard session.canAddInput(input) else {
      throw DemoError("expected a free camera, found it in use", hint: "close the other app")
    }
    session.addInput(input)
    if session.outputs.isEmpty, session.canAddOutput(output) { session.addOutput(output) }
  }
}

extension LiveCamera: AVCaptureVideoDataOutputSampleBufferDelegate {
  func captureOutput(_ output: AVCaptureOutput, didOutput buffer: CMSampleBuffer, from connection: AVCaptureConnection)
  {
    let takenMs = Engine.monotonicMs()
    guard let pixels = CMSampleBufferGetImageBuffer(buffer), let picture = Self.rgb(of: pixels) else { return }
    frames?.yield(CameraFrame(picture: picture, takenMs: takenMs))
  }

  private static func rgb(of buffer: CVPixelBuffer) -> RGBPicture? {
    guard CVPixelBufferLockBaseAddress(buffer, .readOnly) == kCVReturnSuccess else { return nil }
    defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
    guard let base = CVPixelBufferGetBaseAddress(buffer) else { return nil }
    let layout = StoredPixels(
      width: CVPixelBufferGetWidth(buffer), height: CVPixelBufferGetHeight(buffer),
      bytesPerRow: CVPixelBufferGetBytesPerRow(buffer), bits: 8, components: [.blue, .green, .red, .unused])
    return layout.rgb(UnsafeRawBufferPointer(start: base, count: layout.bytesPerRow * layout.height))
  }
}
