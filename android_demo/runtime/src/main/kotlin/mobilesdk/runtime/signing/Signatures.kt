package mobilesdk.runtime.signing

import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.PublicKey
import java.security.Signature
import java.security.spec.X509EncodedKeySpec

/** The most bytes of a signature in DER: two numbers of 33 bytes with the heads of three elements. */
const val MAX_SIGNATURE_BYTES = 72

private const val MIN_SIGNATURE_BYTES = 8
private const val MAX_NUMBER_BYTES = 32
private const val SEQUENCE: Byte = 0x30
private const val INTEGER: Byte = 0x02
private const val ZERO: Byte = 0

/** Returns a public key from its DER, as `mobile-sdk embed --key` writes it; throws GeneralSecurityException. */
fun publicKey(der: ByteArray): PublicKey = KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(der))

/** Returns true where [signature] is one of [data] by the holder of the private key: ECDSA with SHA-256. */
fun isSignedBy(
    key: PublicKey,
    signature: ByteArray,
    data: ByteArray,
): Boolean =
    try {
        Signature.getInstance("SHA256withECDSA").run {
            initVerify(key)
            update(data)
            verify(signature)
        }
    } catch (_: GeneralSecurityException) {
        false // it holds numbers that no signature has
    }

/** Returns true where [data] has a signature's form: DER's one spelling of two positive numbers of 256 bits at most. */
fun isSignature(data: ByteArray): Boolean {
    if (data.size !in MIN_SIGNATURE_BYTES..MAX_SIGNATURE_BYTES) return false
    if (data[0] != SEQUENCE || data[1].toInt() != data.size - 2) return false
    val second = 4 + data[3]
    if (second !in 4..data.size) return false
    return isNumber(data.slice(2 until second)) && isNumber(data.slice(second until data.size))
}

/** Returns true for one INTEGER of DER, above 0 and of 256 bits at most, without a needless zero. */
private fun isNumber(element: List<Byte>): Boolean {
    if (element.size < 3 || element[0] != INTEGER || element[1].toInt() != element.size - 2) return false
    val digits = element.drop(2)
    if (digits[0] != ZERO) return digits[0] > 0 && digits.size <= MAX_NUMBER_BYTES
    return digits.size in 2..MAX_NUMBER_BYTES + 1 && digits[1] < 0
}
