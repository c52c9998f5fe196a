"""Limits written in the contract itself: pages, and how much one request may bring."""

from collections.abc import Iterator

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tests.system.methods import METHODS

REQUESTS = {
    method.descriptor.input_type.full_name: method.descriptor.input_type for method in METHODS.values()
}


def fields(message: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[FieldDescriptor]:
    """Yield every field of a request, those of our messages within it included."""
    if message.full_name in seen:
        return
    for field in message.fields:
        yield field
        if field.message_type is not None and field.message_type.full_name.startswith("langganan."):
            yield from fields(field.message_type, seen | {message.full_name})


def rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    return field.GetOptions().Extensions[validate_pb2.field]


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_page_is_never_longer_than_200(name: str) -> None:
    for field in fields(REQUESTS[name]):
        if field.name == "page_size":
            assert rules(field).int32.lte == 200


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_every_list_and_text_of_a_request_is_bounded(name: str) -> None:
    unbounded = []
    for field in fields(REQUESTS[name]):
        rule = rules(field)
        if field.is_repeated:
            bounded = rule.repeated.HasField("max_items") or rule.map.HasField("max_pairs")
        elif field.containing_type.GetOptions().map_entry:
            continue  # its keys' rule stands at the map
        elif field.type == FieldDescriptor.TYPE_STRING:
            text = rule.string
            bounded = (
                text.HasField("max_len")
                or text.HasField("len")
                or text.HasField("pattern")
                or text.HasField("uuid")
                or text.HasField("max_bytes")
            )
        else:
            continue
        if not bounded:
            unbounded.append(f"{field.containing_type.name}.{field.name}")
    assert unbounded == []
