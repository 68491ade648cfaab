package mobilesdk.demo.screen

import mobilesdk.demo.benchmark.summarize
import mobilesdk.demo.camera.Sides
import mobilesdk.demo.shelf.BundleShelf
import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.FakeClock
import mobilesdk.runtime.FakeModel
import mobilesdk.runtime.FakeModels
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.bundle.BundleRefusal
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.image
import mobilesdk.runtime.model.Models
import mobilesdk.runtime.picture.Part
import mobilesdk.runtime.picture.ReadPicture
import mobilesdk.runtime.picture.Rgb
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.io.IOException
import java.util.concurrent.Executor

class ScreenModelTest {
    private val clock = FakeClock()
    private val models = FakeModels(clock)
    private val states = ArrayList<ScreenState>()

    private class Shelf(
        vararg folders: String,
    ) : BundleShelf {
        private val folders = folders.map { Fixtures.folder.resolve(it) }

        override fun names() = folders.map { it.name }

        override fun open(name: String): Bundle = openBundle(folders.single { it.name == name }, DesktopDecoder)
    }

    private fun model(
        shelf: BundleShelf = Shelf("bundles/test.tflite", "bundles/test.executorch"),
        opening: Models = models,
        work: Executor = Executor(Runnable::run),
    ) = ScreenModel(shelf, opening, work, clock).apply { observer = states::add }

    private val picture: Rgb = DesktopDecoder.decode(Fixtures.bundle("test.tflite").goldenFile(0, "png"))

    @Test
    fun `it opens the first bundle and is ready`() {
        val model = model().apply { start() }
        assertEquals(listOf("test.tflite", "test.executorch"), model.state.bundles)
        assertEquals(0, model.state.selected)
        assertEquals("tflite", model.state.runtime)
        assertTrue(model.state.isReady && model.state.notice == null)
        assertEquals("golden passed: 3 of 3, largest difference 0.0 where 0.0 is allowed", model.state.golden)
        assertTrue("it was busy meanwhile", states.any { it.busy && !it.isReady })
    }

    @Test
    fun `a picture shows what the model reads, its labels with shares, and the time`() {
        val model = model().apply { start() }
        model.look { ReadPicture(picture) }
        val bundle = Fixtures.bundle("test.tflite")
        assertArrayEquals(bundle.goldenPicture(0).bytes, model.state.picture!!.bytes)
        val winner =
            bundle.manifest.labels[
                bundle.manifest.golden.pictures[0]
                    .top1Index,
            ]
        val best = model.state.answer!!.shares
        assertEquals(winner, best.first().label)
        assertFalse("no label has a place", model.state.answer!!.isPlaced)
        assertEquals(5, best.size)
        assertEquals(2.0, model.state.latencyMs!!, 0.2)
    }

    @Test
    fun `a detector shows the whole picture in its own proportions and what is where in it`() {
        val model = model(Shelf("detectors/things.tflite")).apply { start() }
        val whole = DesktopDecoder.decode(Fixtures.detector().goldenFile(0, "png"))
        model.look { ReadPicture(whole) }
        val found = model.state.answer!!.found
        assertTrue(found.isNotEmpty() && found.map { it.what.share } == found.map { it.what.share }.sortedDescending())
        for (each in found) {
            val sides = listOf(each.area.left, each.area.top, each.area.right, each.area.bottom)
            assertTrue("$sides", sides.all { it in 0.0..1.0 } && each.area.area > 0)
        }
        assertArrayEquals(whole.bytes, model.state.picture!!.bytes)
    }

    @Test
    fun `a segmenter shows the whole picture, its mask and how much of it shows what`() {
        val model = model(Shelf("segmenters/parts.tflite")).apply { start() }
        val bundle = Fixtures.segmenter()
        val whole = DesktopDecoder.decode(bundle.goldenFile(0, "png"))
        model.look { ReadPicture(whole) }
        val answer = model.state.answer!!
        assertArrayEquals(bundle.goldenFile(0, "mask.bin").readBytes(), answer.mask!!.labels)
        assertEquals(1.0, answer.shares.sumOf { it.share }, 1e-9)
        assertTrue(
            answer.shares.size > 2 &&
                answer.shares.map { it.share } == answer.shares.map { it.share }.sortedDescending(),
        )
        val commonest =
            bundle.manifest.golden.pictures[0]
                .top1Index
        assertEquals(bundle.manifest.labels[commonest], answer.shares.first().label)
        assertArrayEquals(whole.bytes, model.state.picture!!.bytes)
    }

    @Test
    fun `a model of features shows its outputs, and of arrays those of the first golden one`() {
        val shelf = Shelf("features/mixed.tflite", "features/spectrum.executorch")
        val model = model(shelf).apply { start() }
        assertNull("no picture yet", model.state.answer)
        model.look { ReadPicture(picture) }
        val answer = model.state.answer!!
        val shapes = mapOf("scores" to listOf(10), "rgb.side" to listOf(8, 8, 5))
        assertEquals(shapes, answer.features.associate { it.name to it.shape })
        assertTrue(answer.shares.isEmpty() && !answer.isPlaced)
        assertTrue(model.state.golden!!, model.state.golden!!.startsWith("golden passed: 3 of 3, scores: "))
        model.select(1)
        assertEquals(
            listOf("embedding", "map"),
            model.state.answer!!
                .features
                .map { it.name },
        )
        assertTrue(model.state.golden!!, model.state.golden!!.startsWith("golden passed: 3 of 3, embedding: "))
        model.look { ReadPicture(picture) }
        assertEquals(Notice.NoPictures, model.state.notice)
    }

    @Test
    fun `a model that gives other outputs than its bundle says is seen to fail`() {
        val wrong =
            Models { bundle, _ ->
                object : FakeModel(bundle, FakeClock()) {
                    override fun outputs(picture: Rgb) = bundle.goldenOutputs(0).also { it[0][0] += 1f }
                }
            }
        val model = model(opening = wrong).apply { start() }
        assertTrue(model.state.golden!!, model.state.golden!!.startsWith("golden failed: 0 of 3, "))
        assertTrue(model.state.isReady)
    }

    @Test
    fun `another bundle takes the place of the first, whose model is freed and whose answer goes`() {
        val model = model().apply { start() }
        model.look { ReadPicture(picture) }
        model.select(1)
        assertEquals("executorch", model.state.runtime)
        assertTrue(model.state.answer == null && model.state.picture == null)
        assertEquals(listOf(true, false), models.opened.map { it.isClosed })
        model.select(1)
        assertEquals("nothing is opened again", 2, models.opened.size)
    }

    @Test
    fun `a damaged and a newer bundle are words on the screen, and the others still open`() {
        val damaged = Fixtures.list("damaged/cases.json").map { it.fields.getValue("folder") }.toString()
        val newer = Regex("[0-9]+-a-newer-schema").find(damaged)!!.value
        val model = model(Shelf("damaged/$newer", "bundles/test.tflite")).apply { start() }
        val notice = model.state.notice as Notice.BundleRefused
        assertTrue(notice.reason, notice.reason.startsWith("schema: ") && "update the app" in notice.reason)
        assertFalse(model.state.isReady || model.state.busy)
        model.look { ReadPicture(picture) }
        assertNull("no model, no answer", model.state.picture)
        model.select(1)
        assertTrue(model.state.isReady && model.state.notice == null)
    }

    @Test
    fun `a model that does not load is words on the screen, whatever the runtime throws`() {
        for (problem in listOf(UnsatisfiedLinkError("no library"), RuntimeException("bad file"), OutOfMemoryError())) {
            val model = model(opening = { _, _ -> throw problem }).apply { start() }
            val notice = model.state.notice as Notice.ModelFailed
            assertEquals(problem.message ?: "OutOfMemoryError", notice.reason)
            assertFalse(model.state.busy)
        }
    }

    @Test
    fun `no bundle, no camera, no permission and a bad picture are words on the screen`() {
        val model = model(Shelf()).apply { start() }
        assertEquals(Notice.NoBundles, model.state.notice)
        model.noCamera()
        assertEquals(Notice.NoCamera, model.state.notice)
        model.cameraDenied()
        assertEquals(Notice.CameraDenied, model.state.notice)
        for (problem in listOf(IOException("damaged"), IllegalStateException("gone"), OutOfMemoryError("too large"))) {
            model.look { throw problem }
            assertEquals(Notice.BadPicture(problem.message!!), model.state.notice)
        }
    }

    @Test
    fun `the bundle and the threads of before an app's end open again, and the first where it is gone`() {
        val model = model().apply { start("test.executorch", 4) }
        assertEquals(1 to 4, model.state.run { selected to threads })
        assertEquals(listOf(4), models.threads)
        assertEquals(0, model().apply { start("gone") }.state.selected)
    }

    @Test
    fun `other threads open the bundle again`() {
        val model = model().apply { start() }
        model.setThreads(2)
        assertEquals(listOf(1, 2), models.threads)
        assertTrue(model.state.isReady && model.state.selected == 0 && models.opened.first().isClosed)
        model.setThreads(2)
        assertEquals("nothing is opened again", 2, models.opened.size)
    }

    @Test
    fun `another bundle answers beside the first for the same picture, and outlives a change of the first`() {
        val model = model(Shelf("bundles/test.tflite", "bundles/test-float.tflite")).apply { start() }
        model.compare(1)
        assertTrue(model.state.isReady && model.state.selected == 0 && models.opened.none { it.isClosed })
        model.look { ReadPicture(picture) }
        val beside = model.state.beside!!
        assertEquals(
            model.state.answer!!
                .shares
                .first()
                .label,
            beside.answer!!
                .shares
                .first()
                .label,
        )
        assertEquals(2.0, beside.latencyMs!!, 0.2)
        model.setThreads(2)
        assertEquals(Beside(1), model.state.beside)
        assertEquals(listOf(true, true, false, false), models.opened.map { it.isClosed })
        model.compare(null)
        model.look { ReadPicture(picture) }
        assertNull(model.state.beside)
        assertEquals(listOf(true, true, false, true), models.opened.map { it.isClosed })
    }

    @Test
    fun `a bundle that does not open beside the first leaves the first at work`() {
        val damaged = Fixtures.damaged("a-newer-schema").name
        val model = model(Shelf("bundles/test.tflite", "damaged/$damaged")).apply { start() }
        model.compare(1)
        assertTrue(model.state.notice is Notice.BundleRefused && model.state.beside == null && model.state.isReady)
        model.look { ReadPicture(picture) }
        assertTrue(model.state.answer != null)
    }

    @Test
    fun `a picture that was read in part is shown with a word of it`() {
        val model = model().apply { start() }
        model.look { ReadPicture(picture, reduction = 2) }
        assertEquals(Notice.ReducedPicture(2), model.state.notice)
        assertTrue(model.state.answer != null)
    }

    @Test
    fun `the bundle's golden pictures are samples, one after the other`() {
        val model = model().apply { start() }
        val bundle = Fixtures.bundle("test.tflite")
        for (index in listOf(0, 1, 2, 0)) {
            model.lookAtSample(DesktopDecoder::decode)
            assertArrayEquals("picture $index", bundle.goldenPicture(index).bytes, model.state.picture!!.bytes)
        }
        val arrays = model(Shelf("features/spectrum.executorch")).apply { start() }
        arrays.lookAtSample { throw AssertionError("an array is no picture") }
        assertEquals(Notice.NoPictures, arrays.state.notice)
    }

    @Test
    fun `a bundle from files is opened, and one that is refused leaves the other one on the screen`() {
        val shelf = Shelf("bundles/test.tflite", "bundles/test.executorch")
        val model = model(shelf).apply { start() }
        model.openAnother { "test.executorch" }
        assertEquals(1 to "executorch", model.state.run { selected to runtime })
        model.openAnother { throw BundleRefusal("hash", "found other bytes") }
        assertEquals(Notice.BundleRefused("hash: found other bytes"), model.state.notice)
        assertTrue(model.state.isReady && model.state.selected == 1)
    }

    private fun live(work: Executor = Executor(Runnable::run)) =
        model(work = work).apply {
            start()
            (work as? Waiting)?.run()
            cameraOn()
            (work as? Waiting)?.run()
        }

    private class Waiting : Executor {
        val tasks = ArrayList<Runnable>()

        override fun execute(task: Runnable) {
            tasks += task
        }

        fun run() {
            while (tasks.isNotEmpty()) tasks.removeAt(0).run()
        }
    }

    @Test
    fun `a live camera shows answers, how fast they follow the frames, and no picture of its own`() {
        val model = live()
        repeat(3) { model.lookAtFrame { picture } }
        val live = model.state.live!!
        assertEquals(Sides(picture.width, picture.height), live.frame)
        assertEquals(Part(left = 4, top = 0, width = 31, height = 31), live.part)
        assertEquals(2.0, live.frameToAnswerMs!!, 0.2)
        assertEquals(500.0, live.framesPerSecond!!, 50.0)
        assertTrue(model.state.picture == null && model.state.answer != null && model.state.keepsScreenOn)
        model.select(1)
        assertTrue("the camera stays on for another bundle", model.state.live != null && model.state.answer == null)
    }

    @Test
    fun `frames that come while one is looked at are dropped unread`() {
        val work = Waiting()
        val model = live(work)
        var read = 0
        repeat(3) {
            model.lookAtFrame {
                read++
                picture
            }
        }
        assertEquals(1, read)
        work.run()
        model.lookAtFrame {
            read++
            picture
        }
        assertEquals(2, read)
        assertEquals(1, work.tasks.size)
    }

    @Test
    fun `a frame whose camera was closed is forgotten, one without memory is a word, and the next one is read`() {
        val model = live()
        model.lookAtFrame { throw IllegalStateException("Image is already closed") }
        assertNull(model.state.answer)
        model.lookAtFrame { throw OutOfMemoryError("too many frames") }
        assertEquals(Notice.BadPicture("too many frames"), model.state.notice)
        model.lookAtFrame { picture }
        assertTrue(model.state.answer != null)
    }

    @Test
    fun `what the camera saw last stays as a picture, and later frames are not read`() {
        val model = live()
        model.lookAtFrame { picture }
        model.cameraOff()
        assertTrue(model.state.live == null && !model.state.keepsScreenOn)
        assertArrayEquals(Fixtures.bundle("test.tflite").goldenPicture(0).bytes, model.state.picture!!.bytes)
        model.lookAtFrame { throw AssertionError("read without a camera") }
    }

    @Test
    fun `a frame that is in flight as the camera goes off is what stays`() {
        val work = Waiting()
        val model = live(work)
        model.lookAtFrame { picture }
        model.cameraOff()
        work.run()
        assertTrue(model.state.live == null && model.state.picture != null)
    }

    @Test
    fun `nothing heavy happens where it is asked for`() {
        val waiting = ArrayList<Runnable>()
        val model = model(work = { waiting += it })
        model.start()
        model.select(1)
        model.look { throw AssertionError("read on the caller's thread") }
        model.benchmark(File("none")) { _, _, _ -> throw AssertionError("measured on the caller's thread") }
        assertEquals(4, waiting.size)
        assertTrue(models.opened.isEmpty())
    }

    @Test
    fun `a benchmark tells its progress and its result`() {
        val model = model().apply { start() }
        model.benchmark(File("out/bench.json")) { bundle, _, progress ->
            assertEquals("test.tflite", bundle.folder.name)
            progress(0.5)
            summarize(List(20) { doubleArrayOf(2.5) })
        }
        assertTrue(states.any { it.busy && it.progress == 0.5 })
        assertEquals(Notice.Measured(2.5, File("out/bench.json").path, null), model.state.notice)
        assertEquals(listOf(Measured("test.tflite", 1, 2.5, 2.5)), model.state.measured)
        assertTrue(model.state.isReady && model.state.progress == null)
        model.benchmark(File("out")) { _, _, _ -> throw IOException("no room") }
        assertEquals(Notice.ModelFailed("no room"), model.state.notice)
        assertTrue(model.state.isReady)
    }

    @Test
    fun `a benchmark can be stopped, and keeps the screen on until then`() {
        val model = model().apply { start() }
        model.benchmark(File("out")) { _, _, progress ->
            progress(0.25)
            assertTrue(model.state.isMeasuring && model.state.keepsScreenOn)
            model.stop()
            progress(0.5)
            throw AssertionError("measured after it was stopped")
        }
        assertEquals(Notice.Stopped, model.state.notice)
        assertTrue(model.state.isReady && !model.state.isMeasuring && model.state.measured.isEmpty())
        model.benchmark(File("out")) { _, _, progress ->
            progress(1.0)
            summarize(List(20) { doubleArrayOf(1.0) })
        }
        assertTrue("the next one is not stopped", model.state.notice is Notice.Measured)
    }

    @Test
    fun `benchmarks stand beside each other, each bundle's last one, and on one scale`() {
        val model = model().apply { start() }

        fun measured(vararg times: Double) = model.benchmark(File("out")) { _, _, _ -> summarize(List(20) { times }) }
        measured(4.0)
        model.select(1)
        measured(1.0)
        model.select(0)
        measured(2.0, 2.0, 3.0)
        val (first, second) = model.state.measured
        assertEquals("test.tflite" to 2.0, first.bundle to first.medianMs)
        assertEquals("test.executorch" to 1.0, second.bundle to second.medianMs)
        val bars = bars(model.state.measured)
        assertEquals(listOf(2.0 / 3, 1.0 / 3), bars.map { it.medianShare })
        assertEquals(listOf(1.0, 1.0 / 3), bars.map { it.p90Share })
        assertTrue(bars(emptyList()).isEmpty())
    }

    @Test
    fun `closing frees the model and nothing is shown any more`() {
        val model = model().apply { start() }
        model.close()
        states.clear()
        model.noCamera()
        assertTrue(models.opened.single().isClosed && states.isEmpty())
    }
}
