"""Topics: made once with their partition count, checked ever after."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from kit.broker import Broker
from kit.errors import FailedPrecondition, Unavailable

NAMES = ("customers", "loyalty", "credit", "notify")
KNOWN_SECONDS = 15.0
RETENTION_MS = 30 * 24 * 3600 * 1000


class WrongPartitions(FailedPrecondition):
    """A topic exists with another number of partitions; changing it would move customers between them."""

    reason = "WRONG_PARTITIONS"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it must be; `configs` are Kafka's own names."""

    name: str
    partitions: int
    replication: int = 1
    configs: Mapping[str, str] = field(default_factory=dict)


def house(prefix: str = "", partitions: int = 24, replication: int = 3) -> list[TopicSpec]:
    """The four topics of the house: kept 30 days, a majority of the replicas in sync."""
    configs = {
        "retention.ms": str(RETENTION_MS),
        "cleanup.policy": "delete",
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    return [TopicSpec(prefix + name, partitions, replication, configs) for name in NAMES]


async def ensure(broker: Broker, specs: Sequence[TopicSpec]) -> list[str]:
    """Make the missing topics and return their names; raises WrongPartitions for one that differs."""
    admin = AIOKafkaAdminClient(**broker.options, request_timeout_ms=15_000)
    try:
        await admin.start()
        found = {t["topic"]: t for t in await admin.describe_topics()}
        for spec in specs:
            if spec.name in found and len(found[spec.name]["partitions"]) != spec.partitions:
                raise WrongPartitions(
                    f"topic {spec.name} has {len(found[spec.name]['partitions'])} partitions, not "
                    f"{spec.partitions}; the count is fixed when a topic is made",
                    topic=spec.name,
                )
        missing = [spec for spec in specs if spec.name not in found]
        made = await _create(admin, missing) if missing else []
        async with asyncio.timeout(KNOWN_SECONDS):
            await _until_known(admin, {spec.name for spec in missing})
        return made
    except (KafkaError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {broker.bootstrap} could not make the topics: {error}") from error
    finally:
        await admin.close()


async def _until_known(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """The controller answers before the brokers know; wait, so that whoever starts next finds them."""
    while names - set(await admin.list_topics()):  # noqa: ASYNC110  nobody here can tell us
        await asyncio.sleep(0.05)


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    response = await admin.create_topics(
        [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication,
                topic_configs=dict(spec.configs),
            )
            for spec in specs
        ]
    )
    made: list[str] = []
    for name, code, *detail in response.topic_errors:
        error = for_code(code)
        if not code:
            made.append(name)
        elif error is not TopicAlreadyExistsError:  # another process may have made it in between
            raise error(f"{name}: {detail[0] if detail else ''}")
    return made
