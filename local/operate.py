"""`python -m local operate credit parked list`: an operator's command, on the stack of `make up`."""

import subprocess
from collections.abc import Sequence

from local import databases
from local.part import PartFailed
from local.postgres import Postgres
from local.services import SERVICES, Surroundings, command, environment
from local.settings import ROOT, LocalSettings
from local.tokens import Keys


def operate(settings: LocalSettings, service: str, arguments: Sequence[str]) -> int:
    """Run `python -m SERVICE …` with that service's settings; its exit code. Raises PartFailed."""
    if service not in SERVICES or not arguments:
        raise PartFailed(
            f"Name a service ({', '.join(SERVICES)}) and its command, such as: credit parked list"
        )
    return subprocess.run(
        [*command(service, arguments[0]), *arguments[1:]],
        env=environment(service, settings, surroundings(settings)),
        cwd=ROOT,
        check=False,
    ).returncode


def surroundings(settings: LocalSettings) -> Surroundings:
    """What the services of a stack are joined to, read from its folder."""
    home = settings.home.resolve()
    file = home / "keys" / "postgres.json"
    if not file.exists():
        raise PartFailed(f"No stack has run from {home} yet: make up, or set LOCAL_HOME.")
    secret = databases.passwords(file)
    postgres = Postgres(
        home / "postgres",
        settings.ports.postgres,
        home / "logs" / "postgres.log",
        password=secret["postgres"],
    )
    superuser = settings.postgres_url or postgres.url()
    return Surroundings(
        {
            name: databases.database_url(superuser, settings.prefix + name, secret[name])
            for name in databases.DATABASES
        },
        settings.kafka_bootstrap or f"127.0.0.1:{settings.ports.kafka}",
        home / "clock",
        Keys(home / "keys"),
    )
