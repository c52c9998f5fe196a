"""PolicyService: decode, store, encode."""

from __future__ import annotations

from typing import Any

from credit.errors import PolicyNotFound
from credit.policies import codec, store
from credit.policies.store import Named, Policies
from kit import batch, db, ids, plugins
from kit.auth import caller
from kit.clock import Clock
from kit.rpc.times import instant
from langganan.credit.v1 import policies_pb2 as pb
from langganan.credit.v1 import policies_pb2_grpc as rpc


class PolicyService(rpc.PolicyServiceServicer):
    """Policies and the plugins that they may choose."""

    def __init__(self, pool: db.Pool, clock: Clock, policies: Policies) -> None:
        self._pool, self._clock, self._policies = pool, clock, policies

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Any) -> pb.GetPolicyResponse:
        """The policy in force, a version, or the newest."""
        merchant_id = caller().merchant_id
        async with self._pool.acquire(timeout=5) as conn:
            version = request.version
            if not version and request.newest:
                version = await store.newest(conn, merchant_id)
            elif not version:
                version = await store.in_force(conn, merchant_id, self._clock.now())
            if not version:
                return pb.GetPolicyResponse(policy=codec.DEFAULT_MESSAGE)
            name = Named(merchant_id, version)
            found = (await store.read(conn, [name])).get(name)
        if found is None:
            raise PolicyNotFound(version)
        return pb.GetPolicyResponse(policy=found)

    async def SetPolicy(self, request: pb.SetPolicyRequest, context: Any) -> pb.SetPolicyResponse:
        """Keep a new version."""
        policy = codec.normal(request.policy)
        if policy.HasField("effective_from"):
            instant(policy.effective_from, "policy.effective_from")
        codec.compiled(policy, self._policies.installed).require()
        wish = store.Wish(
            merchant_id=caller().merchant_id,
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            policy=policy,
            at=self._clock.now(),
        )
        return pb.SetPolicyResponse(policy=await batch.once(self._pool, store.keep, wish))

    async def ListPlugins(self, request: pb.ListPluginsRequest, context: Any) -> pb.ListPluginsResponse:
        """The installed plugins."""
        installed = self._policies.installed
        kinds = ((pb.PLUGIN_KIND_DUNNING, installed.dunning), (pb.PLUGIN_KIND_LIMITS, installed.limits))
        return pb.ListPluginsResponse(
            plugins=[
                pb.Plugin(kind=kind, **each._asdict())
                for kind, registry in kinds
                for each in plugins.described(registry)
            ]
        )
