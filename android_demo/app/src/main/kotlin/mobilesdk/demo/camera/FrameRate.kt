package mobilesdk.demo.camera

/** Counts how many things happen in a second, over the last few of them. */
class FrameRate {
    private val times = ArrayDeque<Long>()

    /** Returns the rate with one more at a time in nanoseconds; null for the first. */
    fun next(nanoseconds: Long): Double? {
        times.addLast(nanoseconds)
        if (times.size > COUNTED) times.removeFirst()
        val passed = times.last() - times.first()
        return if (passed > 0) (times.size - 1) * NANOSECONDS_PER_SECOND / passed else null
    }

    fun clear() = times.clear()

    private companion object {
        const val COUNTED = 16
        const val NANOSECONDS_PER_SECOND = 1e9
    }
}
