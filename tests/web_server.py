"""A web server on this machine: serves a folder with range requests, and fails as it is told."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Trouble:
    """What goes wrong, by file name.

    `unwell` answers 503 that many times before it is well (None: for ever); `stalled` sends
    nothing for `stall_s` seconds that many times (None: for ever). The first `well` requests of a
    file are answered in any case.
    """

    def __init__(self, *, unwell=None, stalled=None, stall_s=5.0, well=0):
        self.well = well
        self.left = dict(unwell or {})
        self.stalls = dict(stalled or {})
        self.stall_s = stall_s
        self.lock = threading.Lock()
        self.requests = []
        self.closing = threading.Event()

    def takes(self, counts, name):
        """Return whether a request of this file fails, and count it."""
        with self.lock:
            if name not in counts or sum(r[1] == name for r in self.requests) <= self.well:
                return False
            if counts[name] is None:
                return True
            counts[name] -= 1
            return counts[name] >= 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def log_message(self, *_):
        """Say nothing."""

    def _answer(self, *, body):
        trouble = self.server.trouble
        name = Path(unquote(urlsplit(self.path).path)).name
        trouble.requests.append((self.command, name, self.headers.get("Range")))
        if trouble.takes(trouble.stalls, name):
            trouble.closing.wait(trouble.stall_s)
            self.close_connection = True
            return
        if trouble.takes(trouble.left, name):
            self._send(503, b"", body=body)
            return
        path = self.server.folder / unquote(urlsplit(self.path).path).lstrip("/")
        if not path.is_file():
            self._send(404, b"", body=body)
            return
        self._send_file(path.read_bytes(), body=body)

    def _send_file(self, data, *, body):
        wanted = self.headers.get("Range")
        if wanted is None:
            self._send(200, data, body=body)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data)), len(data) - 1)
        if start >= len(data):
            self._send(416, b"", body=body)
            return
        more = {"Content-Range": f"bytes {start}-{end}/{len(data)}"}
        self._send(206, data[start : end + 1], body=body, more=more)

    def _send(self, code, data, *, body, more=None):
        self.send_response(code)
        for key, value in {"Accept-Ranges": "bytes", "ETag": '"1"', **(more or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)


@contextmanager
def serving(folder, trouble=None):
    """Serve a folder; yield its address and what was asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.folder, server.trouble = Path(folder), trouble or Trouble()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.trouble
    finally:
        server.trouble.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def now():
    """Return seconds of a clock that only goes forward."""
    return time.monotonic()
