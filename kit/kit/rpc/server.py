"""Builds the server: interceptors, scopes read from the descriptors, health and reflection."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kit.auth import Verifier
from kit.rpc.auth import AuthInterceptor
from kit.rpc.calls import CallLog, CallsInterceptor
from kit.rpc.deadlines import DeadlineInterceptor
from kit.rpc.errors import ErrorsInterceptor
from kit.rpc.health import SERVICE, Health
from kit.rpc.item_stream import Guards
from kit.rpc.items import ItemsInterceptor, Limits
from kit.rpc.limits import LimitsInterceptor
from kit.rpc.merchants import MerchantsInterceptor, Turns
from kit.rpc.metrics import MetricsInterceptor
from kit.rpc.streams import StreamsInterceptor
from kit.rpc.tls import server_credentials
from kit.rpc.validation import Rules, ValidationInterceptor
from kit.settings import ServiceSettings
from langganan.options.v1 import scope_pb2

# The generated `add_XServicer_to_server` and the servicer that it adds.
Servicer: TypeAlias = tuple[Callable[[Any, Any], None], object]


class _Names:
    """Stands in for a server to learn which services an add function registers."""

    def __init__(self) -> None:
        self.services: list[str] = []
        self._handlers: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        self._handlers += handlers
        self.services += [h.service_name() for h in handlers]

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Newer generated code registers twice; the generic one suffices here."""

    def check_streams(self, methods: Iterable[str]) -> None:
        """Raise where one of `methods` streams in another form than the interceptors pace."""
        for method in methods:
            found = (h.service(SimpleNamespace(method=method)) for h in self._handlers)
            for handler in filter(None, found):
                if handler.stream_stream is not None:
                    if not hasattr(handler.stream_stream, "shape"):
                        raise RuntimeError(f"{method} takes a stream; mark it with kit.rpc.takes_items")
                elif handler.response_streaming and not inspect.isasyncgenfunction(handler.unary_stream):
                    raise RuntimeError(f"{method} streams; write it as an async generator")


def scopes_of(service: str) -> dict[str, str]:
    """Return method path → scope of a service; raise where a method of ours has none.

    Raise as well where it takes a stream and answers once: the interceptors guard calls and items.
    """
    scopes: dict[str, str] = {}
    for method in descriptor_pool.Default().FindServiceByName(service).methods:
        scope = method.GetOptions().Extensions[scope_pb2.scope]
        if not scope:
            raise RuntimeError(f"{service}.{method.name} declares no scope; add (langganan.options.v1.scope)")
        if method.client_streaming and not method.server_streaming:
            raise RuntimeError(f"{service}.{method.name} takes a stream; answer each item of it")
        scopes[f"/{service}/{method.name}"] = scope
    return scopes


@dataclass(frozen=True, slots=True)
class Built:
    """A server that is not started yet. `scopes` maps each method path of ours to the scope it needs."""

    server: grpc.aio.Server
    port: int
    services: Sequence[str]
    scopes: Mapping[str, str]
    health: Health
    streams: ItemsInterceptor

    async def say(self, serving: bool) -> None:
        """Say SERVING or NOT_SERVING for every service, and for the server as a whole."""
        await self.health.say(serving, self.services)

    async def stop(self, grace: float | None) -> None:
        """Take nothing new, answer within `grace` seconds what is under way, and end; None: end at once."""
        self.streams.drain()
        await self.server.stop(grace)


async def build_server(
    settings: ServiceSettings, servicers: Sequence[Servicer], health: Health | None = None
) -> Built:
    """Build the server of a service; a method of ours without a scope, or a taken port, stops here."""
    state = health or Health()
    names = _Names()
    for add, servicer in servicers:
        add(servicer, names)
    scopes = {method: scope for name in names.services for method, scope in scopes_of(name).items()}
    names.check_streams(scopes)
    verifier = Verifier(
        settings.jwks_files,
        settings.audience,
        cluster_issuer=settings.cluster_issuer,
        cluster_jwks_files=settings.cluster_jwks_files,
        service_scopes=settings.service_scopes,
    )
    lines = CallLog(settings.log_calls)
    rules, turns = Rules(), Turns(settings.merchant_at_once, settings.max_in_flight_merchant)
    streams = ItemsInterceptor(
        Guards(
            rules,
            # More than fill a batch, so that the next one gathers while one commits.
            Turns(settings.merchant_items_at_once, settings.merchant_items_at_once),
            # Beside the calls, not among them: streams wait for places, calls are refused without one.
            asyncio.Semaphore(settings.max_in_flight),
            settings.stream_items,
            settings.stream_write_s,
            lines,
        ),
        Limits(settings.max_streams_merchant, settings.max_streams, settings.stream_age_s),
    )
    # A stream that was opened just before its connection grew old still ends by itself.
    grace_s = settings.stream_age_s * 1.1 + settings.drain_s
    server = grpc.aio.server(
        interceptors=[
            CallsInterceptor(lines),
            ErrorsInterceptor(),
            MetricsInterceptor(),
            LimitsInterceptor(settings.max_in_flight),
            DeadlineInterceptor(),
            AuthInterceptor(verifier, scopes),
            MerchantsInterceptor(turns),
            ValidationInterceptor(rules),
            StreamsInterceptor(settings.stream_write_s),
            streams,
        ],
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            # gRPC itself spreads the age by ± 10 %.
            ("grpc.max_connection_age_ms", settings.max_connection_age_s * 1000),
            ("grpc.max_connection_age_grace_ms", int(grace_s * 1000)),
            # Clients are told to ping every 20 s; gRPC itself turns away who does so within 5 minutes.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ],
    )
    for add, servicer in servicers:
        add(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(state.servicer, server)
    reflection.enable_server_reflection([*names.services, SERVICE, reflection.SERVICE_NAME], server)
    port = _listen(server, settings)
    built = Built(server, port, names.services, scopes, state, streams)
    await built.say(serving=False)
    return built


def _listen(server: grpc.aio.Server, settings: ServiceSettings) -> int:
    """Take the port, with TLS where there is a certificate; returns its number."""
    address = f"{settings.grpc_host}:{settings.grpc_port}"
    cert, key = settings.grpc_tls_cert_file, settings.grpc_tls_key_file
    try:
        if cert is None or key is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, server_credentials(cert, key))
    except RuntimeError as error:
        raise OSError(
            f"port {settings.grpc_port} on {settings.grpc_host} is taken; choose another GRPC_PORT"
        ) from error
