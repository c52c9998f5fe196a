"""The vault as other features use it: its pool, its keys and its blind indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from customers.contacts.model import BirthDate, ContactPoint, index_value, kind_of
from customers.profiles import model
from customers.vault.read import PointRow, SealedPerson
from customers.vault.seal import BlindIndex, Keyring, Sealer, Token
from customers.vault.store import SealedPoint
from kit import db


@dataclass(frozen=True, slots=True)
class Vault:
    """Everything that is needed to seal, find and open what names a person."""

    pool: db.Pool
    keyring: Keyring
    index: BlindIndex

    def address_token(self, merchant_id: str, channel: str, address: str) -> Token:
        """Return the token of an address in its normal form."""
        kind = kind_of(channel)
        return self.index.token(merchant_id, kind, index_value(kind, address))

    def seal_points(
        self, merchant_id: str, sealer: Sealer, points: Sequence[ContactPoint]
    ) -> list[SealedPoint]:
        """Seal and index addresses."""
        return [
            SealedPoint(
                p.channel,
                self.address_token(merchant_id, p.channel, p.address),
                sealer.seal(p.channel, p.address),
                p.shared,
                p.verified_at,
                p.valid_from,
            )
            for p in points
        ]

    def search_tokens(self, merchant_id: str, fields: Mapping[str, str]) -> dict[str, list[Token]]:
        """Return the search tokens of those `fields` that are searched, by kind: words of names, birthday."""
        words = {name: model.name_parts(fields[name]) for name in model.NAMES if name in fields}
        if "birth_date" in fields:
            born = fields["birth_date"]
            words["birth_date"] = {model.birthday(BirthDate.parse(born))} if born else set()
        token = self.index.token
        return {kind: [token(merchant_id, kind, word) for word in sorted(of)] for kind, of in words.items()}

    async def open_fields(self, people: Sequence[SealedPerson]) -> list[Mapping[str, str]]:
        """Open the sealed fields of people, in order. Call it outside of transactions: keys may need I/O."""
        sealers = await self.keyring.sealers([p.key for p in people])
        return [
            {name: sealer.open(name, sealed) for name, sealed in person.fields.items()}
            for person, sealer in zip(people, sealers, strict=True)
        ]

    async def open_points(self, person: SealedPerson, points: Sequence[PointRow]) -> list[ContactPoint]:
        """Open a customer's addresses."""
        sealer = await self.keyring.sealer(person.key)
        return [
            ContactPoint(
                p.channel, sealer.open(p.channel, p.sealed), p.shared, p.verified_at, p.valid_from, p.valid_to
            )
            for p in points
        ]
