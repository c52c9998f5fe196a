"""MessageService: decode, store, encode."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc.aio

from kit import db, paging
from kit.auth import caller
from kit.batch import once
from kit.clock import Clock
from kit.errors import IdempotencyConflict
from kit.fingerprint import Field, fingerprint
from kit.ids import canonical_uuid, check_customer_id
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc
from notify.errors import ChannelUnknown, MessageNotFound, NotAfterInvalid
from notify.messages import store
from notify.messages.codec import encode, state_name, value
from notify.messages.records import NewMessage, preview
from notify.templates import catalogue
from notify.templates import store as templates
from notify.templates.values import to_json

_FURTHEST = timedelta(days=7)


class MessageServicer(messages_pb2_grpc.MessageServiceServicer):
    """Sends on request and answers for what became of messages."""

    def __init__(self, pool: db.Pool, clock: Clock, channels: Collection[str]) -> None:
        self._pool, self._clock, self._channels = pool, clock, channels

    async def SendMessage(
        self, request: messages_pb2.SendMessageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> messages_pb2.SendMessageResponse:
        """Queue a message, once by its id."""
        message = self._decode(request)
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.get(conn, message.merchant_id, message.message_id)
        if found is None:
            self._check_not_after(message.not_after)
            if request.dry_run:
                found = preview(message, await self._version(message))
            else:
                found = await once(self._pool, store.send, message)
        if found.fingerprint != message.fingerprint:
            raise IdempotencyConflict("message", message.message_id)
        return messages_pb2.SendMessageResponse(message=encode(found))

    async def GetMessage(
        self, request: messages_pb2.GetMessageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> messages_pb2.GetMessageResponse:
        """Answer one message."""
        message_id = canonical_uuid(request.message_id, "message_id")
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.get(conn, caller().merchant_id, message_id)
        if found is None:
            raise MessageNotFound(message_id)
        return messages_pb2.GetMessageResponse(message=encode(found))

    async def ListMessages(
        self, request: messages_pb2.ListMessagesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> messages_pb2.ListMessagesResponse:
        """Answer a page of messages, newest first."""
        if request.customer_id:
            check_customer_id(request.customer_id)
        merchant_id, size = caller().merchant_id, paging.page_size(request.page_size)
        states = sorted({state_name(s) for s in request.states})
        bound_to: tuple[Field, ...] = (merchant_id, request.customer_id, request.kind, tuple(states))
        before = paging.before(request.page_token, *bound_to)
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.page(
                conn,
                merchant_id,
                customer_id=request.customer_id,
                kind=request.kind,
                states=states,
                before=before,
                limit=size + 1,
            )
        return messages_pb2.ListMessagesResponse(
            messages=[encode(m) for m in found[:size]],
            next_page_token=paging.next_token(found, size, lambda m: (m.created_at, m.message_id), *bound_to),
        )

    def _decode(self, request: messages_pb2.SendMessageRequest) -> NewMessage:
        merchant_id = caller().merchant_id
        message_id = canonical_uuid(request.message_id, "message_id")
        check_customer_id(request.customer_id)
        template = catalogue.newest(request.template)
        values = {name: value(name, variable) for name, variable in request.variables.items()}
        template.check(values)
        if request.channel and request.channel not in self._channels:
            raise ChannelUnknown(
                f"channel {request.channel} is not set up; there are: {sorted(self._channels)}"
            )
        now = self._clock.now()
        asked = _asked_not_after(request)
        mark = fingerprint(
            1,
            request.customer_id,
            template.name,
            str(sorted(to_json(values).items())),
            request.channel,
            asked.isoformat() if asked else None,
        )
        return NewMessage(
            merchant_id=merchant_id,
            message_id=message_id,
            customer_id=request.customer_id,
            kind=template.name,
            cause=message_id,
            template=template.name,
            variables=values,
            created_at=now,
            not_after=asked or now + template.useful_for,
            wanted_channel=request.channel,
            fingerprint=mark,
        )

    async def _version(self, message: NewMessage) -> int:
        name = (message.merchant_id, message.template)
        async with self._pool.acquire(timeout=5) as conn:
            return (await templates.in_force(conn, [name]))[name]

    def _check_not_after(self, not_after: datetime) -> None:
        """A new message must still be of use; a repetition of an old one need not."""
        now = self._clock.now()
        if not now <= not_after <= now + _FURTHEST:
            raise NotAfterInvalid("not_after must lie ahead, at most 7 days", field="not_after")


def _asked_not_after(request: messages_pb2.SendMessageRequest) -> datetime | None:
    if not request.HasField("not_after"):
        return None
    try:
        return request.not_after.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise NotAfterInvalid("not_after is no instant", field="not_after") from error
