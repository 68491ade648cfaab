package mobilesdk.demo

import mobilesdk.demo.benchmark.Session
import mobilesdk.demo.benchmark.Surroundings
import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModel
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.Runtime
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.model.Models
import java.io.BufferedInputStream
import java.io.BufferedOutputStream
import java.io.File
import java.io.FileDescriptor
import java.io.FileOutputStream
import java.nio.ByteBuffer
import kotlin.system.exitProcess

/**
 * Serves one session on standard input and output as the app would on a phone whose files lie below the folder `root`: its
 * own code on played models, in played surroundings.
 *
 * Properties: `answers`, a folder with inputs.bin and outputs.bin, tensors one after the other, which a model knows beside
 * its golden pictures; `state`, words of front, hidden, locked, off, debuggable; `runs`, after which the process dies.
 */
fun main(arguments: Array<String>) {
    val root = arguments.single()
    val clock = FakeClock()
    val words = System.getProperty("state").orEmpty().split(',')
    val runs = System.getProperty("runs")?.toInt() ?: Int.MAX_VALUE
    val answers = System.getProperty("answers")?.let(::File)
    Session(
        input = BufferedInputStream(System.`in`),
        output = BufferedOutputStream(FileOutputStream(FileDescriptor.out)),
        models = Models { bundle, _ -> PlayedModel(bundle, clock, answers, runs) },
        open = { openBundle(File("$root$it"), DesktopDecoder) },
        surroundings = {
            Surroundings(
                debuggable = "debuggable" in words,
                screenOn = "off" !in words,
                locked = "locked" in words,
                inFront = "front" in words,
                powerSave = false,
                cpuset = "/top-app",
            )
        },
        versions = Runtime.entries.associateWith { mapOf("played-${it.id}" to "1.2.3") },
        now = clock,
    ).serve()
}

/** Knows the answers of the folder, and dies like a process that the system kills after so many runs. */
private class PlayedModel(
    bundle: Bundle,
    clock: FakeClock,
    answers: File?,
    private var runsLeft: Int,
) : FakeModel(bundle, clock) {
    private val known =
        if (answers == null) {
            emptyMap()
        } else {
            val inputs = tensors(answers.resolve("inputs.bin"), bundle.manifest.input.byteCount)
            inputs.zip(tensors(answers.resolve("outputs.bin"), bundle.manifest.outputs.sumOf { it.byteCount })).toMap()
        }

    override fun run(): Long {
        if (runsLeft-- == 0) exitProcess(KILLED)
        return super.run()
    }

    override fun answer(input: ByteArray): ByteArray = known[ByteBuffer.wrap(input)]?.array() ?: super.answer(input)

    private fun tensors(
        file: File,
        size: Long,
    ): List<ByteBuffer> = file.readBytes().asList().chunked(size.toInt()) { ByteBuffer.wrap(it.toByteArray()) }

    private companion object {
        const val KILLED = 137
    }
}
