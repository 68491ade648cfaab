package mobilesdk.demo.benchmark

import java.util.Locale
import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.min
import kotlin.math.sqrt

/**
 * Describes a series of times as far as the screen shows it. The file holds the samples alone: the SDK's
 * `mobile_sdk/benchmarking/statistics.py` finds interval, two speeds and drift where it is read, by one rule for every
 * device.
 */
data class Summary(
    val count: Int,
    val rounds: Int,
    val medianMs: Double,
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
    /** Advice where the series supports no verdict about its median, else null. */
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

private const val MAD_TO_SIGMA = 1.482602218505602 // makes the MAD of a normal series its standard deviation
private const val OUTLIER_SIGMAS = 3.5 // Iglewicz and Hoaglin 1993

/** A time is none that is shorter or longer: no clock ticks so fast, and no run takes 30 years. */
private val TIMES_MS = 1e-9..1e12

/**
 * Describes times in ms that were taken in rounds of runs, to the bit as the SDK does: sums are taken in their order.
 *
 * Throws [IllegalArgumentException] where a round has no run, or a time is not of 1e-9 to 1e12 ms.
 */
fun summarize(roundsMs: List<DoubleArray>): Summary {
    require(roundsMs.isNotEmpty() && roundsMs.all { it.isNotEmpty() }) { "expected a run in every round, found none" }
    val taken = roundsMs.flatMap { it.asList() }.toDoubleArray()
    require(taken.all { it in TIMES_MS }) { "expected times of 1e-9 to 1e12 ms, found others" }
    val samples = taken.sortedArray()
    val median = median(samples)
    val distances = DoubleArray(samples.size) { abs(samples[it] - median) }
    val mad = median(distances)
    val mean = taken.sum() / taken.size
    return Summary(
        count = samples.size,
        rounds = roundsMs.size,
        medianMs = median,
        madMs = mad,
        meanMs = mean,
        p90Ms = quantile(samples, 0.9),
        p99Ms = quantile(samples, 0.99),
        minMs = samples.first(),
        maxMs = samples.last(),
        cvShare = standardDeviation(taken, mean) / mean,
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

private fun lastOverFirst(roundsMs: List<DoubleArray>): Double? {
    val tenth = roundsMs.size / 10
    if (tenth < 2) return null
    val medians = roundsMs.map(::median)
    return median(medians.takeLast(tenth).toDoubleArray()) / median(medians.take(tenth).toDoubleArray())
}
