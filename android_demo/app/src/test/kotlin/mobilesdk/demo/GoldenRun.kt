package mobilesdk.demo

import mobilesdk.runtime.DesktopDecoder
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.json.jsonText
import mobilesdk.runtime.tensor.inputBytes
import java.io.File
import java.security.MessageDigest

/**
 * Prints a line of JSON for every golden picture of the bundles that it is given: the digest of the input that this
 * language makes of it, and the label that wins, where there are labels. The SDK's tests hold them to what Python says.
 */
fun main(arguments: Array<String>) {
    for (bundle in arguments.map { openBundle(File(it), DesktopDecoder) }) {
        for (index in bundle.manifest.golden.pictures.indices) {
            val digest = MessageDigest.getInstance("SHA-256")
            digest.update(inputBytes(bundle.goldenPicture(index), bundle.manifest.input))
            val label = bundle.manifest.labels.getOrNull(bundle.manifest.task.winner(bundle.goldenOutputs(index)))
            val line = mapOf("bundle" to bundle.folder.name, "index" to index, "label" to label)
            println(jsonText(line + ("input_sha256" to digest.digest().joinToString("") { "%02x".format(it) })))
        }
    }
}
