"""How one service calls another: its channel, its own token, the merchant named in each call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from cryptography import x509

from kit.auth import MERCHANT_METADATA
from kit.renewed import Renewed
from kit.rpc.outgoing import outgoing
from kit.settings import ServiceSettings

# What the service config cannot say; docs/gateway.md says why of each.
CHANNEL = {
    "grpc.dns_min_time_between_resolutions_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 2_000,
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 5_000,
}
_CLOSE_S = 60.0


class Line:
    """A channel to one service; retries within `timeout_s` by the contract's service config."""

    def __init__(self, target: str, settings: ServiceSettings, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.channel = open_channel(target, settings.peers_ca_file)
        self._token_file = settings.token_file

    def metadata(self, merchant_id: str) -> list[tuple[str, str]]:
        """Name the merchant, and show this service's token, which is read anew as it is renewed in place.

        Raises OSError where the token cannot be read.
        """
        pairs = [(MERCHANT_METADATA, merchant_id)]
        if self._token_file is not None:
            pairs.append(("authorization", f"Bearer {self._token_file.read_text().strip()}"))
        return pairs

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.close(None)


def channel_options() -> list[tuple[str, str | int]]:
    """The contract's service config, and what it cannot say."""
    config = resources.files("langganan").joinpath("service_config.json").read_text("utf-8")
    return [("grpc.service_config", config), *CHANNEL.items()]


def open_channel(target: str, ca_file: Path | None) -> grpc.aio.Channel:
    """Open a channel with the contract's service config; by TLS where there are CA certificates.

    Raises OSError or ValueError for a file that will not do.
    """
    options = channel_options()
    if ca_file is None:
        return grpc.aio.insecure_channel(target, options=options, interceptors=outgoing())

    def secure(contents: Sequence[bytes]) -> grpc.aio.Channel:
        [authorities] = contents
        x509.load_pem_x509_certificates(authorities)  # gRPC itself would take half a file, and trust nobody
        credentials = grpc.ssl_channel_credentials(authorities)
        return grpc.aio.secure_channel(target, credentials, options=options, interceptors=outgoing())

    return _RenewedChannel(Renewed([ca_file], secure))


class _RenewedChannel(grpc.aio.Channel):
    """A channel that trusts whom its file names: gRPC's credentials cannot change, so a new one follows.

    The next call after a change takes the new channel; the old one ends with the calls that it has.
    """

    def __init__(self, channels: Renewed[grpc.aio.Channel]) -> None:
        self._channels = channels
        self._used = channels.current()
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, *method: Any, **how: Any) -> Any:
        return self._late(lambda channel: channel.unary_unary(*method, **how))

    def unary_stream(self, *method: Any, **how: Any) -> Any:
        return self._late(lambda channel: channel.unary_stream(*method, **how))

    def stream_unary(self, *method: Any, **how: Any) -> Any:
        return self._late(lambda channel: channel.stream_unary(*method, **how))

    def stream_stream(self, *method: Any, **how: Any) -> Any:
        return self._late(lambda channel: channel.stream_stream(*method, **how))

    def _late(self, opened: Callable[[grpc.aio.Channel], Any]) -> Callable[..., Any]:
        """A method that is opened on the channel of the moment when it is called."""
        return lambda *call, **how: opened(self._current())(*call, **how)

    def _current(self) -> grpc.aio.Channel:
        found = self._channels.current()
        if found is not self._used:
            task = asyncio.create_task(self._used.close(_CLOSE_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._used = found
        return found

    async def close(self, grace: float | None = None) -> None:
        for task in self._closing:
            task.cancel()
        await self._used.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._current().channel_ready()

    async def __aenter__(self) -> _RenewedChannel:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
