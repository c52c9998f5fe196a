"""The operator's commands of customers alone, each in the folder of its feature."""

from __future__ import annotations

from customers.erasures import outside

COMMANDS = (outside.COMMAND,)
