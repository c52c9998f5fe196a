"""Writes this machine's pip configuration as secrets of a build: `python pip_conf.py FOLDER`.

FOLDER/pip.conf has what pip.conf and PIP_… variables say here; FOLDER/ca.crt is its bundle of certificates,
if it has one. So the image comes from where this machine installs from, and nothing of that is in the image.
"""

import shutil
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

CA = "/run/secrets/ca.crt"
# Folders and files of this machine mean nothing in a build.
LEFT_OUT = {"find-links", "cache-dir", "target", "prefix", "user", "no-index", "requirement", "constraint"}


def main(folder: Path) -> None:
    """Write both files."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    # global.index-url='https://…' gives way to install.index-url, both to PIP_INDEX_URL (:env:.index-url).
    lines = sorted(
        said.splitlines(), key=lambda line: (line.startswith(":env:"), not line.startswith("global."))
    )
    options: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition("=")
        options[name.rpartition(".")[2]] = str(literal_eval(value)).replace("\n", "\n  ")
    for name in LEFT_OUT & options.keys():
        del options[name]
    if certificates := options.get("cert"):
        shutil.copy(certificates, folder / "ca.crt")
        options["cert"] = CA
    text = "".join(f"{name} = {value}\n" for name, value in sorted(options.items()))
    (folder / "pip.conf").write_text(f"[global]\n{text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
