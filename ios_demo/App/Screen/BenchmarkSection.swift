import MobileSDKDemoCore
import SwiftUI

/// Measures every bundle that opened; what is shown stands, with every sample, in Documents/bench.json.
struct BenchmarkSection: View {
  let model: DemoModel

  var body: some View {
    let state = model.state
    Section("Benchmark") {
      if case .benchmarking(let doneShare, let text) = state.activity {
        ProgressView(text, value: doneShare)
        Button("Stop", role: .cancel) { model.stop() }
      } else {
        Button("Measure all bundles") { model.benchmark() }
          .disabled(state.isBusy || state.openedBundles.isEmpty)
      }
      LatencyChart(bars: state.benchmarkBars)
      ForEach(state.benchmarkLines, id: \.self) { line in Text(line) }
      if !state.benchmarkLines.isEmpty { ShareLink(item: state.benchmarkLines.joined(separator: "\n")) }
    }
  }
}

/// A bar a bundle: the median whole, up to the 90th percentile pale.
private struct LatencyChart: View {
  let bars: [LatencyBar]

  var body: some View {
    let longest = bars.map(\.p90Ms).max() ?? 1
    ForEach(bars) { bar in
      VStack(alignment: .leading) {
        Text("\(bar.bundle): p50 \(words(bar.medianMs)) ms, p90 \(words(bar.p90Ms)) ms").font(.caption)
        GeometryReader { geometry in
          Rectangle().fill(Color.blue.opacity(0.3)).frame(width: geometry.size.width * bar.p90Ms / longest, height: 12)
          Rectangle().fill(Color.blue).frame(width: geometry.size.width * bar.medianMs / longest, height: 12)
        }
        .frame(width: nil, height: 12)
      }
      .accessibilityElement(children: .combine)
    }
  }

  private func words(_ ms: Double) -> String { ms.formatted(.number.precision(.fractionLength(2))) }
}
