"""What is broken on purpose: pods that cannot start, vanish or are killed, and books that are altered."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable

import asyncpg

from local.manifests import Object
from local.part import PartFailed
from local.postgres import SUPERUSER
from local.rendered.node import Node, Workload
from local.rendered.objects import NotStartable
from local.rendered.steps import Steps, say
from local.rendered.tills import Tills

BROKEN_SECONDS = 40.0  # in which a pod that cannot start has had every chance, on a busy machine too
FEW, MANY = 10, 40  # sales between two steps
KILLED = ("credit-serve", "loyalty-work", "kafka", "postgres")
# A point too many, a rupiah that nobody paid, a message less; and what a comparison says of each.
ALTERED = {
    "loyalty": (
        "UPDATE accounts SET in_lots = in_lots + 1 WHERE merchant_id = $1 AND customer_id = "
        "(SELECT min(customer_id) FROM accounts WHERE merchant_id = $1 AND in_lots > 0)",
        "negative points must be",
    ),
    "credit": (
        "UPDATE invoices SET paid = paid + 1 WHERE merchant_id = $1 AND invoice_id = "
        "(SELECT invoice_id FROM invoices WHERE merchant_id = $1 AND outstanding > 1 LIMIT 1)",
        "invoice of",
    ),
    "notify": (
        "DELETE FROM messages WHERE merchant_id = $1 AND message_id = "
        "(SELECT message_id FROM messages WHERE merchant_id = $1 AND state = 'SENT' LIMIT 1)",
        "must be 'SENT' and is None",
    ),
}


async def cannot_start(node: Node, steps: Steps) -> None:
    """A pod that cannot start leaves the old one serving, and says why."""
    credit = node.workloads["credit-serve"]
    before = {pod.address for pod in credit.pods}
    good = credit.template

    def changed(change: Callable[[Object], None]) -> Object:
        template = copy.deepcopy(good)
        change(template["spec"]["containers"][0])
        return template

    def wrong_port(container: Object) -> None:
        container["readinessProbe"]["grpc"]["port"] += 100

    def no_settings(container: Object) -> None:
        container["env"] = []

    def no_secret(container: Object) -> None:
        container["env"][0]["valueFrom"]["secretKeyRef"]["name"] = "nobody-has-made-it"

    await _must_not_start(credit, steps, "a wrong probe port", changed(wrong_port), "started")
    await _must_not_start(credit, steps, "a missing setting", changed(no_settings), "database_url")
    try:
        await credit.roll(changed(no_secret))
    except NotStartable as error:
        say(f"a missing secret: {error}")
    else:
        steps.faults.append("a pod started without its secret")
    credit.template = good
    await node.published("credit", before)
    await credit.quiet()


async def _must_not_start(workload: Workload, steps: Steps, what: str, template: Object, saying: str) -> None:
    try:
        await workload.roll(template, BROKEN_SECONDS)
    except PartFailed as error:
        said = [line for line in error.log_tail if saying in line.lower()]
        say(f"{what}: {said[-1][:160] if said else error}")
        if not said:
            steps.faults.append(f"with {what} the pod's log does not say {saying!r}")
    else:
        steps.faults.append(f"with {what} a pod became ready")


async def vanish(node: Node, steps: Steps, tills: Tills) -> None:
    """A pod that is out of reach, and says nothing, is left by the tills before they lose patience."""
    credit = node.workloads["credit-serve"]
    with steps.step("one of two pods of credit-serve vanishes without a goodbye"):
        await credit.scale(2)
        await node.published("credit", {pod.address for pod in credit.pods})
        await tills.sold(FEW)
        gone = credit.pods[0]
        gone.cut()
        await node.published("credit", {credit.pods[1].address})
        await tills.sold(MANY)
        credit.end(gone, force=True)
        await credit.quiet()


async def kill(node: Node, steps: Steps, tills: Tills) -> None:
    """Whatever is killed with no grace is replaced, and nobody else has to be started again."""
    for name in KILLED:
        with steps.step(f"{name} is killed with no grace and back"):
            victim = node.workloads[name]
            victim.end(victim.pods[0], force=True)
            await victim.quiet()
            victim.add()
            await asyncio.gather(*(one.ready() for one in node.workloads.values()))
        await tills.sold(FEW)


async def alter(node: Node, steps: Steps, tills: Tills, password: str) -> None:
    """Alter the books behind the services' backs: a comparison that does not see it proves nothing."""
    with steps.step("altered books are seen"):
        await tills.start()
        address = node.workloads["postgres"].pods[0].address
        for database, (statement, _) in ALTERED.items():
            conn = await asyncpg.connect(host=address, user=SUPERUSER, password=password, database=database)
            while (await conn.execute(statement, tills.name)).endswith(" 0"):
                await tills.sold(1)  # until there is something to alter
            await conn.close()
        differences = (await tills.finish())["differences"]
        for database, (_, words) in ALTERED.items():
            if not any(words in difference for difference in differences):
                steps.faults.append(f"what was altered in {database} was not seen")
