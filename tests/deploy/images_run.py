"""`make image-test`: the images as a node runs them; built first, and not part of `make test`."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from time import monotonic

import pytest

from kit.testing.eventually import eventually
from tests.deploy.containers import Container, Image, Pod, buildah, missing

ROOT = Path(__file__).parents[2]
TAG = "image-test"
DATABASES = ("customers", "vault", "loyalty", "credit", "notify")
URIS = {name: f"postgresql://{name}:of-{name}@postgres:5432/{name}" for name in DATABASES}
SUPERUSER = {"PARTS_POSTGRES_PASSWORD": "of postgres, with a / and a blank"}
PREPARE = SUPERUSER | {f"PARTS_{name.upper()}_URI": uri for name, uri in URIS.items()}
HOSTS = ("postgres", "kafka", "mail")

WHO = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
try:
    open("/opt/langganan/written", "w")
    written = "yes"
except OSError as error:
    written = os.strerror(error.errno)
print(json.dumps([os.getuid(), os.getgid(), status["CapEff"].strip(), written]))
"""
HTTP = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).status)"
GRPC = """
import sys, grpc
from grpc_health.v1 import health_pb2 as pb, health_pb2_grpc as stubs
with grpc.insecure_channel(sys.argv[1]) as channel:
    print(pb.HealthCheckResponse.ServingStatus.Name(
        stubs.HealthStub(channel).Check(pb.HealthCheckRequest(), timeout=5).status))
"""


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    if reason := missing():
        pytest.skip(f"images: {reason}")


def build(*names: str) -> float:
    """Run `make images` for these names; the seconds that it took."""
    began = monotonic()
    command = ["make", "--silent", "images", f"IMAGES={' '.join(names)}", f"TAG={TAG}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    print(done.stdout, end="")
    return monotonic() - began


@pytest.fixture(scope="session")
def images() -> Iterator[dict[str, Image]]:
    """Credit, notify and the parts, built from these sources."""
    build("credit", "notify", "parts")
    found = {name: Image(f"localhost/langganan/{name}:{TAG}") for name in ("credit", "notify", "parts")}
    yield found
    for image in found.values():
        image.remove()


@pytest.fixture(scope="session")
async def pod(images: dict[str, Image], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pod]:
    """A network in which all of it runs."""
    home = tmp_path_factory.mktemp("pod")
    home.chmod(0o755)
    pod = Pod(home, images["credit"], HOSTS)
    await pod.start()
    yield pod
    await asyncio.to_thread(pod.stop)


@pytest.fixture(scope="session")
async def parts(pod: Pod, images: dict[str, Image]) -> dict[str, Container]:
    """Postgres, Kafka and the mail sink; `prepare` is there before them, and waits."""
    prepare = pod.run(images["parts"], ["prepare"], PREPARE)
    await eventually(lambda: "waiting for Postgres" in prepare.log, within=30)
    running = {name: start_part(pod, images, name) for name in HOSTS}
    code = await asyncio.to_thread(prepare.wait)
    assert code == 0, prepare.log
    return running


def start_part(pod: Pod, images: dict[str, Image], name: str) -> Container:
    """Start a part on its data folder, which stays when the container goes."""
    data = pod.home / f"data-{name}"
    data.mkdir(exist_ok=True)
    return pod.run(images["parts"], [name], SUPERUSER if name == "postgres" else {}, data)


def environment(service: str, grpc_port: int) -> dict[str, str]:
    """What a pod of the service is told; HTTP listens one port higher."""
    values = {
        "DATABASE_URL": URIS[service],
        "KAFKA_BOOTSTRAP": "kafka:9092",
        "GRPC_HOST": "0.0.0.0",
        "GRPC_PORT": str(grpc_port),
        "HTTP_HOST": "0.0.0.0",
        "HTTP_PORT": str(grpc_port + 1),
    }
    return {f"{service.upper()}_{name}": value for name, value in values.items()}


async def migrate(pod: Pod, image: Image, env: dict[str, str]) -> None:
    migration = pod.run(image, ["migrate"], env)
    assert await asyncio.to_thread(migration.wait) == 0, migration.log


async def ready(container: Container, port: int) -> None:
    """Wait until it says over HTTP that it is ready."""

    def asked() -> bool:
        assert container.pid() or not container.log, container.log
        return container.ask(HTTP, f"http://127.0.0.1:{port}/ready").stdout.strip() == "200"

    await eventually(lambda: asyncio.to_thread(asked), within=60, every=0.2)


@pytest.fixture(scope="session")
async def credit(pod: Pod, images: dict[str, Image], parts: dict[str, Container]) -> dict[str, Container]:
    """Credit migrated, then its two roles."""
    env = environment("credit", 7000)
    await migrate(pod, images["credit"], env)
    running = {
        "serve": pod.run(images["credit"], ["serve"], env),
        "work": pod.run(images["credit"], ["work"], environment("credit", 7010)),
    }
    await ready(running["serve"], 7001)
    await ready(running["work"], 7011)
    return running


@pytest.mark.parametrize("name", ["credit", "parts"])
def test_an_image_says_who_it_is_and_runs_as_a_number(images: dict[str, Image], name: str) -> None:
    config = images[name].config
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "-m", "local.pod" if name == "parts" else name]
    assert config["StopSignal"] == "SIGTERM"
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels["title"] == f"langganan/{name}"
    assert labels["version"] == TAG
    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?", labels["revision"])


def files(image: Image, *folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (image.root / folder).rglob("*")


@pytest.mark.parametrize("name", ["credit", "parts"])
def test_an_image_holds_no_compiler_and_nothing_that_builds_or_tests(
    images: dict[str, Image], name: str
) -> None:
    programs = {path.name for path in files(images[name], "usr/bin", "usr/local/bin", "opt/langganan/bin")}
    assert "python" in programs
    assert not programs & {
        "gcc",
        "cc",
        "c++",
        "g++",
        "clang",
        "tcc",
        "ld",
        "as",
        "make",
        "rustc",
        "go",
        "javac",
    }
    packages = {path.name.split("-")[0] for path in files(images[name], "opt") if path.suffix == ".dist-info"}
    assert {"langganan_kit", "langganan_proto", "grpcio"} <= packages
    assert not packages & {"grpcio_tools", "mypy_protobuf", "hatchling", "pytest", "setuptools", "pandas"}


@pytest.mark.parametrize("name", ["credit", "parts"])
def test_nothing_of_where_packages_came_from_is_in_an_image(images: dict[str, Image], name: str) -> None:
    image = images[name]
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    hosts = set(re.findall(r"://(?:[^@/']*@)?([^/:']+)", said)) | {"index-url", "trusted-host"}
    described = json.dumps(image.described)
    assert not [host for host in hosts if host in described]
    assert not list(files(image, "run/secrets"))
    assert not (image.root / "etc/pip.conf").exists()
    assert not [path for path in files(image, "opt/langganan") if path.name in ("pip.conf", "ca.crt")]
    assert not (image.root / "build").exists()


async def test_a_service_serves_without_a_shell_from_a_root_it_cannot_write(
    credit: dict[str, Container],
) -> None:
    serve, work = credit["serve"], credit["work"]
    for container in (serve, work):
        who = json.loads(container.ask(WHO).stdout)
        assert who == [10001, 10001, "0000000000000000", "Read-only file system"]
    shell = serve.ask("import subprocess; subprocess.run(['sh', '-c', 'true'])")
    assert "PermissionError" in shell.stderr
    assert serve.ask(GRPC, "127.0.0.1:7000").stdout.strip() == "SERVING"
    for port in (7001, 7011):
        for path in ("live", "ready", "metrics"):
            assert serve.ask(HTTP, f"http://127.0.0.1:{port}/{path}").stdout.strip() == "200"


async def test_postgres_and_kafka_go_on_after_they_were_killed_and_moved(
    pod: Pod, images: dict[str, Image], parts: dict[str, Container], credit: dict[str, Container]
) -> None:
    serve = credit["serve"]
    for name in ("postgres", "kafka"):
        await asyncio.to_thread(parts[name].end, signal.SIGKILL)
    assert (pod.home / "data-postgres/postgres/postmaster.pid").exists()  # of a server that is gone
    assert serve.ask(HTTP, "http://127.0.0.1:7001/live").stdout.strip() == "200"
    pod.move("127.0.0.2", HOSTS)
    for name in ("postgres", "kafka"):
        parts[name] = start_part(pod, images, name)
    again = pod.run(images["parts"], ["prepare"], PREPARE)
    assert await asyncio.to_thread(again.wait, 90) == 0, again.log
    await ready(serve, 7001)
    await ready(credit["work"], 7011)
    assert serve.ask(GRPC, "127.0.0.1:7000").stdout.strip() == "SERVING"


def pip_secrets(folder: Path) -> list[str]:
    """What a build is told of pip on this machine, as deploy/images/build tells it."""
    subprocess.run([sys.executable, ROOT / "deploy/images/pip_conf.py", folder], check=True)
    return [f"--secret=id={path.name},src={path}" for path in folder.iterdir()]


async def test_a_plugin_in_a_derived_image_is_loaded_and_without_it_notify_says_what_is_missing(
    pod: Pod, images: dict[str, Image], parts: dict[str, Container], tmp_path: Path
) -> None:
    base, derived = images["notify"].name, f"localhost/langganan/notify-webhook:{TAG}"
    secrets = pip_secrets(tmp_path)
    example = str(ROOT / "examples/webhook-channel")
    buildah(
        "build",
        "--layers",
        "--network=host",
        *secrets,
        f"--build-arg=NOTIFY={base}",
        f"--tag={derived}",
        example,
    )
    with_plugin = Image(derived)
    try:
        gateway = json.dumps({"webhook": {"url": "http://mail:1/messages"}})
        env = environment("notify", 7020) | {"NOTIFY_CHANNELS": gateway}
        await migrate(pod, with_plugin, env)
        without = pod.run(images["notify"], ["serve"], env)
        assert await asyncio.to_thread(without.wait) == 1
        assert "webhook" in without.log
        notify = pod.run(with_plugin, ["serve"], env)
        await ready(notify, 7021)
        assert await asyncio.to_thread(notify.end) == 0, notify.log
    finally:
        with_plugin.remove()


async def test_everything_stops_in_order_when_it_is_asked(
    parts: dict[str, Container], credit: dict[str, Container]
) -> None:
    ended: Sequence[Container] = [
        credit["serve"],
        credit["work"],
        parts["mail"],
        parts["kafka"],
        parts["postgres"],
    ]
    for container in ended:
        assert await asyncio.to_thread(container.end) == 0, container.log
    assert "database system is shut down" in parts["postgres"].log


def test_a_change_of_code_is_in_an_image_within_seconds(images: dict[str, Image]) -> None:
    added = ROOT / "services/credit/credit/added_by_image_test.py"
    added.write_text("# a change\n")
    try:
        assert build("credit") < 30
    finally:
        added.unlink()
    changed = Image(f"localhost/langganan/credit:{TAG}")
    try:
        assert (changed.root / "opt/langganan/code/credit" / added.name).exists()
    finally:
        changed.remove()


class Verdict:
    """The closing line of `make image-test`."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Count what passed, and as failed also what could not be set up."""
        passed, failed, errors, skipped = (
            len(terminalreporter.stats.get(outcome, []))
            for outcome in ("passed", "failed", "error", "skipped")
        )
        terminalreporter.write_line(
            f"{passed} passed, {failed + errors} failed" + (f", {skipped} skipped" if skipped else "")
        )


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", __file__], plugins=[Verdict()]))
