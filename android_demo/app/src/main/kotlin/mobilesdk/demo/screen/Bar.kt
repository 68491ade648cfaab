package mobilesdk.demo.screen

/** A bar of a chart: its length to the median and to the 90th percentile, as shares of the chart's width. */
data class Bar(
    val measured: Measured,
    val medianShare: Double,
    val p90Share: Double,
)

/** The bars of benchmarks, all on one scale: the longest 90th percentile is as wide as the chart. */
fun bars(measured: List<Measured>): List<Bar> {
    val longest = measured.maxOfOrNull { it.p90Ms } ?: return emptyList()
    return measured.map { Bar(it, it.medianMs / longest, it.p90Ms / longest) }
}

/** The same with a bundle's newest times in the place of its earlier ones. */
internal fun List<Measured>.with(newest: Measured): List<Measured> {
    val place = indexOfFirst { it.bundle == newest.bundle && it.threads == newest.threads }
    return if (place < 0) this + newest else toMutableList().also { it[place] = newest }
}
