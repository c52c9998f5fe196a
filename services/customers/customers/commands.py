"""The operator's commands of customers alone, each in the folder of its feature."""

from __future__ import annotations

from customers.erasures import outside
from customers.reconcile import command as reconcile
from customers.republish import command as republish

COMMANDS = (outside.COMMAND, reconcile.COMMAND, republish.COMMAND)
