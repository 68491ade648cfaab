package mobilesdk.demo.benchmark

import android.content.Context
import android.content.pm.PackageManager
import android.net.LocalServerSocket
import android.net.LocalSocket
import android.os.Process
import android.system.ErrnoException
import android.system.Os
import android.system.OsConstants
import java.io.BufferedInputStream
import java.io.BufferedOutputStream
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream

/** The permission that the shell has and no other app: of those who start the benchmark, and of those who speak to it. */
const val SHELLS_PERMISSION = "android.permission.DUMP"

/**
 * Serves one connection to an abstract socket of [name], which `adb forward … localabstract:` reaches; then it ends.
 *
 * SELinux lets adbd connect to apps' sockets, and lets an app read /data/local/tmp but not write there: so answers take
 * this way. Another app could connect as well; who has not the shell's permission is sent away.
 */
class SessionServer(
    private val context: Context,
    private val name: String,
    private val serve: (InputStream, OutputStream) -> Unit,
    private val ended: (SessionServer) -> Unit,
) {
    private val server = LocalServerSocket(name)

    @Volatile
    private var connection: LocalSocket? = null

    @Volatile
    private var isClosed = false

    fun start() = Thread(::work, "benchmark $name").start()

    /** Ends the connection, and the wait for one. */
    fun close() {
        isClosed = true
        shutDown()
        try {
            connection?.close()
        } catch (_: IOException) {
            // It is closed all the same.
        }
    }

    private fun work() {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_DISPLAY) // threads of the runtimes inherit it
        try {
            accepted()?.use { socket ->
                connection = socket
                serve(BufferedInputStream(socket.inputStream), BufferedOutputStream(socket.outputStream))
            }
        } catch (_: IOException) {
            // The socket was closed.
        } finally {
            server.close()
            ended(this)
        }
    }

    private fun accepted(): LocalSocket? {
        while (!isClosed) {
            val socket = server.accept()
            val peer = socket.peerCredentials
            val granted = context.checkPermission(SHELLS_PERMISSION, peer.pid, peer.uid)
            if (granted == PackageManager.PERMISSION_GRANTED) return socket
            socket.close()
        }
        return null
    }

    /** Closing alone leaves `accept` waiting. */
    private fun shutDown() {
        try {
            Os.shutdown(server.fileDescriptor, OsConstants.SHUT_RDWR)
        } catch (_: ErrnoException) {
            // Nobody waits.
        }
    }
}
