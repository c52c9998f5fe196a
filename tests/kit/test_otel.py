"""Spans as OpenTelemetry makes them: whose trace they continue, what they are linked to, what is kept."""

from collections.abc import Iterator
from typing import Any

import pytest

from kit.otel import Otel

NOBODY = "http://127.0.0.1:1"


def traceparent(digit: str, flags: str = "01") -> str:
    return f"00-{digit * 32}-00f067aa0ba902b7-{flags}"


@pytest.fixture
def otel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Otel]:
    """A tracer under the environment that a test names."""
    for name, value in getattr(request, "param", {}).items():
        monkeypatch.setenv(name, value)
    made = Otel("tiny", "all", NOBODY)
    yield made
    made.close()


def under(**env: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("otel", [env], indirect=True)


def kept(traceparent: str) -> bool:
    return int(traceparent[-2:], 16) & 1 == 1


def begin(otel: Otel, *parents: str) -> Any:
    return otel.begin("x", "client", parents, {})


def test_what_is_done_for_several_goes_on_in_one_kept_trace_and_names_the_others(otel: Otel) -> None:
    dropped, first, other = traceparent("a", "00"), traceparent("b"), traceparent("c")
    span = begin(otel, "", dropped, first, other, first)
    assert span.traceparent[:35] == first[:35] != span.traceparent
    assert span._span.parent.span_id == int(first[36:52], 16)
    assert [f"{link.context.trace_id:x}" for link in span._span.links] == ["c" * 32]


def test_without_a_parent_a_trace_begins(otel: Otel) -> None:
    one, two = begin(otel), begin(otel, "")
    assert one.traceparent[3:35] != two.traceparent[3:35]
    assert (kept(one.traceparent), one._span.parent) == (True, None)


@under(OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0")
def test_the_tills_choice_is_kept_and_a_ratio_decides_for_the_rest(otel: Otel) -> None:
    for parent, is_kept in ((traceparent("a"), True), (traceparent("a", "00"), False), ("", False)):
        assert kept(begin(otel, parent).traceparent) == is_kept


@under(OTEL_SDK_DISABLED="true")
def test_a_tracer_that_is_switched_off_cuts_no_trace(otel: Otel) -> None:
    assert begin(otel, traceparent("a")).traceparent == traceparent("a")
    assert begin(otel).traceparent == ""
