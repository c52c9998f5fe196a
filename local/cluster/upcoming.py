"""The release after this one, made for the test: this source tree with what a later release may bring.

Every event, request and response has a field more, which this build sets; the tables have a column more,
by a migration that expands. So the build under test is the old one, beside a newer one of a real image.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from local.cluster.failed import Failed
from local.settings import ROOT

TAG = "next"
IMAGES = ("customers", "tills")
FIELD, NUMBER, VALUE = "of_the_next_release", 15_000, "as the next release says it"
VERSION = "29990101000000"
# Of customers alone: what is rolled in the check of versions.
MIGRATION = """-- migrate:up
SET lock_timeout = '2s';
ALTER TABLE purchases ADD COLUMN of_the_next_release text;

-- migrate:down
ALTER TABLE purchases DROP COLUMN of_the_next_release;
"""
# Where this build says the field: in each event, answer and (the tills of the replay) request.
SAY = f"""

def _next(message):
    if message is not None and "{FIELD}" in message.DESCRIPTOR.fields_by_name:
        message.{FIELD} = "{VALUE}"
    return message


def _told(message):
    if "{FIELD}" in message.DESCRIPTOR.fields_by_name:
        message.ClearField("{FIELD}")
    return message
"""
CHANGES = (
    (
        "kit/kit/events/outbox.py",
        "event.payload.SerializeToString()",
        "_next(event.payload).SerializeToString()",
    ),
    (
        "kit/kit/rpc/validation.py",
        "return await behaviour(request, context)",
        "return _next(await behaviour(request, context))",
    ),
    # These tills ignore it in answers: of two repetitions one may be answered by an older pod.
    (
        "local/replay/gateway.py",
        "await method(request, metadata=self._metadata)",
        "_told(await method(_next(request), metadata=self._metadata))",
    ),
)
MESSAGE = re.compile(r"^message (?P<name>\w+) \{$", re.MULTILINE)


def make(folder: Path, root: Path = ROOT) -> Path:
    """Copy what git knows of the tree, change it, and return the folder."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (source := root / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for file in sorted((folder / "proto" / "langganan").rglob("*.proto")):
        file.write_text(with_field(file.read_text(), everything="events" in file.parts))
    for name, old, new in CHANGES:
        _replace(folder / name, old, new)
    (folder / f"services/customers/customers/migrations/{VERSION}_next.sql").write_text(MIGRATION)
    return folder


def with_field(proto: str, *, everything: bool) -> str:
    """Add the field to each message of a file, or only to its requests and responses."""

    def add(found: re.Match[str]) -> str:
        name = found["name"]
        if not everything and not name.endswith(("Request", "Response")):
            return found[0]
        return f"{found[0]}\n  string {FIELD} = {NUMBER};"

    return MESSAGE.sub(add, proto)


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    if text.count(old) != 1:
        raise Failed(
            f"{file.name} has {old!r} {text.count(old)} times, not once: mend local/cluster/upcoming.py"
        )
    file.write_text(text.replace(old, new) + SAY)
