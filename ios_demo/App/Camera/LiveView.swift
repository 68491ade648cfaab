import AVFoundation
import MobileSDKDemoCore
import SwiftUI

/// The camera with the model's answers over it, how many frames a second are answered, and how long one takes.
struct LiveView: View {
  @Bindable var model: DemoModel
  let onClose: () -> Void
  @State private var camera = LiveCamera()
  @State private var position = AVCaptureDevice.Position.back

  var body: some View {
    VStack(alignment: .leading) {
      HStack {
        Button("Close") { onClose() }
        Spacer()
        Button("Switch camera") { position = position == .back ? .front : .back }
      }
      BundlePicker(model: model)
      CameraPreview(session: camera.session)
        .aspectRatio(model.state.live.map { CGFloat($0.answer.aspect) }, contentMode: .fit)
        .overlay { if let live = model.state.live { LiveOverlay(answer: live.answer) } }
        .accessibilityLabel("What the camera sees")
      if let live = model.state.live { LiveFigures(live: live) }
    }
    .padding(12)
    .task(id: run) { await model.answerFrames(of: camera, position) }
    .onDisappear { camera.stop() }
  }

  /// What the frames are answered with: another choice starts anew.
  private var run: LiveRun {
    LiveRun(bundle: model.selectedName, settings: model.state.settings, isFront: position == .front)
  }
}

private struct LiveRun: Equatable {
  let bundle: String
  let settings: RunSettings
  let isFront: Bool
}

/// The part of the frame that the model reads, and what it found in there.
private struct LiveOverlay: View {
  let answer: LiveAnswer

  var body: some View {
    GeometryReader { geometry in
      let area = answer.area.scaled(geometry.size.width, geometry.size.height)
      Rectangle()
        .stroke(Color.white, lineWidth: 1)
        .overlay { AnswerOverlay(answer: answer.answer) }
        .frame(width: area.width, height: area.height)
        .offset(x: area.left, y: area.top)
    }
  }
}

/// The best labels or things of the last frame, and the times.
private struct LiveFigures: View {
  private static let shown = 3

  let live: LiveFrame

  var body: some View {
    ForEach(live.answer.answer.shares.prefix(Self.shown)) { each in
      Text("\(each.label) \(each.share.formatted(.percent.precision(.fractionLength(0))))")
    }
    let rate = live.meter.perSecond.map { "\($0.formatted(.number.precision(.fractionLength(0)))) frames/s, " } ?? ""
    let latency = live.meter.latencyMs.map { "camera to answer \(words($0)) ms, " } ?? ""
    Text("\(rate)\(latency)model \(words(live.answer.modelMs)) ms").font(.caption)
  }

  private func words(_ ms: Double) -> String { ms.formatted(.number.precision(.fractionLength(1))) }
}
