import SwiftUI

@main
struct DemoApp: App {
  @State private var model = DemoModel()
  @Environment(\.scenePhase) private var phase

  var body: some Scene {
    WindowGroup {
      DemoView(model: model)
        .task { await model.openBundles() }
        .onOpenURL { url in Task { await model.open(url) } }
        .onChange(of: phase) { _, now in if now == .background { model.leaveTheScreen() } }
    }
  }
}
