import AVFoundation
import SwiftUI
import UIKit

/// What the camera sees, drawn by the system, whole.
struct CameraPreview: UIViewRepresentable {
  let session: AVCaptureSession

  func makeUIView(context: Context) -> PreviewSurface {
    let surface = PreviewSurface()
    surface.preview?.session = session
    surface.preview?.videoGravity = .resizeAspect
    return surface
  }

  func updateUIView(_ surface: PreviewSurface, context: Context) {}
}

/// A view whose layer is the preview.
final class PreviewSurface: UIView {
  override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

  var preview: AVCaptureVideoPreviewLayer? { layer as? AVCaptureVideoPreviewLayer }
}
