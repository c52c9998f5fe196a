"""The other services as this one calls them: as a service, for a merchant, with a bounded wait."""

from __future__ import annotations

from customers.settings import Settings
from kit.errors import Unavailable
from kit.rpc.line import Line


class Peer(Line):
    """One other service, by its name."""

    def __init__(self, name: str, target: str, settings: Settings, timeout_s: float) -> None:
        super().__init__(target, settings, timeout_s)
        self.name = name

    def metadata(self, merchant_id: str) -> list[tuple[str, str]]:
        """As any line does; raises PEER_UNAVAILABLE where the token cannot be read."""
        try:
            return super().metadata(merchant_id)
        except OSError as error:
            raise PeerUnavailable(self.name, type(error).__name__) from error


def open_peers(settings: Settings) -> dict[str, Peer]:
    """Open a client of each other service, by its name."""
    targets = {
        "loyalty": settings.loyalty_target,
        "credit": settings.credit_target,
        "notify": settings.notify_target,
    }
    return {name: Peer(name, target, settings, settings.peers_timeout_s) for name, target in targets.items()}


class PeerUnavailable(Unavailable):
    """Another service did not answer, or not usably."""

    reason = "PEER_UNAVAILABLE"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} does not answer ({why}); repeat with the same id", peer=name)
