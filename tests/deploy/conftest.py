"""The rendered overlays, and what the services' code says of itself."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from pathlib import Path

import pytest

from kit.events import Consumer
from kit.runtime import Runtime
from kit.testing.clock import ManualClock
from kit.testing.plugin import NewDatabase
from local.manifests import Object, overlays, render
from local.services import SERVICES
from tests.deploy.house import Heard, settings_class


@pytest.fixture(scope="session")
def manifests() -> dict[str, list[Object]]:
    """The objects of each overlay, by its name; copy before changing."""
    return {folder.name: render(folder) for folder in overlays()}


@pytest.fixture(scope="session")
async def heard(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Heard]:
    """What each service says of itself, wired as a worker on a database of its own."""
    keys = tmp_path_factory.mktemp("vault") / "keys.json"
    # One after the other: an import keeps the loop from its timeouts.
    return {service: await _heard(service, new_database, keys) for service in SERVICES}


async def _heard(service: str, new_database: NewDatabase, keys: Path) -> Heard:
    more = {
        "customers": {
            "vault_database_url": await new_database("customers", "vault/migrations", events=False),
            "vault_keys_config": {"path": str(keys), "create": True},
        },
        "notify": {"channels": {"console": {}}},
    }
    settings = settings_class(service)(database_url=await new_database(service), **more.get(service, {}))
    runtime = Runtime(service, settings, ManualClock(), "work")
    built = await importlib.import_module(f"{service}.app").build(runtime)
    try:
        consumer = built.consumer
        assert isinstance(consumer, Consumer)
        return Heard(
            topic=built.topic or service,
            group=consumer.group,
            topics=consumer.topics,
            books=built.audit is not None,
            commands=await _commands(service),
        )
    finally:
        for close in built.close:
            await close()
        for pool in runtime.pools:
            pool.terminate()


async def _commands(service: str) -> frozenset[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, "--help", stdout=asyncio.subprocess.PIPE
    )
    text, _ = await process.communicate()
    listed = re.search(r"\{([\w,-]+)\}", text.decode())
    assert listed, text
    return frozenset(listed[1].split(","))
