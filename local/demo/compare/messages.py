"""Compares what notify holds: every message of a customer, what became of it and why."""

from __future__ import annotations

from local.demo import ask
from local.demo.compare.found import Found
from local.demo.gateway import Gateway
from local.demo.oracle.books import Books
from local.demo.oracle.post import SENT

EMAIL = "email"


async def compare_messages(gateway: Gateway, found: Found, books: Books) -> None:
    """Compare the messages of a customer; of several true reasons notify may give any."""
    listed = await ask.messages(gateway, books.customer_id)
    must = books.post.letters
    for key in sorted(must.keys() | listed.keys()):
        what = f"{key[0]} of {key[1]}"
        letter, have = must.get(key), listed.get(key)
        if letter is None or have is None:
            found.check(books.customer_id, what, letter and letter.state, have and have.state)
            continue
        found.check(books.customer_id, what, letter.state, have.state)
        if letter.state == have.state == SENT:
            found.check(books.customer_id, f"the channel of {what}", EMAIL, have.channel)
        elif letter.state == have.state and have.reason not in letter.reasons:
            found.check(books.customer_id, f"the reason of {what}", letter.reasons, have.reason)
    for (kind, _), have in listed.items():
        if have.state == SENT:
            found.sent[kind] += 1
        else:
            found.skipped[kind, have.reason] += 1
    if books.person.email:
        found.mails[books.person.email] = books.post.sent
