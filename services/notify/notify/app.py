"""Everything of notify, wired."""

from __future__ import annotations

from kit import plugins
from kit.errors import FailedPrecondition
from kit.events import Consumer
from kit.runtime import Runtime, Service
from kit.sweep import Sweep
from langganan.notify.v1.exports_pb2_grpc import add_ExportServiceServicer_to_server
from langganan.notify.v1.messages_pb2_grpc import add_MessageServiceServicer_to_server
from notify.channels.plugin import CONTRACT, GROUP, Channel
from notify.exports.rpc import ExportService
from notify.messages import handlers
from notify.messages.rpc import MessageServicer
from notify.settings import Settings


def channels_of(settings: Settings) -> dict[str, Channel]:
    """Return the channels that are set up, by name; raise for one that is not installed or set up wrongly."""
    installed = plugins.load(GROUP, CONTRACT)
    if not settings.channels:
        raise FailedPrecondition(
            f"no channel is set up; set NOTIFY_CHANNELS to some of {', '.join(sorted(installed))} as JSON",
            reason="NO_CHANNEL_SET_UP",
        )
    return {name: plugins.configure(installed, name, config) for name, config in settings.channels.items()}


async def build(runtime: Runtime[Settings]) -> Service:
    """Wire the service for the role that `runtime` names."""
    settings = runtime.settings
    pool = await runtime.pool()
    channels = channels_of(settings)
    service = Service(
        pool=pool,
        servicers=[
            (add_MessageServiceServicer_to_server, MessageServicer(pool, runtime.clock, channels.keys())),
            (add_ExportServiceServicer_to_server, ExportService(pool)),
        ],
        close=[channel.close for channel in channels.values()],
    )
    if not runtime.works:
        return service
    # Templates, babel and the client of customers are loaded only where messages are sent.
    from notify.messages.contacts import Contacts
    from notify.messages.sweep import Sender

    contacts = Contacts(settings.customers_target, settings.token_file, settings.customers_timeout_s)
    sender = Sender(pool, runtime.clock, contacts, channels, settings)
    service.consumer = Consumer(
        pool=pool,
        group="notify",
        bootstrap=settings.kafka_bootstrap,
        topics=["customers"],
        handlers=handlers.HANDLERS,
        lock=handlers.lock,
        prefix=settings.topic_prefix,
    )
    service.sweeps = [Sweep("messages", settings.sweep_interval_s, io=sender.round)]
    service.close = [*service.close, contacts.close]
    return service
