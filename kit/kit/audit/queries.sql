-- name: note_audit!
-- Keep the last run of an audit, and when it last found nothing.
insert into audits (name, started_at, finished_at, looked_at, differences, passed_at)
values (
    :name, :started_at, :finished_at, :looked_at, :differences::bigint,
    case when :differences::bigint = 0 then :finished_at::timestamptz end
)
on conflict (name) do update
set
    started_at = excluded.started_at,
    finished_at = excluded.finished_at,
    looked_at = excluded.looked_at,
    differences = excluded.differences,
    passed_at = coalesce(excluded.passed_at, audits.passed_at);

-- name: audits
-- What the audits came to.
select name, finished_at, differences, passed_at from audits;
