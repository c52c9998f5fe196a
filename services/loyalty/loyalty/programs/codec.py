"""A program between the wire, the table and the model."""

from __future__ import annotations

from typing import Any

from kit import plugins
from kit.errors import DomainError, InvalidArgument
from kit.fingerprint import Field
from kit.money import Currency, to_minor
from kit.plugins import Registry
from kit.rpc.times import instant
from langganan.loyalty.v1 import programs_pb2 as pb
from loyalty.errors import InvalidProgram
from loyalty.programs.guarded import GuardedEarning, GuardedTier
from loyalty.programs.model import Benefits, Program
from loyalty.programs.plugins import ONCE


def normal(program: pb.Program) -> pb.Program:
    """Return a copy with defaults filled in and configurations in one spelling of JSON."""
    fresh = pb.Program()
    fresh.CopyFrom(program)
    for choice in [*fresh.earning, *([fresh.tier_plugin] if fresh.HasField("tier_plugin") else [])]:
        choice.config_json = plugins.normal_config(choice.plugin, choice.config_json)
    for tier in fresh.tiers:
        tier.benefits.multiplier_basis_points = tier.benefits.multiplier_basis_points or ONCE
    unique = sorted(set(fresh.excluded_tenders))
    del fresh.excluded_tenders[:]
    fresh.excluded_tenders.extend(unique)
    return fresh


def compile_program(program: pb.Program, earning: Registry, tiers: Registry, *, strict: bool) -> Program:
    """Return the model of a program.

    With `strict` (when it is set) every fault is raised; without, a plugin that is absent by now stops
    only what needs it.
    """
    currency = Currency(program.currency_code, program.minor_digits)
    names = tuple(tier.name for tier in program.tiers)
    if strict:
        _check(program, names)
    return Program(
        version=program.version,
        effective_from=instant(program.effective_from, "program.effective_from"),
        currency=currency,
        earning=_earning(program, earning, strict),
        tier_plugin=_tier_plugin(program, names, tiers, strict),
        tiers=names,
        benefits=tuple(_benefits(tier.benefits) for tier in program.tiers),
        point_value=to_minor(program.point_value, currency, "point_value")
        if program.HasField("point_value")
        else 0,
        expiry_months=program.expiry_months,
        excluded_tenders=frozenset(program.excluded_tenders),
        min_redeem_points=program.min_redeem_points,
        max_offline_points=program.max_offline_points,
        expiry_notice_days=program.expiry_notice_days,
    )


def _check(program: pb.Program, names: tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        raise InvalidProgram("two tiers have the same name; name each once, lowest first")
    if program.HasField("tier_plugin") and not names:
        raise InvalidProgram("a tier plugin needs tiers; name them, lowest first")
    if program.point_value.units < 0 or program.point_value.nanos < 0:
        raise InvalidProgram("point_value must not be negative")


def _earning(program: pb.Program, registry: Registry, strict: bool) -> Any:
    try:
        return tuple(
            GuardedEarning(
                c.plugin, plugins.configure(registry, c.plugin, plugins.read_config(c.plugin, c.config_json))
            )
            for c in program.earning
        )
    except DomainError as error:
        if strict:
            raise
        return error


def _tier_plugin(program: pb.Program, names: tuple[str, ...], registry: Registry, strict: bool) -> Any:
    if not program.HasField("tier_plugin"):
        return None
    name = program.tier_plugin.plugin
    try:
        config = plugins.read_config(name, program.tier_plugin.config_json)
        plugin = GuardedTier(name, plugins.configure(registry, name, config))
        problem = plugin.problem(names)
        if problem:
            raise InvalidArgument(
                f"configuration of plugin {name!r}: {problem}", reason="INVALID_PLUGIN_CONFIG", plugin=name
            )
    except DomainError as error:
        if strict:
            raise
        return error
    return plugin


def _benefits(benefits: pb.Benefits) -> Benefits:
    return Benefits(
        benefits.discount_basis_points,
        benefits.multiplier_basis_points or ONCE,
        benefits.priority,
        tuple(benefits.special_offers),
    )


def business_fields(program: pb.Program) -> tuple[Field, ...]:
    """Return what makes two programs the same, for the fingerprint; version and set_at do not."""
    return (
        program.effective_from.ToNanoseconds() if program.HasField("effective_from") else None,
        program.currency_code,
        program.minor_digits,
        tuple((choice.plugin, choice.config_json) for choice in program.earning),
        (program.tier_plugin.plugin, program.tier_plugin.config_json),
        tuple(
            (
                tier.name,
                tier.benefits.discount_basis_points,
                tier.benefits.multiplier_basis_points,
                tier.benefits.priority,
                tuple(tier.benefits.special_offers),
            )
            for tier in program.tiers
        ),
        (program.point_value.units, program.point_value.nanos),
        program.expiry_months,
        tuple(int(kind) for kind in program.excluded_tenders),
        program.min_redeem_points,
        program.max_offline_points,
        # Came later: left out where unset, so that what was set before keeps its fingerprint.
        *([program.expiry_notice_days] if program.expiry_notice_days else []),
    )


def benefits_message(benefits: Benefits) -> pb.Benefits:
    """Return benefits as a message."""
    return pb.Benefits(
        discount_basis_points=benefits.discount_bp,
        multiplier_basis_points=benefits.multiplier_bp,
        priority=benefits.priority,
        special_offers=benefits.special_offers,
    )
