"""The smallest service: the kit's own tables, three sweeps, one RPC that takes its time. Run by tiny.py."""

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from kit import db
from kit.events import Consumer, Outgoing, horizon, publish
from kit.main import main
from kit.migrate import KIT_FOLDER
from kit.runtime import Database, Runtime, Service
from kit.settings import ServiceSettings
from kit.sweep import Sweep
from langganan.events.v1 import notify_pb2
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc

_said: set[datetime] = set()


async def say_once_an_instant(conn: db.Conn, now: datetime) -> int:
    """Publish one event for each instant of the clock."""
    if now in _said:
        return 0
    _said.add(now)
    event = notify_pb2.ContactReplied(merchant_id="toko", customer_id="c")
    await publish(conn, "notify", [Outgoing("contact-replied", "toko", "c", event, now)])
    return 1


async def nothing(conn: db.Conn, now: datetime) -> int:
    """Do nothing."""
    return 0


async def not_all_heard(conn: db.Conn, now: datetime) -> bool:
    """Tell whether something of before now may still be on its way."""
    return await horizon(conn, "notify") < now


class WhoAnswers(messages_pb2_grpc.MessageServiceServicer):
    """GetMessage says after a while which process answered."""

    async def GetMessage(self, request: Any, context: Any) -> Any:
        """Answer."""
        await asyncio.sleep(0.1)
        return messages_pb2.GetMessageResponse(message=messages_pb2.Message(message_id=str(os.getpid())))


async def build(runtime: Runtime[ServiceSettings]) -> Service:
    """Wire it."""
    pool = await runtime.pool()
    consumer = Consumer(
        pool=pool,
        group="tiny",
        broker=runtime.broker,
        topics=["notify"],
        handlers={},
        prefix=runtime.settings.topic_prefix,
    )
    broken = Path(f"{runtime.settings.clock_file}.broken")

    async def break_while_told_so(now: datetime) -> int:
        if broken.exists():
            raise ValueError("a test wants this to fail")
        return 0

    sweeps = [
        Sweep("break", 0.2, io=break_while_told_so),
        Sweep("say", 0.2, run=say_once_an_instant),
        Sweep("heed", 0.2, run=nothing, waiting=not_all_heard),
    ]
    servicers = [(messages_pb2_grpc.add_MessageServiceServicer_to_server, WhoAnswers())]
    return Service(pool=pool, servicers=servicers, consumer=consumer, sweeps=sweeps, topic="notify")


if __name__ == "__main__":
    # A newer build is one that knows another folder of migrations.
    newer = [Path(folder) for folder in os.environ.get("TINY_MIGRATIONS", "").split(":") if folder]
    main("tiny", ServiceSettings, build, [Database("database_url", (KIT_FOLDER, *newer))])
