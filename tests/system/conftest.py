"""A whole stack for the system tests, beside whatever else runs on this machine."""

import random
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.demo.gateway import Gateway
from local.part import tail
from local.settings import LocalSettings, Ports
from local.stack import Stack
from tests.system.methods import Door

OPENING = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # ten in the morning in Jakarta


def all_free(base: int) -> bool:
    """Whether nobody listens on any port that belongs to `base`."""
    ports = Ports(base)
    wanted = [*ports.grpc.values(), *ports.http.values(), *ports.work.values()]
    for port in [*wanted, ports.smtp, ports.prometheus, ports.kafka, ports.kafka_controller, ports.postgres]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of each part's log beside a failure, for the folder is gone afterwards."""
    report = yield
    stack = item.funcargs.get("stack")
    if report.failed and isinstance(stack, Stack):
        for log in sorted((stack.home / "logs").iterdir()):
            report.sections.append((f"log of {log.stem}", "\n".join(tail(log, 25))))
    return report


@contextmanager
def settings_of_its_own() -> Iterator[LocalSettings]:
    """A folder and ports of its own; Postgres waits for the disk, as a real one does."""
    home = Path(tempfile.mkdtemp(prefix="langganan-stack-"))
    # Below the range from which the system takes ports for clients.
    bases = random.sample(range(8000, 32000, 500), 40)
    try:
        yield LocalSettings(home=home, base_port=next(base for base in bases if all_free(base)))
    finally:
        shutil.rmtree(home)


@pytest.fixture
def stack_settings() -> Iterator[LocalSettings]:
    """Settings of a stack that nobody else uses."""
    with settings_of_its_own() as settings:
        yield settings


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """The whole stack, started when the first test asks for it; its clock stands at OPENING."""
    with settings_of_its_own() as settings:
        async with Stack(settings, start=OPENING) as running:
            yield running


@pytest.fixture
async def till(stack: Stack) -> AsyncIterator[Gateway]:
    """A till of one merchant."""
    gateway = Gateway(stack.grpc, stack.token())
    yield gateway
    await gateway.close()


@pytest.fixture(scope="session")
async def door(stack: Stack) -> AsyncIterator[Door]:
    """The doors of the whole stack."""
    knocker = Door(stack.grpc)
    yield knocker
    await knocker.close()
