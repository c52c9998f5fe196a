"""Writes docs/settings.md out of the settings classes (`make settings-doc`)."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from kit.settings import ServiceSettings
from local.services import SERVICES
from local.settings import ROOT, LocalSettings

DOCUMENT = ROOT / "docs" / "settings.md"
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
INTRODUCTION = """# Settings

Each is an environment variable; lists and maps are given as JSON. Made by `make settings-doc` from the
settings classes, which check types and ranges when a service starts; edit those.
"""


def document() -> str:
    """The whole document: what all services share, what each has of its own, and the one-machine stack."""
    shared = "\n".join(_table("…_", ServiceSettings, set()))
    parts = [INTRODUCTION, "## All services\n", f"{shared}\n"]
    for name in SERVICES:
        class_ = _settings_of(name)
        prefix = class_.model_config["env_prefix"]
        own = "\n".join(_table(prefix, class_, set(ServiceSettings.model_fields)))
        parts += [f"## {name}\n", f"Shared settings begin with `{prefix}` as well.\n", f"{own}\n"]
    here = "\n".join(_table("LOCAL_", LocalSettings, set()))
    parts += ["## One machine\n", "What `make up` and `make demo` can be told.\n", f"{here}\n"]
    return "\n".join(parts)


def _settings_of(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"{service}.settings")
    [found] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ServiceSettings) and value is not ServiceSettings
    ]
    return found


def _table(prefix: str, class_: type[BaseSettings], without: set[str]) -> Iterator[str]:
    yield "| variable | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in class_.model_fields.items():
        if name not in without:
            meaning = (field.description or "").replace("|", "\\|")
            yield f"| `{prefix}{name.upper()}` | {_type(field)} | {_default(field)} | {meaning} |"


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    name = annotation.__name__ if type(annotation) is type else str(annotation)
    for module in ("pathlib.", "typing."):
        name = name.replace(module, "")
    limits = [f"{sign} {getattr(m, a)}" for m in field.metadata for a, sign in SIGNS.items() if hasattr(m, a)]
    return ", ".join([f"`{name}`", *limits]).replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "*required*"
    if isinstance(field.default, Path):
        return f"`{field.default.relative_to(ROOT)}/`"  # the same document on every machine
    return "unset" if field.default in (None, "") else f"`{json.dumps(field.default, default=str)}`"


def write(path: Path = DOCUMENT) -> None:
    """Write the document."""
    path.write_text(document())


if __name__ == "__main__":
    write()
