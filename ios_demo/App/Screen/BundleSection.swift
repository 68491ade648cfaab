import MobileSDKDemoCore
import SwiftUI
import UniformTypeIdentifiers

/// Which bundle runs and how, those that were refused, and the way to a bundle from Files.
struct BundleSection: View {
  @Bindable var model: DemoModel
  @State private var isImporterShown = false

  var body: some View {
    Section("Model") {
      BundlePicker(model: model).disabled(model.state.isBusy)
      if let note = model.state.selected?.manifest.processorsNote { Text(note).foregroundStyle(.secondary) }
      ForEach(model.state.refused) { item in RefusedBundleRow(item: item) }
      Button("Open a bundle from Files") { isImporterShown = true }
        .disabled(model.state.isBusy)
        .fileImporter(isPresented: $isImporterShown, allowedContentTypes: [.folder]) { chosen in
          Task { await model.add(chosen) }
        }
    }
  }
}

/// Which bundle runs; for Core ML on which processors, for ExecuTorch with how many threads.
struct BundlePicker: View {
  private static let threads = [1, 2, 4, 6]

  @Bindable var model: DemoModel

  var body: some View {
    let state = model.state
    Picker("Bundle", selection: $model.selectedName) {
      ForEach(state.openedBundles, id: \.name) { bundle in Text(bundle.name).tag(bundle.name) }
    }
    if state.offersComputeUnits {
      Picker("Processors", selection: $model.computeUnits) {
        ForEach(ComputeUnits.allCases) { units in Text(units.title).tag(units) }
      }
    }
    if state.offersThreads {
      Picker("Threads", selection: $model.threads) {
        ForEach(Self.threads, id: \.self) { count in Text("\(count)").tag(count) }
      }
    }
  }
}

/// A bundle that was not opened, with the reason: a damaged model is a line on the screen and never a crash.
private struct RefusedBundleRow: View {
  let item: BundleItem

  var body: some View {
    VStack(alignment: .leading) {
      Text("\(item.name) was not opened").foregroundStyle(.red)
      Text(item.refusal?.text ?? "")
      Text(item.refusal?.hint ?? "").foregroundStyle(.secondary)
    }
    .accessibilityElement(children: .combine)
  }
}
