"""Keys are rotated while everything serves: nothing fails, and the old key can be taken away afterwards."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from google.type.date_pb2 import Date

from customers.app import build
from customers.settings import Settings
from customers.vault import rotate
from customers.vault.plugins import FileKeys, KeyUnavailable
from customers.vault.rotate import Rotation
from customers.vault.seal import BlindIndex, Keyring
from customers.vault.vault import Vault
from kit.testing.running import running
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc, merchants_pb2_grpc, profiles_pb2_grpc


def a_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


class Shop:
    """One merchant, its vault's key file, and as many processes of the service as a test starts."""

    def __init__(
        self, settings: Settings, keys: Any, desk_class: Any, stack: AsyncExitStack, pool: Any
    ) -> None:
        self.settings, self.vault = settings, pool
        self.merchant = f"toko-{uuid.uuid4().hex[:8]}"
        self._keys, self._desk_class, self._stack = keys, desk_class, stack

    @property
    def file(self) -> Path:
        return Path(self.settings.vault_keys_config["path"])

    def change(self, change: Any) -> None:
        """Change the key file in one step, as a mounted secret changes."""
        content = json.loads(self.file.read_text())
        change(content)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(content))
        os.replace(fresh, self.file)

    async def process(self) -> Any:
        """Start a process of the service; return what a till at it can do."""
        run = await self._stack.enter_async_context(running("customers", build, self.settings, self._keys))
        stubs: Any = [
            run.stub(stub, merchant=self.merchant)
            for stub in (
                profiles_pb2_grpc.CustomerServiceStub,
                contacts_pb2_grpc.ContactServiceStub,
                merchants_pb2_grpc.MerchantServiceStub,
            )
        ]
        return self._desk_class(run, self.vault, self.merchant, *stubs)

    def rotation(self) -> Rotation:
        """The operator's command, a process of its own."""
        provider = FileKeys(FileKeys.Config(**self.settings.vault_keys_config))
        return Rotation(Vault(self.vault, Keyring(provider, 10_000), BlindIndex(provider)))


@pytest.fixture
async def shop(new_database: Any, keys: Any, desk: Any, tmp_path: Path) -> AsyncIterator[Shop]:
    """Databases and keys of its own."""
    vault_url = await new_database("customers", "vault/migrations", events=False)
    settings = Settings(
        database_url=await new_database("customers"),
        vault_database_url=vault_url,
        vault_keys_config={"path": str(tmp_path / "keys.json"), "create": True},
    )
    async with AsyncExitStack() as stack, asyncpg.create_pool(vault_url, min_size=1, max_size=3) as pool:
        yield Shop(settings, keys, type(desk), stack, pool)


def number(n: int) -> str:
    return f"0817{n:08}"


async def person(till: Any, point: Any, n: int) -> Any:
    """Somebody with a phone, an e-mail address, a birthday and a consent for the phone."""
    points = (point(number(n)), point(f"orang{n}@toko.co.id"))
    made = await till.create(f"Orang {n}", *points, birth_date=Date(year=1990, month=3, day=2))
    await till.consent(made.customer_id, address=number(n))
    return made


async def is_whole(till: Any, customer_id: str, n: int) -> None:
    """Everything that is looked up by index or opened with the key is there."""
    assert [m.customer_id for m in await till.identify(phone=number(n))] == [customer_id]
    assert [m.customer_id for m in await till.identify(email=f"orang{n}@toko.co.id")] == [customer_id]
    assert (await till.get(customer_id)).full_name.startswith("Orang")
    (contact,) = await till.reach(customer_id)
    assert [a.address for a in contact.allowed] == ["+62" + number(n)[1:]], "the consent still counts"
    request = contacts_pb2.ListBirthdaysRequest(month=3, day=2)
    born = [b.customer_id async for r in till.contacts.ListBirthdays(request) for b in r.birthdays]
    assert customer_id in born


async def traffic(till: Any, point: Any, start: int, known: list[Any], over: asyncio.Event) -> list[Any]:
    """Register, identify, change and agree until it is over; every call must be answered."""
    made = []
    n = start
    while not over.is_set() or n < start + 5:
        fresh = await person(till, point, n)
        one = known[n % len(known)]
        await asyncio.gather(
            till.identify(phone=number(n)),
            till.identify(phone=number(n % len(known))),
            till.update(one.customer_id, notes=f"note {n}"),
            till.update(fresh.customer_id, nickname=f"O {n}"),
            till.consent(one.customer_id, address=number(n % len(known))),
        )
        made.append((n, fresh))
        n += 1
    return made


async def rotated_under_traffic(till: Any, point: Any, shop: Shop, known: list[Any]) -> list[Any]:
    """Rotate while tills go on; return whom they registered meanwhile, with their numbers."""
    over = asyncio.Event()
    tills = [asyncio.create_task(traffic(till, point, 1000 * (k + 1), known, over)) for k in range(3)]
    await asyncio.sleep(0)
    rotation = shop.rotation()
    await asyncio.gather(rotation.run(), shop.rotation().run())  # two operators at once
    over.set()
    made = [one for task in tills for one in await task]
    await rotation.run()  # whatever was on its way
    return made


async def test_data_keys_are_wrapped_anew_while_everything_serves(shop: Shop, point: Any) -> None:
    till = await shop.process()
    await till.set_merchant()
    known = [await person(till, point, n) for n in range(40)]

    def add(content: Any) -> None:
        content["keys"]["k2"] = a_key()
        content["current"] = "k2"

    shop.change(add)
    made = await rotated_under_traffic(till, point, shop, known)
    uses = await shop.rotation().uses()
    assert uses["key k2"] == len(known) + len(made)
    assert "key k1" not in uses, "no row is wrapped by the old key, so it may go"
    shop.change(lambda content: content["keys"].pop("k1"))
    later = await shop.process()  # nothing is unwrapped in its memory
    for n, one in [*enumerate(known), *made]:
        assert (await later.get(one.customer_id)).full_name == f"Orang {n}"
    await is_whole(later, known[0].customer_id, 0)
    await person(till, point, 9_000)
    assert "key k1" not in await shop.rotation().uses()


async def test_a_rotation_that_was_broken_off_is_run_again(
    shop: Shop, point: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = await shop.process()
    await till.set_merchant()
    known = [await person(till, point, n) for n in range(12)]

    def add(content: Any) -> None:
        content["keys"]["k2"] = a_key()
        content["current"] = "k2"

    shop.change(add)
    monkeypatch.setattr(rotate, "PAGE", 3)
    rotation, pages = shop.rotation(), 0

    async def dies(page: Any) -> int:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise ConnectionResetError("the operator's terminal is gone")
        return 0

    monkeypatch.setattr(rotation, "_reindex", dies)
    with pytest.raises(ConnectionResetError):
        await rotation.run()
    assert await shop.rotation().uses() == {"key k1": 6, "key k2": 6} | indexed(await shop.rotation().uses())
    assert (await shop.rotation().run()).wrapped == 6, "what was done is passed over"
    assert "key k1" not in await shop.rotation().uses()
    await is_whole(till, known[0].customer_id, 0)


def indexed(uses: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in uses.items() if name.startswith("index")}


async def test_an_index_key_is_rotated_in_three_steps_and_both_are_looked_up_meanwhile(
    shop: Shop, point: Any, refused: Any
) -> None:
    first = await shop.process()
    await first.set_merchant()
    known = [await person(first, point, n) for n in range(20)]
    untouched = await person(first, point, 50)  # whom nobody changes or asks again meanwhile

    def announce(content: Any) -> None:
        content["index"]["2"] = a_key()
        content["index_current"] = 1

    shop.change(announce)
    second = await shop.process()  # knows both, writes by the old one
    shop.change(lambda content: content.update(index_current=2))
    third = await shop.process()  # writes by the new one, beside a process that does not
    by_new, by_old = await person(third, point, 101), await person(second, point, 102)
    await is_whole(second, by_new.customer_id, 101)
    await is_whole(third, by_old.customer_id, 102)
    for till, n in ((second, 101), (third, 102), (third, 5)):
        held = await refused(till.customers.CreateCustomer(till.creation("Lain", point(number(n)))))
        assert held.reason == "CONTACT_HELD", "one holder, whatever key"
    made = await rotated_under_traffic(third, point, shop, known)
    uses = await shop.rotation().uses()
    assert "index 1" not in uses
    assert uses["index 2"] > 4 * len(known)
    await is_whole(second, known[3].customer_id, 3)

    def forget(content: Any) -> None:
        del content["index"]["1"], content["index_current"]

    shop.change(forget)
    last = await shop.process()
    for n, one in [*enumerate(known), *made]:
        assert [m.customer_id for m in await last.identify(phone=number(n))] == [one.customer_id]
    await is_whole(last, known[0].customer_id, 0)
    await is_whole(last, untouched.customer_id, 50)
    again = last.creation("Lain", point(number(3)))
    assert (await refused(last.customers.CreateCustomer(again))).reason == "CONTACT_HELD"


async def test_a_request_older_than_the_index_key_is_still_answered_once(shop: Shop, point: Any) -> None:
    till = await shop.process()
    await till.set_merchant()
    request = till.creation("Budi", point(number(1)))
    made = (await till.customers.CreateCustomer(request)).customer

    shop.change(lambda content: content["index"].update({"2": a_key()}))
    await shop.rotation().run()
    shop.change(lambda content: content["index"].pop("1"))
    later = await shop.process()
    assert (await later.customers.CreateCustomer(request)).customer.customer_id == made.customer_id


async def test_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = FileKeys(FileKeys.Config(path=path, create=True))
    wrapped = await keys.wrap(b"k" * 32, b"context")
    path.write_text("{half")
    assert await keys.unwrap([wrapped]) == [b"k" * 32]
    assert (await keys.wrap(b"k" * 32, b"context")).kek_id == "k1"
    lost = type(wrapped)("k9", wrapped.wrapped, wrapped.context)
    with pytest.raises(KeyUnavailable):
        await keys.unwrap([lost])
