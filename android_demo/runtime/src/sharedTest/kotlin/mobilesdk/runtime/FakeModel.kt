package mobilesdk.runtime

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.model.Model
import mobilesdk.runtime.model.Models
import mobilesdk.runtime.tensor.inputBytes

/** Knows the golden pictures of its bundle, and takes every other for the first; [clock] goes on by a run's time. */
open class FakeModel(
    private val bundle: Bundle,
    private val clock: FakeClock,
) : Model {
    override val manifest get() = bundle.manifest

    private val inputs by lazy {
        manifest.golden.pictures.indices
            .map { inputBytes(bundle.goldenPicture(it), manifest.input) }
    }
    private var given = ByteArray(0)

    var isClosed = false
        private set

    override fun write(input: ByteArray) {
        given = input.copyOf()
    }

    override fun run(): Long {
        check(!isClosed) { "expected an open model, found it closed" }
        return clock.pass()
    }

    override fun read(): ByteArray = answer(given)

    /** The outputs' bytes for an input tensor's. */
    protected open fun answer(input: ByteArray): ByteArray {
        val index = inputs.indexOfFirst { it.contentEquals(input) }
        return bundle.goldenFile(maxOf(index, 0), "output.bin").readBytes()
    }

    override fun close() {
        isClosed = true
    }
}

/** Opens fakes and remembers them. */
class FakeModels(
    private val clock: FakeClock = FakeClock(),
) : Models {
    val opened = ArrayList<FakeModel>()
    val threads = ArrayList<Int>()

    override fun open(
        bundle: Bundle,
        threads: Int,
    ): Model {
        this.threads += threads
        return FakeModel(bundle, clock).also { opened += it }
    }
}

/** Time that passes only in runs, each a little longer or shorter than [runNanoseconds]. */
class FakeClock(
    private val runNanoseconds: Long = 2_000_000,
) : () -> Long {
    private var now = 0L
    private var runs = 0L

    override fun invoke(): Long = now

    /** Returns how long the run took. */
    fun pass(): Long = (runNanoseconds + runs++ * 7919 % 101 * 1000).also { now += it }
}
