-- The audit log: one row for each request, outcome, denial and event, in a partition for each month. Rows are only added.

-- A row's hash, by which a copy of the log can be compared with it (decision 0005).
-- canon_version 1: SHA-256 over the binary form of the row of these fields in this order, as PostgreSQL sends a record: the number of
-- fields, then for each its type's number, its length (-1: null) and its bytes, all numbers four bytes big-endian. So no two different rows
-- have the same form. Integers are bigint (type 20), times timestamptz (1184; microseconds since 2000-01-01 UTC), ids uuid (2950), the
-- transaction xid8 (5069); text is sent as bytea (17) in UTF-8, which no client encoding changes.
-- record_send is one C function; the same field by field in SQL costs as much as the rest of a call's row. No search_path of its own, as
-- weir.matches_glob, because every insert runs it.
create function weir.log_leaf(
  p_canon_version integer, p_epoch integer, p_xid xid8, p_organization_id uuid, p_created_at timestamptz, p_id uuid,
  p_phase text, p_kind text, p_decision text, p_recorded_at timestamptz, p_replica_id uuid, p_actor_kind text,
  p_user_id uuid, p_agent_id uuid, p_agent_name text, p_key_id text, p_instance_id uuid, p_instance_name text, p_item text,
  p_grant_id uuid, p_request_id text, p_attempt integer, p_reason text, p_detail text, p_outcome text, p_error_code text,
  p_duration_us bigint, p_request_bytes bigint, p_response_bytes bigint, p_request_hash bytea, p_response_hash bytea,
  p_request_copy text, p_response_copy text, p_occurrences integer) returns bytea
language plpgsql immutable parallel safe
as $$
begin
  -- A row that contradicts itself has no hash and so cannot be inserted. The rule is here and not in a table constraint, which every insert
  -- would parse and plan again.
  if not ((p_phase = 'denied') = (p_decision = 'denied')
          and (p_phase <> 'denied' or p_reason is not null)
          and (p_phase = 'completed') = (p_outcome is not null)
          and (p_actor_kind = 'system' or num_nonnulls(p_user_id, p_agent_id) > 0 or p_actor_kind = 'key' and p_key_id is not null)
          and p_attempt > 0 and p_occurrences > 0) then
    raise check_violation using message = 'the phase of a row of the audit log must fit its decision, reason, outcome and actor';
  end if;
  return pg_catalog.sha256(pg_catalog.record_send(row(
    p_canon_version::bigint, p_epoch::bigint, p_xid, p_organization_id, p_created_at, p_id,
    pg_catalog.convert_to(p_phase, 'UTF8'), pg_catalog.convert_to(p_kind, 'UTF8'), pg_catalog.convert_to(p_decision, 'UTF8'),
    p_recorded_at, p_replica_id, pg_catalog.convert_to(p_actor_kind, 'UTF8'), p_user_id, p_agent_id,
    pg_catalog.convert_to(p_agent_name, 'UTF8'), pg_catalog.convert_to(p_key_id, 'UTF8'), p_instance_id,
    pg_catalog.convert_to(p_instance_name, 'UTF8'), pg_catalog.convert_to(p_item, 'UTF8'), p_grant_id,
    pg_catalog.convert_to(p_request_id, 'UTF8'), p_attempt::bigint, pg_catalog.convert_to(p_reason, 'UTF8'),
    pg_catalog.convert_to(p_detail, 'UTF8'), pg_catalog.convert_to(p_outcome, 'UTF8'),
    pg_catalog.convert_to(p_error_code, 'UTF8'), p_duration_us, p_request_bytes, p_response_bytes, p_request_hash,
    p_response_hash, pg_catalog.convert_to(p_request_copy, 'UTF8'), pg_catalog.convert_to(p_response_copy, 'UTF8'),
    p_occurrences::bigint)));
end;
$$;

revoke all on function weir.log_leaf from public;
grant execute on function weir.log_leaf to weir_system;

-- The closed lists and the sizes are domains. Every insert parses and plans a check constraint of a table again, which costs a single
-- admission 0.15 ms; a domain's constraint is cached with its type.

-- `requested` and `completed` are the two rows of an admitted call; a denied call has the single row `denied`. An event outside of
-- admission (weir.record_event) is one row, `completed` or `denied`.
create domain weir.log_phase as text constraint phase_is_known check (value in ('requested', 'denied', 'completed'));
create domain weir.log_kind as text constraint kind_is_known check (value in ('context_request', 'tool_execution', 'resource_read',
  'prompt_get', 'lifecycle', 'grant', 'credential', 'oauth', 'chat', 'admin_read', 'error'));
create domain weir.log_decision as text constraint decision_is_known check (value in ('allowed', 'denied'));

-- `key` is a key of the organization; `system` is Weir itself.
create domain weir.log_actor as text constraint actor_is_known check (value in ('agent', 'user', 'key', 'system'));

-- The first check of admission that failed, or the class of a published function's error.
create domain weir.log_reason as text constraint reason_is_known check (value in (
  -- Reasons of admission, and of calls that were not decided.
  'unknown', 'key_unknown', 'key_expired', 'key_revoked', 'agent_inactive', 'agent_stopped',
  'organization_inactive', 'organization_stopped', 'platform_stopped', 'server_stopped', 'member_inactive',
  'user_forbidden', 'instance_unknown', 'no_grant', 'grant_expired', 'item_not_granted', 'definition_not_approved',
  'argument_rule', 'catalog_blocked', 'limit', 'unavailable', 'changing', 'undecided', 'error', 'invalid_request',
  -- Reasons of published functions: the names of the error classes.
  'invalid_argument', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'quota_exceeded', 'rate_limited', 'not_supported'));

-- How an admitted call ended: `ok`, the tool's own error, a protocol error, or a server that could not be reached.
create domain weir.log_outcome as text constraint outcome_is_known check (value in
  ('ok', 'tool_error', 'protocol_error', 'upstream_error', 'timeout', 'cancelled', 'failed'));

-- Sizes that limit what one call can add to the log. Longer texts are cut (weir.cut), so that no text of a client or server can make the
-- insert fail.
create domain weir.log_name as text constraint name_is_at_most_100_characters check (length(value) <= 100);
create domain weir.log_text as text constraint text_is_at_most_500_characters check (length(value) <= 500);
create domain weir.log_copy as text constraint copy_is_at_most_4_kib check (octet_length(value) <= 4096);
create domain weir.log_hash as bytea constraint hash_is_sha256 check (octet_length(value) = 32);
create domain weir.log_count as bigint constraint count_is_not_negative check (value >= 0);

-- Partitioned by month of created_at. For a call the replica makes created_at and id, so it can find the request's row by its key alone.
-- The outcome's row has the same two values, and so is in the same partition. The key prevents that a row is written twice.
create table public.mcp_interaction_logs (
  created_at timestamptz not null,
  id uuid not null,
  phase weir.log_phase not null,
  organization_id uuid not null,
  kind weir.log_kind not null,
  decision weir.log_decision not null,
  -- The database's clock, beside created_at, which is the replica's.
  recorded_at timestamptz not null default clock_timestamp(),
  -- The writing transaction. It orders rows for seals, together with the epoch, because transaction ids repeat after a restore.
  xid xid8 not null default pg_current_xact_id(),
  epoch integer not null,
  -- The version of the hashed form, so that a later form does not invalidate older rows.
  canon_version smallint not null default 1,
  -- Null for what the database records on its own.
  replica_id uuid,
  actor_kind weir.log_actor not null,
  -- The person, and the agent; both are set if a person acts through an agent. Copies without foreign keys, as all ids and names here,
  -- because what they refer to may be deleted.
  user_id uuid,
  agent_id uuid,
  agent_name weir.log_name,
  key_id text,
  instance_id uuid,
  instance_name weir.log_name,
  -- What was requested: a tool, a URI, a prompt, or the name of an act.
  item weir.log_copy,
  grant_id uuid,
  request_id weir.log_text,
  -- The attempt of one request, from 1.
  attempt integer not null default 1,
  reason weir.log_reason,
  detail weir.log_text,
  outcome weir.log_outcome,
  error_code weir.log_name,
  duration_us weir.log_count,
  request_bytes weir.log_count,
  response_bytes weir.log_count,
  -- Hashes of the whole bodies; the copies are redacted and cut.
  request_hash weir.log_hash,
  response_hash weir.log_hash,
  request_copy weir.log_copy,
  response_copy weir.log_copy,
  -- How many equal denials the row stands for (weir.close_denial_counts); else 1.
  occurrences integer not null default 1,
  -- Generated, so that the hash is always that of this row.
  leaf bytea not null generated always as (weir.log_leaf(
    canon_version::integer, epoch, xid, organization_id, created_at, id, phase, kind, decision, recorded_at, replica_id,
    actor_kind, user_id, agent_id, agent_name, key_id, instance_id, instance_name, item, grant_id, request_id, attempt, reason,
    detail, outcome, error_code, duration_us, request_bytes, response_bytes, request_hash, response_hash, request_copy,
    response_copy, occurrences)) stored,
  constraint mcp_interaction_logs_pkey primary key (created_at, id, phase)
) partition by range (created_at);
alter table public.mcp_interaction_logs enable row level security, force row level security;
revoke all on public.mcp_interaction_logs from public, anon, authenticated, service_role;
comment on table public.mcp_interaction_logs is
  'tenant: the audit log, append-only (no foreign keys: a row outlives what it names); read by read_audit only';
-- The only index besides the key (decision 0010). read_audit walks one organization's rows, newest first, and finds in the index alone
-- which of them match the requested agent, instance or user. An index for each of these would cost every call as much as writing its row.
create index mcp_interaction_logs_organization_idx
  on public.mcp_interaction_logs (organization_id, created_at, agent_id, instance_id, user_id);

-- weir_system inserts and reads; no role updates or deletes (log_is_append_only). API roles have no privilege: people read through
-- weir.read_audit only.
create policy log_is_written_by_the_engine on public.mcp_interaction_logs for insert to weir_system with check (true);
create policy log_is_read_by_the_engine on public.mcp_interaction_logs for select to weir_system using (true);
grant select, insert on public.mcp_interaction_logs to weir_system;

-- A trigger besides the missing privileges, so that it binds the owner of the table as well: no role changes or removes a row without first
-- removing the trigger, which `weir isolation check` reports.
create function weir.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'WR003',
    message = format('rows of %I.%I can only be added, not changed or deleted', tg_table_schema, tg_table_name);
end;
$$;

revoke all on function weir.refuse_change from public;

-- A row trigger of the parent is copied to each partition. A statement trigger is not, so each partition gets its own one against TRUNCATE.
create trigger log_is_append_only before update or delete on public.mcp_interaction_logs
  for each row execute function weir.refuse_change();
create trigger log_is_not_truncated before truncate on public.mcp_interaction_logs
  for each statement execute function weir.refuse_truncate();

-- Creates the partition of one month; false if it exists. It is created separately and then attached, because attaching does not block the
-- calls that run, and `create table ... partition of` would.
-- Not a security definer: only the table's owner may attach, so it is called by the migrator, or inside weir.ensure_log_partitions. Months
-- are those of UTC, whatever the session's time zone.
create function weir.make_log_partition(p_month timestamptz) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  v_month constant timestamptz := date_trunc('month', p_month);
  v_name constant text := 'mcp_interaction_logs_' || to_char(v_month, 'YYYY_MM');
begin
  -- One at a time: several replicas may create the same month.
  perform pg_advisory_xact_lock(hashtextextended('weir.ensure_log_partitions', 0));
  if to_regclass('weir.' || v_name) is not null then
    return false;
  end if;
  execute format('create table weir.%I (like public.mcp_interaction_logs
                  including defaults including generated including constraints)', v_name);
  -- A partition has its own policies and not its parent's. It has none for the roles that run, so it is reached through its parent only.
  execute format('alter table weir.%I enable row level security, force row level security', v_name);
  execute format('revoke all on weir.%I from public, anon, authenticated, service_role', v_name);
  execute format('comment on table weir.%I is %L', v_name, 'tenant: one month of mcp_interaction_logs, reached through it only');
  -- pg_dump reads partitions and not their parent. Without a policy here its dump would have no row of the audit log, and no error.
  execute format('create policy everything_is_read_by_the_backup on weir.%I for select to weir_backup using (true)', v_name);
  execute format('grant select on weir.%I to weir_backup', v_name);
  execute format('create trigger log_is_not_truncated before truncate on weir.%I
                  for each statement execute function weir.refuse_truncate()', v_name);
  execute format('alter table public.mcp_interaction_logs attach partition weir.%I for values from (%L) to (%L)',
                 v_name, v_month, v_month + interval '1 month');
  return true;
end;
$$;

-- Creates the partitions from last month, for calls that began just before the month ended, to twelve months ahead, so that the log can be
-- written for a year if nothing calls this. Returns how many were new. Called by the maintenance of any replica.
-- A security definer that belongs to the migrator and not to weir_system, because only a table's owner may attach a partition. It takes no
-- parameter and reads no row.
create function weir.ensure_log_partitions() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
begin
  return (select (count(*) filter (where weir.make_log_partition(m.month)))::integer
          from generate_series(date_trunc('month', now()) - interval '1 month',
                               date_trunc('month', now()) + interval '12 months', interval '1 month') m(month));
end;
$$;

revoke all on function weir.make_log_partition, weir.ensure_log_partitions from public;
grant execute on function weir.ensure_log_partitions to weir_engine;

-- The log must be writable from the first call on.
select weir.ensure_log_partitions();
