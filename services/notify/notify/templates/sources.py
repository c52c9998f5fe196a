"""The texts of this build as they lie in it, and the choice among languages. Needs no renderer."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from importlib import resources

from notify.templates.catalogue import DEFAULT_LANGUAGE, LANGUAGES, all_templates

# What every text may show besides the values of its template.
ALWAYS = ("name", "shop")
SAMPLE_NAME, SAMPLE_SHOP = "Siti Rahayu", "Toko Makmur"


def language_of(*wishes: str, among: Collection[str] = LANGUAGES) -> str:
    """Return the first language (BCP 47) of `wishes` that there are texts in, else Indonesian, else any."""
    for wish in wishes:
        primary = wish.replace("_", "-").partition("-")[0].lower()
        if primary in among:
            return primary
    return DEFAULT_LANGUAGE if DEFAULT_LANGUAGE in among else min(among)


@lru_cache(maxsize=1)
def sources() -> dict[tuple[str, int], dict[str, str]]:
    """Return the texts of this build by template, version and language."""
    root = resources.files("notify.templates")
    return {
        (t.name, t.version): {
            language: root.joinpath(t.name, str(t.version), f"{language}.txt").read_text("utf-8")
            for language in LANGUAGES
        }
        for t in all_templates()
    }
