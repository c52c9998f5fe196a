"""The people behind the households: names and contacts from a seeded Faker, and what each of them does."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

ZONES = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")
# Stores are dealt to the three Indonesian zones in these shares, percent.
ZONE_SHARES = (60, 25, 15)
PREFIXES = ("811", "812", "813", "821", "822", "852", "853", "856", "857", "858", "877", "878", "895", "896")

# How a customer pays: (every so many days, percent of what is owed).
PROMPT, MONTHLY, PARTLY, NEVER = (7, 100), (30, 100), (21, 50), (0, 0)
# Two people of every run are born on 29 February; of the second the year is not known.
LEAP_DAYS = ((datetime.date(1988, 2, 29), True), (datetime.date(1972, 2, 29), False))


@dataclass(frozen=True, slots=True)
class Person:
    """A household's customer; habits are chances in percent; `greets`: agreed to greetings by e-mail."""

    household: int
    organisation: bool
    name: str
    nickname: str
    gender: str
    born: datetime.date | None
    birth_year_known: bool
    phone: str
    email: str
    member_code: str
    address: str
    city: str
    province: str
    postal_code: str
    language: str
    credit_limit: int
    terms_days: int
    pays: tuple[int, int]
    redeems: int
    returns: int
    greets: bool


def zone_of(store: int) -> str:
    """Say in which zone a store lies; the same in every run."""
    return Random(f"store {store}").choices(ZONES, ZONE_SHARES)[0]


def meet(households: Iterable[int], seed: int) -> dict[int, Person]:
    """Make the people of a run; the first two who can be greeted by e-mail are born on 29 February."""
    directory = Directory(seed)
    people = {household: directory.person(household) for household in sorted(households)}
    reachable = [one for one in people.values() if one.email and not one.organisation]
    for person, (born, year_known) in zip(reachable, LEAP_DAYS, strict=False):
        people[person.household] = replace(person, born=born, birth_year_known=year_known, greets=True)
    return people


class Directory:
    """Makes the people of a run; phones, e-mails and member codes are unique."""

    def __init__(self, seed: int) -> None:
        from faker import Faker  # takes a moment; only a run needs it

        self._faker = Faker("id_ID")
        self._faker.seed_instance(seed)
        self._chance = Random(f"people {seed}")
        self._phones: set[str] = set()

    def person(self, household: int) -> Person:
        """Make the customer of a household; call once each, in a fixed order."""
        chance, faker = self._chance, self._faker
        organisation = chance.random() < 0.03
        woman = chance.random() < 0.55
        name = faker.company() if organisation else faker.name_female() if woman else faker.name_male()
        credit = len(self._phones) % 5 == 2  # a fifth of the customers
        email = self._email(name, household)
        return Person(
            household=household,
            organisation=organisation,
            name=name,
            nickname="" if organisation else name.split()[0],
            gender="" if organisation else "FEMALE" if woman else "MALE",
            born=self._born(organisation),
            birth_year_known=chance.random() < 0.8,
            phone=self._phone(),
            email=email,
            member_code=f"MC{household:06d}",
            address=faker.street_address(),
            city=faker.city(),
            province=faker.state(),
            postal_code=faker.postcode(),
            language="en" if chance.random() < 0.1 else "id",
            credit_limit=chance.choice((300_000, 500_000, 1_000_000, 2_500_000)) if credit else 0,
            terms_days=chance.choice((7, 14, 30)),
            pays=chance.choices((PROMPT, MONTHLY, PARTLY, NEVER), (40, 30, 20, 10))[0],
            redeems=chance.choice((20, 40, 60)) if chance.random() < 0.35 else 0,
            returns=chance.choice((3, 8, 15)) if chance.random() < 0.3 else 0,
            greets=bool(email) and not organisation and chance.random() < 0.6,
        )

    def _born(self, organisation: bool) -> datetime.date | None:
        born = self._faker.date_between_dates(datetime.date(1940, 1, 1), datetime.date(1998, 12, 31))
        unknown = self._chance.random() < 0.15
        return None if organisation or unknown else born

    def _phone(self) -> str:
        while True:
            phone = f"+62{self._chance.choice(PREFIXES)}{self._chance.randrange(10_000_000, 100_000_000)}"
            if phone not in self._phones:
                self._phones.add(phone)
                return phone

    def _email(self, name: str, household: int) -> str:
        """Give an address that is unique by the household's number; one in eight customers has none."""
        if self._chance.random() < 0.125:
            return ""
        word = "".join(letter for letter in name.split()[0].lower() if letter.isascii() and letter.isalpha())
        return f"{word or 'pelanggan'}.{household}@pelanggan.example.com"
