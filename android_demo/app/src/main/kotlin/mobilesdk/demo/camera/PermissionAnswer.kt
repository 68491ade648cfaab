package mobilesdk.demo.camera

/** What an answer to the question for a permission says. */
enum class PermissionAnswer { GRANTED, DENIED, BLOCKED, NONE }

/**
 * Reads an answer to the question [asked]: another question's [answered], or a dialog that was cut off and so has no
 * [grants], says nothing. [mayAskAgain] is what Android says of the permission afterwards.
 */
fun permissionAnswer(
    asked: Int,
    answered: Int,
    grants: IntArray,
    mayAskAgain: Boolean,
): PermissionAnswer =
    when {
        answered != asked || grants.isEmpty() -> PermissionAnswer.NONE
        grants.all { it == GRANTED } -> PermissionAnswer.GRANTED
        mayAskAgain -> PermissionAnswer.DENIED
        else -> PermissionAnswer.BLOCKED
    }

private const val GRANTED = 0 // PackageManager.PERMISSION_GRANTED
