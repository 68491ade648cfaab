package mobilesdk.demo.screen

import mobilesdk.demo.DesktopDecoder
import mobilesdk.demo.FakeClock
import mobilesdk.demo.FakeModels
import mobilesdk.demo.Fixtures
import mobilesdk.demo.benchmark.summarize
import mobilesdk.demo.bundle.Bundle
import mobilesdk.demo.bundle.BundleShelf
import mobilesdk.demo.bundle.openBundle
import mobilesdk.demo.image
import mobilesdk.demo.model.Model
import mobilesdk.demo.model.Models
import mobilesdk.demo.picture.Rgb
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
        model.look { picture }
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
        model.look { whole }
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
        model.look { whole }
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
        model.look { picture }
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
        model.look { picture }
        assertEquals(Notice.NoPictures, model.state.notice)
    }

    @Test
    fun `a model that gives other outputs than its bundle says is seen to fail`() {
        val wrong =
            Models { bundle, _ ->
                object : Model {
                    override fun outputs(picture: Rgb) = bundle.goldenOutputs(0).also { it[0][0] += 1f }

                    override fun close() = Unit
                }
            }
        val model = model(opening = wrong).apply { start() }
        assertTrue(model.state.golden!!, model.state.golden!!.startsWith("golden failed: 0 of 3, "))
        assertTrue(model.state.isReady)
    }

    @Test
    fun `another bundle takes the place of the first, whose model is freed and whose answer goes`() {
        val model = model().apply { start() }
        model.look { picture }
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
        model.look { picture }
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
    fun `frames that come while one is looked at are dropped unread`() {
        val waiting = ArrayList<Runnable>()
        val model = model(work = { waiting += it })
        model.start()
        waiting.removeAt(0).run()
        var read = 0
        repeat(3) {
            model.lookAtFrame {
                read++
                picture
            }
        }
        assertEquals(1, read)
        waiting.removeAt(0).run()
        model.lookAtFrame {
            read++
            picture
        }
        assertEquals(2, read)
        assertEquals(1, waiting.size)
    }

    @Test
    fun `a frame whose camera was closed is forgotten, and the next one is read`() {
        val model = model().apply { start() }
        model.lookAtFrame { throw IllegalStateException("Image is already closed") }
        assertNull(model.state.picture)
        model.lookAtFrame { picture }
        assertEquals(
            Fixtures
                .bundle("test.tflite")
                .manifest.image.widthPx,
            model.state.picture!!.width,
        )
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
        assertTrue(model.state.isReady && model.state.progress == null)
        model.benchmark(File("out")) { _, _, _ -> throw IOException("no room") }
        assertEquals(Notice.ModelFailed("no room"), model.state.notice)
        assertTrue(model.state.isReady)
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
