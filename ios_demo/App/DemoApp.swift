import SwiftUI

@main
struct DemoApp: App {
  @State private var model = DemoModel()

  var body: some Scene {
    WindowGroup {
      DemoView(model: model)
        .task { await model.openBundles() }
        .onOpenURL { url in Task { await model.open(url) } }
    }
  }
}
