import MobileSDKDemoCore
import SwiftUI

/// The one screen: which model, on what, with which picture, and what came of it. The README says why each part is here.
struct DemoView: View {
  @Bindable var model: DemoModel

  private var state: DemoState { model.state }

  var body: some View {
    NavigationStack {
      List {
        BundleSection(model: model)
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

/// The picture with the answer, in words too, what it took, where it ran, and whether it gives the golden outputs here.
private struct RecognitionSection: View {
  let recognition: Recognition

  var body: some View {
    Section("Prediction") {
      AnswerPicture(recognition: recognition)
      let answer = recognition.answer
      if answer.shares.isEmpty && answer.features.isEmpty { Text("Nothing found") }
      ForEach(answer.features) { each in FeatureRow(feature: each) }
      ForEach(answer.shares) { each in ShareRow(share: each, isColored: answer.isPlaced) }
      LabeledContent(
        "Model alone", value: "\(words(recognition.latencyMs)) ms, median of \(recognition.latencyRuns) runs")
      LabeledContent("Picture to answer", value: "\(words(recognition.endToEndMs)) ms")
      LabeledContent("Ran on", value: "\(recognition.computesOn), \(threads)")
      Text(recognition.golden.text)
      if !answer.shares.isEmpty { ShareLink(item: shared) }
    }
  }

  private var threads: String {
    recognition.threads.map { "threads: \($0)" } ?? "threads: the runtime's own choice"
  }

  /// The answer in words, as another app gets it.
  private var shared: String {
    let lines = recognition.answer.shares.map { each in
      "\(each.label) \(each.share.formatted(.percent.precision(.fractionLength(1))))"
    }
    return ([recognition.bundle] + lines).joined(separator: "\n")
  }

  private func words(_ ms: Double) -> String { ms.formatted(.number.precision(.fractionLength(2))) }
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
