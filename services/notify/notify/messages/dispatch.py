"""Hands prepared messages to their channels, each with its own concurrency, within the lease."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence

import structlog

from kit import cause, failpoints, trace
from kit.cause import Cause
from kit.clock import Clock
from notify import metrics
from notify.channels.plugin import Channel, NotSent
from notify.messages import model
from notify.messages.attempt import Attempt, Ready
from notify.messages.model import Outcome, Reason, State
from notify.settings import Settings

log = structlog.get_logger()
# After this share of the lease no further message is begun; the rest goes back at once.
_SHARE_OF_LEASE = 0.5


class Dispatch:
    """The channels that are set up, and whether the process is stopping."""

    def __init__(self, channels: Mapping[str, Channel], clock: Clock, settings: Settings) -> None:
        self._channels, self._clock, self._settings = channels, clock, settings
        self.stopping = False
        # Channels that did not answer in time, and the monotonic instant until which they are let alone.
        self._hung: dict[str, float] = {}

    @property
    def carriers(self) -> dict[str, list[str]]:
        """The channels for each way of a contact point, in the order of their set-up."""
        carriers: dict[str, list[str]] = {}
        for name, channel in self._channels.items():
            for way in channel.carries:
                carriers.setdefault(way, []).append(name)
        return carriers

    async def send_all(self, ready: Sequence[Ready]) -> list[Attempt]:
        """Send, and return what came of each; what the lease leaves no time for goes back at once."""
        stop_at = time.monotonic() + self._settings.lease_s * _SHARE_OF_LEASE
        done: list[Attempt] = []
        queues: dict[str, deque[Ready]] = {}
        for one in ready:
            queues.setdefault(one.route.channel, deque()).append(one)

        async def drain(queue: deque[Ready]) -> None:
            while queue:
                one = queue.popleft()
                if self.stopping or time.monotonic() > stop_at:
                    back = Outcome(State.PENDING, channel=one.route.channel, at_once=True, tried=False)
                    done.append((one.claimed, back))
                elif time.monotonic() < self._hung.get(one.route.channel, 0.0):
                    later = Outcome(
                        State.PENDING,
                        last_failure=Reason.CHANNEL_UNAVAILABLE,
                        channel=one.route.channel,
                        tried=False,
                    )
                    done.append((one.claimed, later))
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

    async def _send(self, one: Ready) -> Outcome:
        """Send one message, as a part of the trace that led to it."""
        claimed, channel = one.claimed, one.route.channel
        attributes = {
            "langganan.merchant": claimed.merchant_id,
            "langganan.message_id": claimed.message_id,
            "langganan.message_kind": claimed.kind,
        }
        parents = (claimed.traceparent,)
        span = (
            trace.begin(f"send {channel}", "producer", parents, attributes) if claimed.traceparent else None
        )
        with cause.of([Cause({"message_id": claimed.message_id}, claimed.traceparent)]):
            outcome = await self._attempt(one)
        if span is not None:
            span.end("" if outcome.state is State.SENT else str(outcome.last_failure or outcome.reason))
        return outcome

    async def _attempt(self, one: Ready) -> Outcome:
        channel = one.route.channel
        try:
            with metrics.SEND_SECONDS.labels(channel).time():
                async with asyncio.timeout(self._settings.send_timeout_s):
                    await self._channels[channel].send(one.outbound)
        except NotSent as error:
            why, detail = Reason(error.reason), error.detail
        except TimeoutError:
            why, detail = Reason.CHANNEL_UNAVAILABLE, "timeout"
            # One wait is told of; the messages behind it do not wait as long, each for nothing.
            self._hung[channel] = time.monotonic() + self._settings.retry_s
        except Exception as error:  # noqa: BLE001 - a plugin of a third party may raise anything
            # Only the type: the words, or a traceback's, may hold an address.
            why, detail = Reason.CHANNEL_BROKEN, type(error).__name__
        else:
            failpoints.hit("message-sent")
            return Outcome(State.SENT, channel=channel, language=one.outbound.language)
        metrics.ATTEMPTS_FAILED.labels(channel, why).inc()
        log.warning("not_sent", channel=channel, why=why, detail=detail)
        return model.failed(
            why,
            self._clock.now(),
            one.claimed.not_after,
            one.route,
            failures=one.claimed.failures,
            per_route=self._settings.failures_per_route,
        )
