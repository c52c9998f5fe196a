"""What a service is made of, and what it is made with: the two sides of its app.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from kit import db
from kit.audit import Audit
from kit.batch import Batcher
from kit.broker import Broker
from kit.clock import Clock, FileClock, SystemClock
from kit.events import Consumer
from kit.migrate import KIT_FOLDER, folder_of
from kit.rpc.server import Servicer
from kit.settings import ServiceSettings
from kit.sweep import Sweep

AnySettings = TypeVar("AnySettings", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a service: the settings field with its URL, and the folders of its migrations."""

    url_setting: str
    folders: tuple[Path, ...]

    @classmethod
    def of(
        cls,
        package: str,
        folder: str = "migrations",
        *,
        url_setting: str = "database_url",
        events: bool = True,
    ) -> Database:
        """A database of `package`; with `events` it has the kit's outbox, inbox and parked events."""
        own = folder_of(package, folder)
        return cls(url_setting, (KIT_FOLDER, own) if events else (own,))


@dataclass(slots=True)
class Service:
    """All the parts of a service, wired. `pool` is the pool of its main database (outbox, inbox).

    `topic` is what it publishes on, the service's name if empty.
    """

    pool: db.Pool
    servicers: Sequence[Servicer] = ()
    consumer: Consumer | None = None
    sweeps: Sequence[Sweep] = ()
    audit: Audit | None = None
    batchers: Sequence[Batcher[Any, Any]] = ()
    close: Sequence[Callable[[], Awaitable[None]]] = ()
    topic: str = ""


@dataclass
class Runtime(Generic[AnySettings]):
    """What build(runtime) of a service gets: settings, clock, role ("serve", "work" or "all"), pools."""

    name: str
    settings: AnySettings
    clock: Clock
    role: str = "all"
    pools: dict[db.Pool, str] = field(default_factory=dict)  # and the URL that each was opened with

    @property
    def serves(self) -> bool:
        """Whether this process answers gRPC."""
        return self.role in ("serve", "all")

    @property
    def works(self) -> bool:
        """Whether this process relays, consumes and sweeps."""
        return self.role in ("work", "all")

    @cached_property
    def broker(self) -> Broker:
        """How Kafka is reached."""
        return Broker.of(self.settings)

    async def pool(self, url: str | None = None, maximum: int | None = None) -> db.Pool:
        """Open a pool on `url` (the service's database unless given), closed with the process."""
        settings = self.settings
        url = url or settings.database_url
        pool = await db.create_pool(
            url,
            minimum=settings.pool_min,
            maximum=maximum or settings.pool_max,
            lock_timeout_ms=settings.lock_timeout_ms,
            name=f"langganan-{self.name}-{self.role}",
        )
        self.pools[pool] = url
        return pool


def clock_of(settings: ServiceSettings) -> Clock:
    """Return the file clock where one is set, else the time of the machine."""
    return FileClock(settings.clock_file) if settings.clock_file else SystemClock()


Build = Callable[[Runtime[Any]], Awaitable[Service]]
