import AVFoundation
import MobileSDKDemoCore
import PhotosUI
import SwiftUI

/// The ways to a picture. The library's picker needs no permission; the camera's is asked for when it is used. Models of
/// arrays have only the golden ones that their bundles bring.
struct PictureButtons: View {
  let model: DemoModel
  @State private var chosen: PhotosPickerItem?
  @State private var isCameraShown = false

  var body: some View {
    PhotosPicker("Choose a picture", selection: $chosen, matching: .images)
      .onChange(of: chosen) { _, item in
        guard let item else { return }
        chosen = nil
        Task { await recognize(item) }
      }
    Button("Use the golden picture") { model.recognizeGolden() }
    Button("Take a picture") { Task { await openCamera() } }
      .fullScreenCover(isPresented: $isCameraShown) {
        CameraView { picture in
          isCameraShown = false
          if let picture { model.recognize(picture) }
        }
      }
  }

  private func recognize(_ item: PhotosPickerItem) async {
    do {
      guard let picture = try await item.loadTransferable(type: Data.self) else {
        throw DemoError("expected a picture, found nothing to load", hint: "choose another picture")
      }
      model.recognize(picture)
    } catch {
      model.fail(error)
    }
  }

  private func openCamera() async {
    guard CameraView.isAvailable else {
      return model.fail(DemoError("expected a camera, found none", hint: "choose a picture from the library"))
    }
    guard await AVCaptureDevice.requestAccess(for: .video) else {
      return model.fail(DemoError("expected access to the camera, found it refused", hint: "allow it in Settings"))
    }
    isCameraShown = true
  }
}
