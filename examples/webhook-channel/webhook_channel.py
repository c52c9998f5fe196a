"""A channel that posts each message to an HTTP gateway, with nothing but the standard library.

POST /messages HTTP/1.1
Idempotency-Key: 5b0c….1f2e3d4c          the same at every attempt, so that a gateway can tell a repetition
{"to": "+62812…", "way": "whatsapp", "text": "…"}
"""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

from notify.channels.plugin import AddressRefused, Busy, MessageRefused, Outbound, Unreachable

_HEAD_MAX = 16_384


class WebhookConfig(BaseModel):
    """Where the gateway is; set in NOTIFY_CHANNELS and checked when notify starts."""

    model_config = ConfigDict(extra="forbid")
    url: HttpUrl = Field(description="where messages are posted")
    token_file: Path | None = Field(None, description="file with the bearer token; read at each message")
    concurrency: int = Field(4, ge=1, le=64, description="messages posted at once")
    timeout_s: float = Field(10.0, gt=0, description="longest wait for the gateway's answer")


class WebhookChannel:
    """WhatsApp and SMS by way of an HTTP gateway."""

    name: ClassVar[str] = "webhook"
    contract: ClassVar[int] = 1
    Config: ClassVar[type[BaseModel]] = WebhookConfig
    carries: ClassVar[frozenset[str]] = frozenset({"phone", "whatsapp"})

    def __init__(self, config: WebhookConfig) -> None:
        self._config = config
        url = config.url
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._host, self._port = url.host or "", url.port or 80
        self._target = (url.path or "/") + (f"?{url.query}" if url.query else "")

    @property
    def concurrency(self) -> int:
        """Messages posted at once."""
        return self._config.concurrency

    async def send(self, message: Outbound) -> None:
        """Post one message; a connection of its own, so nothing is left half-way when this is cancelled."""
        try:
            async with asyncio.timeout(self._config.timeout_s):
                status = await self._post(message)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            raise Unreachable(type(error).__name__) from None
        if 200 <= status < 300:
            return
        # The status alone: a provider's words may quote the address.
        detail = f"status {status}"
        if status == 429:
            raise Busy(detail)
        if status in (404, 410):
            raise AddressRefused(detail)
        if status >= 500:
            raise Unreachable(detail)
        raise MessageRefused(detail)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _post(self, message: Outbound) -> int:
        # In JSON every character of a name or a text is data; nothing of it reaches a header.
        body = json.dumps({"to": message.address, "way": message.way, "text": message.body}).encode()
        headers = {
            "Host": f"{self._host}:{self._port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Idempotency-Key": message.key,
            "Connection": "close",
        }
        if self._config.token_file is not None:
            headers["Authorization"] = f"Bearer {self._config.token_file.read_text().strip()}"
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=_HEAD_MAX)
        try:
            writer.write(f"POST {self._target} HTTP/1.1\r\n{head}\r\n".encode() + body)
            await writer.drain()
            answer = await reader.readuntil(b"\r\n")
            return int(answer.split()[1])
        except (ValueError, IndexError):
            raise EOFError("no HTTP") from None
        finally:
            writer.transport.abort()
