package mobilesdk.demo.camera

/**
 * A device that is asked for, comes later and is given back once, whichever of closing and coming is first.
 *
 * One thread uses it. [release] gives a device back; [ended] is called once, when nothing more can come.
 */
class DeviceLease<D : Any>(
    private val release: (D) -> Unit,
    private val ended: () -> Unit,
) {
    private var device: D? = null
    private var isAwaited = false
    private var isClosed = false
    private var hasEnded = false

    /** Says that the device was asked for; false where the lease is over, and it must not be asked for. */
    fun await(): Boolean {
        if (isClosed) return false
        isAwaited = true
        return true
    }

    /** Takes the device that came; false where nobody wants it any more: then it has been given back already. */
    fun take(came: D): Boolean {
        isAwaited = false
        if (isClosed) {
            release(came)
            end()
            return false
        }
        device = came
        return true
    }

    /** False from the moment when it is given back. */
    val isWanted: Boolean get() = !isClosed

    /** Says that the device, [lost] or the one that is held, is of no use, or did not come; it is given back. */
    fun lose(lost: D?) {
        isAwaited = false
        (lost ?: device)?.let(release)
        device = null
        if (isClosed) end()
    }

    /** Gives the device back, now or as soon as it comes. */
    fun close() {
        if (isClosed) return
        isClosed = true
        device?.let(release)
        device = null
        if (!isAwaited) end()
    }

    private fun end() {
        if (hasEnded) return
        hasEnded = true
        ended()
    }
}
