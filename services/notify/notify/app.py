"""Everything of notify, wired."""

from __future__ import annotations

from datetime import timedelta

from kit import plugins
from kit.errors import FailedPrecondition
from kit.events import Consumer
from kit.runtime import Runtime, Service
from kit.sweep import Sweep
from langganan.notify.v1.exports_pb2_grpc import add_ExportServiceServicer_to_server
from langganan.notify.v1.messages_pb2_grpc import add_MessageServiceServicer_to_server
from langganan.notify.v1.templates_pb2_grpc import add_TemplateServiceServicer_to_server
from notify.channels import plugin as channel_plugin
from notify.channels.plugin import Channel
from notify.errors import TemplateUnknown
from notify.exports.rpc import ExportService
from notify.messages import handlers
from notify.messages.rpc import MessageServicer
from notify.occasions import plugins as occasion_plugins
from notify.occasions.plugins import Occasion
from notify.settings import Settings
from notify.templates import catalogue
from notify.templates.rpc import TemplateServicer


def channels_of(settings: Settings) -> dict[str, Channel]:
    """Return the channels that are set up, by name; raise for one that is not installed or set up wrongly."""
    installed = plugins.load(channel_plugin.GROUP, channel_plugin.CONTRACT)
    if not settings.channels:
        raise FailedPrecondition(
            f"no channel is set up; set NOTIFY_CHANNELS to some of {', '.join(sorted(installed))} as JSON",
            reason="NO_CHANNEL_SET_UP",
        )
    return {name: plugins.configure(installed, name, config) for name, config in settings.channels.items()}


def occasions_of(settings: Settings) -> dict[str, Occasion]:
    """Return the occasions to greet on, by name; raise for one that is not installed or set up wrongly."""
    installed = plugins.load(occasion_plugins.GROUP, occasion_plugins.CONTRACT)
    found = {name: plugins.configure(installed, name, config) for name, config in settings.occasions.items()}
    for name, occasion in found.items():
        if occasion.kind not in catalogue.names():
            raise TemplateUnknown(
                f"occasion {name} greets with the template {occasion.kind}, which there is not"
            )
    return found


async def build(runtime: Runtime[Settings]) -> Service:
    """Wire the service for the role that `runtime` names."""
    settings = runtime.settings
    pool = await runtime.pool()
    channels, occasions = channels_of(settings), occasions_of(settings)
    service = Service(
        pool=pool,
        servicers=[
            (add_MessageServiceServicer_to_server, MessageServicer(pool, runtime.clock, channels.keys())),
            (add_ExportServiceServicer_to_server, ExportService(pool)),
            (add_TemplateServiceServicer_to_server, TemplateServicer(pool, runtime.clock)),
        ],
        close=[channel.close for channel in channels.values()],
    )
    if not runtime.works:
        return service
    service.consumer = Consumer(
        pool=pool,
        group="notify",
        broker=runtime.broker,
        topics=handlers.TOPICS,
        handlers=handlers.HANDLERS,
        lock=handlers.lock,
        prefix=settings.topic_prefix,
    )
    _send(service, runtime, channels, occasions)
    return service


def _send(
    service: Service,
    runtime: Runtime[Settings],
    channels: dict[str, Channel],
    occasions: dict[str, Occasion],
) -> None:
    """Add what only a worker does: asking the others, and sending."""
    # The clients and their protos are loaded only where messages are sent.
    from kit.rpc.line import Line
    from notify.messages.attempt import Preparation
    from notify.messages.contacts import Contacts
    from notify.messages.credit import Credit
    from notify.messages.dispatch import Dispatch
    from notify.messages.sweep import Sender
    from notify.occasions.birthdays import Birthdays
    from notify.occasions.sweep import Occasions
    from notify.templates.texts import Texts

    settings, pool, clock = runtime.settings, service.pool, runtime.clock
    customers = Line(settings.customers_target, settings, settings.customers_timeout_s)
    credit = Line(settings.credit_target, settings, settings.credit_timeout_s)
    dispatch = Dispatch(channels, clock, settings)
    preparation = Preparation(
        Contacts(customers), Credit(credit), Texts(pool), dispatch.carriers, settings.failures_per_route
    )
    sender = Sender(pool, clock, preparation, dispatch, settings)
    greeter = Occasions(
        pool,
        Birthdays(customers, settings.customers_stream_timeout_s),
        occasions,
        timedelta(seconds=settings.occasion_every_s),
    )
    # Occasions first: what they make is sent by the same look around.
    service.sweeps = [
        Sweep("occasions", settings.occasion_interval_s, io=greeter.round),
        Sweep("messages", settings.sweep_interval_s, io=sender.round, waiting=sender.waiting),
    ]
    # What is under way is finished before the channels let go of their connections.
    service.close = [sender.close, *service.close, customers.close, credit.close]
