"""The channel `email`: SMTP over a few connections that stay open for many messages."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from pathlib import Path
from typing import ClassVar, Literal

import aiosmtplib
from pydantic import BaseModel, ConfigDict, Field, field_validator

from notify.channels import mime
from notify.channels.plugin import (
    CONTRACT,
    AddressRefused,
    Busy,
    MessageRefused,
    NotSent,
    Outbound,
    Unreachable,
)

_SERVICE_NOT_AVAILABLE = 421
_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")


class EmailConfig(BaseModel):
    """How e-mail leaves."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", description="SMTP relay")
    port: int = Field(587, ge=1, le=65535, description="its port")
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls",
        description="starttls: required; implicit: from the first byte; none: a relay on this host",
    )
    ca_file: Path | None = Field(None, description="CA certificates, PEM; unset: those of the system")
    username: str = Field("", description="login; empty: none")
    password_file: Path | None = Field(None, description="file with the password, read at each login")
    sender: str = Field("no-reply@localhost.localdomain", description="address that mail comes from")
    message_id_domain: str = Field("", description="right side of Message-ID; empty: the sender's domain")
    unsubscribe: str = Field(
        "",
        description="how greetings say to be spared: https://… for one click, called with the message's key "
        "behind it, or an address that reads mail; empty: mail to the sender",
    )
    hello: str = Field("", description="name given in EHLO; empty: this host's")
    connections: int = Field(8, ge=1, le=100, description="connections at once")
    per_connection: int = Field(500, ge=1, description="messages after which a connection is renewed")
    idle_s: float = Field(20.0, gt=0, description="a connection idle longer is renewed before use")
    timeout_s: float = Field(10.0, gt=0, description="longest wait for one answer of the relay")

    @field_validator("sender")
    @classmethod
    def _sender_is_mailbox(cls, value: str) -> str:
        return mime.mailbox(value)

    @field_validator("message_id_domain")
    @classmethod
    def _domain_is_domain(cls, value: str) -> str:
        return value and mime.mailbox(f"x@{value}").removeprefix("x@")

    @field_validator("unsubscribe")
    @classmethod
    def _unsubscribe_is_reachable(cls, value: str) -> str:
        if value.startswith("https://"):
            if _URL.fullmatch(value) is None:
                raise ValueError("not an https URL that a header can carry")
            return value
        return value and mime.mailbox(value)


class _Connection:
    """One connection and how much it has been used."""

    def __init__(self, config: EmailConfig) -> None:
        self._config = config
        self._client: aiosmtplib.SMTP | None = None
        self._messages = 0
        self._used_at = 0.0

    async def ready(self) -> tuple[aiosmtplib.SMTP, bool]:
        """Return an open connection and whether it is fresh."""
        client = self._client
        if client is not None:
            idle = time.monotonic() - self._used_at
            if (
                client.is_connected
                and self._messages < self._config.per_connection
                and idle < self._config.idle_s
            ):
                return client, False
            await self.quit()
        config = self._config
        password = config.password_file.read_text().strip() if config.password_file else None
        client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            local_hostname=config.hello or None,
            timeout=config.timeout_s,
            use_tls=config.tls == "implicit",
            start_tls=config.tls == "starttls",
            cert_bundle=str(config.ca_file) if config.ca_file else None,
            username=config.username or None,
            password=password,
        )
        self._client, self._messages = client, 0
        await client.connect()
        return client, True

    async def envelope(self, sender: str, address: str) -> aiosmtplib.SMTP:
        """Open a mail transaction. A connection that the relay dropped while idle is renewed once."""
        client, fresh = await self.ready()
        try:
            await client.mail(sender)
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPSenderRefused) as error:
            dropped = (
                not isinstance(error, aiosmtplib.SMTPSenderRefused) or error.code == _SERVICE_NOT_AVAILABLE
            )
            if fresh or not dropped:
                raise
            self.drop()
            client, _ = await self.ready()
            await client.mail(sender)
        await client.rcpt(address)
        return client

    def used(self) -> None:
        """Note that a message went through."""
        self._messages += 1
        self._used_at = time.monotonic()

    async def reset(self) -> None:
        """End a refused transaction so that the connection can carry the next message."""
        try:
            if self._client is not None:
                await self._client.rset()
            self._used_at = time.monotonic()
        except (aiosmtplib.SMTPException, OSError):
            self.drop()

    def drop(self) -> None:
        """Close without a word: the state of the connection is not known."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def quit(self) -> None:
        """Close politely."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=1)
            client.close()


class EmailChannel:
    """Sends plain-text e-mail through one relay."""

    name: ClassVar[str] = "email"
    contract: ClassVar[int] = CONTRACT
    Config: ClassVar[type[BaseModel]] = EmailConfig
    carries: ClassVar[frozenset[str]] = frozenset({"email"})

    def __init__(self, config: EmailConfig) -> None:
        self._config = config
        self._domain = config.message_id_domain or config.sender.rpartition("@")[2]
        self._slots = asyncio.Semaphore(config.connections)
        self._idle: list[_Connection] = []

    @property
    def concurrency(self) -> int:
        """As many as there are connections."""
        return self._config.connections

    async def send(self, message: Outbound) -> None:
        """Send one e-mail; the relay's 4xx is Busy, its 5xx a refusal."""
        try:
            address = mime.mailbox(message.address)
        except mime.BadMailbox as error:
            raise AddressRefused("malformed") from error
        octets = self._octets(message, address)
        async with self._slots:
            connection = self._idle.pop() if self._idle else _Connection(self._config)
            try:
                await self._exchange(connection, address, octets)
            finally:
                self._idle.append(connection)

    async def _exchange(self, connection: _Connection, address: str, octets: bytes) -> None:
        try:
            client = await connection.envelope(self._config.sender, address)
            await client.data(octets)
        except (
            aiosmtplib.SMTPRecipientRefused,
            aiosmtplib.SMTPSenderRefused,
            aiosmtplib.SMTPDataError,
        ) as error:
            if error.code == _SERVICE_NOT_AVAILABLE:
                connection.drop()
            else:
                await connection.reset()
            raise _refusal(error) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            connection.drop()
            code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else ""
            raise Unreachable(f"{type(error).__name__} {code}".strip()) from error
        except BaseException:
            connection.drop()
            raise
        connection.used()

    def _octets(self, message: Outbound, address: str) -> bytes:
        return mime.build(
            sender=self._config.sender,
            shop=message.shop,
            address=address,
            name=message.name,
            subject=message.subject,
            body=message.body,
            language=message.language,
            message_id=f"<{message.key}@{self._domain}>",
            at=time.time(),
            unsubscribe=self._unsubscribe(message) if message.unsubscribable else "",
        )

    def _unsubscribe(self, message: Outbound) -> str:
        """Where a customer says not to be written to so again; the key tells which message it was about."""
        wanted = self._config.unsubscribe or self._config.sender
        if wanted.startswith("https://"):
            return f"{wanted.removesuffix('/')}/{message.key}"
        return f"mailto:{wanted}?subject=unsubscribe%20{message.key}"

    async def close(self) -> None:
        """Close the connections that are not in use."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.quit()


def _refusal(error: aiosmtplib.SMTPResponseException) -> NotSent:
    """What the relay's code means; its words may hold an address and go nowhere."""
    detail = str(error.code)
    # A relay that will not have us as a sender refuses neither this message nor its address.
    if error.code < 500 or isinstance(error, aiosmtplib.SMTPSenderRefused):
        return Busy(detail)
    if isinstance(error, aiosmtplib.SMTPRecipientRefused):
        return AddressRefused(detail)
    return MessageRefused(detail)
