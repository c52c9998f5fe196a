"""Health and metrics under clients that say or read nothing."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from kit import http as kit_http
from kit.testing import eventually


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(kit_http, "_SILENCE_S", 0.5)
    status = kit_http.Status()
    status.not_ready.clear()
    running = kit_http.serve("127.0.0.1", 0, status, dict)
    yield running
    running.shutdown()
    running.server_close()


def live(server: ThreadingHTTPServer) -> bool:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/live")
        return connection.getresponse().status == 200


def threads_of() -> int:
    return sum("process_request" in thread.name for thread in threading.enumerate())


async def test_three_hundred_silent_connections_hold_up_no_probe(server: ThreadingHTTPServer) -> None:
    with contextlib.ExitStack() as opened:
        for number in range(300):
            silent = opened.enter_context(socket.create_connection(server.server_address[:2], timeout=5))
            if number % 2:
                silent.sendall(b"GET /metrics HTTP/1.1\r\n")  # begun, and never ended
            if number % 100 == 0:
                assert live(server)
        assert live(server)
        assert threads_of() <= 2 * kit_http._CONNECTIONS_MAX
        assert await eventually(lambda: threads_of() == 0), "silence ends a connection"


async def test_who_asks_for_metrics_and_reads_nothing_is_let_go(server: ThreadingHTTPServer) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(kit_http._CONNECTIONS_MAX):
            deaf = opened.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            deaf.connect(server.server_address[:2])
            deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert live(server)
        assert await eventually(lambda: threads_of() == 0)
