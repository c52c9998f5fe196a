"""Becomes a container's program: `python container.py SPEC`, alone, in namespaces of its own, as process 1.

Makes a root of its own from the machine's programs, the image and the pod's volumes, closes it for
writing, becomes the pod's user and executes. Standard library only: it runs before there is an environment.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_NOSUID, MS_NODEV = 1, 32, 4096, 16384, 2, 4  # linux/mount.h
PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h
PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr")
OF_ETC = ("ld.so.cache", "nsswitch.conf", "ssl", "localtime", "services", "protocols", "mime.types")
DEVICES = ("null", "zero", "full", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str = "", flags: int = 0) -> None:
    """mount(2); raises OSError."""
    if libc.mount(source.encode(), str(target).encode(), kind.encode(), flags, None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


def bind(source: Path, target: Path, *, read_only: bool) -> None:
    """Show a file or folder at another place as well."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(str(source), target, flags=MS_BIND | MS_REC)
    if read_only:
        mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def make_root(root: Path, spec: dict[str, object]) -> None:
    """Put together what the container sees."""
    mount("root", root, "tmpfs", MS_NOSUID)
    for name in PROGRAMS:
        source = Path("/") / name
        if source.is_symlink():
            (root / name).symlink_to(os.readlink(source))
        elif source.exists():
            bind(source, root / name, read_only=True)
    for name in OF_ETC:
        if (Path("/etc") / name).exists():
            bind((Path("/etc") / name).resolve(), root / "etc" / name, read_only=True)
    files = spec["files"]
    assert isinstance(files, dict)
    for path, text in files.items():
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).write_text(text)
    for name in ("proc", "dev", "dev/shm"):
        (root / name).mkdir()
    mount("proc", root / "proc", "proc", MS_NOSUID | MS_NODEV)
    mount("shm", root / "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV)
    (root / "dev/shm").chmod(0o1777)
    for name in DEVICES:
        bind(Path("/dev") / name, root / "dev" / name, read_only=False)
    mounts = spec["mounts"]
    assert isinstance(mounts, list)
    for source, path, read_only in mounts:
        bind(Path(source), root / path.lstrip("/"), read_only=read_only)
    if spec["read_only_root"]:
        mount("none", root, flags=MS_REMOUNT | MS_RDONLY | MS_NOSUID)


def main() -> None:
    """Read the file, make the root, and be what it says."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    root = Path(spec["root"])
    root.mkdir(exist_ok=True)
    make_root(root, spec)
    os.chroot(root)
    os.chdir("/")
    os.setgroups(spec["groups"])
    os.setgid(spec["group"])
    os.setuid(spec["user"])
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.execvpe(spec["argv"][0], spec["argv"], spec["env"])


if __name__ == "__main__":
    main()
