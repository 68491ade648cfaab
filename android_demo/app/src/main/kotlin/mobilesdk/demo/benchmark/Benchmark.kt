package mobilesdk.demo.benchmark

import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.model.Model
import mobilesdk.demo.model.Models
import mobilesdk.demo.model.distances
import mobilesdk.demo.picture.Rgb
import kotlin.math.abs
import kotlin.math.min
import kotlin.math.roundToInt

/** How long to measure. */
data class Plan(
    val threads: Int = 1,
    val minRuns: Int = 1024,
    val minSeconds: Double = 1.0,
    val quick: Boolean = false,
)

/** Every time that was taken, in the order in which it was taken. */
class Samples(
    val loadMs: Double,
    val firstRunMs: Double,
    val warmUpMs: DoubleArray,
    val rewarmMs: DoubleArray,
    val roundsMs: List<DoubleArray>,
)

/** A model that gives other scores than its bundle says; its times would be those of another model. */
class WrongScoresException(
    message: String,
) : Exception(message)

private const val WARM_UP_RUNS = 5 // two groups of so many runs whose medians agree end the warm-up
private const val WARM_UP_AGREEMENT = 0.05
private const val WARM_UP_MS = 2000.0 // and this ends it in any case
private const val TURN_MS = 25.0 // long beside a switch of threads, short beside the bursts of other work
private const val MAX_TURN_RUNS = 1000
private const val NANOSECONDS_PER_MS = 1e6

/**
 * Times a bundle on its golden pictures, which it must get right first: warm-up, then rounds of runs.
 *
 * [now] is a clock in nanoseconds. Rounds, warm-up and their ends are those of `mobile-sdk bench`. Throws
 * [WrongScoresException], and whatever a runtime throws that cannot load the model.
 */
class Benchmark(
    private val bundle: Bundle,
    private val models: Models,
    private val plan: Plan,
    private val now: () -> Long = System::nanoTime,
    private val progress: (Double) -> Unit = {},
) {
    private val pictures =
        bundle.manifest.golden.pictures.indices
            .map(bundle::goldenPicture)

    fun run(): Samples {
        val start = now()
        return models.open(bundle, plan.threads).use { model ->
            val loadMs = milliseconds(start)
            val first = measure(model, 1).single()
            replay(model)
            val warmUp = warmUp(model)
            val (rewarm, rounds) = rounds(model, turnRuns(warmUp))
            Samples(loadMs, first, warmUp, rewarm, rounds)
        }
    }

    private fun replay(model: Model) {
        val tolerances = bundle.manifest.golden.tolerances
        pictures.forEachIndexed { index, picture ->
            val apart = distances(model.outputs(picture), bundle.goldenOutputs(index))
            val other = apart.indices.find { apart[it] > tolerances[it] } ?: return@forEachIndexed
            val name = bundle.manifest.outputs[other].name
            throw WrongScoresException(
                "expected '$name' of golden picture $index, found another, ${apart[other]} apart",
            )
        }
    }

    private fun warmUp(model: Model): DoubleArray {
        val start = now()
        var times = measure(model, WARM_UP_RUNS)
        while (milliseconds(start) < WARM_UP_MS) {
            val before = lastMedian(times)
            times += measure(model, WARM_UP_RUNS)
            if (abs(lastMedian(times) / before - 1) < WARM_UP_AGREEMENT) break
        }
        return times
    }

    private fun turnRuns(warmUpMs: DoubleArray): Int =
        (TURN_MS / lastMedian(warmUpMs)).coerceIn(1.0, MAX_TURN_RUNS.toDouble()).roundToInt()

    private fun rounds(
        model: Model,
        turnRuns: Int,
    ): Pair<DoubleArray, List<DoubleArray>> {
        val rewarm = ArrayList<Double>()
        val rounds = ArrayList<DoubleArray>()
        while (true) {
            val done = doneShare(rounds)
            if (done >= 1) return rewarm.toDoubleArray() to rounds
            progress(done)
            rewarm += measure(model, 1).single()
            rounds += measure(model, turnRuns)
        }
    }

    private fun doneShare(rounds: List<DoubleArray>): Double {
        val runs = rounds.sumOf { it.size }.toDouble() / plan.minRuns
        val seconds = if (plan.minSeconds > 0) seconds(rounds) / plan.minSeconds else 1.0
        return min(min(runs, seconds), rounds.size.toDouble() / Summary.MIN_ROUNDS)
    }

    private fun measure(
        model: Model,
        runs: Int,
    ): DoubleArray =
        DoubleArray(runs) { run ->
            val picture: Rgb = pictures[run % pictures.size]
            val start = now()
            model.outputs(picture)
            milliseconds(start)
        }

    private fun milliseconds(start: Long): Double = (now() - start) / NANOSECONDS_PER_MS

    private fun lastMedian(timesMs: DoubleArray) =
        median(timesMs.copyOfRange(timesMs.size - WARM_UP_RUNS, timesMs.size))
}

/** Returns the seconds that the runs of all rounds took together. */
fun seconds(roundsMs: List<DoubleArray>): Double = roundsMs.sumOf { it.sum() } / 1000
