"""The channel of a developer's terminal: what would leave is written to standard output."""

from __future__ import annotations

import sys
from typing import ClassVar, TextIO

from pydantic import BaseModel, ConfigDict, Field

from notify.channels.mime import one_line
from notify.channels.plugin import CONTRACT, WAYS, Outbound


class ConsoleConfig(BaseModel):
    """What may be set of the console channel."""

    model_config = ConfigDict(extra="forbid")

    show_text: bool = Field(
        False, description="write name, address and text too; they name people: not for a shared terminal"
    )


class ConsoleChannel:
    """Writes messages to a stream; without `show_text` only key, way and language."""

    name: ClassVar[str] = "console"
    contract: ClassVar[int] = CONTRACT
    Config: ClassVar[type[BaseModel]] = ConsoleConfig
    carries: ClassVar[frozenset[str]] = WAYS

    def __init__(self, config: ConsoleConfig, stream: TextIO | None = None) -> None:
        self._show_text, self._stream = config.show_text, stream or sys.stdout

    @property
    def concurrency(self) -> int:
        """One at a time: lines of two messages must not mix."""
        return 1

    async def send(self, message: Outbound) -> None:
        """Write the message."""
        lines = [f"-- message {message.key} by {message.way} in {message.language}"]
        if self._show_text:
            lines += [f"To: {message.name!r} {message.address!r}", f"From: {message.shop!r}"]
            lines += [f"Subject: {one_line(message.subject)}", "", *message.body.splitlines()]
        self._stream.write("\n".join(lines) + "\n")
        self._stream.flush()

    async def close(self) -> None:
        """Nothing is held."""
