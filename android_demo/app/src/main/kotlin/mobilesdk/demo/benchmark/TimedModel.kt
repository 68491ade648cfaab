package mobilesdk.demo.benchmark

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.model.Model
import mobilesdk.runtime.model.Models
import mobilesdk.runtime.model.distances
import mobilesdk.runtime.picture.Rgb
import mobilesdk.runtime.tensor.OutputType
import mobilesdk.runtime.tensor.inputBytes
import mobilesdk.runtime.tensor.readOutputs
import kotlin.math.abs
import kotlin.math.roundToInt

/** A model that gives other scores than its bundle says; its times would be those of another model. */
class WrongScoresException(
    message: String,
) : Exception(message)

/** One turn: the first run, while the caches hold other data, then so many runs, then one from picture to numbers. */
class Turn(
    val rewarmMs: Double,
    val timesMs: DoubleArray,
    val endToEndMs: Double,
)

/**
 * A bundle's model, loaded and warm, that takes turns on its golden pictures, which it must get right first.
 *
 * A time is that of the runtime's call alone: inputs are written before and outputs read after it. Only [Turn.endToEndMs]
 * holds all three, and the making of the input tensor from the picture's bytes. [now] is a clock in nanoseconds. Warm-up
 * and its end are those of `mobile-sdk bench`. Throws [WrongScoresException] where codes of int8 are others, and whatever a
 * runtime throws that cannot load the model. Float32 outputs beyond their tolerance are a [remark]: another order of
 * summation is no other model, but such times support no verdict.
 */
class TimedModel(
    private val bundle: Bundle,
    models: Models,
    threads: Int,
    private val now: () -> Long,
    memory: ProcessMemory = ProcessMemory(),
) : AutoCloseable {
    private val pictures: List<Rgb> =
        bundle.manifest.golden.pictures.indices
            .map(bundle::goldenPicture)
    private val inputs = pictures.map { inputBytes(it, bundle.manifest.input) }
    private val model: Model

    val loadMs: Double
    val firstRunMs: Double
    val warmUpMs: DoubleArray
    val remark: String?

    /** What loading and warming up added to resident memory at its highest; null where that was not above before. */
    val peakMib: Double?

    init {
        memory.forgetPeak()
        val (resident, peak) = memory.residentMib to memory.peakMib
        val start = now()
        model = models.open(bundle, threads)
        loadMs = milliseconds(now() - start)
        try {
            firstRunMs = measure(1).single()
            remark = replay()
            warmUpMs = warmUp()
        } catch (problem: Throwable) {
            model.close()
            throw problem
        }
        val found = memory.peakMib
        peakMib = if (found != null && resident != null && peak != null && found > peak) found - resident else null
    }

    /** How many runs fill a turn, judged by the end of the warm-up. */
    val turnRuns: Int
        get() = (TURN_MS / lastMedian(warmUpMs)).coerceIn(1.0, MAX_TURN_RUNS.toDouble()).roundToInt()

    fun turn(runs: Int): Turn = Turn(measure(1).single(), measure(runs), endToEnd(pictures[0]))

    override fun close() = model.close()

    private fun measure(runs: Int): DoubleArray =
        DoubleArray(runs) { run ->
            model.write(inputs[run % inputs.size])
            milliseconds(model.run())
        }

    private fun endToEnd(picture: Rgb): Double {
        val start = now()
        model.outputs(picture)
        return milliseconds(now() - start)
    }

    private fun replay(): String? {
        val (outputs, tolerances) = bundle.manifest.outputs to bundle.manifest.golden.tolerances
        var remark: String? = null
        inputs.forEachIndexed { index, input ->
            model.write(input)
            model.run()
            val apart = distances(readOutputs(model.read(), outputs), bundle.goldenOutputs(index))
            val other = apart.indices.find { apart[it] > tolerances[it] } ?: return@forEachIndexed
            val name = outputs[other].name
            val said = "expected '$name' of golden picture $index, found another, ${apart[other]} apart"
            if (outputs[other].type == OutputType.INT8 || apart[other].isInfinite()) throw WrongScoresException(said)
            remark = remark ?: "$said where ${tolerances[other]} is allowed"
        }
        return remark
    }

    private fun warmUp(): DoubleArray {
        val start = now()
        var times = measure(WARM_UP_RUNS)
        while (milliseconds(now() - start) < WARM_UP_MS) {
            val before = lastMedian(times)
            times += measure(WARM_UP_RUNS)
            if (abs(lastMedian(times) / before - 1) < WARM_UP_AGREEMENT) break
        }
        return times
    }

    private fun lastMedian(timesMs: DoubleArray) =
        median(timesMs.copyOfRange(timesMs.size - WARM_UP_RUNS, timesMs.size))

    private fun milliseconds(nanoseconds: Long): Double = nanoseconds / NANOSECONDS_PER_MS

    private companion object {
        const val WARM_UP_RUNS = 5 // two groups of so many runs whose medians agree end the warm-up
        const val WARM_UP_AGREEMENT = 0.05
        const val WARM_UP_MS = 2000.0 // and this ends it in any case
        const val TURN_MS = 25.0 // long beside a switch of threads, short beside the bursts of other work
        const val MAX_TURN_RUNS = 1000
        const val NANOSECONDS_PER_MS = 1e6
    }
}
