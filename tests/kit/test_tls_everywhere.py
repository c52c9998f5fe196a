"""No client that we ship is made past the one place that knows its certificates."""

import ast
from collections.abc import Iterator
from pathlib import Path

import kit
from local.settings import ROOT

KAFKA = ("AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient")
CHANNELS = ("insecure_channel", "secure_channel")


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Each call of one of these functions in what we ship, and the file that it is in."""
    for folder in (Path(kit.__file__).parent, *(ROOT / "services").glob("*/*/")):
        for file in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                    if name in names:
                        yield file.relative_to(ROOT), node


def test_every_client_of_kafka_is_given_the_brokers_options() -> None:
    found = [
        (file, [ast.unparse(k.value) for k in call.keywords if k.arg is None]) for file, call in calls(*KAFKA)
    ]
    assert len(found) >= 6, "membership, ends, sender, rewind twice, topics"
    assert [file for file, given in found if given != ["broker.options"]] == []


def test_every_channel_to_another_service_is_opened_by_the_line() -> None:
    places = {str(file) for file, _ in calls(*CHANNELS)} - {"kit/kit/testing/running.py"}
    assert places == {"kit/kit/rpc/line.py"}
