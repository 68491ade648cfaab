package mobilesdk.demo.benchmark

import java.util.Locale
import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/** From [low] to [high]; [coverageShare] is how often such an interval holds the true value. */
data class Interval(
    val low: Double,
    val high: Double,
    val coverageShare: Double,
)

/** What a series of times says; the fields, rules and words are those of the SDK's `mobile_sdk/stats.py`. */
data class Summary(
    val count: Int,
    val rounds: Int,
    val medianMs: Double,
    val medianIntervalMs: Interval,
    val madMs: Double,
    val meanMs: Double,
    val p90Ms: Double,
    val p99Ms: Double,
    val minMs: Double,
    val maxMs: Double,
    val cvShare: Double,
    val robustCvShare: Double,
    val outliers: Int,
    val lastOverFirst: Double?,
) {
    /** What to do where the series supports no verdict about its median, else null. */
    val advice: String?
        get() =
            when {
                rounds < MIN_ROUNDS -> {
                    "only $rounds rounds were measured and a verdict needs $MIN_ROUNDS: measure longer"
                }

                robustCvShare > STEADY_CV_SHARE -> {
                    "the times scatter by ${percent(robustCvShare)} of their median and a verdict needs at most " +
                        "${percent(STEADY_CV_SHARE)}: close other programs, fix the CPU frequency, measure again"
                }

                lastOverFirst != null && lastOverFirst > THROTTLED_RATIO -> {
                    "the last tenth of the runs took ${ratio(
                        lastOverFirst,
                    )} times as long as the first and a verdict " +
                        "needs at most ${ratio(THROTTLED_RATIO)}: let the device cool down, off the charger, and " +
                        "measure again"
                }

                else -> {
                    null
                }
            }

    private fun percent(share: Double) = String.format(Locale.ROOT, "%.0f%%", share * 100)

    private fun ratio(value: Double) = String.format(Locale.ROOT, "%.2f", value)

    companion object {
        const val MIN_ROUNDS = 10
        private const val STEADY_CV_SHARE = 0.10
        private const val THROTTLED_RATIO = 1.05
    }
}

private const val COVERAGE = 0.95
private const val COVERAGE_SIGMAS = 1.959963984540054 // of a normal distribution: 95 % lie within
private const val MAD_TO_SIGMA = 1.482602218505602 // makes the MAD of a normal series its standard deviation
private const val OUTLIER_SIGMAS = 3.5 // Iglewicz and Hoaglin 1993

/** Describes times in ms that were taken in rounds of runs; every round has a run. */
fun summarize(roundsMs: List<DoubleArray>): Summary {
    require(roundsMs.isNotEmpty() && roundsMs.all { it.isNotEmpty() }) { "expected a run in every round, found none" }
    val samples = roundsMs.flatMap { it.asList() }.toDoubleArray().apply { sort() }
    val median = median(samples)
    val distances = DoubleArray(samples.size) { abs(samples[it] - median) }
    val mad = median(distances)
    val mean = samples.average()
    return Summary(
        count = samples.size,
        rounds = roundsMs.size,
        medianMs = median,
        medianIntervalMs = clusteredInterval(samples, roundsMs, median),
        madMs = mad,
        meanMs = mean,
        p90Ms = quantile(samples, 0.9),
        p99Ms = quantile(samples, 0.99),
        minMs = samples.first(),
        maxMs = samples.last(),
        cvShare = standardDeviation(samples, mean) / mean,
        robustCvShare = MAD_TO_SIGMA * mad / median,
        outliers = distances.count { it > OUTLIER_SIGMAS * MAD_TO_SIGMA * mad },
        lastOverFirst = lastOverFirst(roundsMs),
    )
}

/** The median of values in any order. */
fun median(values: DoubleArray): Double = quantile(values.sortedArray(), 0.5)

/** Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). */
private fun quantile(
    sorted: DoubleArray,
    share: Double,
): Double {
    val place = share * (sorted.size - 1)
    val below = floor(place).toInt()
    val next = sorted[min(below + 1, sorted.size - 1)]
    return sorted[below] + (place - below) * (next - sorted[below])
}

private fun standardDeviation(
    samples: DoubleArray,
    mean: Double,
): Double {
    if (samples.size < 2) return 0.0
    return sqrt(samples.sumOf { (it - mean) * (it - mean) } / (samples.size - 1))
}

/** The interval of the median of rounds that are each alike in themselves (Woodruff 1952). */
private fun clusteredInterval(
    sorted: DoubleArray,
    roundsMs: List<DoubleArray>,
    median: Double,
): Interval {
    if (roundsMs.size < 2) return Interval(sorted.first(), sorted.last(), 0.0)
    val below = roundsMs.map { round -> round.count { it <= median }.toDouble() }
    val share = below.sum() / sorted.size
    val squares =
        roundsMs.indices.sumOf { index ->
            val distance = below[index] - roundsMs[index].size * share
            distance * distance
        }
    val count = roundsMs.size.toDouble()
    val reach = COVERAGE_SIGMAS * sqrt(squares) / sorted.size * sqrt(count / (count - 1))
    val low = quantile(sorted, max(0.0, 0.5 - reach))
    return Interval(low, quantile(sorted, min(1.0, 0.5 + reach)), COVERAGE)
}

private fun lastOverFirst(roundsMs: List<DoubleArray>): Double? {
    val tenth = roundsMs.size / 10
    if (tenth < 2) return null
    val medians = roundsMs.map(::median)
    return median(medians.takeLast(tenth).toDoubleArray()) / median(medians.take(tenth).toDoubleArray())
}
