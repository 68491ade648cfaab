package mobilesdk.runtime.bundle

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.Fixtures
import mobilesdk.runtime.json.JsonTruth
import mobilesdk.runtime.signing.publicKey
import mobilesdk.runtime.text
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.security.GeneralSecurityException

class SignatureTest {
    private val signed = Fixtures.folder.resolve("signed")
    private val key = publicKey(signed.resolve("key.der").readBytes())

    @Test
    fun `with a key only what python signed with its private key opens`() {
        val cases = Fixtures.list("signed/cases.json")
        val (genuine, others) = cases.partition { it.fields.getValue("opens") == JsonTruth(true) }
        assertTrue(genuine.size >= 2 && others.size >= 9)
        for (case in genuine) openBundle(folder(case.text("folder")), DesktopDecoder, key)
        for (case in others) {
            val refusal = refusal(folder(case.text("folder")))
            assertEquals(case.text("folder"), "signature", refusal.check)
            assertTrue(refusal.message!!.startsWith("signature: expected ") && '\n' !in refusal.message!!)
        }
    }

    @Test
    fun `without a key each of them opens`() {
        for (case in Fixtures.list("signed/cases.json")) openBundle(folder(case.text("folder")), DesktopDecoder)
    }

    @Test
    fun `a missing signature and another's are told apart`() {
        assertEquals(
            "signature: expected a signed bundle, found no bundle.sig",
            refusal(Fixtures.folder.resolve("bundles/test.tflite")).message,
        )
        assertEquals(
            "signature: expected the key's signature of bundle.json, found one of another key or bundle",
            refusal(signed.listFiles().orEmpty().single { it.name.endsWith("another-keys-signature") }).message,
        )
    }

    @Test
    fun `the signature is checked before the manifest is read`() {
        for (name in listOf("a-newer-schema", "a-manifest-that-is-no-object", "a-changed-scale")) {
            assertEquals("signature", refusal(Fixtures.damaged(name)).check)
        }
    }

    @Test
    fun `a key of other bytes is refused`() {
        val bytes = signed.resolve("key.der").readBytes()
        for (wrong in listOf(byteArrayOf(), bytes.copyOf(bytes.size - 1), ByteArray(bytes.size))) {
            assertThrows(GeneralSecurityException::class.java) { publicKey(wrong) }
        }
    }

    private fun folder(name: String) = signed.resolve(name)

    private fun refusal(folder: File): BundleRefusal =
        assertThrows(folder.name, BundleRefusal::class.java) { openBundle(folder, DesktopDecoder, key) }
}
