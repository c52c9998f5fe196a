"""Finds the text that a message names: the product's in this build, a merchant's own in the database."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kit import db
from notify.templates import catalogue, store
from notify.templates.catalogue import LANGUAGES, Template
from notify.templates.render import Rendered, Renderer, render_own
from notify.templates.sources import language_of
from notify.templates.values import Value

# Own versions never change, so those that were read are kept; the least recently used go first.
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Text:
    """A version that can be rendered; `own` by language where it is a merchant's."""

    template: Template
    own: Mapping[str, str] | None = None

    @property
    def languages(self) -> Collection[str]:
        """The languages that it has."""
        return LANGUAGES if self.own is None else self.own.keys()


class Texts:
    """All texts that messages may name; a version set a moment ago by another process included."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool, self._renderer = pool, Renderer()
        self._own: OrderedDict[store.Key, Text] = OrderedDict()

    async def find(self, wanted: Collection[store.Key]) -> dict[store.Key, Text]:
        """Return the text of each (merchant, template, version); absent: not in this build, nor stored."""
        found: dict[store.Key, Text] = {}
        missing: set[store.Key] = set()
        for key in wanted:
            _, name, version = key
            if version < store.FIRST_OWN:
                template = catalogue.exactly(name, version)
                if template is not None:
                    found[key] = Text(template)
            elif key in self._own:
                self._own.move_to_end(key)
                found[key] = self._own[key]
            else:
                missing.add(key)
        if missing:
            async with self._pool.acquire(timeout=5) as conn:
                read = await store.read(conn, missing)
            for key, own in read.items():
                template = catalogue.exactly(own.template, own.based_on)
                if template is not None:
                    found[key] = self._own[key] = Text(template, own.texts)
            while len(self._own) > _KEPT:
                self._own.popitem(last=False)
        return found

    def render(
        self, text: Text, values: Mapping[str, Value], *, wishes: Collection[str], name: str, shop: str
    ) -> tuple[Rendered, str]:
        """Return subject and body in the first language of `wishes` that there is, and that language.

        Raises DoesNotRender.
        """
        language = language_of(*wishes, among=text.languages)
        if text.own is None:
            rendered = self._renderer.render(text.template, values, language=language, name=name, shop=shop)
        else:
            rendered = render_own(
                text.own[language], text.template, values, language=language, name=name, shop=shop
            )
        return rendered, language
