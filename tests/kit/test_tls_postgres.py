"""Postgres by TLS, for our sessions and for dbmate alike: by the URL, or by PGSSLMODE and PGSSLROOTCERT."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
import trustme

from kit.migrate import MigrationFailed, dbmate_url, migrate
from kit.standing import standing
from local.part import free_port
from local.postgres import Postgres
from tests.kit.certificates import Secret


def programs_with_tls() -> Path | None:
    """A build of Postgres that speaks TLS: the embedded one does not, Debian's does."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    beside = shutil.which("initdb")
    return Path(beside).parent if beside else None


@pytest.fixture
async def url(tmp_path_factory: pytest.TempPathFactory, secret: Secret) -> AsyncIterator[str]:
    """A server that lets nobody in without TLS; without what a client should make of its certificate."""
    programs = programs_with_tls()
    if programs is None:
        pytest.skip("needs a Postgres that speaks TLS: install Debian's package postgresql")
    home = tmp_path_factory.mktemp("postgres-tls")
    settings = {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
    server = Postgres(
        home / "data",
        free_port(),
        home / "log",
        fsync=False,
        settings=settings,
        programs=programs,
    )
    await asyncio.to_thread(server.prepare)
    owner = server.data.owner()
    for source, name in ((secret.cert, "server.crt"), (secret.key, "server.key")):
        copied = Path(shutil.copy(source, server.data / name))
        shutil.chown(copied, owner, owner)
        copied.chmod(0o600)
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    server.start()
    await asyncio.to_thread(server.wait_ready)
    yield server.url().replace("?sslmode=disable", "").replace("127.0.0.1", "localhost")
    await asyncio.to_thread(server.stop)


@pytest.fixture
def secret(tmp_path: Path) -> Secret:
    return Secret(tmp_path / "server", trustme.CA())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A migration that any Postgres understands."""
    found = tmp_path / "migrations"
    found.mkdir()
    text = "-- migrate:up\ncreate table t (a int);\n-- migrate:down\ndrop table t;\n"
    (found / "20260101000000_t.sql").write_text(text)
    return found


async def test_both_trust_the_authority_that_they_are_told_of_and_no_other(
    url: str, folder: Path, secret: Secret, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Secret(tmp_path / "stranger", trustme.CA())
    by_url = f"{url}?sslmode=verify-full&sslrootcert={quote(str(secret.ca))}"
    await migrate(by_url, [folder])
    assert (await standing(by_url)).version == "20260101000000"

    await migrate(url, [folder])  # told of nothing, both take TLS where it is to be had
    assert (await standing(url)).version

    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(secret.ca))
    await migrate(url, [folder])
    assert (await standing(url)).version

    monkeypatch.setenv("PGSSLROOTCERT", str(stranger.ca))
    for wrong in (url, f"{url}?sslmode=disable"):
        with pytest.raises(MigrationFailed):
            await migrate(wrong, [folder])
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await standing(wrong)


@pytest.mark.parametrize("given", ["?sslmode=verify-full", "?sslmode=disable"])
def test_what_the_url_says_of_tls_stands(given: str) -> None:
    assert dbmate_url(f"postgresql://a@b/c{given}") == f"postgresql://a@b/c{given}"
