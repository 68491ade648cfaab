/// A finished benchmark as `bench.json`: the schema of `mobile-sdk bench` (`Numbers` in mobile_sdk/benchmarking/measurements.py).
public struct BenchmarkReport: Equatable, Sendable {
  public let json: JSONValue
  /// A line for each bundle: its median, or why there is none.
  public let lines: [String]

  init(
    _ benchmark: Benchmark, of bundles: [ModelBundle], before: DeviceSnapshot, after: DeviceSnapshot, date: String,
    computeUnits: ComputeUnits
  ) {
    let series = Dictionary(uniqueKeysWithValues: benchmark.series.map { ($0.bundle.name, $0) })
    let measured = bundles.map { ($0, series[$0.name], benchmark.notRun[$0.name] ?? "it was not loaded") }
    lines = measured.map(Self.line)
    json = .object([
      "schema_number": .integer(1),
      "device": .string("ios:\(before.machine)"),
      "environment": Self.environment(before, date, benchmark.series, computeUnits),
      "load_average_before": .null,
      "load_average_after": .null,
      "plan": Self.plan(benchmark.plan, before),
      "measurements": .array(measured.map(Self.measurement)),
      "comparisons": .array([]),
      "state_before": Self.state(before),
      "state_after": Self.state(after),
      "stopped": .null,
    ])
  }

  private static func line(_ bundle: ModelBundle, _ series: BenchmarkSeries?, _ notRun: String) -> String {
    guard let series, let summary = Summary(rounds: series.roundsMs) else { return "\(bundle.name): \(notRun)" }
    let median = (summary.medianMs * 1000).rounded() / 1000
    let runs = "\(summary.count) runs on \(series.model.computesOn)"
    return "\(bundle.name): median \(median) ms, \(runs); \(series.golden.text)"
  }

  private static func measurement(_ bundle: ModelBundle, _ series: BenchmarkSeries?, _ notRun: String) -> JSONValue {
    let isMeasured = series.flatMap { Summary(rounds: $0.roundsMs) } != nil
    return .object([
      "bundle": .string(bundle.name),
      "name": .string(bundle.manifest.name),
      "runtime": .string(bundle.manifest.runtime.rawValue),
      "precision": .string(bundle.manifest.precision),
      "model_bytes": .integer(bundle.manifest.modelBytes),
      "samples": series.map(samples) ?? .null,
      "summary": .null,  // made of the samples where the file is read
      "advice": JSONValue(series.flatMap { $0.golden.agrees ? nil : $0.golden.text }),
      "not_run": JSONValue(isMeasured ? nil : notRun),
      "verdict": .null,
      "reason": .null,
    ])
  }

  private static func samples(_ series: BenchmarkSeries) -> JSONValue {
    .object([
      "load_ms": .number(series.loadMs),
      "first_run_ms": .number(series.firstRunMs),
      "warm_up_ms": JSONValue(series.warmUpMs),
      "rewarm_ms": JSONValue(series.rewarmMs),
      "rounds_ms": .array(series.roundsMs.map { JSONValue($0) }),
      "peak_mib": .null,
      "seconds": .number(series.seconds),
      "cores": .array([]),
    ])
  }

  /// Both runtimes choose their number of threads themselves, at most one a core.
  private static func plan(_ plan: BenchmarkPlan, _ device: DeviceSnapshot) -> JSONValue {
    .object([
      "threads": .integer(device.cores), "min_runs": .integer(plan.minRuns), "min_seconds": .number(plan.minSeconds),
      "quick": .bool(false), "enough_seconds": .null, "max_ms": .null,
    ])
  }

  /// No Python measured, so `python` is null. What each bundle ran on stands with the versions.
  private static func environment(
    _ device: DeviceSnapshot, _ date: String, _ series: [BenchmarkSeries], _ units: ComputeUnits
  ) -> JSONValue {
    var versions = ["core ml": "\(device.system), compute units \(units.rawValue)"]
    for each in series { versions["\(each.bundle.name) ran on"] = each.model.computesOn }
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
