"""The whole of Langganan on one machine: `async with Stack(settings) as stack:`."""

import asyncio
import fcntl
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

from kit.broker import Broker
from kit.errors import DomainError
from kit.events import topics
from local import databases
from local.clock import StackClock
from local.http import get, wait_settled
from local.kafka import Kafka
from local.mailsink import Mailbox
from local.part import Part, PartFailed, check_port, listens
from local.postgres import Postgres
from local.services import SERVICES, Surroundings, command, environment
from local.settings import ROOT, LocalSettings
from local.tokens import Keys, all_scopes

WORK = "-work"  # what a process is called after that only works
STOP_SECONDS = 30
START_ATTEMPTS = 20  # of a server that was killed
WATCH_SECONDS = 0.25
MIGRATE_SECONDS = 120


class Stack:
    """Postgres, Kafka, the mail sink and the services, started in order and stopped in reverse.

    `start`: where the file clock stands at first (unset: where it stood, else now). `services`: those to run.
    `apart`: each as two processes, credit (serve) and credit-work, so that either may die alone.
    `overrides`: settings of services as environment variables. `say` is told each step in a few words.
    """

    def __init__(
        self,
        settings: LocalSettings | None = None,
        *,
        start: datetime | None = None,
        services: Sequence[str] = SERVICES,
        apart: bool = False,
        overrides: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.settings = settings or LocalSettings()
        self.home = self.settings.home.resolve()
        self.services = tuple(services)
        self.processes = tuple(name + part for name in services for part in (("", WORK) if apart else ("",)))
        self.ports = self.settings.ports
        self.grpc = {name: f"127.0.0.1:{self.ports.grpc[name]}" for name in self.services}
        # Of the process that works: it knows what is under way.
        self.http = {name: (self.ports.work if apart else self.ports.http)[name] for name in self.services}
        self._apart = apart
        self._overrides = dict(overrides or {})
        self._servers: dict[str, Postgres | Kafka] = {}
        self.mail = Mailbox(self.home / "mail")
        self.database_urls: dict[str, str] = {}
        self.kafka_bootstrap = self.settings.kafka_bootstrap or f"127.0.0.1:{self.ports.kafka}"
        self.parts: dict[str, Part] = {}
        self._say = say
        self._start = start
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> "Stack":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything and return when every service is ready; raise PartFailed with all stopped."""
        try:
            await self._start_all()
        except BaseException:
            await self.stop()
            raise

    async def _start_all(self) -> None:
        self.take_home()
        self.keys = Keys(self.home / "keys")
        self.clock = StackClock(self.home / "clock", self._start)
        self._check_ports()
        postgres, kafka = self._postgres(), self._kafka()
        self._say("preparing Postgres and Kafka")
        await asyncio.gather(*(asyncio.to_thread(part.prepare) for part in (postgres, kafka) if part))
        self._say("starting Postgres, Kafka and the mail sink")
        for name, server in (("postgres", postgres), ("kafka", kafka)):
            if server:
                self._servers[name] = server
                self.parts[name] = server.start()
        mail = self._start_mail_sink()
        await asyncio.gather(*(asyncio.to_thread(part.wait_ready) for part in (postgres, kafka) if part))
        await asyncio.to_thread(mail.wait_ready, lambda: listens(self.ports.smtp), 60)
        self._say("creating databases and topics")
        await self._create(postgres.url() if postgres else str(self.settings.postgres_url))
        self._say("migrating the databases")
        await asyncio.gather(*(self._migrate(name) for name in self.services))
        self._say("starting the services")
        for name in self.processes:
            self._start_process(name)
        await asyncio.gather(*(self.ready(name) for name in self.processes))

    async def stop(self) -> None:
        """Stop the services, then the mail sink, the broker and the database; the data stays."""
        running = [self.parts.pop(name) for name in self.processes if name in self.parts]
        await asyncio.gather(*(asyncio.to_thread(part.stop, STOP_SECONDS) for part in running))
        for name in ("prometheus", "mail", "kafka", "postgres"):
            if name in self.parts:
                await asyncio.to_thread(self.parts.pop(name).stop, STOP_SECONDS)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def watch(self) -> None:
        """Never return; raise PartFailed when a part dies."""
        while True:
            self.check()
            await asyncio.sleep(WATCH_SECONDS)

    def check(self) -> None:
        """Raise PartFailed when a part has died."""
        for part in self.parts.values():
            part.check()

    async def ready(self, name: str) -> None:
        """Wait until a process says over HTTP that it is ready."""
        part, seconds, port = self.parts[name], self.settings.start_seconds, self._http_port(name)
        try:
            async with asyncio.timeout(seconds):
                while (await get(port, "/ready"))[0] != 200:
                    part.check()
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise PartFailed(
                f"{part.name} was not ready after {seconds} s; its log is {part.log}, which ends:", part.log
            ) from error

    async def settled(self, seconds: float = 120) -> None:
        """Wait until outboxes are empty, lag is 0 and sweeps are done; raise PartFailed or TimeoutError."""
        waiting = asyncio.create_task(wait_settled(self.http, seconds))
        watching = asyncio.create_task(self.watch())
        try:
            await asyncio.wait([waiting, watching], return_when=asyncio.FIRST_COMPLETED)
            for task in (watching, waiting):
                if task.done():
                    task.result()
        finally:
            for task in (waiting, watching):
                task.cancel()
            await asyncio.gather(waiting, watching, return_exceptions=True)

    async def move(self, instant: datetime, seconds: float = 120) -> None:
        """Settle, move the clock forward, settle at the new instant."""
        await self.settled(seconds)
        self.clock.move(instant)
        await self.settled(seconds)

    def token(
        self, scopes: Sequence[str] | None = None, *, merchant: str | None = None, **claims: str
    ) -> str:
        """A token for a till: all scopes that a till may have, unless told which."""
        wanted = all_scopes() if scopes is None else scopes
        return self.keys.till(
            merchant or self.settings.merchant, wanted, hours=self.settings.token_hours, **claims
        )

    def kill(self, name: str) -> None:
        """End one process at once, as a crash would; `restart` brings it back."""
        self.parts.pop(name).kill()

    async def restart(self, name: str) -> None:
        """Stop any part if it runs, start it again and wait until it is ready."""
        if name in self.parts:
            await asyncio.to_thread(self.parts.pop(name).stop, STOP_SECONDS)
        if server := self._servers.get(name):
            await self._start_server(name, server)
        elif name == "mail":
            part = self._start_mail_sink()
            await asyncio.to_thread(part.wait_ready, lambda: listens(self.ports.smtp), 60)
        else:
            self._start_process(name)
            await self.ready(name)

    async def _start_server(self, name: str, server: Postgres | Kafka) -> None:
        """Start Postgres or Kafka after a crash, whose last processes may still be on their way out."""
        for attempt in range(START_ATTEMPTS):
            part = server.start()
            try:
                await asyncio.to_thread(server.wait_ready)
            except PartFailed:
                if attempt == START_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.5)
            else:
                self.parts[name] = part
                return

    def take_home(self) -> None:
        """Claim the data folder; raise PartFailed when another stack has it."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = (self.home / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PartFailed(
                f"The stack runs already from {self.home}; stop that one, or choose another LOCAL_HOME."
            ) from error

    def _check_ports(self) -> None:
        """Say at once which port is taken, before anything has been started."""
        check_port("The mail sink", self.ports.smtp)
        for name in self.services:
            check_port(f"{name.capitalize()} (gRPC)", self.ports.grpc[name])
        for name in self.processes:
            check_port(f"{name.capitalize()} (HTTP)", self._http_port(name))
        if self.settings.kafka_bootstrap is None:
            check_port("Kafka", self.ports.kafka)
            check_port("Kafka's controller", self.ports.kafka_controller)

    def _postgres(self) -> Postgres | None:
        self._secret = databases.passwords(self.keys.folder / "postgres.json")
        if self.settings.postgres_url is not None:
            return None
        return Postgres(
            self.home / "postgres",
            self.ports.postgres,
            self._log("postgres"),
            fsync=self.settings.fsync,
            password=self._secret["postgres"],
        )

    def _kafka(self) -> Kafka | None:
        if self.settings.kafka_bootstrap is not None:
            return None
        ports, heap = self.ports, self.settings.kafka_heap
        return Kafka(self.home / "kafka", ports.kafka, ports.kafka_controller, self._log("kafka"), heap)

    async def _create(self, superuser_url: str) -> None:
        settings = self.settings
        self.superuser_url = superuser_url
        self.database_urls = await databases.create_databases(superuser_url, settings.prefix, self._secret)
        try:
            wanted = topics.house(settings.prefix, settings.partitions, settings.replication)
            await topics.ensure(Broker(self.kafka_bootstrap), wanted)
        except DomainError as error:
            raise PartFailed(f"The topics could not be made: {error}.") from error
        self.around = Surroundings(self.database_urls, self.kafka_bootstrap, self.clock.path, self.keys)

    async def _migrate(self, name: str) -> None:
        part = self._service(name, "migrate")
        part.start()
        try:
            code = await asyncio.wait_for(asyncio.to_thread(part.wait), MIGRATE_SECONDS)
        finally:
            part.kill()
        if code:
            raise PartFailed(f"The database of {name} could not be migrated; its log ends:", part.log)

    def _start_process(self, name: str) -> None:
        service = name.removesuffix(WORK)
        alone = "serve" if self._apart else "all"
        part = self._service(service, "work" if name.endswith(WORK) else alone)
        part.start()
        self.parts[name] = part

    def targets(self) -> list[tuple[str, str, int]]:
        """Return (service, role, HTTP port) of each process."""
        serves = "serve" if self._apart else "all"
        return [
            (name.removesuffix(WORK), "work" if name.endswith(WORK) else serves, self._http_port(name))
            for name in self.processes
        ]

    def _http_port(self, process: str) -> int:
        service = process.removesuffix(WORK)
        return (self.ports.work if process.endswith(WORK) else self.ports.http)[service]

    def _service(self, name: str, role: str) -> Part:
        env = environment(name, self.settings, self.around) | self._overrides
        ports, process = [self.ports.grpc[name], self.ports.http[name]], name
        if role == "work":
            ports, process = [self.ports.work[name]], name + WORK
            env[f"{name.upper()}_HTTP_PORT"] = str(self.ports.work[name])
        return Part(
            process.capitalize(),
            command(name, role),
            log=self._log(process),
            ports=[] if role == "migrate" else ports,
            env=env,
            cwd=ROOT,
        )

    def _start_mail_sink(self) -> Part:
        command = [sys.executable, "-m", "local.mailsink", str(self.ports.smtp), str(self.mail.folder)]
        part = Part("The mail sink", command, log=self._log("mail"), ports=[self.ports.smtp], cwd=ROOT)
        part.start()
        self.parts["mail"] = part
        return part

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"
