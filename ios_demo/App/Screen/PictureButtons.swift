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
  @State private var isLiveShown = false

  var body: some View {
    PhotosPicker("Choose a picture", selection: $chosen, matching: .images)
      .onChange(of: chosen) { _, item in
        guard let item else { return }
        chosen = nil
        Task { await recognize(item) }
      }
    Button("Use the sample that the bundle brings") { model.recognizeGolden() }
    Button("Take a picture") { Task { isCameraShown = await mayUseCamera() } }
      .fullScreenCover(isPresented: $isCameraShown) {
        CameraView { picture in
          isCameraShown = false
          if let picture { model.recognize(picture) }
        }
        .ignoresSafeArea()
      }
    Button("Live camera") { Task { isLiveShown = await mayUseCamera() } }
      .disabled(!model.state.readsPictures)
      .fullScreenCover(isPresented: $isLiveShown) {
        LiveView(model: model, onClose: { isLiveShown = false })
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

  /// Says what is missing where it may not be used.
  private func mayUseCamera() async -> Bool {
    guard CameraView.isAvailable else {
      model.fail(DemoError("expected a camera, found none", hint: "choose a picture from the library"))
      return false
    }
    guard await AVCaptureDevice.requestAccess(for: .video) else {
      model.fail(DemoError("expected access to the camera, found it refused", hint: "allow it in Settings"))
      return false
    }
    return true
  }
}
