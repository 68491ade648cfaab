import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct StateTests {
  @Test func openingSelectsTheFirstBundleAndKeepsTheRefusedOnes() async throws {
    let state = try await opened()
    #expect(state.activity == .idle)
    #expect(state.selectedName == state.openedBundles.first?.name)
    #expect(state.refused.isEmpty)
    let damaged = await engine().bundles(in: Fixtures.folder.appendingPathComponent("damaged"))
    let other = DemoState().after(.bundlesOpened(damaged))
    #expect(other.selected == nil && other.refused.count == damaged.count)
    #expect(other.refused.allSatisfy { $0.refusal?.hint.isEmpty == false })
  }

  @Test func anEventLeavesTheOldStateAsItWas() throws {
    let before = DemoState()
    let after = before.after(.started(.recognizing))
    #expect(before == DemoState())
    #expect(after.isBusy && after.activity == .recognizing)
  }

  @Test func anotherBundleOrProcessorForgetsWhatTheLastOneSaid() throws {
    let picture = RGBPicture(width: 1, height: 1, bytes: [0, 0, 0])
    let found = Recognition(
      bundle: "a", picture: picture, answer: Answer(shares: []), latencyMs: 1, latencyRuns: 3, endToEndMs: 2,
      computesOn: "CPU", threads: nil,
      golden: GoldenReplay(pictures: 1, agreeing: 1, outputs: []))
    let state = DemoState().after(.recognized(found))
    #expect(state.recognition == found)
    #expect(state.after(.bundleSelected("b")).recognition == nil)
    #expect(state.after(.computeUnitsSelected(.cpuOnly)).recognition == nil)
    #expect(state.after(.threadsSelected(2)).recognition == nil)
    #expect(state.after(.threadsSelected(2)).settings == RunSettings(computeUnits: .all, threads: 2))
  }

  @Test func onlyAModelForTheNeuralEngineOffersAChoiceOfProcessors() async throws {
    let state = try await opened()
    #expect(state.after(.bundleSelected("test-neural-engine.coreml")).offersComputeUnits)
    #expect(!state.after(.bundleSelected("test.coreml")).offersComputeUnits)
    #expect(ComputeUnits.all.within(["cpu"]) == .cpuOnly)
    #expect(ComputeUnits.cpuAndGPU.within(["cpu", "gpu", "npu"]) == .cpuAndGPU)
    #expect(!state.after(.bundleSelected("test.executorch")).offersComputeUnits)
    #expect(!state.after(.bundleSelected("no such bundle")).offersComputeUnits)
    #expect(state.after(.bundleSelected("test.executorch")).offersThreads)
    #expect(!state.after(.bundleSelected("test.coreml")).offersThreads)
  }

  @Test func aFailureIsAMessageUntilItIsDismissed() throws {
    let failed = DemoState().after(.failed(Message(DemoError("expected a picture", hint: "choose another"))))
    #expect(failed.message?.text == "expected a picture" && failed.message?.hint == "choose another")
    #expect(failed.activity == .idle)
    #expect(failed.after(.messageDismissed).message == nil)
    #expect(failed.after(.started(.recognizing)).message == nil)
  }

  @Test func whatAFormCanUseIsSaidInWords() async throws {
    let state = try await opened()
    func note(_ name: String) -> String? { state.after(.bundleSelected(name)).selected?.manifest.processorsNote }
    #expect(note("test.coreml")?.contains("runs on the CPU") == true)
    #expect(note("test-neural-engine.coreml")?.contains("for the Neural Engine") == true)
    #expect(note("test.executorch")?.contains("XNNPACK") == true)
  }

  @Test func theRateAndTheLatencyAreThoseOfTheLastFrames() {
    var meter = FrameMeter()
    #expect(meter.perSecond == nil && meter.latencyMs == nil)
    for frame in 0..<100 { meter.add(takenMs: Double(frame) * 50 - 30, answeredMs: Double(frame) * 50) }
    #expect(meter.perSecond == 20 && meter.latencyMs == 30)
    meter.add(takenMs: 10_000, answeredMs: 10_100)
    #expect(meter.perSecond == nil && meter.latencyMs == 100)
  }

  @Test func everyErrorHasWordsForTheScreen() {
    let refusal = Message(BundleRefusal(.hash, "expected another"))
    #expect(refusal.text == "hash: expected another" && !refusal.hint.isEmpty)
    let foreign = Message(CocoaError(.fileNoSuchFile))
    #expect(!foreign.text.isEmpty && !foreign.hint.isEmpty)
  }

  private func opened() async throws -> DemoState {
    DemoState().after(.bundlesOpened(await engine().bundles(in: Fixtures.folder.appendingPathComponent("bundles"))))
  }

  private func engine() -> Engine {
    Engine(decode: PNG.decode, load: { _, _ in throw DemoError("nothing is loaded here", hint: "load nothing") })
  }
}
