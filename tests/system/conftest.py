"""A whole stack for the system tests, beside whatever else runs on this machine."""

import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.settings import LocalSettings, Ports


def all_free(base: int) -> bool:
    """Whether nobody listens on any port that belongs to `base`."""
    ports = Ports(base)
    wanted = [*ports.grpc.values(), *ports.http.values(), ports.smtp, ports.kafka, ports.kafka_controller]
    for port in [*wanted, ports.postgres]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


@pytest.fixture
def stack_settings() -> Iterator[LocalSettings]:
    """Settings of a stack with a folder and ports of its own; it waits for the disk, as a real one does."""
    home = Path(tempfile.mkdtemp(prefix="langganan-stack-"))
    # Below the range from which the system takes ports for clients.
    bases = random.sample(range(8000, 32000, 500), 40)
    yield LocalSettings(home=home, base_port=next(base for base in bases if all_free(base)))
    shutil.rmtree(home)
