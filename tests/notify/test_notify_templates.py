"""Merchants' own texts: versions that never change, checked by rendering, in force from then on."""

import asyncio
import re
import uuid
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.testing.refusals import refusal
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc, templates_pb2, templates_pb2_grpc
from notify.errors import TemplateInvalid
from notify.templates import catalogue
from notify.templates.catalogue import BIRTHDAY, PURCHASE_CONFIRMATION
from notify.templates.render import check_own
from notify.templates.rpc import samples

OWN = ("Terima kasih {{ name }}", "Total: {{ total }}{% if paid_cash %} tunai{% endif %}\n{{ shop }}\n")


def setting(*texts: tuple[str, str, str], **more: Any) -> templates_pb2.SetTemplateRequest:
    values: dict[str, Any] = {
        "request_id": str(uuid.uuid4()),
        "template": "purchase-confirmation",
        "texts": [templates_pb2.TemplateText(language=a, subject=b, body=c) for a, b, c in texts],
    }
    return templates_pb2.SetTemplateRequest(**(values | more))


async def get(
    notify: Any, template: str = "purchase-confirmation", version: int = 0
) -> templates_pb2.Template:
    request = templates_pb2.GetTemplateRequest(template=template, version=version)
    found: templates_pb2.Template = (await notify.templates.GetTemplate(request)).template
    return found


async def test_the_products_text_is_in_force_until_a_merchant_sets_one(notify: Any, purchase: Any) -> None:
    before = await get(notify)
    assert (before.version, before.in_force, list(before.languages)) == (1, True, ["en", "id"])
    assert {v.name for v in before.variables if v.required} == set(PURCHASE_CONFIRMATION.needs)
    made = (await notify.templates.SetTemplate(setting(("id", *OWN)))).template
    assert (made.version, made.in_force, list(made.languages)) == (1001, True, ["id"])
    customer_id = notify.book.add(name="Budi", language="en")
    await notify.run.deliver(purchase(customer_id, notify.run.clock.now()))
    await notify.sweep()
    ((_, mail),) = notify.sink.taken
    assert mail["Subject"] == "Terima kasih Budi"
    assert mail.get_content().splitlines() == ["Total: Rp 12.500 tunai", "Toko Makmur"]
    message = await notify.only(customer_id)
    assert (message.template_version, message.language) == (1001, "id")
    assert not (await get(notify, version=1)).in_force


async def test_a_message_keeps_the_version_that_it_was_made_with(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    people = [notify.book.add(address=f"p{n}@example.com") for n in range(3)]
    for person, subject in zip(people, (None, "satu", "dua"), strict=True):
        if subject is not None:
            await notify.templates.SetTemplate(setting(("id", subject, "isi")))
        await notify.run.deliver(purchase(person, at))
    await notify.sweep_until_idle()
    subjects = {address: mail["Subject"] for address, mail in notify.sink.taken}
    assert subjects == {
        "p0@example.com": "Terima kasih atas pembelian Anda, struk R-0001",
        "p1@example.com": "satu",
        "p2@example.com": "dua",
    }


async def test_a_worker_uses_what_another_process_has_set(
    start_notify: Any, new_database: Any, sink: Any, purchase: Any
) -> None:
    url = await new_database("notify")
    async with start_notify(url) as worker, start_notify(url) as server:
        at = worker.run.clock.now()
        for subject in ("satu", "dua"):
            await server.templates.SetTemplate(setting(("id", subject, "isi")))
            await worker.run.deliver(purchase(worker.book.add(), at))
            await worker.sweep_until_idle()
        assert [mail["Subject"] for _, mail in sink.taken] == ["satu", "dua"]


async def test_the_customers_language_is_spoken_where_there_is_a_text(notify: Any, purchase: Any) -> None:
    texts = (("en", "english", "x"), ("jv", "jawa", "x"))
    await notify.templates.SetTemplate(setting(*texts))
    wishes = {"jv": "jawa", "en-GB": "english", "zh": "english"}
    for language in wishes:
        person = notify.book.add(language=language, address=f"{language}@example.com")
        await notify.run.deliver(purchase(person, notify.run.clock.now()))
    await notify.sweep_until_idle()
    subjects = {address.partition("@")[0]: mail["Subject"] for address, mail in notify.sink.taken}
    assert subjects == wishes


async def test_merchants_do_not_see_each_others_texts(notify: Any, purchase: Any) -> None:
    await notify.templates.SetTemplate(setting(("id", "milik toko", "isi")))
    theirs: Any = notify.run.stub(templates_pb2_grpc.TemplateServiceStub, merchant="warung")
    found = await theirs.GetTemplate(templates_pb2.GetTemplateRequest(template="purchase-confirmation"))
    assert found.template.version == 1
    info = await refusal(
        theirs.GetTemplate(templates_pb2.GetTemplateRequest(template="purchase-confirmation", version=1001))
    )
    assert info.reason == "TEMPLATE_VERSION_NOT_FOUND"
    person = notify.book.add(merchant="warung")
    await notify.run.deliver(purchase(person, notify.run.clock.now(), merchant="warung"))
    await notify.sweep()
    assert notify.sink.taken[0][1]["Subject"].startswith("Terima kasih atas")


async def test_a_request_makes_one_version_however_often_it_is_sent(notify: Any) -> None:
    request = setting(("id", "satu", "isi"))
    answers = await asyncio.gather(*(notify.templates.SetTemplate(request) for _ in range(8)))
    assert {a.template.version for a in answers} == {1001}
    other = setting(("id", "dua", "isi"), request_id=request.request_id)
    assert (await refusal(notify.templates.SetTemplate(other))).reason == "IDEMPOTENCY_CONFLICT"


async def test_versions_set_at_once_have_numbers_of_their_own_without_gaps(notify: Any) -> None:
    requests = [setting(("id", f"nomor {n}", "isi")) for n in range(12)]
    answers = await asyncio.gather(*(notify.templates.SetTemplate(r) for r in requests))
    assert sorted(a.template.version for a in answers) == list(range(1001, 1013))


async def test_a_dry_run_checks_and_writes_nothing(notify: Any) -> None:
    answer = await notify.templates.SetTemplate(setting(("id", *OWN), dry_run=True))
    assert answer.template.version == 1001
    assert (await get(notify)).version == 1
    broken = setting(("id", "x", "{{ nobody }}"), dry_run=True)
    assert (await refusal(notify.templates.SetTemplate(broken))).reason == "TEMPLATE_INVALID"


@pytest.mark.parametrize(
    ("subject", "body", "why"),
    [
        ("x", "{{ nobody }}", "line 2: there is no variable 'nobody'"),
        ("x", "one\n{{ total | upper }}", "line 3"),
        ("x", "{{ total }", "line 2: {{ is half a tag"),
        ("x", "{% if paid_cash %}", "line 2: this if has no endif"),
        ("x", "{% endif %}", "endif without an if"),
        ("x", "{% if paid_cash == 3 %}a{% endif %}", "'=' is not known in a condition"),
        ("x", "{% if not %}a{% endif %}", "a condition names a variable"),
        ("x", "{% if paid_cash paid_card %}a{% endif %}", "it does not render"),
        ("x", "{% for x in total %}a{% endfor %}", "'for' is not known here"),
        ("x", "{% include 'birthday/1/id.txt' %}", "'include' is not known here"),
        ("x", "{{ range(100000000) }}", "there is no variable"),
        ("x", "{{ 'x' * 1000000000 }}", "there is no variable"),
        ("x", "{# note #}", "comment"),
        ("{{ paid_cash }}", "x", "must say something"),
        ("two\nlines", "x", "one line"),
    ],
)
async def test_what_does_not_render_is_refused_with_its_place(
    notify: Any, subject: str, body: str, why: str
) -> None:
    request = setting(("id", *OWN), ("en", subject, body))
    with pytest.raises(Exception, match="text en") as caught:
        await notify.templates.SetTemplate(request)
    assert why in caught.value.details()
    assert (await get(notify)).version == 1


async def test_an_unknown_language_or_template_is_refused(notify: Any) -> None:
    for request, reason in (
        (setting(("xx", *OWN)), "INVALID_LANGUAGE"),
        (setting(("id", *OWN), ("id", *OWN)), "INVALID_LANGUAGE"),
        (setting(("id", *OWN), template="anniversary"), "TEMPLATE_UNKNOWN"),
        (setting(), "INVALID_FIELDS"),
        (setting(("id-ID", *OWN)), "INVALID_FIELDS"),
    ):
        assert (await refusal(notify.templates.SetTemplate(request))).reason == reason


async def test_a_preview_shows_what_would_leave_and_sends_nothing(notify: Any) -> None:
    preview = notify.templates.PreviewTemplate
    own = templates_pb2.TemplateText(language="en", subject="Hi {{ name }}", body="{{ total }}")
    shown = await preview(templates_pb2.PreviewTemplateRequest(template="purchase-confirmation", text=own))
    assert (shown.subject, shown.body, shown.language) == ("Hi Siti Rahayu", "IDR 125,000", "en")
    shown = await preview(templates_pb2.PreviewTemplateRequest(template="points-expiring"))
    assert shown.subject == "3 poin Anda berlaku sampai 5 Maret 2026"
    values = {"tier": messages_pb2.Variable(text="VIP"), "former_tier": messages_pb2.Variable(text="New")}
    request = templates_pb2.PreviewTemplateRequest(template="tier-changed", language="en", variables=values)
    assert (await preview(request)).subject == "Your membership is now VIP"
    del request.variables["tier"]
    assert (await refusal(preview(request))).reason == "VARIABLE_MISSING"
    request = templates_pb2.PreviewTemplateRequest(template="birthday", language="jv")
    assert (await refusal(preview(request))).reason == "INVALID_LANGUAGE"
    assert notify.sink.taken == []


async def test_what_there_is_is_listed_by_template_and_by_version(notify: Any) -> None:
    listed = notify.templates.ListTemplates
    for number in range(4):
        await notify.templates.SetTemplate(setting(("id", f"nomor {number}", "isi")))
    found = (await listed(templates_pb2.ListTemplatesRequest())).templates
    assert [t.name for t in found] == catalogue.names()
    assert {t.name: t.version for t in found if t.version != 1} == {"purchase-confirmation": 1004}
    assert all(t.in_force and not t.texts for t in found)
    for template, wanted in (
        ("", catalogue.names()),
        ("purchase-confirmation", [1004, 1003, 1002, 1001, 1]),
    ):
        request = templates_pb2.ListTemplatesRequest(template=template, page_size=2)
        seen: list[Any] = []
        while True:
            page = await listed(request)
            seen += [t.version if template else t.name for t in page.templates]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert seen == wanted
    stolen = templates_pb2.ListTemplatesRequest(template="birthday", page_token=request.page_token)
    assert (await refusal(listed(stolen))).reason == "INVALID_PAGE_TOKEN"


async def test_a_message_that_is_asked_for_uses_the_merchants_text(notify: Any, send_request: Any) -> None:
    await notify.templates.SetTemplate(setting(("id", *OWN)))
    request = send_request(notify.book.add())
    dry = messages_pb2.SendMessageRequest.FromString(request.SerializeToString())
    dry.dry_run = True
    for asked in (dry, request):
        assert (await notify.messages.SendMessage(asked)).message.template_version == 1001
    await notify.sweep()
    assert notify.sink.taken[0][1]["Subject"] == "Terima kasih Siti Rahayu"


async def test_reading_a_text_needs_less_than_setting_one(notify: Any) -> None:
    reader: Any = notify.run.stub(templates_pb2_grpc.TemplateServiceStub, scopes="notify.templates.read")
    await reader.GetTemplate(templates_pb2.GetTemplateRequest(template="birthday"))
    assert (await refusal(reader.SetTemplate(setting(("id", *OWN))))).reason == "MISSING_SCOPE"
    other: Any = notify.run.stub(messages_pb2_grpc.MessageServiceStub, scopes="notify.templates.read")
    call = other.ListMessages(messages_pb2.ListMessagesRequest())
    assert (await refusal(call)).reason == "MISSING_SCOPE"


@given(st.text(alphabet="{}%#ifelsndo rtal\n-'|().", max_size=60))
def test_no_text_gets_past_the_check_that_the_renderer_would_run_otherwise(body: str) -> None:
    source = f"x\n{body} ."
    try:
        check_own(source, BIRTHDAY, samples(BIRTHDAY), "id")
    except TemplateInvalid:
        return
    assert set(re.findall(r"\{\{-?\s*(.*?)\s*-?\}\}", source, re.DOTALL)) <= {"name", "shop"}
    assert set(re.findall(r"\{%-?\s*([a-z]*)", source)) <= {"if", "elif", "else", "endif"}


def test_every_sample_fits_its_template() -> None:
    for template in catalogue.all_templates():
        template.check(samples(template))
    assert samples(PURCHASE_CONFIRMATION).keys() >= {"total", "paid_cash"}
    assert isinstance(samples(catalogue.POINTS_EXPIRING)["expires_on"], date)
