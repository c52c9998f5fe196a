"""A process from outside: it waits for its schema, tells its health truly, settles, and ends cleanly."""

import asyncio
import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from kit import clock
from kit.migrate import KIT_FOLDER, migrate, newest
from kit.testing import eventually
from kit.testing.plugin import NewDatabase
from tests.kit.tiny import Tiny


async def test_a_process_waits_for_its_schema_settles_tells_the_truth_and_ends_cleanly(
    tiny: Tiny, bare_database: str, tmp_path: Path, new_database: NewDatabase, postgres_url: str
) -> None:
    waiting = await tiny.becomes("/ready", 503)
    why = f"database_url needs schema {newest([KIT_FOLDER])}, found none: run migrate of this build"
    assert await eventually(lambda: why in str(tiny.ask("/ready")[1]), within=15), waiting
    assert (await tiny.becomes("/live", 200))["live"], "waiting is living"
    await tiny.tells("NOT_SERVING")

    await migrate(bare_database, [KIT_FOLDER])
    await tiny.becomes("/ready", 200)
    await tiny.tells("SERVING")
    assert abs(_metric(tiny.ask("/metrics")[1], "langganan_clock_skew_seconds")) < 1.0
    await tiny.becomes("/settled", 200)
    sent = "langganan_relay_sent_total"
    assert _metric(tiny.ask("/metrics")[1], sent) == 1.0

    clock.move(tmp_path / "clock", datetime(2026, 1, 2, tzinfo=UTC))
    await tiny.becomes("/settled", 200)
    assert await eventually(lambda: _metric(tiny.ask("/metrics")[1], sent) == 2.0, within=5)

    admin = await asyncpg.connect(postgres_url)
    name = bare_database.rsplit("/", 1)[1]
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    down = await tiny.becomes("/ready", 503)
    assert "database-0" in down["waiting_for"]
    assert (await tiny.becomes("/live", 200))["live"], "a dead database restarts nobody"
    await tiny.tells("NOT_SERVING")
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await admin.close()
    await tiny.becomes("/ready", 200)

    tiny.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(tiny.process.wait(), 15) == 0
    lines = [json.loads(line) for line in tiny.log.read_text().splitlines() if line.startswith("{")]
    assert lines[-1]["event"] == "stopped"
    assert {line["service"] for line in lines if "service" in line} == {"tiny"}


async def test_due_work_that_waits_for_older_events_is_told_and_done_by_itself(
    tiny: Tiny, bare_database: str, tmp_path: Path
) -> None:
    await migrate(bare_database, [KIT_FOLDER])
    await tiny.becomes("/settled", 200)
    slow = await asyncio.wait_for(asyncpg.connect(bare_database), 5)
    try:
        sale = slow.transaction()
        await sale.start()
        await slow.fetchval("SELECT pg_current_xact_id()")  # a transaction that may still tell something
        clock.move(tmp_path / "clock", datetime(2026, 1, 2, tzinfo=UTC))
        waiting = await eventually(lambda: _waits_for(tiny, "sweep-heed"), within=10)
        assert waiting == "due work waits for older events, or for another attempt"
        await sale.commit()
        await tiny.becomes("/settled", 200, within=5)
    finally:
        await slow.close()


async def test_a_sweep_that_fails_is_told_and_heals_by_itself(
    tiny: Tiny, bare_database: str, tmp_path: Path
) -> None:
    await migrate(bare_database, [KIT_FOLDER])
    await tiny.becomes("/settled", 200)
    (tmp_path / "clock.broken").touch()
    assert await eventually(lambda: _waits_for(tiny, "sweep-break"), within=10) == "failed: ValueError"
    (tmp_path / "clock.broken").unlink()
    await tiny.becomes("/settled", 200)


async def _waits_for(tiny: Tiny, part: str) -> str:
    """Why a part alone keeps the process from being settled; empty: something else does, or nothing."""
    _, body = await asyncio.to_thread(tiny.ask, "/settled")
    waiting = body["waiting_for"]
    return waiting.get(part, "") if len(waiting) == 1 else ""


async def test_an_operator_migrates_lists_replays_and_rewinds_from_the_command_line(tiny: Tiny) -> None:
    assert (await tiny.command("migrate"))[0] == 0
    await tiny.becomes("/settled", 200, within=40)
    assert await tiny.command("parked", "list") == (0, "")
    code, said = await tiny.command("audit")
    assert (code, "keeps no books" in said) == (2, True)
    code, said = await tiny.command("parked", "replay")
    assert (code, "applied 0, still parked 0" in said) == (0, True)
    code, said = await tiny.command("parked", "replay", "--customer", "c")
    assert (code, "--merchant and --customer together" in said) == (2, True)
    code, said = await tiny.command("rewind", "--to", "2026-01-01T00:00:00")
    assert (code, "offset" in said) == (2, True)
    code, said = await tiny.command("rewind", "--to", "2026-01-01T00:00:00Z")
    assert (code, "stop the workers" in said, "Traceback" in said) == (1, True, False), said

    tiny.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(tiny.process.wait(), 15) == 0
    code, said = await tiny.command("rewind", "--to", "2026-01-01T00:00:00Z")
    assert (code, "goes on from 2026-01-01" in said) == (0, True), said


def _metric(text: str, name: str) -> float:
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))
