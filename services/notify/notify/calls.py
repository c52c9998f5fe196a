"""How notify calls the other services: one channel each, its own token, the merchant named each time."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import grpc.aio

from kit.auth import MERCHANT_METADATA

# What a call raises where the other does not answer, or this service's token cannot be read.
FAILURES = (grpc.aio.AioRpcError, OSError)


class Line:
    """A channel to one service; retries within `timeout_s` by the contract's service config."""

    def __init__(self, target: str, token_file: Path | None, timeout_s: float) -> None:
        config = resources.files("langganan").joinpath("service_config.json").read_text("utf-8")
        self.channel = grpc.aio.insecure_channel(target, options=[("grpc.service_config", config)])
        self.timeout_s = timeout_s
        self._token_file = token_file

    def metadata(self, merchant_id: str) -> list[tuple[str, str]]:
        """Name the merchant, and show this service's token, which is read anew as it is renewed in place."""
        pairs = [(MERCHANT_METADATA, merchant_id)]
        if self._token_file is not None:
            pairs.append(("authorization", f"Bearer {self._token_file.read_text().strip()}"))
        return pairs

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.close(None)


def why(error: Exception) -> str:
    """Say in a word why a call failed."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name
    return f"token file: {type(error).__name__}"
