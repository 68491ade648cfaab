"""Serves bytes on 127.0.0.1, whole, cut short or not at all, as a publisher's server or a broken network does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class FileServer(ThreadingHTTPServer):
    """Answers with the bytes of `files` by path; `cut` sends half of them, `asked` has the paths that were got."""

    def __init__(self, files: Mapping[str, bytes], *, cut: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.cut = dict(files), cut
        self.headers: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """The beginning of every URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(files: Mapping[str, bytes], *, cut: bool = False) -> Iterator[FileServer]:
    """Serves the files inside the block."""
    server = FileServer(files, cut=cut)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""

    def _answer(self, *, with_content: bool) -> None:
        data = self.server.files.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        for name, value in self.server.headers.get(self.path, {}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_content and data is not None:
            self.server.asked.append(self.path)
            self.wfile.write(data[: len(data) // 2] if self.server.cut else data)
