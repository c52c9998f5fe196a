"""The webhook channel keeps the contract of langganan.notify.channels, beside a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from webhook_channel import WebhookChannel, WebhookConfig

from kit import plugins
from notify.channels.contract import Arrived, Bench, ChannelContract
from notify.channels.plugin import (
    CONTRACT,
    GROUP,
    AddressRefused,
    Busy,
    MessageRefused,
    Outbound,
    Unreachable,
)


class Gateway:
    """A provider's HTTP server: takes messages, refuses them, hangs, or is away, as a test says."""

    def __init__(self) -> None:
        self.taken: list[tuple[frozenset[str], str, dict[str, str]]] = []
        self.status, self.port = 202, 0
        self.answers = asyncio.Event()
        self.answers.set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = dict(line.split(": ", 1) for line in head[1:] if line)
            body = json.loads(await reader.readexactly(int(fields["Content-Length"])))
            await self.answers.wait()
            if self.status < 300:
                self.taken.append((frozenset(fields), fields["Idempotency-Key"], body))
            writer.write(f"HTTP/1.1 {self.status} So\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


class GatewayBench(Bench):
    """The channel beside its gateway."""

    def __init__(self, gateway: Gateway) -> None:
        url = f"http://127.0.0.1:{gateway.port}/messages"
        super().__init__(WebhookChannel(WebhookConfig.model_validate({"url": url})))
        self.gateway = gateway

    def example(self, number: int) -> Outbound:
        return Outbound(
            key=f"00000000-0000-4000-8000-{number:012}.abcdef01",
            way="whatsapp",
            address=f"+62812345{number:05}",
            name="Siti Rahayu",
            shop="Toko Makmur",
            subject="Halo",
            body="Terima kasih.\nSampai jumpa.\n",
            language="id",
        )

    def arrived(self) -> list[Arrived]:
        return [Arrived(body["to"], key, body["text"], fields) for fields, key, body in self.gateway.taken]

    def refuse(self, yes: bool) -> bool:
        self.gateway.status = 422 if yes else 202
        return True

    async def down(self, yes: bool) -> bool:
        await (self.gateway.stop() if yes else self.gateway.start())
        return True

    def hang(self, yes: bool) -> bool:
        (self.gateway.answers.clear if yes else self.gateway.answers.set)()
        return True


@asynccontextmanager
async def gateway_bench() -> AsyncIterator[GatewayBench]:
    gateway = Gateway()
    await gateway.start()
    try:
        yield GatewayBench(gateway)
    finally:
        gateway.answers.set()
        await gateway.stop()


class TestWebhookChannel(ChannelContract):
    """All that every channel must do."""

    def bench(self):  # type: ignore[no-untyped-def]
        return gateway_bench()


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, Busy), (404, AddressRefused), (400, MessageRefused), (503, Unreachable)],
)
async def test_what_the_gateway_answers_is_told_in_the_contracts_words(status: int, error: type) -> None:
    async with gateway_bench() as bench:
        bench.gateway.status = status
        with pytest.raises(error):
            await bench.channel.send(bench.example(1))


def test_it_is_found_once_it_is_installed() -> None:
    assert plugins.load(GROUP, CONTRACT)["webhook"] is WebhookChannel
