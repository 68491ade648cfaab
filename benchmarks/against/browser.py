"""Runs ONNX bundles with onnxruntime-web in headless Chromium: WebAssembly, one thread.

A page on this machine fetches the model and the inputs, and sends back the outputs or what went wrong.
"""

import json
import queue
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.devices.base import Run
from mobile_sdk.errors import BundleError, MachineError
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.system.cache import Say, cache_folder, made_once
from mobile_sdk.system.child_process import tied
from mobile_sdk.system.commands import run_command
from mobile_sdk.system.temporary_folder import scratch_folder

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
_TYPES = {".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}
_TIMEOUT_S = 300.0
_PAGE = """<!doctype html><script type="module">
const send = (path, body) => fetch(path, {method: "POST", body});
try {
  const ort = await import("/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = "/";
  ort.env.wasm.numThreads = 1;
  const read = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  const {input, outputs, pictures} = await (await fetch("/spec.json")).json();
  const session = await ort.InferenceSession.create(await read("/model.onnx"), {executionProviders: ["wasm"]});
  const given = await read("/inputs");
  const bytes = given.length / pictures, parts = [];
  for (let index = 0; index < pictures; index++) {
    const one = given.slice(index * bytes, (index + 1) * bytes);
    const data = input.dtype === "int8" ? new Int8Array(one.buffer) : one;
    const found = await session.run({[input.name]: new ort.Tensor(input.dtype, data, input.shape)});
    for (const name of outputs) {
      const values = found[name].data;
      parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice());
    }
  }
  await send("/outputs", new Blob(parts));
} catch (error) {
  await send("/error", String(error));
}
</script>"""


class Chromium:
    """Runs ONNX models in headless Chromium, as a device does: `mobile_sdk.devices.base.Device`."""

    name = "onnxruntime-web in Chromium"
    measures_time = False

    def unavailable(self) -> str | None:
        """Returns why it cannot run here now, or None."""
        missing = [program for program in ("chromium", "npm") if shutil.which(program) is None]
        return f"the program {missing[0]} is missing (apt-get install {missing[0]})" if missing else None

    def make_ready(self, say: Say) -> None:
        """Fetches onnxruntime-web into the cache, if it is not there yet."""
        _package()

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """Yields a function that gives the model pictures in a page of its own; ignores `threads`."""
        if reason := self.unavailable():
            raise MachineError(f"expected to run Chromium, found that {reason}", hint="install it")
        yield lambda pictures: _outputs(model, interface, pictures)


def _outputs(model: Path, interface: Interface, pictures: NDArray[np.uint8]) -> NDArray[np.generic]:
    """Returns the outputs (pictures, …); raises BundleError with what the page says if it fails."""
    spec = {
        "input": interface.input.model_dump(mode="json"),
        "outputs": [output.name for output in interface.outputs],
        "pictures": len(pictures),
    }
    files = {name: (_package() / name).read_bytes() for name in _FILES} | {
        "page.html": _PAGE.encode(),
        "spec.json": json.dumps(spec).encode(),
        "model.onnx": model.read_bytes(),
        "inputs": b"".join(input_array(picture, interface.input).tobytes() for picture in pictures),
    }
    answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
    with _served(files, answers) as address, scratch_folder() as profile:
        words = ["chromium", *_FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", f"{address}/page.html"]
        browser = subprocess.Popen(tied(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            path, body = answers.get(timeout=_TIMEOUT_S)
        except queue.Empty:
            found = f"expected Chromium's outputs within {_TIMEOUT_S:.0f} s, found none"
            raise MachineError(found, hint="give it fewer pictures") from None
        finally:
            browser.kill()
            browser.wait()
    if path == "/error":
        said = body.decode(errors="replace")[:200]
        raise BundleError(f"onnxruntime-web refuses {model.name}: {said}", hint="export it again")
    return interface.read_outputs(body)


def _package() -> Path:
    return made_once(cache_folder() / f"onnxruntime-web-{VERSION}", _fetch)


def _fetch(folder: Path) -> None:
    if shutil.which("npm") is None:
        raise MachineError("expected the program npm, found none", hint="apt-get install npm")
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
    said = run_command(command, hint="look whether npm reaches its registry here")
    archive = folder / said.strip().splitlines()[-1]
    with tarfile.open(archive) as members:
        for name in _FILES:
            source = members.extractfile(f"package/dist/{name}")
            assert source is not None
            (folder / name).write_bytes(source.read())
    archive.unlink()


@contextmanager
def _served(files: dict[str, bytes], answers: "queue.Queue[tuple[str, bytes]]") -> Iterator[str]:
    """Serves the files on a port of this machine, and puts what is sent to it into `answers`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, files, answers))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, files: dict[str, bytes], answers: "queue.Queue[tuple[str, bytes]]", *words: object) -> None:
        self._files, self._answers = files, answers
        super().__init__(*words)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        data = self._files.get(self.path.strip("/"))
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Type", _TYPES.get(Path(self.path).suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self._answers.put((self.path, body))

    def log_message(self, *words: object) -> None:
        """Says nothing."""
