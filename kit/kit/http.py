"""Health, metrics and /settled over HTTP, in a thread of their own: a hung loop cannot hide itself."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = structlog.get_logger()
_LOOP_SILENCE_S = 30.0
_SILENCE_S = 5.0
_CONNECTIONS_MAX = 32


class Status:
    """What the loop last said of itself; written by the loop, read by the HTTP thread."""

    def __init__(self) -> None:
        self.beat = time.monotonic()
        self.not_ready: dict[str, str] = {"start": "starting"}

    @property
    def live(self) -> bool:
        """Whether the loop has turned within the last 30 seconds."""
        return time.monotonic() - self.beat < _LOOP_SILENCE_S


class _Server(ThreadingHTTPServer):
    """A thread a connection, and a bound on both: over it, whoever has been here longest is sent away.

    So connections that say or read nothing cost neither memory nor a probe its answer.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: OrderedDict[socket.socket, None] = OrderedDict()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a connection; end the oldest where there are too many."""
        with self._guard:
            self._open[request] = None
            while len(self._open) > _CONNECTIONS_MAX:
                oldest, _ = self._open.popitem(last=False)
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread wakes up and ends
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or read nothing is no event of ours; anything else is."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.warning("http_failed", exc_info=error)


def serve(
    host: str,
    port: int,
    status: Status,
    settled: Callable[[], dict[str, str]],
    sent: Callable[[], int] = lambda: 0,
) -> ThreadingHTTPServer:
    """Answer /live, /ready, /metrics and /settled in a daemon thread. Raises OSError for a taken port.

    `settled` returns what is still under way by part; an empty answer means settled. `sent` counts the
    events sent to the others: who asks all services twice believes them if no count has changed.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENCE_S  # seconds without a byte, in either direction

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
            elif self.path == "/live":
                self._json(200 if status.live else 503, {"live": status.live})
            elif self.path == "/ready":
                ready = status.live and not status.not_ready
                self._json(200 if ready else 503, {"ready": ready, "waiting_for": dict(status.not_ready)})
            elif self.path == "/settled":
                waiting = settled()
                body = {"settled": not waiting, "waiting_for": waiting, "events_sent": sent()}
                self._json(200 if not waiting else 503, body)
            else:
                self._json(404, {"paths": ["/live", "/ready", "/metrics", "/settled"]})

        def _json(self, code: int, body: dict[str, object]) -> None:
            self._answer(code, json.dumps(body).encode(), "application/json")

        def _answer(self, code: int, body: bytes, kind: str) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes come every second; they are no event."""

    server = _Server((host, port), Handler)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
