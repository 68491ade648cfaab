package mobilesdk.runtime.model

private const val RUNS = 10
private const val ENOUGH_MS = 250.0 // a slow model keeps nobody waiting, and is soon warm
private const val NANOSECONDS_PER_MS = 1e6

/**
 * Returns the milliseconds of the model alone on what was written last: the median of the second half of some runs.
 *
 * The first run after loading pays for memory that nobody has touched, and is nothing to show.
 */
fun Model.warmLatencyMs(): Double {
    val times = ArrayList<Double>()
    do {
        times += run() / NANOSECONDS_PER_MS
    } while (times.size < RUNS && times.sum() < ENOUGH_MS)
    val warm = times.takeLast((times.size + 1) / 2).sorted()
    return (warm[(warm.size - 1) / 2] + warm[warm.size / 2]) / 2
}
