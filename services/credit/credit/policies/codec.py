"""A policy between the wire, the table and the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from credit.limits import plugins as limits
from credit.notices import plugins as dunning
from credit.notices.plugins import Ladder
from credit.policies.guarded import GuardedDunning, GuardedLimit
from credit.policies.model import Policy
from kit import plugins
from kit.errors import DomainError
from kit.fingerprint import Field
from kit.plugins import Registry
from langganan.credit.v1 import policies_pb2 as pb

Guard = TypeVar("Guard")


class Installed(NamedTuple):
    """The plugins that a policy may choose, by what they decide."""

    dunning: Registry
    limits: Registry


def installed() -> Installed:
    """Return what this build has; raise BrokenPlugin."""
    return Installed(
        plugins.load(dunning.GROUP, dunning.CONTRACT), plugins.load(limits.GROUP, limits.CONTRACT)
    )


DEFAULT_MESSAGE = pb.Policy(dunning=pb.PluginChoice(plugin=Ladder.name, config_json="{}"))


def default() -> Policy:
    """The policy of a merchant who has set none."""
    return Policy(0, GuardedDunning(Ladder.name, Ladder(Ladder.Config())))


def normal(policy: pb.Policy) -> pb.Policy:
    """Return a copy as it is asked for: configurations in one spelling of JSON, nothing that we give."""
    fresh = pb.Policy()
    fresh.CopyFrom(policy)
    fresh.ClearField("version")
    fresh.ClearField("set_at")
    for choice in _choices(fresh):
        choice.config_json = plugins.normal_config(choice.plugin, choice.config_json)
    return fresh


def compiled(policy: pb.Policy, installed: Installed) -> Policy:
    """Return the model of a policy; a plugin that is absent, or fails, stops only what needs it."""
    return Policy(
        version=policy.version,
        dunning=_guarded(GuardedDunning, policy.dunning, installed.dunning),
        limits=_guarded(GuardedLimit, policy.limits, installed.limits) if policy.HasField("limits") else None,
    )


def _guarded(
    guard: Callable[[str, Any], Guard], choice: pb.PluginChoice, registry: Registry
) -> Guard | DomainError:
    try:
        config = plugins.read_config(choice.plugin, choice.config_json)
        return guard(choice.plugin, plugins.configure(registry, choice.plugin, config))
    except DomainError as error:
        return error


def business_fields(policy: pb.Policy) -> tuple[Field, ...]:
    """Return what makes two policies the same, for the fingerprint."""
    return (
        policy.effective_from.ToNanoseconds() if policy.HasField("effective_from") else None,
        *((choice.plugin, choice.config_json) for choice in (policy.dunning, policy.limits)),
    )


def _choices(policy: pb.Policy) -> list[pb.PluginChoice]:
    return [policy.dunning, *([policy.limits] if policy.HasField("limits") else [])]
