package mobilesdk.runtime

import org.junit.runner.Description
import org.junit.runner.JUnitCore
import org.junit.runner.notification.Failure
import org.junit.runner.notification.RunListener
import java.io.File
import kotlin.system.exitProcess

/**
 * Runs every test class in the folders that it is given, without Gradle: `java … mobilesdk.runtime.TestRunKt FOLDER…`, the
 * fixtures' folder in the property `fixtures`. The last line is `N passed, N failed`; the exit code is 1 where one failed or
 * none ran.
 */
fun main(folders: Array<String>) {
    val names =
        folders.map(::File).flatMap { folder ->
            folder
                .walk()
                .filter { it.name.endsWith("Test.class") }
                .map { it.relativeTo(folder).path }
        }
    val classes = names.sorted().map { Class.forName(it.removeSuffix(".class").replace(File.separatorChar, '.')) }
    val core = JUnitCore().apply { addListener(Printer) }
    val result = core.run(*classes.toTypedArray())
    println("${result.runCount - result.failureCount} passed, ${result.failureCount} failed")
    exitProcess(if (result.wasSuccessful() && result.runCount > 0) 0 else 1)
}

private object Printer : RunListener() {
    override fun testStarted(test: Description) = println("${test.testClass.simpleName}: ${test.methodName}")

    override fun testFailure(failure: Failure) = println("FAILED ${failure.testHeader}: ${failure.trace}")
}
