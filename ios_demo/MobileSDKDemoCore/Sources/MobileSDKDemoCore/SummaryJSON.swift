extension Summary {
  /// As `stats.Summary` of mobile_sdk writes it.
  var json: JSONValue {
    .object([
      "count": .integer(count),
      "rounds": .integer(rounds),
      "median_ms": .number(medianMs),
      "median_interval_ms": .object([
        "low": .number(medianIntervalMs.low), "high": .number(medianIntervalMs.high),
        "coverage_share": .number(medianIntervalMs.coverageShare),
      ]),
      "mad_ms": .number(madMs),
      "mean_ms": .number(meanMs),
      "p50_ms": .number(p50Ms),
      "p90_ms": .number(p90Ms),
      "p99_ms": .number(p99Ms),
      "min_ms": .number(minMs),
      "max_ms": .number(maxMs),
      "cv_share": .number(cvShare),
      "robust_cv_share": .number(robustCvShare),
      "outliers": .integer(outliers),
      "last_over_first": JSONValue(lastOverFirst),
    ])
  }
}
