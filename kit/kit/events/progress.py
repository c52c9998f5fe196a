"""What a publisher says of itself: up to which business instant everything is in Kafka.

A consumer must know when it has heard all that is older than an instant, or it would let a hold expire
whose sale is still on its way. Offsets cannot tell: a lag of 0 is also what a consumer sees whose
publisher's worker is down with its outbox full.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from kit import db
from kit.clock import Clock
from kit.db import Conn
from kit.events.envelope import headers
from kit.events.sender import Sender
from langganan.events.v1.progress_pb2 import Progress

_queries = db.load(__file__)

TYPE = "progress"
EVERY_SECONDS = 5.0
# Between a call's reading of the clock and its first write lie at most: 10 s in a batch's queue, 5 s for a
# connection, and the attempts that failed before, each bounded by transaction_timeout (10 s).
MARGIN = timedelta(seconds=60)
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Mark:
    """The clock said `instant`; who had read it before and begun to write has an id below `xid`."""

    instant: datetime
    xid: int


class Speaker:
    """Tells progress for one topic: when time has passed, and never more than is so.

    First a *mark*: the clock is read, then a transaction id taken; whoever read the clock before and has
    begun to write has a lower one. Then looks at the outbox, of which one is enough when nothing else is
    going on: as soon as all lower ids are done, what they wrote is visible, and the highest row is the
    *floor*; as soon as no row is left up to the floor, all of it has been acknowledged by Kafka, for the
    relay deletes nothing else. This dates no transaction by wall time, which a clock that stands does not
    follow, and needs no empty outbox, which a busy day does not give.

    `margin` is for who has read the clock and not yet begun to write: MARGIN under the system clock, none
    under a file clock, which its driver moves only when no call is under way.
    """

    def __init__(self, topic: str, clock: Clock, margin: timedelta = MARGIN) -> None:
        self._topic, self._clock, self._margin = topic, clock, margin
        self._said = NEVER
        self._looked_at = 0.0
        self._hurried = False
        self._mark: _Mark | None = None
        self._floor: int | None = None

    def lead(self) -> None:
        """Begin to speak, or begin again: what was said by a producer that failed may not have arrived."""
        self._said, self._mark, self._floor = NEVER, None, None

    @property
    def behind(self) -> bool:
        """Whether a standing clock has moved since we spoke; a running one always has, so nobody waits."""
        return not self._margin and self._clock.now() > self._said

    def hurry(self) -> None:
        """Speak at the next look, if there is something to say."""
        self._hurried = self.behind

    async def step(self, conn: Conn, sender: Sender) -> None:
        """Look, and speak if something new is so; raises what the sender raises."""
        instant = self._clock.now()
        if self._mark is None and not self._due(instant):
            return
        self._hurried = False
        if self._mark is None:
            self._mark = _Mark(instant, await _queries.fresh_xid(conn))
        look = await _queries.outbox_horizon(conn)
        if self._floor is None and look["oldest_xid"] > self._mark.xid:
            self._floor = look["highest"]
        if self._floor is None or look["lowest"] <= self._floor:
            return
        until = self._mark.instant - self._margin
        self._mark = self._floor = None
        lines = headers(id=uuid.uuid4(), type=TYPE, topic=self._topic, merchant_id="", time=until)
        await sender.send_everywhere(self._topic, partial(_told, until), lines)
        self._said = until

    def _due(self, instant: datetime) -> bool:
        """Every five seconds of either time; at once when somebody waits or nothing has been said yet."""
        new = instant - self._margin - self._said
        now = time.monotonic()
        if new <= timedelta(0):
            return False
        if not (
            self._hurried or new.total_seconds() >= EVERY_SECONDS or now - self._looked_at >= EVERY_SECONDS
        ):
            return False
        self._looked_at = now
        return True


def _told(until: datetime, partitions: int) -> bytes:
    moment = Timestamp()
    moment.FromDatetime(until)
    return Progress(until=moment, partitions=partitions).SerializeToString()
