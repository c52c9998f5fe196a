"""A template and its values as subject and body, in a sandbox: strings in, one string out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import minijinja

from notify.channels.mime import one_line
from notify.errors import TemplateInvalid
from notify.templates import syntax
from notify.templates.catalogue import Template
from notify.templates.formats import shown
from notify.templates.sources import ALWAYS, SAMPLE_NAME, SAMPLE_SHOP, sources
from notify.templates.values import Value

# Instructions that one rendering may take; a text of ours takes a few hundred.
_FUEL = 20_000


class DoesNotRender(RuntimeError):
    """The template fails on these values; the message names no value."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What leaves; it is never stored."""

    subject: str
    body: str


def _environment(templates: dict[str, str]) -> minijinja.Environment:
    return minijinja.Environment(
        templates=templates,
        undefined_behavior="strict",
        fuel=_FUEL,
        pycompat=False,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=1024)
def _alone(source: str) -> minijinja.Environment:
    """A merchant's own text, compiled where it can reach no other."""
    return _environment({"text": source})


class Renderer:
    """All templates of this build, compiled once."""

    def __init__(self) -> None:
        self._environment = _environment(
            {
                _key(name, version, language): source
                for (name, version), texts in sources().items()
                for language, source in texts.items()
            }
        )

    def render(
        self, template: Template, values: Mapping[str, Value], *, language: str, name: str, shop: str
    ) -> Rendered:
        """Return subject and body; name, shop and texts are put on one line each. Raises DoesNotRender."""
        key = _key(template.name, template.version, language)
        return _rendered(self._environment, key, template, values, language, name, shop)


def render_own(
    source: str, template: Template, values: Mapping[str, Value], *, language: str, name: str, shop: str
) -> Rendered:
    """Return subject and body of a merchant's own text with the values of `template`."""
    try:
        environment = _alone(source)
    except minijinja.TemplateError as error:
        raise DoesNotRender(f"{template.name}: {error.kind}") from None
    return _rendered(environment, "text", template, values, language, name, shop)


def _rendered(
    environment: minijinja.Environment,
    key: str,
    template: Template,
    values: Mapping[str, Value],
    language: str,
    name: str,
    shop: str,
) -> Rendered:
    context = dict.fromkeys(template.may_have, "")
    context.update((n, one_line(shown(v, language))) for n, v in values.items())
    context["name"], context["shop"] = one_line(name), one_line(shop)
    try:
        text = environment.render_template(key, **context)
    except minijinja.TemplateError as error:
        raise DoesNotRender(f"{key}: {error.kind}") from None
    subject, _, body = text.partition("\n")
    return Rendered(subject.strip(), body)


def _key(name: str, version: int, language: str) -> str:
    return f"{name}/{version}/{language}.txt"


def check_own(source: str, template: Template, samples: Mapping[str, Value], language: str) -> None:
    """Raise TEMPLATE_INVALID unless a text is in our small language and renders with all and few values."""
    syntax.check(source, {*template.needs, *template.may_have, *ALWAYS})
    few = {name: value for name, value in samples.items() if name in template.needs}
    for values in (samples, few):
        try:
            text = render_own(source, template, values, language=language, name=SAMPLE_NAME, shop=SAMPLE_SHOP)
        except DoesNotRender as error:
            raise TemplateInvalid(f"it does not render: {error}") from error
        if not text.subject or not text.body.strip():
            raise TemplateInvalid(
                "subject and body must say something, also where only the required values are there"
            )
