"""Sends what is due: claim and commit, ask for contacts, render, send, write what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from kit import db, failpoints
from kit.batch import once
from kit.clock import Clock
from notify import metrics
from notify.channels.plugin import Channel, NotSent, Outbound
from notify.messages import model, store
from notify.messages.contacts import Contacts, ContactsUnavailable
from notify.messages.model import Contact, Outcome, Reason, Route, State
from notify.messages.records import Claimed
from notify.settings import Settings
from notify.templates import catalogue
from notify.templates.render import DoesNotRender, Rendered, Renderer, language_of
from notify.templates.values import from_json

log = structlog.get_logger()
# After this share of the lease no further message is begun; the rest goes back at once.
_SHARE_OF_LEASE = 0.5
_UNAVAILABLE = (Reason.CONTACTS_UNAVAILABLE, Reason.CHANNEL_UNAVAILABLE)

Attempt = tuple[Claimed, Outcome]


@dataclass(frozen=True, slots=True)
class _Ready:
    claimed: Claimed
    channel: str
    outbound: Outbound


class Sender:
    """One round after the other; many processes may each run one."""

    def __init__(
        self,
        pool: db.Pool,
        clock: Clock,
        contacts: Contacts,
        channels: Mapping[str, Channel],
        settings: Settings,
    ) -> None:
        self._pool, self._clock, self._contacts, self._channels = pool, clock, contacts, channels
        self._settings, self._renderer = settings, Renderer()
        self._carriers: dict[str, list[str]] = {}
        for name, channel in channels.items():
            for way in channel.carries:
                self._carriers.setdefault(way, []).append(name)
        self._stopping = False
        self._limit = settings.send_batch

    async def round(self, now: datetime) -> int:
        """Attempt up to a batch of messages that are due; return how many, 0 when to look again later.

        While nothing gets through, one message at a time probes whether it does again: an outage of
        hours must not ask customers for thousands of contacts a minute.
        Cancelled, it begins no further message, but what is under way is finished and written first:
        otherwise every roll-out would send some messages twice.
        """
        async with db.transaction(self._pool) as conn:
            claimed = await store.claim(conn, limit=self._limit, lease_s=self._settings.lease_s)
        if not claimed:
            return 0
        failpoints.hit("messages-claimed")
        work = asyncio.create_task(self._work(claimed, now), name="send-batch")
        try:
            gets_through = await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stopping = True
            await asyncio.wait([work], timeout=self._settings.drain_s)
            if not work.done():
                work.cancel()
            elif (error := work.exception()) is not None:
                log.error("sweep_failed", sweep="messages", error=type(error).__name__)
            raise
        self._limit = self._settings.send_batch if gets_through else 1
        return len(claimed) if gets_through else 0

    async def _work(self, claimed: Sequence[Claimed], now: datetime) -> bool:
        """Attempt, write, and tell whether anything got through (to customers, and to a provider)."""
        done: list[Attempt] = []
        alive: list[Claimed] = []
        for message in claimed:
            late = model.too_late(now, message.not_after, message.attempts)
            if late is None:
                alive.append(message)
            else:
                done.append((message, late))
        ready: list[_Ready] = []
        for message, contact in await self._with_contacts(alive):
            prepared = self._prepare(message, contact)
            if isinstance(prepared, _Ready):
                ready.append(prepared)
            else:
                done.append((message, prepared))
        done += await self._send_all(ready)
        # As one request, for its retries: what is sent and cannot be written would be sent again.
        _count(done, await once(self._pool, self._finish, done))
        return any(outcome.last_failure not in _UNAVAILABLE for _, outcome in done)

    async def _finish(self, conn: db.Conn, lists: Sequence[list[Attempt]], wait: bool) -> list[list[Attempt]]:
        del wait  # once always waits for locks
        now, retry_s = self._clock.now(), self._settings.retry_s
        return [await store.finish(conn, done, now=now, retry_s=retry_s) for done in lists]

    async def _with_contacts(self, messages: Sequence[Claimed]) -> list[tuple[Claimed, Contact | Reason]]:
        """Ask once for each merchant and purpose; where customers does not answer, say so of each."""
        groups: dict[tuple[str, str], list[Claimed]] = {}
        for message in messages:
            template = catalogue.exactly(message.template, message.template_version)
            purpose = template.purpose if template else ""
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

    def _prepare(self, message: Claimed, contact: Contact | Reason) -> _Ready | Outcome:
        """Route and render one message, or say what becomes of it instead."""
        if isinstance(contact, Reason):
            return self._not_now(contact, message)
        way = model.route(contact, self._carriers, message.wanted_channel)
        if not isinstance(way, Route):
            return way
        language = language_of(contact.language, contact.locale)
        try:
            text = self._rendered(message, contact, language)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others of its batch
            why = str(error) if isinstance(error, DoesNotRender) else type(error).__name__
            log.error("template_broken", template=message.template, message=message.message_id, why=why)
            return self._not_now(Reason.TEMPLATE_BROKEN, message)
        merchant = hashlib.sha256(message.merchant_id.encode()).hexdigest()[:8]
        outbound = Outbound(
            key=f"{message.message_id}.{merchant}",
            way=way.way.way,
            address=way.way.address,
            name=contact.name,
            shop=contact.shop,
            subject=text.subject,
            body=text.body,
            language=language,
        )
        return _Ready(message, way.channel, outbound)

    def _rendered(self, message: Claimed, contact: Contact, language: str) -> Rendered:
        template = catalogue.exactly(message.template, message.template_version)
        if template is None:
            raise DoesNotRender(f"no version {message.template_version} of {message.template}")
        values = from_json(json.loads(message.variables))
        return self._renderer.render(
            template, values, language=language, name=contact.name, shop=contact.shop
        )

    def _not_now(self, why: Reason, message: Claimed) -> Outcome:
        """Try again later, templates included: a worker of another build may know what this one does not."""
        return model.failed(why, self._clock.now(), message.not_after)

    async def _send_all(self, ready: Sequence[_Ready]) -> list[Attempt]:
        """Send over each channel with its own concurrency; what the lease leaves no time for goes back."""
        stop_at = time.monotonic() + self._settings.lease_s * _SHARE_OF_LEASE
        done: list[Attempt] = []
        queues: dict[str, deque[_Ready]] = {}
        for one in ready:
            queues.setdefault(one.channel, deque()).append(one)

        async def drain(queue: deque[_Ready]) -> None:
            while queue:
                one = queue.popleft()
                if self._stopping or time.monotonic() > stop_at:
                    done.append((one.claimed, Outcome(State.PENDING, channel=one.channel, at_once=True)))
                else:
                    done.append((one.claimed, await self._send(one)))

        await asyncio.gather(
            *(
                drain(queue)
                for name, queue in queues.items()
                for _ in range(min(self._channels[name].concurrency, len(queue)))
            )
        )
        return done

    async def _send(self, one: _Ready) -> Outcome:
        channel, language = one.channel, one.outbound.language
        try:
            with metrics.SEND_SECONDS.labels(channel).time():
                async with asyncio.timeout(self._settings.send_timeout_s):
                    await self._channels[channel].send(one.outbound)
        except NotSent as error:
            why, detail = Reason(error.reason), error.detail
        except TimeoutError:
            why, detail = Reason.CHANNEL_UNAVAILABLE, "timeout"
        except Exception as error:  # noqa: BLE001 - a plugin of a third party may raise anything
            # Only the type: the words, or a traceback's, may hold an address.
            why, detail = Reason.CHANNEL_BROKEN, type(error).__name__
        else:
            failpoints.hit("message-sent")
            return Outcome(State.SENT, channel=channel, language=language)
        metrics.ATTEMPTS_FAILED.labels(channel, why).inc()
        log.warning("not_sent", message=one.claimed.message_id, channel=channel, why=why, detail=detail)
        return model.failed(why, self._clock.now(), one.claimed.not_after, channel)


def _count(done: Sequence[Attempt], written: Sequence[Attempt]) -> None:
    metrics.LEASES_LOST.inc(len(done) - len(written))
    wall = datetime.now(UTC)
    for claimed, outcome in written:
        if outcome.state in model.FINAL:
            metrics.MESSAGES_FINISHED.labels(claimed.kind, outcome.state, outcome.reason).inc()
            metrics.WAIT_SECONDS.labels(claimed.kind).observe((wall - claimed.made_at).total_seconds())
