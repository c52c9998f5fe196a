"""One part of the stack alone in its pod: `python -m local.pod postgres | kafka | mail | prepare`.

Postgres, Kafka and the mail sink run in the foreground with their data in PARTS_DATA, listen on every address
and stop in order at SIGTERM. `prepare` waits for both servers, makes roles, databases and topics, and ends.
"""

import asyncio
import fcntl
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit.broker import Broker
from kit.errors import Unavailable
from kit.events import topics
from local import mailsink
from local.databases import create_databases
from local.kafka import Kafka
from local.part import PartFailed
from local.postgres import SUPERUSER, Postgres

POSTGRES_PORT, KAFKA_PORT, CONTROLLER_PORT, SMTP_PORT = 5432, 9092, 9093, 1025
EVERY_ADDRESS = "0.0.0.0"
# Nobody gets in without a password, from wherever in the cluster; the file of initdb knows this machine only.
LET_IN = "host all all all scram-sha-256\n"
RETRY_SECONDS = 1.0


class PodSettings(BaseSettings):
    """What a pod of a part is told; passwords come from the Secrets that the services have them of."""

    model_config = SettingsConfigDict(env_prefix="PARTS_", extra="ignore")

    data: Path = Field(
        default=Path("/data"), description="folder of the data; what is in it outlives the pod"
    )
    postgres_password: SecretStr = Field(
        default=SecretStr(""), description="of the superuser: postgres, prepare"
    )
    kafka_advertised: str = Field(
        default=f"kafka:{KAFKA_PORT}", description="where clients reach Kafka: kafka, prepare"
    )
    kafka_heap: str = Field(default="384m", description="largest heap of the broker")
    partitions: int = Field(default=6, ge=1, description="of each topic, fixed when it is made: prepare")
    customers_uri: SecretStr = Field(
        default=SecretStr(""), description="customers-database-app, uri: prepare"
    )
    vault_uri: SecretStr = Field(default=SecretStr(""), description="vault-database-app, uri: prepare")
    loyalty_uri: SecretStr = Field(default=SecretStr(""), description="loyalty-database-app, uri: prepare")
    credit_uri: SecretStr = Field(default=SecretStr(""), description="credit-database-app, uri: prepare")
    notify_uri: SecretStr = Field(default=SecretStr(""), description="notify-database-app, uri: prepare")

    def uris(self) -> dict[str, str]:
        """Database → the address that its service was given."""
        secret = {
            "customers": self.customers_uri,
            "vault": self.vault_uri,
            "loyalty": self.loyalty_uri,
            "credit": self.credit_uri,
            "notify": self.notify_uri,
        }
        missing = [f"PARTS_{name.upper()}_URI" for name, uri in secret.items() if not uri.get_secret_value()]
        if missing:
            raise PartFailed(f"prepare needs {', '.join(missing)}, the addresses that the services have.")
        uris = {name: uri.get_secret_value() for name, uri in secret.items()}
        for name, uri in uris.items():
            if (urlsplit(uri).username, urlsplit(uri).path) != (name, f"/{name}"):
                raise PartFailed(
                    f"PARTS_{name.upper()}_URI must name the role {name} and the database {name}."
                )
        return uris


def say(sentence: str) -> None:
    """Tell whoever reads the pod's log."""
    print(sentence, flush=True)


def postgres(settings: PodSettings) -> int:
    """Run Postgres until SIGTERM, which it hears as "fast": sessions end, the data is checkpointed."""
    password = settings.postgres_password.get_secret_value()
    if not password:
        raise PartFailed("Postgres needs PARTS_POSTGRES_PASSWORD, the superuser's password.")
    rules = settings.data / "pg_hba.conf"
    server = Postgres(
        settings.data / "postgres",
        POSTGRES_PORT,
        settings.data / "initdb.log",
        password=password,
        settings={"listen_addresses": "*", "hba_file": str(rules)},
    )
    with held(settings.data) as lock:
        rules.write_text(LET_IN)
        # The lock says that no server lives; the process id in there is of a pod that is gone, and somebody
        # else may have it by now.
        (server.data / "postmaster.pid").unlink(missing_ok=True)
        server.prepare()
        return foreground(server.command(), signal.SIGINT, lock)


def kafka(settings: PodSettings) -> int:
    """Run the broker until SIGTERM."""
    broker = Kafka(
        settings.data / "kafka",
        KAFKA_PORT,
        CONTROLLER_PORT,
        settings.data / "format.log",
        settings.kafka_heap,
        host=EVERY_ADDRESS,
        advertised=settings.kafka_advertised,
    )
    with held(settings.data) as lock:
        broker.prepare()
        return foreground(broker.command(), signal.SIGTERM, lock)


def mail(settings: PodSettings) -> int:
    """Receive mails until SIGTERM."""
    asyncio.run(mailsink.serve(SMTP_PORT, settings.data / "mail", EVERY_ADDRESS))
    return 0


def held(folder: Path) -> IO[str]:
    """Hold the folder for us and our child; waits until the last pod's processes are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for {folder}, which the pod before still holds")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def foreground(command: Sequence[str], stop: signal.Signals, lock: IO[str]) -> int:
    """Run a program, hand it SIGTERM and SIGINT as the signal that stops it in order; its exit code.

    It inherits the lock, so that nobody else starts on the data while any process of it lives.
    """
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[lock.fileno()])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.send_signal(stop))
    code = child.wait()
    # A JVM that was asked to stop and did says 128 + the signal.
    return 0 if code in (-stop, 128 + stop) else code


async def prepare(settings: PodSettings) -> int:
    """Make what is missing of roles, databases and topics; run again, it changes nothing but passwords."""
    uris = settings.uris()
    superuser = superuser_url(uris["customers"], settings.postgres_password.get_secret_value())
    passwords = {name: unquote(urlsplit(uri).password or "") for name, uri in uris.items()}
    await until("Postgres", lambda: create_databases(superuser, "", passwords))
    say(f"databases are there: {', '.join(uris)}")
    wanted = topics.house("", settings.partitions, replication=1)
    await until("Kafka", lambda: topics.ensure(Broker(settings.kafka_advertised), wanted))
    say(f"topics are there: {', '.join(spec.name for spec in wanted)}, {settings.partitions} partitions each")
    return 0


def superuser_url(uri: str, password: str) -> str:
    """The superuser's address of the server that a service's own address names."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    secret = quote(password, safe="")
    return urlunsplit(parts._replace(netloc=f"{SUPERUSER}:{secret}@{host}", path="/postgres"))


async def until(name: str, attempt: Callable[[], Awaitable[object]]) -> None:
    """Try until the server answers, and say once why it is waited for; a wrong password ends it."""
    said = ""
    while True:
        try:
            await attempt()
            return
        except (PartFailed, Unavailable) as error:
            if isinstance(error.__cause__, asyncpg.InvalidAuthorizationSpecificationError):
                raise
            if said != (said := f"waiting for {name}: {error}"):
                say(said)
        await asyncio.sleep(RETRY_SECONDS)


def main(argv: Sequence[str]) -> int:
    """Run the part that the command line names; the exit code."""
    parts: dict[str, Callable[[PodSettings], int]] = {
        "postgres": postgres,
        "kafka": kafka,
        "mail": mail,
        "prepare": lambda settings: asyncio.run(prepare(settings)),
    }
    if len(argv) != 1 or argv[0] not in parts:
        print(f"usage: python -m local.pod {' | '.join(parts)}", file=sys.stderr)
        return 2
    # The first process of a container ignores what it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return parts[argv[0]](PodSettings())
    except PartFailed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
