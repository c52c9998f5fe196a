-- name: versions
-- The versions of these merchants; few, and read by every batch, so that a new one counts at once.
select merchant_id, version from programs where merchant_id = any(:merchant_ids::text[]);

-- name: contents
-- The content of versions that this process has not seen yet.
select p.merchant_id, p.version, p.content::text as content
from programs as p
join unnest(:merchant_ids::text[], :versions::bigint[]) as wanted (merchant_id, version)
    on p.merchant_id = wanted.merchant_id and p.version = wanted.version;

-- name: by_request^
-- What a request_id set before.
select version, fingerprint from programs where merchant_id = :merchant_id and request_id = :request_id;

-- name: lock_head!
-- Lock the merchant's head row, made where it is missing: SetProgram is one at a time for a merchant.
insert into program_heads (merchant_id, version) values (:merchant_id, 0)
on conflict (merchant_id) do update set version = program_heads.version;

-- name: next_version$
-- The version after the newest; call with the head locked.
update program_heads set version = version + 1 where merchant_id = :merchant_id returning version;

-- name: insert_program!
-- Keep a new version.
insert into programs (merchant_id, version, request_id, fingerprint, effective_from, set_at, content)
values (
    :merchant_id, :version, :request_id, :fingerprint, :effective_from, :set_at, :content::text::jsonb
);

-- name: named_plugins
-- The plugins that programs in force, or to come, name. Wall time: it is asked before a roll.
with deciding as (
    select p.merchant_id, p.content
    from programs as p
    where p.effective_from >= (
        select coalesce(max(q.effective_from), '-infinity')
        from programs as q
        where q.merchant_id = p.merchant_id and q.effective_from <= now()
    )
),

named as (
    select d.merchant_id, 'earning' as kind, choice ->> 'plugin' as plugin
    from deciding as d, jsonb_array_elements(coalesce(d.content -> 'earning', '[]')) as choice
    union all
    select d.merchant_id, 'tier', d.content -> 'tierPlugin' ->> 'plugin'
    from deciding as d
    where d.content ? 'tierPlugin'
)

select kind, plugin, count(distinct merchant_id) as merchants, min(merchant_id) as example
from named
group by kind, plugin
order by kind, plugin;
