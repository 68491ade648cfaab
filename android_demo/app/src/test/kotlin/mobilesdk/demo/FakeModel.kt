package mobilesdk.demo

import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.model.Model
import mobilesdk.demo.model.Models
import mobilesdk.demo.picture.Rgb

/** Knows the golden pictures of its bundle, and takes every other for the first; [clock] goes on by a run's time. */
class FakeModel(
    private val bundle: Bundle,
    private val clock: FakeClock,
) : Model {
    var isClosed = false
        private set

    override fun outputs(picture: Rgb): List<FloatArray> {
        check(!isClosed) { "expected an open model, found it closed" }
        clock.pass()
        val indices = bundle.manifest.golden.pictures.indices
        val golden = indices.find { bundle.goldenPicture(it).bytes.contentEquals(picture.bytes) }
        return bundle.goldenOutputs(golden ?: 0)
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

    override fun open(
        bundle: Bundle,
        threads: Int,
    ): Model = FakeModel(bundle, clock).also { opened += it }
}

/** Time that passes only in runs, each a little longer or shorter than [runNanoseconds]. */
class FakeClock(
    private val runNanoseconds: Long = 2_000_000,
) : () -> Long {
    private var now = 0L
    private var runs = 0L

    override fun invoke(): Long = now

    fun pass() {
        now += runNanoseconds + runs++ * 7919 % 101 * 1000
    }
}
