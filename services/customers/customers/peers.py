"""The other services as this one calls them: as a service, for a merchant, with a bounded wait."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import grpc.aio

from customers.settings import Settings
from kit.auth import MERCHANT_METADATA
from kit.errors import Unavailable


class Peer:
    """One other service; retries within `timeout_s` by the contract's service config."""

    def __init__(self, name: str, target: str, token_file: Path | None, timeout_s: float) -> None:
        config = resources.files("langganan").joinpath("service_config.json").read_text("utf-8")
        self.name, self.timeout_s = name, timeout_s
        self.channel = grpc.aio.insecure_channel(target, options=[("grpc.service_config", config)])
        self._token_file = token_file

    def metadata(self, merchant_id: str) -> list[tuple[str, str]]:
        """Name the merchant, and show this service's token, which is read anew as it is renewed in place.

        Raises PEER_UNAVAILABLE where the token cannot be read.
        """
        pairs = [(MERCHANT_METADATA, merchant_id)]
        if self._token_file is not None:
            try:
                pairs.append(("authorization", f"Bearer {self._token_file.read_text().strip()}"))
            except OSError as error:
                raise PeerUnavailable(self.name, type(error).__name__) from error
        return pairs

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.close(None)


def open_peers(settings: Settings) -> dict[str, Peer]:
    """Open a client of each other service, by its name."""
    targets = {
        "loyalty": settings.loyalty_target,
        "credit": settings.credit_target,
        "notify": settings.notify_target,
    }
    return {
        name: Peer(name, target, settings.token_file, settings.peers_timeout_s)
        for name, target in targets.items()
    }


class PeerUnavailable(Unavailable):
    """Another service did not answer, or not usably."""

    reason = "PEER_UNAVAILABLE"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} does not answer ({why}); repeat with the same id", peer=name)
