"""A GET of a service's health pages on this machine, and what /settled says of all of them together."""

import asyncio
import time
from collections.abc import Mapping

TIMEOUT_SECONDS = 10


async def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body; status 0 when nobody answers."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]) if len(words) > 1 else 0), body


async def wait_settled(ports: Mapping[str, int], seconds: float, pause: float = 0.02) -> None:
    """Return when every worker is settled; raise TimeoutError that names the one that is not.

    All are asked at once. One round is not enough, for what one of them published may reach another after
    its answer. Two rounds that say the same are, counters of what was sent included: whatever was sent before
    the first round's answer is waited for in the second.
    """
    deadline = time.monotonic() + seconds
    before: list[bytes] = []
    while True:
        bodies = await asyncio.gather(
            *(_settled(name, port, seconds, deadline, pause) for name, port in ports.items())
        )
        if bodies == before:
            return
        before = bodies
        if time.monotonic() > deadline:
            said = {name: body.decode() for name, body in zip(ports, bodies, strict=True)}
            raise TimeoutError(f"not settled after {seconds:.0f} s: changing; {said}")


async def _settled(name: str, port: int, seconds: float, deadline: float, pause: float) -> bytes:
    while True:
        status, body = await get(port, "/settled")
        if status == 200:
            return body
        if time.monotonic() > deadline:
            raise TimeoutError(f"not settled after {seconds:.0f} s: {name}; {body.decode()}")
        await asyncio.sleep(pause)
