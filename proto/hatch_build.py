"""Build hook of langganan-proto: generates typed Python from the .proto files into the wheel.

`validate.proto` is not ours: it is taken from a source distribution pinned by hash in validate.lock.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
DEPS = HERE / "build" / "deps"
VALIDATE = "buf/validate/validate.proto"


def fetch_dependencies() -> None:
    """Place validate.proto and Google's common ones under build/deps, where protoc and buf read them."""
    target = DEPS / VALIDATE
    if not target.exists():
        with tempfile.TemporaryDirectory() as folder:
            lock = str(HERE / "validate.lock")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
            command += ["--no-build-isolation", "--no-binary", "protovalidate", "-r", lock, "-d", folder]
            subprocess.run(command, check=True)
            (archive,) = Path(folder).glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                name = next(n for n in tar.getnames() if n.endswith("upstream/proto/" + VALIDATE))
                member = tar.extractfile(name)
                assert member is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(member.read())
    for name in ("type/money.proto", "type/date.proto", "type/timeofday.proto", "rpc/status.proto"):
        folder, file = name.split("/")
        (DEPS / "google" / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(str(resources.files(f"google.{folder}").joinpath(file)), DEPS / "google" / name)


def generate(out: Path) -> None:
    """Run protoc with the Python, gRPC and type-stub generators over every .proto of ours."""
    from grpc_tools import protoc

    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    ours = sorted(str(p.relative_to(HERE)) for p in (HERE / "langganan").rglob("*.proto"))
    well_known = str(resources.files("grpc_tools").joinpath("_proto"))
    arguments = ["protoc", f"-I{HERE}", f"-I{DEPS}", f"-I{well_known}", f"--python_out={out}"]
    arguments += [f"--grpc_python_out={out}", f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet:{out}"]
    for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc"):
        beside = Path(sys.executable).parent / name
        arguments.append(f"--plugin={name}={beside if beside.exists() else shutil.which(name)}")
    if protoc.main([*arguments, *ours, VALIDATE]) != 0:
        raise SystemExit("protoc failed; see the message above")
    for package in ("langganan", "buf"):
        (out / package / "py.typed").touch()
    shutil.copy(HERE / "service_config.json", out / "langganan" / "service_config.json")


class GenerateStubs(BuildHookInterface[Any]):
    """Generate before the wheel is packed, and put what was generated into it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling once a wheel is built."""
        del version
        fetch_dependencies()
        out = HERE / "build" / "python"
        generate(out)
        build_data["force_include"] = {str(out / "langganan"): "langganan", str(out / "buf"): "buf"}
        build_data["pure_python"] = True
