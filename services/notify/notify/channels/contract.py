"""The contract suite of channels: subclass `ChannelContract` in your tests and give it a bench.

    class TestMyChannel(ChannelContract):
        @asynccontextmanager
        async def bench(self):
            async with my_fake_provider() as provider:
                yield MyBench(MyChannel(MyChannel.Config(url=provider.url)), provider)

It needs pytest with pytest-asyncio in auto mode. The provider behind the bench should be a real server that
speaks the provider's protocol, so that what leaves the machine is what is checked.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from pydantic import BaseModel

from notify.channels.plugin import CONTRACT, WAYS, Channel, NotSent, Outbound

_WAIT_S = 15.0
STRANGE = 'Budi "Boss"\r\nBcc: thief@example.org\r\n\r\n<b>\u2028\x00\u202e 猫 🎂 \\ =?utf-8?q?x?='


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the provider took: to whom, under which key (empty when the provider has none), which text.

    `fields` are all header lines or parameters by which it was taken, so that added ones can be seen.
    """

    address: str
    key: str
    text: str
    fields: frozenset[str]


class Bench(ABC):
    """A channel beside the provider that it talks to."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    @abstractmethod
    def example(self, number: int) -> Outbound:
        """Return a message that the provider takes; another address and key for each number."""

    @abstractmethod
    def arrived(self) -> list[Arrived]:
        """Return what the provider has taken so far, in order; texts without their transfer encoding."""

    def refuse(self, yes: bool) -> bool:
        """Make the provider refuse, or take again; return False where it cannot refuse at all."""
        return False

    async def down(self, yes: bool) -> bool:
        """Take the provider off the network, or bring it back; return False where there is no network."""
        return False

    def hang(self, yes: bool) -> bool:
        """Make the provider not answer, or answer again; return False where it always answers."""
        return False


class ChannelContract(ABC):
    """What every channel must do."""

    @abstractmethod
    def bench(self) -> AbstractAsyncContextManager[Bench]:
        """Return a fresh bench."""

    async def test_it_says_what_it_is(self) -> None:
        """Name, contract, configuration and ways are declared on the class."""
        async with self.bench() as bench:
            plugin = type(bench.channel)
            assert re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", plugin.name)
            assert plugin.contract == CONTRACT
            assert issubclass(plugin.Config, BaseModel)
            assert plugin.Config.model_json_schema()["type"] == "object"
            assert plugin.carries
            assert plugin.carries <= WAYS
            assert bench.channel.concurrency >= 1

    async def test_a_message_arrives_once_at_its_address(self) -> None:
        """One send is one message."""
        async with self.bench() as bench:
            message = bench.example(1)
            await self._send(bench, message)
            (arrived,) = bench.arrived()
            assert arrived.address == message.address
            assert _words(message.body) == _words(arrived.text)[-len(_words(message.body)) :]

    async def test_a_repeated_message_can_be_told_by_its_key(self) -> None:
        """Every attempt shows the provider the same key, other messages another."""
        async with self.bench() as bench:
            for number in (1, 1, 2):
                await self._send(bench, bench.example(number))
            first, again, other = (a.key for a in bench.arrived())
            assert first == again
            assert not first or first != other

    async def test_no_value_can_add_a_field_or_a_recipient(self) -> None:
        """Line ends and quotes in names and subjects stay inside their field."""
        async with self.bench() as bench:
            plain = bench.example(1)
            await self._send(bench, plain)
            await self._send(bench, replace(plain, name=STRANGE, shop=STRANGE, subject=STRANGE))
            before, after = bench.arrived()
            assert after.address == before.address
            assert after.fields == before.fields

    async def test_an_address_cannot_break_out(self) -> None:
        """An address with line ends or spaces is refused or taken as one address, never as two."""
        async with self.bench() as bench:
            message = bench.example(1)
            strange = replace(message, address=message.address + "\r\nRCPT TO:<thief@example.org>")
            try:
                await self._send(bench, strange)
            except NotSent:
                assert bench.arrived() == []
            else:
                assert len(bench.arrived()) == 1

    async def test_any_text_arrives_whole(self) -> None:
        """Long lines, dots alone on a line and all of Unicode pass."""
        async with self.bench() as bench:
            body = "awal\n.\n..dua\n" + "panjang " * 300 + "\nnäive 猫 🎂 Rp\u00a012.500\nFrom here\nakhir\n"
            await self._send(bench, replace(bench.example(1), body=body))
            (arrived,) = bench.arrived()
            assert _words(body) == _words(arrived.text)[-len(_words(body)) :]

    async def test_a_refusal_is_said_and_the_next_message_goes(self) -> None:
        """A refusal raises NotSent without quoting the address, and spoils nothing."""
        async with self.bench() as bench:
            if not bench.refuse(True):
                return
            message = bench.example(1)
            await self._fails(bench, message)
            bench.refuse(False)
            await self._send(bench, message)
            assert len(bench.arrived()) == 1

    async def test_a_provider_that_is_away_is_said_and_found_again(self) -> None:
        """No network raises NotSent; once it is back, messages go, open connections or not."""
        async with self.bench() as bench:
            await self._send(bench, bench.example(1))
            if not await bench.down(True):
                return
            await self._fails(bench, bench.example(2))
            await bench.down(False)
            await self._send(bench, bench.example(3))
            assert [a.address for a in bench.arrived()] == [bench.example(n).address for n in (1, 3)]

    async def test_a_cancelled_send_spoils_nothing(self) -> None:
        """A message cancelled half-way leaves the channel usable; the next arrives at its own address."""
        async with self.bench() as bench:
            if not bench.hang(True):
                return
            half = asyncio.create_task(bench.channel.send(bench.example(1)))
            done, _ = await asyncio.wait([half], timeout=0.2)
            assert not done
            half.cancel()
            await asyncio.wait([half])
            bench.hang(False)
            await self._send(bench, bench.example(2))
            assert bench.arrived()[-1].address == bench.example(2).address

    async def test_many_at_once_all_arrive(self) -> None:
        """Three times its concurrency at once: each arrives once."""
        async with self.bench() as bench:
            messages = [bench.example(n) for n in range(3 * bench.channel.concurrency)]
            async with asyncio.timeout(_WAIT_S):
                await asyncio.gather(*(bench.channel.send(m) for m in messages))
            assert sorted(a.address for a in bench.arrived()) == sorted(m.address for m in messages)

    async def test_it_can_be_closed_twice_and_used_again(self) -> None:
        """Closing lets connections go; a later send opens them anew."""
        async with self.bench() as bench:
            await self._send(bench, bench.example(1))
            await bench.channel.close()
            await bench.channel.close()
            await self._send(bench, bench.example(2))
            assert len(bench.arrived()) == 2

    async def _send(self, bench: Bench, message: Outbound) -> None:
        async with asyncio.timeout(_WAIT_S):
            await bench.channel.send(message)

    async def _fails(self, bench: Bench, message: Outbound) -> None:
        said: NotSent | None = None
        try:
            await self._send(bench, message)
        except NotSent as error:
            said = error
        assert said is not None, "the channel took a message that the provider did not take"
        for secret in (message.address, message.name, message.body):
            assert secret not in f"{said} {said.detail}"


def _words(text: str) -> list[str]:
    return text.replace("\xa0", " ").split()
