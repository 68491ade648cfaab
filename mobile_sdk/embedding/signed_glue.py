"""Writes the code with which an app without a reader of bundles refuses what the holder of a key has not signed.

It holds the key, and checks any folder: one of the app's own, or one that was downloaded.
"""

import base64
from textwrap import wrap

from mobile_sdk.embedding.glue import WRITTEN_BY

_KOTLIN = """\
{written_by}
package mobilesdk

import org.json.JSONObject
import java.io.File
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.MessageDigest
import java.security.Signature
import java.security.spec.X509EncodedKeySpec

/** Bundles that the holder of one private key has signed. Others are refused, wherever they come from. */
object SignedBundles {{
    private const val KEY =
{key}
    private const val MANIFEST = "bundle.json"
    private const val SIGNATURE = "bundle.sig"
    private const val MAX_MANIFEST_BYTES = 8L shl 20
    private const val MAX_SIGNATURE_BYTES = 72L
    private const val BUFFER_BYTES = 1 shl 16

    /** Returns [folder] if every file in it is what the holder of the key has signed. Not for the main thread. */
    @Throws(IOException::class)
    fun checked(folder: File): File {{
        val manifest = read(File(folder, MANIFEST), MAX_MANIFEST_BYTES)
        if (!isSigned(manifest, read(File(folder, SIGNATURE), MAX_SIGNATURE_BYTES))) refuse(MANIFEST)
        val entries = JSONObject(manifest.decodeToString()).getJSONArray("files")
        val listed = (0 until entries.length()).map {{ entries.getJSONObject(it) }}
        for (entry in listed) {{
            val path = entry.getString("path")
            val file = File(folder, path)
            if (!file.isFile || sha256(file) != entry.getString("sha256")) refuse(path)
        }}
        val present = folder.walk().filterNot {{ it.isDirectory }}.map {{ it.relativeTo(folder).path }}
        val known = listed.map {{ it.getString("path") }} + MANIFEST + SIGNATURE
        (present - known.toSet()).firstOrNull()?.let {{ refuse(it) }}
        return folder
    }}

    private fun isSigned(
        manifest: ByteArray,
        signature: ByteArray,
    ): Boolean =
        try {{
            val der = KEY.chunked(2) {{ "$it".toInt(16).toByte() }}.toByteArray()
            Signature.getInstance("SHA256withECDSA").run {{
                initVerify(KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(der)))
                update(manifest)
                verify(signature)
            }}
        }} catch (_: GeneralSecurityException) {{
            false // it is no signature
        }}

    private fun read(
        file: File,
        mostBytes: Long,
    ): ByteArray {{
        if (!file.isFile || file.length() > mostBytes) refuse(file.name)
        return file.readBytes()
    }}

    private fun sha256(file: File): String {{
        val digest = MessageDigest.getInstance("SHA-256")
        file.inputStream().use {{ stream ->
            val buffer = ByteArray(BUFFER_BYTES)
            generateSequence {{ stream.read(buffer).takeIf {{ it >= 0 }} }}.forEach {{ digest.update(buffer, 0, it) }}
        }}
        return digest.digest().joinToString("") {{ "%02x".format(it) }}
    }}

    private fun refuse(path: String): Nothing = throw IOException("expected what the key signed, found another $path")
}}
"""
_SWIFT = """\
{written_by}
import CryptoKit
import Foundation

/// Bundles that the holder of one private key has signed. Others are refused, wherever they come from.
public enum SignedBundles {{
  public struct Refusal: LocalizedError {{
    public let path: String

    public var errorDescription: String? {{
      "expected what the key signed, found another \\(path)"
    }}
  }}

  private struct Manifest: Decodable {{
    struct Entry: Decodable {{
      let path: String
      let sha256: String
    }}

    let files: [Entry]
  }}

  private static let key = \"""
    {key}
    \"""
  private static let (manifestFile, signatureFile) = ("bundle.json", "bundle.sig")
  private static let (maximumManifestBytes, maximumSignatureBytes) = (8 << 20, 72)

  /// Returns `folder` if every file in it is what the holder of the key has signed. Not for the main thread.
  public static func checked(_ folder: URL) throws -> URL {{
    let data = try read(manifestFile, in: folder, atMost: maximumManifestBytes)
    guard isSigned(data, by: try read(signatureFile, in: folder, atMost: maximumSignatureBytes)) else {{
      throw Refusal(path: manifestFile)
    }}
    let entries = try JSONDecoder().decode(Manifest.self, from: data).files
    for entry in entries {{
      let file = try? Data(contentsOf: folder.appendingPathComponent(entry.path), options: .mappedIfSafe)
      guard let file, digits(of: file) == entry.sha256 else {{ throw Refusal(path: entry.path) }}
    }}
    let known = Set(entries.map(\\.path) + [manifestFile, signatureFile])
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where !known.contains(path) {{
      let kind = try FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(path).path)[.type]
      guard kind as? FileAttributeType == .typeDirectory else {{ throw Refusal(path: path) }}
    }}
    return folder
  }}

  private static func read(_ name: String, in folder: URL, atMost maximumBytes: Int) throws -> Data {{
    let file = folder.appendingPathComponent(name)
    let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular,
      let bytes = attributes?[.size] as? Int, bytes <= maximumBytes
    else {{ throw Refusal(path: name) }}
    return try Data(contentsOf: file)
  }}

  private static func isSigned(_ data: Data, by signature: Data) -> Bool {{
    guard let der = Data(base64Encoded: key),
      let signer = try? P256.Signing.PublicKey(derRepresentation: der),
      let given = try? P256.Signing.ECDSASignature(derRepresentation: signature)
    else {{ return false }}
    return signer.isValidSignature(given, for: data)  // of its SHA-256
  }}

  private static func digits(of data: Data) -> String {{
    SHA256.hash(data: data).map {{ String(format: "%02x", $0) }}.joined()
  }}
}}
"""


def kotlin_signed(key: bytes) -> str:
    """Returns `SignedBundles.kt` for a public key in DER."""
    digits = " +\n            ".join(f'"{part}"' for part in wrap(key.hex(), 92))
    return _KOTLIN.format(written_by=WRITTEN_BY, key=f"        {digits}")


def swift_signed(key: bytes) -> str:
    """Returns `SignedBundles.swift` for a public key in DER."""
    lines = "\\\n    ".join(wrap(base64.b64encode(key).decode(), 92))
    return _SWIFT.format(written_by=WRITTEN_BY, key=lines)
