"""Health, metrics and /settled over HTTP, in a thread of their own: a hung loop cannot hide itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

_LOOP_SILENCE_S = 30.0


class Status:
    """What the loop last said of itself; written by the loop, read by the HTTP thread."""

    def __init__(self) -> None:
        self.beat = time.monotonic()
        self.not_ready: dict[str, str] = {"start": "starting"}

    @property
    def live(self) -> bool:
        """Whether the loop has turned within the last 30 seconds."""
        return time.monotonic() - self.beat < _LOOP_SILENCE_S


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

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
