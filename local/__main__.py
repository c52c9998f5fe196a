"""`python -m local up | reset | token | mail | clock | operate | schema | demo | replay | chaos`."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from local import prometheus
from local.clock import StackClock
from local.mailsink import Mailbox
from local.operate import operate
from local.part import PartFailed
from local.settings import LocalSettings
from local.stack import Stack
from local.tokens import Keys, all_scopes

console = Console()


async def up(settings: LocalSettings) -> None:
    """Run the stack until Ctrl-C or SIGTERM, or until a part dies."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    running = asyncio.create_task(_run(settings))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        console.print("stopping")
        running.cancel()
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run(settings: LocalSettings) -> None:
    async with Stack(settings, say=lambda text: console.print(f"[dim]{text}[/]")) as stack:
        console.print(_listening(stack, await prometheus.start(stack)))
        console.print("Ctrl-C stops it all; [bold]make token[/] prints a token for grpcurl.")
        async with asyncio.TaskGroup() as group:
            group.create_task(stack.watch())
            group.create_task(stack.clock.tick())


def _listening(stack: Stack, watcher: str) -> Table:
    table = Table("part", "listens at", "log")
    logs = stack.home / "logs"
    for name, address in stack.grpc.items():
        table.add_row(
            name, f"{address} (gRPC)\nhttp://127.0.0.1:{stack.http[name]}/metrics", f"{logs}/{name}.log"
        )
    postgres = (stack.settings.postgres_url and "external") or f"127.0.0.1:{stack.ports.postgres}"
    table.add_row("Postgres", postgres, f"{logs}/postgres.log")
    table.add_row("Kafka", stack.kafka_bootstrap, f"{logs}/kafka.log")
    table.add_row(
        "mail sink", f"127.0.0.1:{stack.ports.smtp} (SMTP)\n{stack.mail.folder}", f"{logs}/mail.log"
    )
    table.add_row("Prometheus", watcher, f"{logs}/prometheus.log" if "prometheus" in stack.parts else "")
    table.add_row("clock", stack.clock.path.as_posix(), stack.clock.now().isoformat())
    return table


def reset(settings: LocalSettings) -> None:
    """Empty the folder of data, logs, keys and mails."""
    stack = Stack(settings)
    stack.take_home()  # a running stack keeps its data
    shutil.rmtree(stack.home)
    console.print(f"emptied {stack.home}")


def mail(settings: LocalSettings, address: str | None, last: int) -> None:
    """Print the last mails that the sink received."""
    box = Mailbox(settings.home / "mail")
    found = [one for one in box if address is None or address in one.recipients]
    for one in found[-last:]:
        message = one.parse()
        console.rule(f"{one.number} · {', '.join(one.recipients)}")
        console.print(f"[bold]{message['Subject']}[/]\n{one.text()}", highlight=False)
    console.print(f"{len(found)} of {box.count()} mails; all lie in {box.folder}")


def clock(settings: LocalSettings, instant: str | None) -> None:
    """Move the running stack's clock forward, or say where it stands."""
    hands = StackClock(settings.home / "clock")
    if instant:
        moment = datetime.fromisoformat(instant)
        hands.move(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    print(hands.now().isoformat())


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="run everything until Ctrl-C")
    commands.add_parser("reset", help="empty the data folder")
    commands.add_parser("schema", help="write each schema.sql from its migrations")
    token = commands.add_parser("token", help="print a token for grpcurl")
    token.add_argument("--merchant", help="the merchant it acts for")
    token.add_argument("--subject", default="till-1", help="who it names")
    token.add_argument("--scope", action="append", help="a scope (repeat it); unset: all of a till's")
    mails = commands.add_parser("mail", help="show the last mails that arrived")
    mails.add_argument("--to", help="only those to this address")
    mails.add_argument("--last", type=int, default=3)
    hands = commands.add_parser("clock", help="say where the clock stands, or move it forward")
    hands.add_argument("instant", nargs="?", help="RFC 3339, UTC when it has no offset")
    operator = commands.add_parser("operate", help="run an operator's command of a service")
    operator.add_argument("service")
    operator.add_argument("arguments", nargs=argparse.REMAINDER, help="such as: parked list")
    return parser.parse_args(argv)


def leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """The errors themselves, out of however many groups."""
    return [
        leaf
        for error in group.exceptions
        for leaf in (leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


def main(argv: Sequence[str]) -> int:
    """Do what the command line says; the exit code."""
    if argv[:1] == ["demo"]:
        from local.demo.__main__ import main as demo  # brings pyarrow and Faker

        return demo(argv[1:])
    if argv[:1] == ["replay"]:
        from local.replay.__main__ import main as replay

        return replay(argv[1:])
    if argv[:1] == ["chaos"]:
        from local.chaos.__main__ import main as chaos

        return chaos()
    arguments, settings = _arguments(argv), LocalSettings()
    failed: list[Exception] = []
    code = 0
    try:
        match arguments.command:
            case "up":
                asyncio.run(up(settings))
            case "reset":
                reset(settings)
            case "schema":
                from local.schema import write_all

                write_all()
            case "token":
                scopes = arguments.scope or all_scopes()
                merchant = arguments.merchant or settings.merchant
                keys = Keys(settings.home.resolve() / "keys")
                print(keys.till(merchant, scopes, arguments.subject, settings.token_hours))
            case "mail":
                mail(settings, arguments.to, arguments.last)
            case "clock":
                clock(settings, arguments.instant)
            case "operate":
                code = operate(settings, arguments.service, arguments.arguments)
    except* PartFailed as group:
        failed.extend(leaves(group))
    for error in failed:
        console.print(str(error), style="red", highlight=False, markup=False)
    return 1 if failed else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
