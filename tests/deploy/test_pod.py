"""What the parts of a test cluster refuse, in a sentence; `make image-test` runs, kills and moves them."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from local import pod
from local.part import PartFailed
from local.pod import PodSettings

URIS = {f"{name}_uri": f"postgresql://{name}:p%2Fw@postgres:5432/{name}" for name in ("customers", "vault")}
URIS |= {
    f"{name}_uri": f"postgresql://{name}:p@postgres:5432/{name}" for name in ("loyalty", "credit", "notify")
}


@pytest.fixture
def _terminated_as_before() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def settings(**values: str) -> PodSettings:
    return PodSettings.model_validate(URIS | values)


def test_prepare_names_every_address_that_is_missing() -> None:
    with pytest.raises(PartFailed, match="PARTS_VAULT_URI, PARTS_NOTIFY_URI"):
        settings(vault_uri="", notify_uri="").uris()


@pytest.mark.parametrize(
    "uri", ["postgresql://loyalty:p@postgres:5432/credit", "postgresql://credit:p@postgres:5432/loyalty"]
)
def test_a_service_owns_the_database_of_its_own_name(uri: str) -> None:
    with pytest.raises(
        PartFailed, match="PARTS_CREDIT_URI must name the role credit and the database credit"
    ):
        settings(credit_uri=uri).uris()
    assert settings().uris()["credit"] == URIS["credit_uri"]


def test_the_superuser_is_found_where_the_services_find_theirs_whatever_the_password() -> None:
    url = pod.superuser_url("postgresql://credit:p@postgres:5432/credit?sslmode=disable", "a/b @:c'")
    assert url == "postgresql://postgres:a%2Fb%20%40%3Ac%27@postgres:5432/postgres?sslmode=disable"


async def test_prepare_waits_for_who_is_not_there_but_not_for_a_wrong_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    attempts = 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise PartFailed("Postgres does not let us in at postgres:5432: refused")
        if attempts == 2:
            raise PartFailed("wrong") from asyncpg.InvalidPasswordError("password authentication failed")

    with pytest.raises(PartFailed, match="wrong"):
        await pod.until("Postgres", attempt)
    assert attempts == 2
    assert capsys.readouterr().out.startswith("waiting for Postgres: Postgres does not let us in at postgres")


@pytest.mark.usefixtures("_terminated_as_before")
def test_a_part_without_its_password_or_name_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARTS_DATA", str(tmp_path))
    assert (pod.main(["zookeeper"]), pod.main([])) == (2, 2)
    assert "postgres | kafka | mail | prepare" in capsys.readouterr().err
    assert pod.main(["postgres"]) == 1
    assert capsys.readouterr().err == "Postgres needs PARTS_POSTGRES_PASSWORD, the superuser's password.\n"


@pytest.mark.usefixtures("_terminated_as_before")
def test_sigterm_reaches_the_program_as_the_signal_that_stops_it_in_order(tmp_path: Path) -> None:
    program = "import os, signal; os.kill(os.getppid(), signal.SIGTERM); signal.sigwait({signal.SIGINT})"
    blocked = f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGINT}}); {program}"
    with pod.held(tmp_path) as lock:
        assert pod.foreground([sys.executable, "-c", blocked], signal.SIGINT, lock) == 0
        assert pod.foreground([sys.executable, "-c", "raise SystemExit(3)"], signal.SIGINT, lock) == 3
