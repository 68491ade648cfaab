import MobileSDKDemoCore
import SwiftUI

/// The one screen: which model, on what, with which picture, and what came of it. The README says why each part is here.
struct DemoView: View {
  @Bindable var model: DemoModel

  private var state: DemoState { model.state }

  var body: some View {
    NavigationStack {
      List {
        Section("Model") {
          BundlePicker(model: model)
          ForEach(state.refused) { item in RefusedBundleRow(item: item) }
        }
        Section("Picture") { PictureButtons(model: model).disabled(state.isBusy || state.selected == nil) }
        if let recognition = state.recognition { RecognitionSection(recognition: recognition) }
        BenchmarkSection(model: model)
      }
      .navigationTitle("Mobile SDK demo")
      .overlay { if state.activity == .opening || state.activity == .recognizing { ProgressView() } }
      .alert(state.message?.text ?? "", isPresented: $model.isMessageShown) {
        Button("OK") { model.isMessageShown = false }
      } message: {
        Text(state.message?.hint ?? "")
      }
    }
  }
}

/// Which bundle runs, and for Core ML on which processors.
private struct BundlePicker: View {
  @Bindable var model: DemoModel

  var body: some View {
    let state = model.state
    Picker("Bundle", selection: $model.selectedName) {
      ForEach(state.openedBundles, id: \.name) { bundle in Text(bundle.name).tag(bundle.name) }
    }
    .disabled(state.isBusy)
    if state.offersComputeUnits {
      Picker("Processors", selection: $model.computeUnits) {
        ForEach(ComputeUnits.allCases) { units in Text(units.title).tag(units) }
      }
      .disabled(state.isBusy)
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

/// The picture with the answer, in words too, the time of the model alone, where it ran, and whether it gives the golden
/// outputs here.
private struct RecognitionSection: View {
  let recognition: Recognition

  var body: some View {
    Section("Prediction") {
      AnswerPicture(recognition: recognition)
      let answer = recognition.answer
      if answer.shares.isEmpty && answer.features.isEmpty { Text("Nothing found") }
      ForEach(answer.features) { each in FeatureRow(feature: each) }
      ForEach(answer.shares) { each in ShareRow(share: each, isColored: answer.isPlaced) }
      LabeledContent("Latency", value: "\(recognition.latencyMs.formatted(.number.precision(.fractionLength(2)))) ms")
      LabeledContent("Ran on", value: recognition.computesOn)
      Text(recognition.golden.text)
    }
  }
}

/// A label with its share, and with the colour that it has in the picture, where it has a place there.
private struct ShareRow: View {
  let share: LabelShare
  let isColored: Bool

  var body: some View {
    HStack {
      if isColored { Circle().fill(Color(LabelColor(labelIndex: share.labelIndex))).frame(width: 12, height: 12) }
      Text(share.label)
      Spacer()
      Text(share.share, format: .percent.precision(.fractionLength(1)))
    }
    .accessibilityElement(children: .combine)
  }
}

/// One output of a model without labels: its name and shape, its range and mean, and its first values.
private struct FeatureRow: View {
  private static let first = 5

  let feature: NamedArray

  var body: some View {
    let values = feature.values.prefix(Self.first).map(words).joined(separator: "  ")
    VStack(alignment: .leading) {
      Text("\(feature.name)  \(feature.shape.map(String.init).joined(separator: " × "))")
      Text("\(words(feature.least)) to \(words(feature.greatest)), mean \(words(feature.mean))")
      Text(feature.values.count > Self.first ? "\(values)  …" : values).foregroundStyle(.secondary)
    }
    .accessibilityElement(children: .combine)
  }

  private func words(_ value: Double) -> String { value.formatted(.number.precision(.significantDigits(4))) }
}

/// Measures every bundle that opened; what is shown stands, with every sample, in Documents/bench.json.
private struct BenchmarkSection: View {
  let model: DemoModel

  var body: some View {
    let state = model.state
    Section("Benchmark") {
      if case .benchmarking(let doneShare, let text) = state.activity {
        ProgressView(text, value: doneShare)
        Button("Stop", role: .cancel) { model.stop() }
      } else {
        Button("Measure all bundles") { model.benchmark(state.openedBundles, on: state.computeUnits) }
          .disabled(state.isBusy || state.openedBundles.isEmpty)
      }
      ForEach(state.benchmarkLines, id: \.self) { line in Text(line) }
    }
  }
}
