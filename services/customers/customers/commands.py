"""The operator's commands of customers alone, each in the folder of its feature."""

from __future__ import annotations

from customers.erasures import outside
from customers.reconcile import command as reconcile
from customers.republish import command as republish
from customers.vault import rotate

COMMANDS = (outside.COMMAND, reconcile.COMMAND, republish.COMMAND, rotate.COMMAND)
