/// A finished benchmark as `bench.json`: the schema of `mobile-sdk bench` (`Numbers` in mobile_sdk/benchmarking/measurements.py).
public struct BenchmarkReport: Equatable, Sendable {
  public let json: JSONValue
  /// A line for each bundle: its median, or why there is none.
  public let lines: [String]
  /// The medians and 90th percentiles of the bundles that were measured.
  public let bars: [LatencyBar]

  init(
    _ benchmark: Benchmark, of bundles: [ModelBundle], before: DeviceSnapshot, after: DeviceSnapshot, date: String,
    settings: RunSettings
  ) {
    let series = Dictionary(uniqueKeysWithValues: benchmark.series.map { ($0.bundle.name, $0) })
    let measured = bundles.map { ($0, series[$0.name], benchmark.notRun[$0.name] ?? "it was not loaded") }
    lines = measured.map(Self.line)
    bars = benchmark.series.compactMap(LatencyBar.init)
    json = .object([
      "schema_number": .integer(1),
      "device": .string("ios:\(before.machine)"),
      "environment": Self.environment(before, date, benchmark.series, settings),
      "load_average_before": .null,
      "load_average_after": .null,
      "plan": Self.plan(benchmark.plan, settings),
      "measurements": .array(
        measured.map { bundle, series, notRun in
          Self.measurement(bundle, series, notRun, Self.advice(series, settings, [before, after]))
        }),
      "comparisons": .array([]),
      "state_before": Self.state(before),
      "state_after": Self.state(after),
      "stopped": .null,
    ])
  }

  private static func line(_ bundle: ModelBundle, _ series: BenchmarkSeries?, _ notRun: String) -> String {
    guard let series, let summary = Summary(rounds: series.roundsMs) else { return "\(bundle.name): \(notRun)" }
    let whole =
      series.endToEndMs.isEmpty ? "" : ", end to end \(rounded(Quantile.of(series.endToEndMs.sorted(), 0.5))) ms"
    let runs = "\(summary.count) runs on \(series.model.computesOn)"
    return "\(bundle.name): median \(rounded(summary.medianMs)) ms\(whole), \(runs); \(series.golden.text)"
  }

  private static func rounded(_ ms: Double) -> Double { (ms * 1000).rounded() / 1000 }

  /// Why a bundle's times support no verdict; nil where nothing speaks against one.
  private static func advice(_ series: BenchmarkSeries?, _ settings: RunSettings, _ states: [DeviceSnapshot]) -> String?
  {
    guard let series else { return nil }
    if !series.golden.agrees { return series.golden.text }
    if let reservation = states.compactMap(\.reservation).first { return reservation }
    guard series.bundle.manifest.runtime == .execuTorch, series.model.threads != settings.threads else { return nil }
    let found = series.model.threads.map { "\($0)" } ?? "the runtime's own choice"
    return "\(settings.threads) threads could not be set, found \(found): measure with those that it has"
  }

  private static func measurement(
    _ bundle: ModelBundle, _ series: BenchmarkSeries?, _ notRun: String, _ advice: String?
  ) -> JSONValue {
    let isMeasured = series.flatMap { Summary(rounds: $0.roundsMs) } != nil
    return .object([
      "bundle": .string(bundle.name),
      "name": .string(bundle.manifest.name),
      "runtime": .string(bundle.manifest.runtime.rawValue),
      "precision": .string(bundle.manifest.precision),
      "model_bytes": .integer(bundle.manifest.modelBytes),
      "samples": series.map(samples) ?? .null,
      "summary": .null,  // made of the samples where the file is read
      "advice": JSONValue(advice),
      "not_run": JSONValue(isMeasured ? nil : notRun),
      "verdict": .null,
      "reason": .null,
    ])
  }

  private static func samples(_ series: BenchmarkSeries) -> JSONValue {
    .object([
      "load_ms": .number(series.loadMs),
      "load_parts_ms": .object(series.model.loadPartsMs.mapValues(JSONValue.number)),
      "first_run_ms": .number(series.firstRunMs),
      "warm_up_ms": JSONValue(series.warmUpMs),
      "rewarm_ms": JSONValue(series.rewarmMs),
      "rounds_ms": .array(series.roundsMs.map { JSONValue($0) }),
      "end_to_end_ms": JSONValue(series.endToEndMs),
      "peak_mib": JSONValue(series.peakMiB),
      "seconds": .number(series.seconds),
      "cores": .array([]),
    ])
  }

  private static func plan(_ plan: BenchmarkPlan, _ settings: RunSettings) -> JSONValue {
    .object([
      "threads": .integer(settings.threads), "min_runs": .integer(plan.minRuns),
      "min_seconds": .number(plan.minSeconds), "quick": .bool(plan.isQuick),
      "enough_seconds": plan.enoughSeconds > 0 ? .number(plan.enoughSeconds) : .null, "max_ms": .null,
    ])
  }

  /// No Python measured, so `python` is null. What each bundle ran on, and with how many threads, stands with the
  /// versions.
  private static func environment(
    _ device: DeviceSnapshot, _ date: String, _ series: [BenchmarkSeries], _ settings: RunSettings
  ) -> JSONValue {
    var versions = [
      "core ml": "\(device.system), compute units \(settings.computeUnits.rawValue)",
      "app build": device.isDebugBuild ? "debug" : "release",
      "low power mode": device.isLowPower ? "on" : "off",
    ]
    for each in series {
      versions.merge(each.model.versions) { first, _ in first }
      versions["\(each.bundle.name) ran on"] = each.model.computesOn
      versions["\(each.bundle.name) threads"] = each.model.threads.map { "\($0)" } ?? "the runtime's own choice"
    }
    return .object([
      "date": .string(date), "processor": .null, "features": .array([]),
      "architecture": .string(architecture), "cores": .integer(device.cores), "memory_mib": .integer(device.memoryMiB),
      "system": .string(device.system), "kernel": .string(device.kernel), "governor": .null,
      "python": .null, "versions": .object(versions.mapValues(JSONValue.string)),
    ])
  }

  #if arch(x86_64)
  private static let architecture = "x86_64"  // a simulator on an older Mac
  #else
  private static let architecture = "arm64"
  #endif

  private static func state(_ device: DeviceSnapshot) -> JSONValue {
    let unread = ["max_mhz", "limit_mhz", "now_mhz", "governor"].map { ($0, JSONValue.null) }
    let cores = (0..<device.cores).map { core in
      JSONValue.object(Dictionary(uniqueKeysWithValues: unread + [("index", .integer(core))]))
    }
    return .object([
      "machine": .string(architecture), "processor": .null, "features": .array([]),
      "system": .string(device.system), "kernel": .string(device.kernel), "memory_mib": .integer(device.memoryMiB),
      "cores": .array(cores), "temperature_c": .null, "thermal_status": .integer(device.thermal.rawValue),
      "battery_share": JSONValue(device.batteryShare), "charger": JSONValue(device.charger),
    ])
  }
}

/// A bundle's latency as a chart shows it.
public struct LatencyBar: Equatable, Sendable, Identifiable {
  public let bundle: String
  public let medianMs: Double
  public let p90Ms: Double

  public var id: String { bundle }

  init?(_ series: BenchmarkSeries) {
    guard let summary = Summary(rounds: series.roundsMs) else { return nil }
    (bundle, medianMs, p90Ms) = (series.bundle.name, summary.medianMs, summary.p90Ms)
  }
}
