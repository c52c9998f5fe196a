"""TemplateService: decode, check by rendering, store, encode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import grpc.aio

from kit import db, paging
from kit.auth import caller
from kit.batch import once
from kit.clock import Clock
from kit.fingerprint import fingerprint
from kit.ids import canonical_uuid
from langganan.notify.v1 import templates_pb2, templates_pb2_grpc
from notify.errors import InvalidLanguage, TemplateInvalid, TemplateVersionNotFound
from notify.messages.codec import value
from notify.templates import catalogue, store
from notify.templates.catalogue import DEFAULT_LANGUAGE, LANGUAGES, Template
from notify.templates.sources import SAMPLE_NAME, SAMPLE_SHOP, language_of, sources
from notify.templates.store import FIRST_OWN, NewVersion, OwnVersion
from notify.templates.values import Amount, Moment, Value

# What a text is tried with.
SAMPLES: Mapping[type, Value] = {
    str: "A-0001",
    int: 3,
    Amount: Amount(125_000, "IDR", 0),
    date: date(2026, 3, 5),
    Moment: Moment(datetime(2026, 3, 5, 7, 4, tzinfo=UTC), "Asia/Jakarta"),
}
_TYPES = {
    str: templates_pb2.VARIABLE_TYPE_TEXT,
    int: templates_pb2.VARIABLE_TYPE_INTEGER,
    Amount: templates_pb2.VARIABLE_TYPE_MONEY,
    date: templates_pb2.VARIABLE_TYPE_DATE,
    Moment: templates_pb2.VARIABLE_TYPE_TIME,
}


def samples(template: Template) -> dict[str, Value]:
    """Return a value for every variable of a template."""
    return {name: SAMPLES[kind] for name, kind in {**template.needs, **template.may_have}.items()}


class TemplateServicer(templates_pb2_grpc.TemplateServiceServicer):
    """Shows texts, and takes merchants' own."""

    def __init__(self, pool: db.Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def GetTemplate(
        self, request: templates_pb2.GetTemplateRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> templates_pb2.GetTemplateResponse:
        """Answer one version with its texts."""
        found, texts, in_force = await self._find(request.template, request.version)
        return templates_pb2.GetTemplateResponse(template=_encode(found, texts, in_force))

    async def SetTemplate(
        self, request: templates_pb2.SetTemplateRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> templates_pb2.SetTemplateResponse:
        """Make a new version of the merchant's own, once for its request_id."""
        request_id = canonical_uuid(request.request_id, "request_id")
        template = catalogue.newest(request.template)
        texts = _texts(request.texts, template)
        merchant_id = caller().merchant_id
        new = NewVersion(
            merchant_id,
            template.name,
            template.version,
            texts,
            request_id,
            fingerprint(1, template.name, str(sorted(texts.items()))),
            self._clock.now(),
        )
        if request.dry_run:
            async with self._pool.acquire(timeout=5) as conn:
                in_force = await store.in_force(conn, [(merchant_id, template.name)])
            version = max(in_force[merchant_id, template.name] + 1, FIRST_OWN)
            made = OwnVersion(merchant_id, template.name, version, template.version, texts, new.now)
        else:
            made = await once(self._pool, store.append_all, new)
        return templates_pb2.SetTemplateResponse(template=_encode(made, made.texts, True))

    async def PreviewTemplate(
        self, request: templates_pb2.PreviewTemplateRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> templates_pb2.PreviewTemplateResponse:
        """Render a text and send nothing."""
        from notify.templates.render import DoesNotRender, render_own

        if request.HasField("text"):
            template = catalogue.newest(request.template)
            texts: Mapping[str, str] = _texts([request.text], template)
            language = request.text.language
        else:
            found, texts, _ = await self._find(request.template, request.version)
            template = _definition(found)
            language = request.language or language_of(DEFAULT_LANGUAGE, among=texts)
            if language not in texts:
                raise InvalidLanguage(f"this version has {', '.join(sorted(texts))}", field="language")
        values = {name: value(name, variable) for name, variable in request.variables.items()}
        template.check(values or samples(template))
        try:
            rendered = render_own(
                texts[language],
                template,
                values or samples(template),
                language=language,
                name=SAMPLE_NAME,
                shop=SAMPLE_SHOP,
            )
        except DoesNotRender as error:
            raise TemplateInvalid(f"it does not render: {error}") from error
        return templates_pb2.PreviewTemplateResponse(
            subject=rendered.subject, body=rendered.body, language=language
        )

    async def ListTemplates(
        self, request: templates_pb2.ListTemplatesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> templates_pb2.ListTemplatesResponse:
        """Answer the version in force of each template, or a page of all versions of one."""
        merchant_id, size = caller().merchant_id, paging.page_size(request.page_size)
        if not request.template:
            entries = await self._each_in_force(merchant_id)
            start = paging.after(request.page_token, str, "templates", merchant_id) or ""
            entries = [entry for entry in entries if entry.name > start]
            token = ""
            if len(entries) > size:
                token = paging.encode([entries[size - 1].name], "templates", merchant_id)
            return templates_pb2.ListTemplatesResponse(templates=entries[:size], next_page_token=token)
        bound = ("template", merchant_id, request.template)
        before = paging.after(request.page_token, _version, *bound)
        versions = await self._versions(merchant_id, request.template, before, size + 1)
        token = paging.encode([versions[size - 1].version], *bound) if len(versions) > size else ""
        return templates_pb2.ListTemplatesResponse(templates=versions[:size], next_page_token=token)

    async def _each_in_force(self, merchant_id: str) -> list[templates_pb2.Template]:
        names = [(merchant_id, name) for name in catalogue.names()]
        async with self._pool.acquire(timeout=5) as conn:
            in_force = await store.in_force(conn, names)
            own = await store.read(conn, [(m, n, v) for (m, n), v in in_force.items() if v >= FIRST_OWN])
        found: list[templates_pb2.Template] = []
        for (merchant, name), version in sorted(in_force.items()):
            one = own.get((merchant, name, version)) or catalogue.newest(name)
            found.append(_bare(one, _languages(one), True))
        return found

    async def _versions(
        self, merchant_id: str, name: str, before: int | None, limit: int
    ) -> list[templates_pb2.Template]:
        """All versions older than `before`, the merchant's own first: they are the newer ones."""
        built_in = sorted((t for t in catalogue.all_templates() if t.name == name), key=lambda t: -t.version)
        catalogue.newest(name)
        async with self._pool.acquire(timeout=5) as conn:
            in_force = (await store.in_force(conn, [(merchant_id, name)]))[merchant_id, name]
            own = await store.page(conn, merchant_id, name, before, limit)
        found: Sequence[OwnVersion | Template] = [
            *own,
            *(t for t in built_in if before is None or t.version < before),
        ]
        return [_bare(one, _languages(one), one.version == in_force) for one in found[:limit]]

    async def _find(self, name: str, version: int) -> tuple[OwnVersion | Template, Mapping[str, str], bool]:
        """Return a version (0: the one in force), its texts and whether it is in force."""
        merchant_id = caller().merchant_id
        catalogue.newest(name)
        async with self._pool.acquire(timeout=5) as conn:
            in_force = (await store.in_force(conn, [(merchant_id, name)]))[merchant_id, name]
            wanted = version or in_force
            key = (merchant_id, name, wanted)
            own = (await store.read(conn, [key])).get(key) if wanted >= FIRST_OWN else None
        if own is not None:
            return own, own.texts, wanted == in_force
        built_in = catalogue.exactly(name, wanted)
        if built_in is None:
            raise TemplateVersionNotFound(name, wanted)
        return built_in, sources()[name, wanted], wanted == in_force


def _version(position: str | int) -> int:
    return int(position)


def _definition(found: OwnVersion | Template) -> Template:
    if isinstance(found, Template):
        return found
    return catalogue.exactly(found.template, found.based_on) or catalogue.newest(found.template)


def _languages(found: OwnVersion | Template) -> Sequence[str]:
    return LANGUAGES if isinstance(found, Template) else list(found.texts)


def _texts(given: Sequence[templates_pb2.TemplateText], template: Template) -> dict[str, str]:
    """Return the texts by language as they are stored; raise INVALID_LANGUAGE or TEMPLATE_INVALID.

    Locales and the renderer, which only this and a preview need here, are loaded at the first of them.
    """
    from babel.core import Locale, UnknownLocaleError

    from notify.templates.render import check_own

    texts: dict[str, str] = {}
    for text in given:
        try:
            Locale.parse(text.language)
        except (UnknownLocaleError, ValueError) as error:
            raise InvalidLanguage(
                f"{text.language} is no language that we can write", field="language"
            ) from error
        if text.language in texts:
            raise InvalidLanguage(f"{text.language} comes twice", field="language")
        if "\n" in text.subject or "\r" in text.subject:
            raise TemplateInvalid(f"text {text.language}: a subject is one line", field="subject")
        source = f"{text.subject}\n{text.body.replace(chr(13), '')}"
        try:
            check_own(source, template, samples(template), text.language)
        except TemplateInvalid as error:
            # Line 1 is the subject, the body begins at line 2.
            raise TemplateInvalid(f"text {text.language}: {error.message}", language=text.language) from error
        texts[text.language] = source
    return texts


def _bare(found: OwnVersion | Template, languages: Sequence[str], in_force: bool) -> templates_pb2.Template:
    template = _definition(found)
    variables = [(name, kind, True) for name, kind in template.needs.items()]
    variables += [(name, kind, False) for name, kind in template.may_have.items()]
    message = templates_pb2.Template(
        name=template.name,
        version=found.version,
        in_force=in_force,
        variables=[
            templates_pb2.TemplateVariable(name=name, type=_TYPES[kind], required=required)
            for name, kind, required in variables
        ],
        languages=sorted(languages),
    )
    if isinstance(found, OwnVersion):
        message.create_time.FromDatetime(found.created_at)
    return message


def _encode(found: OwnVersion | Template, texts: Mapping[str, str], in_force: bool) -> templates_pb2.Template:
    message = _bare(found, list(texts), in_force)
    for language, source in sorted(texts.items()):
        subject, _, body = source.partition("\n")
        message.texts.add(language=language, subject=subject, body=body)
    return message
