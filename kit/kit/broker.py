"""How Kafka is reached: where, and with which certificates. Every client of it is made with these options."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kit.renewed import Renewed
from kit.settings import ServiceSettings


@dataclass(frozen=True)
class Broker:
    """The brokers' host:port list; with `ca_file` by TLS, with `cert_file` and `key_file` by mutual TLS."""

    bootstrap: str
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def of(cls, settings: ServiceSettings) -> Broker:
        """As the settings have it."""
        certificates = settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file
        return cls(settings.kafka_bootstrap, *certificates)

    @property
    def options(self) -> dict[str, Any]:
        """What each aiokafka client is given. Raises OSError or ValueError for files that will not do."""
        where: dict[str, Any] = {"bootstrap_servers": self.bootstrap}
        if self.ca_file is None:
            return where
        return {**where, "security_protocol": "SSL", "ssl_context": self._context}

    @cached_property
    def _context(self) -> ssl.SSLContext:
        files = [f for f in (self.ca_file, self.cert_file, self.key_file) if f is not None]
        context = _Renewing(ssl.PROTOCOL_TLS_CLIENT)
        context.files = Renewed(files, lambda _: _context_of(files))
        context.files.current()  # a wrong file stops the start, not the first connection
        return context


class _Renewing(ssl.SSLContext):
    """Begins each connection with the certificates of the moment; a client keeps one context for life."""

    files: Renewed[ssl.SSLContext]

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return self.files.current().wrap_bio(*arguments, **options)


def _context_of(files: Sequence[Path]) -> ssl.SSLContext:
    authority, *own = files
    context = ssl.create_default_context(cafile=authority)
    if own:
        cert, key = own
        context.load_cert_chain(cert, key)
    return context
