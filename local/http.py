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


async def wait_settled(ports: Mapping[str, int], seconds: float, pause: float = 0.05) -> None:
    """Return when every worker is settled; raise TimeoutError that names those that are not.

    One round is not enough: what the first worker asked still had to publish may reach the last one asked
    after its answer. Two rounds in which all are settled and say the same, counters included, are.
    """
    deadline = time.monotonic() + seconds
    before: list[bytes] = []
    while True:
        answers = await asyncio.gather(*(get(port, "/settled") for port in ports.values()))
        waiting = [name for name, (status, _) in zip(ports, answers, strict=True) if status != 200]
        bodies = [body for _, body in answers]
        if not waiting and bodies == before:
            return
        before = bodies if not waiting else []
        if time.monotonic() > deadline:
            said = {name: body.decode() for name, (_, body) in zip(ports, answers, strict=True)}
            raise TimeoutError(
                f"not settled after {seconds:.0f} s: {', '.join(waiting) or 'changing'}; {said}"
            )
        await asyncio.sleep(pause)
