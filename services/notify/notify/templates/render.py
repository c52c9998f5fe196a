"""A template and its values as subject and body, in a sandbox: strings in, one string out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import minijinja

from notify.channels.mime import one_line
from notify.templates.catalogue import DEFAULT_LANGUAGE, LANGUAGES, Template, all_templates
from notify.templates.formats import shown
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


def language_of(*wishes: str) -> str:
    """Return the first language (BCP 47) of `wishes` that there are texts in, else Indonesian."""
    for wish in wishes:
        primary = wish.replace("_", "-").partition("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return DEFAULT_LANGUAGE


class Renderer:
    """All templates of this build, compiled once."""

    def __init__(self) -> None:
        root = resources.files("notify.templates")
        sources = {
            _key(template, language): (
                root.joinpath(template.name, str(template.version), f"{language}.txt").read_text("utf-8")
            )
            for template in all_templates()
            for language in LANGUAGES
        }
        self._environment = minijinja.Environment(
            templates=sources,
            undefined_behavior="strict",
            fuel=_FUEL,
            pycompat=False,
            keep_trailing_newline=True,
        )

    def render(
        self, template: Template, values: Mapping[str, Value], *, language: str, name: str, shop: str
    ) -> Rendered:
        """Return subject and body; name, shop and texts are put on one line each. Raises DoesNotRender."""
        context = dict.fromkeys(template.may_have, "")
        context.update((n, one_line(shown(v, language))) for n, v in values.items())
        context["name"], context["shop"] = one_line(name), one_line(shop)
        try:
            text = self._environment.render_template(_key(template, language), **context)
        except minijinja.TemplateError as error:
            raise DoesNotRender(f"{_key(template, language)}: {error.kind}") from None
        subject, _, body = text.partition("\n")
        return Rendered(subject.strip(), body)


def _key(template: Template, language: str) -> str:
    return f"{template.name}/{template.version}/{language}.txt"
