package mobilesdk.demo.benchmark

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.model.Models
import kotlin.math.max
import kotlin.math.min

/** How long to measure; after [enoughSeconds] of runs fewer than [minRuns] are enough, so that every plan ends. */
data class Plan(
    val threads: Int = 1,
    val minRuns: Int = 1024,
    val minSeconds: Double = 1.0,
    val quick: Boolean = false,
    val enoughSeconds: Double = 60.0,
) {
    init {
        require(threads in 1..MAX_THREADS) { "expected 1 to $MAX_THREADS threads, found $threads" }
        require(minRuns in 1..MAX_RUNS) { "expected 1 to $MAX_RUNS runs, found $minRuns" }
    }

    companion object {
        const val MAX_THREADS = 64
        const val MAX_RUNS = 100_000
    }
}

/** Every time that was taken, in the order in which it was taken. */
class Samples(
    val loadMs: Double,
    val firstRunMs: Double,
    val warmUpMs: DoubleArray,
    val rewarmMs: DoubleArray,
    val roundsMs: List<DoubleArray>,
    val endToEndMs: DoubleArray,
    val peakMib: Double?,
    val remark: String?,
)

/**
 * Times one bundle: a [TimedModel] takes turns until the plan is fulfilled. Rounds and their end are those of
 * `mobile-sdk bench`. [progress] may throw to stop it.
 */
class Benchmark(
    private val bundle: Bundle,
    private val models: Models,
    private val plan: Plan,
    private val now: () -> Long = System::nanoTime,
    private val progress: (Double) -> Unit = {},
) {
    fun run(): Samples =
        TimedModel(bundle, models, plan.threads, now).use { model ->
            val turns = turns(model)
            Samples(
                loadMs = model.loadMs,
                firstRunMs = model.firstRunMs,
                warmUpMs = model.warmUpMs,
                rewarmMs = turns.map { it.rewarmMs }.toDoubleArray(),
                roundsMs = turns.map { it.timesMs },
                endToEndMs = turns.map { it.endToEndMs }.toDoubleArray(),
                peakMib = model.peakMib,
                remark = model.remark,
            )
        }

    private fun turns(model: TimedModel): List<Turn> {
        val turns = ArrayList<Turn>()
        while (true) {
            val done = doneShare(turns.map { it.timesMs })
            if (done >= 1) return turns
            progress(done)
            turns += model.turn(model.turnRuns)
        }
    }

    private fun doneShare(rounds: List<DoubleArray>): Double {
        val taken = seconds(rounds)
        val runs = rounds.sumOf { it.size }.toDouble() / plan.minRuns
        val wanted = if (plan.minSeconds > 0) taken / plan.minSeconds else 1.0
        val done = max(min(runs, wanted), taken / plan.enoughSeconds)
        return min(done, rounds.size.toDouble() / Summary.MIN_ROUNDS)
    }
}

/** Returns the seconds that the runs of all rounds took together. */
fun seconds(roundsMs: List<DoubleArray>): Double = roundsMs.sumOf { it.sum() } / 1000
