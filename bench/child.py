"""A process of its own that loads or serves: asked by lines of JSON, pinned to a core before it starts.

The child's side is `answer_lines`: a module that is run as `python -m` calls it with a function that takes a
command and returns a reply.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from local.settings import ROOT

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_LINE_MAX = 2**24  # bytes of a reply
_STOP_S = 10


class Child:
    """A started process. It ends when its standard input does, so it never outlives its parent."""

    def __init__(self, module: str, process: asyncio.subprocess.Process) -> None:
        self._module, self._process = module, process

    @classmethod
    async def start(cls, module: str, *arguments: str, core: int) -> Child:
        """Start `python -m MODULE ARGUMENT…` on one core."""
        # Pinned by itself before it imports anything: threads inherit the core from who makes them.
        begin = f"import os, runpy; os.sched_setaffinity(0, {{{core}}}); runpy.run_module({module!r}, "
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            begin + "run_name='__main__', alter_sys=True)",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_MAX,
            cwd=ROOT,
        )
        return cls(module, process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and return the reply; raise RuntimeError when the process has ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended with exit code {await self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    async def stop(self) -> None:
        """Let it end; kill it when it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def answer_lines(prepare: Callable[[], Awaitable[Answer]]) -> None:
    """The child's side: prepare, then answer each line of standard input until it ends."""

    async def run() -> None:
        answer = await prepare()
        lines = asyncio.StreamReader(limit=_LINE_MAX)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer
        )
        while line := await lines.readline():
            print(json.dumps(await answer(json.loads(line))), flush=True)
        os._exit(0)  # gRPC's threads end with us

    uvloop.run(run())
