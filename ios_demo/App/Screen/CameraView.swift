import MobileSDKDemoCore
import SwiftUI
import UIKit

/// The system's own camera screen. It gives an encoded picture, as the library does, or nil where none was taken.
struct CameraView: UIViewControllerRepresentable {
  let onPicture: (Data?) -> Void

  static var isAvailable: Bool { UIImagePickerController.isSourceTypeAvailable(.camera) }

  func makeUIViewController(context: Context) -> UIImagePickerController {
    let controller = UIImagePickerController()
    controller.sourceType = .camera
    controller.delegate = context.coordinator
    return controller
  }

  func updateUIViewController(_ controller: UIImagePickerController, context: Context) {}

  func makeCoordinator() -> Coordinator { Coordinator(onPicture: onPicture) }

  @MainActor
  final class Coordinator: NSObject, UIImagePickerControllerDelegate, UINavigationControllerDelegate {
    private static let quality = 0.95  // of the JPEG that carries the orientation along

    private let onPicture: (Data?) -> Void

    init(onPicture: @escaping (Data?) -> Void) { self.onPicture = onPicture }

    func imagePickerController(
      _ picker: UIImagePickerController, didFinishPickingMediaWithInfo info: [UIImagePickerController.InfoKey: Any]
    ) {
      onPicture((info[.originalImage] as? UIImage)?.jpegData(compressionQuality: Self.quality))
    }

    func imagePickerControllerDidCancel(_ picker: UIImagePickerController) { onPicture(nil) }
  }
}
