package mobilesdk.demo.shelf

import android.content.ContentResolver
import android.net.Uri
import android.provider.DocumentsContract
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/** A document below a folder that the user picked, in whatever app keeps it. */
class PickedFolder private constructor(
    private val resolver: ContentResolver,
    private val tree: Uri,
    private val id: String,
    override val name: String,
    private val isFolder: Boolean,
) : Document {
    override fun inside(): List<Document>? {
        if (!isFolder) return null
        val children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, id)
        return answered(
            resolver,
            children,
        ) { (id, name, type) -> PickedFolder(resolver, tree, id, name, type == FOLDER) }
    }

    override fun open(): InputStream =
        guarded { resolver.openInputStream(DocumentsContract.buildDocumentUriUsingTree(tree, id)) }
            ?: throw FileNotFoundException(name)

    companion object {
        private const val FOLDER = DocumentsContract.Document.MIME_TYPE_DIR
        private val COLUMNS =
            arrayOf(
                DocumentsContract.Document.COLUMN_DOCUMENT_ID,
                DocumentsContract.Document.COLUMN_DISPLAY_NAME,
                DocumentsContract.Document.COLUMN_MIME_TYPE,
            )

        /** The folder that [tree], the picker's answer, stands for. */
        @Throws(IOException::class)
        fun of(
            resolver: ContentResolver,
            tree: Uri,
        ): Document {
            val uri = DocumentsContract.buildDocumentUriUsingTree(tree, DocumentsContract.getTreeDocumentId(tree))
            return answered(
                resolver,
                uri,
            ) { (id, name, type) -> PickedFolder(resolver, tree, id, name, type == FOLDER) }
                .singleOrNull() ?: throw FileNotFoundException("$tree")
        }

        private fun <T> answered(
            resolver: ContentResolver,
            uri: Uri,
            make: (List<String>) -> T,
        ): List<T> =
            guarded {
                resolver.query(uri, COLUMNS, null, null, null)?.use { rows ->
                    generateSequence { rows.takeIf { it.moveToNext() } }
                        .map { row -> make(COLUMNS.indices.map { row.getString(it).orEmpty() }) }
                        .toList()
                }
            }.orEmpty()

        /** Another app may refuse, or end, at any time. */
        private fun <T> guarded(ask: () -> T): T =
            try {
                ask()
            } catch (problem: SecurityException) {
                throw IOException(problem)
            } catch (problem: IllegalArgumentException) {
                throw IOException(problem)
            }
    }
}
