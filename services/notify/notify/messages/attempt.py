"""Prepares an attempt of each message that was claimed: asks who, whether, when and what, then renders."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import structlog

from kit.counts import count
from kit.money import Currency
from langganan.credit.v1.invoices_pb2 import Invoice
from notify import metrics
from notify.channels.plugin import Outbound
from notify.messages import model, reminder
from notify.messages.contacts import Contacts, ContactsUnavailable
from notify.messages.credit import Credit, CreditUnavailable, open_invoice
from notify.messages.hours import zone_of
from notify.messages.model import Contact, Outcome, Reason, Route, State
from notify.messages.records import Claimed
from notify.templates.render import DoesNotRender
from notify.templates.store import Key
from notify.templates.texts import Text, Texts
from notify.templates.values import Amount, Value, from_json

log = structlog.get_logger()

Attempt = tuple[Claimed, Outcome]


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that can be handed to a channel."""

    claimed: Claimed
    route: Route
    outbound: Outbound


@dataclass(frozen=True, slots=True)
class _Allowed:
    """A message that may leave now, over this route."""

    claimed: Claimed
    text: Text
    contact: Contact
    route: Route


class Preparation:
    """Asks customers and credit, once for each merchant and purpose of a batch, and keeps no answer."""

    def __init__(
        self,
        contacts: Contacts,
        credit: Credit,
        texts: Texts,
        carriers: Mapping[str, Sequence[str]],
        failures_per_route: int,
    ) -> None:
        self._contacts, self._credit, self._texts = contacts, credit, texts
        self._carriers, self._failures_per_route = carriers, failures_per_route

    async def prepare(self, claimed: Sequence[Claimed], now: datetime) -> tuple[list[Ready], list[Attempt]]:
        """Return what can be sent at `now` (business time), and what came of the others."""
        done: list[Attempt] = []
        alive: list[Claimed] = []
        for message in claimed:
            late = model.too_late(now, message.not_after, message.attempts)
            if message.overtaken:
                late = Outcome(State.SKIPPED, Reason.REPLACED)
            alive.append(message) if late is None else done.append((message, late))
        texts = await self._texts.find({_text_key(m) for m in alive})
        allowed: list[_Allowed] = []
        for message, contact in await self._with_contacts(alive, texts):
            step = self._allow(message, texts.get(_text_key(message)), contact, now)
            allowed.append(step) if isinstance(step, _Allowed) else done.append(step)
        ready: list[Ready] = []
        for one, still_open in await self._with_credit(allowed):
            last = self._ready(one, still_open, now)
            ready.append(last) if isinstance(last, Ready) else done.append(last)
        return ready, done

    async def _with_contacts(
        self, messages: Sequence[Claimed], texts: Mapping[Key, Text]
    ) -> list[tuple[Claimed, Contact | Reason]]:
        """Ask once for each merchant and purpose; where customers does not answer, say so of each."""
        groups: dict[tuple[str, str], list[Claimed]] = {}
        for message in messages:
            text = texts.get(_text_key(message))
            purpose = text.template.purpose if text else ""
            groups.setdefault((message.merchant_id, purpose), []).append(message)
        answers = await asyncio.gather(*(self._ask(m, p, group) for (m, p), group in groups.items()))
        return [pair for answer in answers for pair in answer]

    async def _ask(
        self, merchant_id: str, purpose: str, group: Sequence[Claimed]
    ) -> list[tuple[Claimed, Contact | Reason]]:
        if not purpose:
            log.error("template_unknown", messages=len(group), template=group[0].template)
            return [(message, Reason.TEMPLATE_BROKEN) for message in group]
        ids = list(dict.fromkeys(message.customer_id for message in group))
        try:
            contacts = await self._contacts.ask(merchant_id, purpose, ids)
        except ContactsUnavailable as error:
            log.warning("contacts_unavailable", merchant=merchant_id, messages=len(group), why=str(error))
            return [(message, Reason.CONTACTS_UNAVAILABLE) for message in group]
        return [(m, contacts.get(m.customer_id, Reason.CONTACTS_UNAVAILABLE)) for m in group]

    def _allow(
        self, message: Claimed, text: Text | None, contact: Contact | Reason, now: datetime
    ) -> _Allowed | Attempt:
        """Say whether a message may leave now and by which way, or what becomes of it instead."""
        if isinstance(contact, Reason):
            return _not_now(contact, message, now)
        assert text is not None, "without a text nobody was asked"
        try:
            last = model.last_use(message.until, contact.zone, message.not_after)
            message = replace(message, not_after=last)
            outcome = model.too_late(now, last, message.attempts) or model.held(
                contact, text.template.leaves, now, last, message.attempts
            )
        except (KeyError, ValueError, OSError):
            log.error("zone_unknown", message=message.message_id)
            return _not_now(Reason.CONTACTS_UNAVAILABLE, message, now)
        if outcome is not None:
            if outcome.not_before is not None:
                count(metrics.MESSAGES_HELD.labels(message.kind))
            return message, outcome
        way = model.route(
            contact,
            self._carriers,
            message.wanted_channel,
            given_up=message.given_up,
            failures=message.failures,
            failures_per_route=self._failures_per_route,
            last_failure=Reason(message.last_failure),
        )
        return _Allowed(message, text, contact, way) if isinstance(way, Route) else (message, way)

    async def _with_credit(
        self, messages: Sequence[_Allowed]
    ) -> list[tuple[_Allowed, Mapping[str, Invoice] | None]]:
        """Ask what is still open, once a merchant; None: credit does not answer. Most need not ask."""
        groups: dict[str, list[_Allowed]] = {}
        for one in messages:
            if one.claimed.invoices:
                groups.setdefault(one.claimed.merchant_id, []).append(one)
        open_: dict[str, Mapping[str, Invoice] | None] = {}
        for merchant_id, group in groups.items():
            ids = {invoice for one in group for invoice in one.claimed.invoices}
            open_[merchant_id] = await self._still_open(merchant_id, ids, group)
        return [(one, open_[one.claimed.merchant_id] if one.claimed.invoices else {}) for one in messages]

    async def _still_open(
        self, merchant_id: str, ids: Collection[str], group: Sequence[_Allowed]
    ) -> Mapping[str, Invoice] | None:
        try:
            return await self._credit.still_open(merchant_id, ids)
        except CreditUnavailable as error:
            log.warning("credit_unavailable", merchant=merchant_id, messages=len(group), why=str(error))
            return None

    def _ready(
        self, one: _Allowed, still_open: Mapping[str, Invoice] | None, now: datetime
    ) -> Ready | Attempt:
        """Render one message, or say what becomes of it instead."""
        message, contact = one.claimed, one.contact
        if still_open is None:
            return _not_now(Reason.CREDIT_UNAVAILABLE, message, now)
        owed = [still_open[i] for i in message.invoices if i in still_open]
        if message.invoices and not owed:
            return message, Outcome(State.SKIPPED, Reason.PAID)
        try:
            values = from_json(json.loads(message.variables))
            if owed:
                values = _reminding(values, owed, now.astimezone(zone_of(contact.zone)).date())
            text, language = self._texts.render(
                one.text,
                values,
                wishes=(contact.language, contact.locale),
                name=contact.name,
                shop=contact.shop,
            )
        except Exception as error:  # noqa: BLE001 - one message must not stop the others of its batch
            why = str(error) if isinstance(error, DoesNotRender) else type(error).__name__
            log.error("template_broken", template=message.template, message=message.message_id, why=why)
            return _not_now(Reason.TEMPLATE_BROKEN, message, now)
        merchant = hashlib.sha256(message.merchant_id.encode()).hexdigest()[:8]
        outbound = Outbound(
            key=f"{message.message_id}.{merchant}",
            way=one.route.way.way,
            address=one.route.way.address,
            name=contact.name,
            shop=contact.shop,
            subject=text.subject,
            body=text.body,
            language=language,
            unsubscribable=one.text.template.promotes,
        )
        return Ready(message, one.route, outbound)


def _text_key(message: Claimed) -> Key:
    return (message.merchant_id, message.template, message.template_version)


def _reminding(made_with: Mapping[str, Value], owed: Sequence[Invoice], today: date) -> dict[str, Value]:
    """What a reminder shows now, in the currency of the sum that it was made with."""
    total = made_with["total"]
    assert isinstance(total, Amount), "a reminder of invoices has a sum"
    currency = Currency(total.currency, total.digits)
    return reminder.shown([open_invoice(invoice, currency) for invoice in owed], today, currency)


def _not_now(why: Reason, message: Claimed, now: datetime) -> Attempt:
    """Try again later, templates included: a worker of another build may know what this one does not."""
    return message, model.failed(why, now, message.not_after)
