-- Equal denials. An agent that repeats a denied call must not fill the audit log: the first few of a minute have rows of their own, and the
-- others are counted and share one row.

-- One row for the equal denials of one minute: same organization, actor, kind, reason and server. The item is left out, because an attacker
-- would invent a new name for each call. There are no foreign keys: checking one could wait for a transaction that changes the
-- organization, while this row is locked.
create table weir.denial_counts (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  -- The start of the minute, in UTC.
  minute timestamptz not null,
  kind weir.log_kind not null,
  reason weir.log_reason not null,
  actor_kind weir.log_actor not null,
  -- Who was denied, by actor_kind; null if the actor is of another kind.
  user_id uuid,
  agent_id uuid,
  key_id text,
  -- Null if the call named no server of the organization.
  instance_id uuid,
  -- All denials of the minute, and how many of the first ones have rows of their own. own_rows is fixed when the row is inserted: a change
  -- of the setting applies from the next minute on.
  occurrences integer not null,
  own_rows integer not null,
  last_at timestamptz not null,
  constraint denial_counts_pkey primary key (id),
  -- Nulls are equal here: a denial without a server repeats too.
  constraint denial_counts_one_for_equal_denials
    unique nulls not distinct (organization_id, minute, kind, reason, actor_kind, user_id, agent_id, key_id, instance_id),
  constraint denial_counts_are_counted check (occurrences > 0 and own_rows > 0)
);
alter table weir.denial_counts enable row level security, force row level security;
revoke all on weir.denial_counts from public, anon, authenticated, service_role;
comment on table weir.denial_counts is
  'tenant: equal denials of the current minute, which get one row of the audit log (no foreign keys: a count outlives what it names)';
-- For close_denial_counts, which looks for past minutes.
create index denial_counts_minute_idx on weir.denial_counts (minute);

-- Tenants never see this table. The engine counts denials of all organizations in one statement.
create policy denials_are_counted_by_the_engine on weir.denial_counts for all to weir_system using (true) with check (true);
grant select, insert, update (occurrences, last_at), delete on weir.denial_counts to weir_system;

-- One denial as count_denials takes it; ordinal is its index in the caller's batch.
create type weir.denial as (
  ordinal integer,
  organization_id uuid,
  kind text,
  reason text,
  actor_kind text,
  user_id uuid,
  agent_id uuid,
  key_id text,
  instance_id uuid
);
revoke all on type weir.denial from public;
grant usage on type weir.denial to weir_system;

-- Counts denials and returns the ordinals of those that get no row of their own. Counters are locked in one order, and after every other
-- lock of the transaction, so two batches never deadlock. Not a definer: its callers are, and run as weir_system.
create function weir.count_denials(p_denials weir.denial[]) returns integer[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_own_rows constant integer := coalesce(
    (select (s.value #>> '{}')::integer from weir.settings s where s.name = 'equal_denials'), 10);
  v_counted integer[];
begin
  -- place: the denial's number among its equals in this batch; calls: the number of equals.
  with asked as materialized (
    select d.*, row_number() over equal as place, count(*) over equal as calls
    from unnest(p_denials) d
    window equal as (partition by d.organization_id, d.kind, d.reason, d.actor_kind, d.user_id, d.agent_id, d.key_id, d.instance_id
                     order by d.ordinal rows between unbounded preceding and unbounded following)
  ), counters as (
    -- The order of the inserts is the order of the row locks.
    insert into weir.denial_counts as c (
      organization_id, minute, kind, reason, actor_kind, user_id, agent_id, key_id, instance_id, occurrences, own_rows, last_at)
    select a.organization_id, date_trunc('minute', v_now, 'UTC'), a.kind, a.reason, a.actor_kind, a.user_id, a.agent_id, a.key_id,
           a.instance_id, a.calls, v_own_rows, v_now
    from asked a where a.place = 1
    order by a.organization_id, a.kind, a.reason, a.actor_kind, a.user_id, a.agent_id, a.key_id, a.instance_id
    on conflict on constraint denial_counts_one_for_equal_denials do update
      set occurrences = c.occurrences + excluded.occurrences, last_at = excluded.last_at
    returning c.*
  )
  -- The first own_rows denials of the minute get rows. Nulls must match, as in the unique constraint.
  select coalesce(array_agg(a.ordinal), '{}') into v_counted
  from asked a
  join counters c on c.organization_id = a.organization_id and c.kind::text = a.kind and c.reason::text = a.reason
    and c.actor_kind::text = a.actor_kind and c.user_id is not distinct from a.user_id and c.agent_id is not distinct from a.agent_id
    and c.key_id is not distinct from a.key_id and c.instance_id is not distinct from a.instance_id
  where c.occurrences - a.calls + a.place > c.own_rows;
  return v_counted;
end;
$$;

-- The same for admission's decisions. A call without an organization (an unknown key) belongs to no audit log; record_security_events
-- counts it.
create function weir.count_denied_calls(p_calls weir.call_decision[], p_kinds text[]) returns integer[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return weir.count_denials(array(
    select row(c.ordinal, c.organization_id, p_kinds[c.ordinal], c.failures[1], case when c.user_id is null then 'agent' else 'user' end,
               c.user_id, c.agent_id, c.key_id, c.instance_id)::weir.denial
    from unnest(p_calls) c where c.organization_id is not null and c.failures <> '{}'));
end;
$$;

revoke all on function weir.count_denials, weir.count_denied_calls from public;
grant execute on function weir.count_denials, weir.count_denied_calls to weir_system;

set local role weir_system;

-- Moves at most p_limit counters of past minutes to the audit log and returns how many; the caller repeats while the answer equals p_limit.
-- Any replica may run it. A counter that is still locked is skipped; the next run takes it. A denial that arrives for a past minute starts
-- a new counter. So no denial is lost, and no transaction waits.
create function weir.close_denial_counts(p_limit integer) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_closed integer;
begin
  with due as (
    select d.id from weir.denial_counts d
    where d.minute < date_trunc('minute', clock_timestamp(), 'UTC')
    order by d.minute limit greatest(p_limit, 0)
    for update skip locked
  -- Deleting and recording are one statement: no crash can count a denial twice or lose it.
  ), closed as (
    delete from weir.denial_counts d using due where d.id = due.id returning d.*
  ), recorded as (
    insert into public.mcp_interaction_logs (
      created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, agent_id, agent_name, key_id, instance_id,
      instance_name, reason, detail, occurrences)
    select d.last_at, d.id, 'denied', d.organization_id, d.kind, 'denied', i.epoch, d.actor_kind, d.user_id, d.agent_id,
           (select a.name from public.agents a where a.id = d.agent_id and a.organization_id = d.organization_id), d.key_id, d.instance_id,
           (select s.instance_name from public.mcp_server_instances s where s.id = d.instance_id and s.organization_id = d.organization_id),
           d.reason, 'further equal denials in this minute', d.occurrences - d.own_rows
    from closed d cross join weir.installation i
    -- Otherwise every denial of the minute already has a row of its own.
    where d.occurrences > d.own_rows
  )
  select count(*)::integer into v_closed from closed;
  return v_closed;
end;
$$;
grant execute on function weir.close_denial_counts to weir_engine;

-- Records denials that admission did not decide: a malformed request of a known actor, a call on which admission raised or timed out, a
-- stream beyond a limit. Returns how many denials were recorded or counted. A caller whose key or agent is unknown has no organization and
-- gets no row; record_security_events counts it. Definer, and for the engine only, so that no client forges a denial.
create function weir.record_denials(
  p_replica_id uuid, p_ids uuid[], p_created_at timestamptz[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[],
  p_agent_ids uuid[], p_kinds text[], p_items text[], p_reasons text[], p_request_ids text[], p_request_bytes bigint[],
  p_request_hashes bytea[]) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_written integer;
  v_denials weir.denial[];
  v_counted integer[];
begin
  -- Admission records all other reasons itself.
  if not p_reasons <@ array['invalid_request', 'error', 'limit', 'undecided'] or array_position(p_reasons, null) is not null then
    raise exception using errcode = 'WR001', message = 'p_reasons: must be invalid_request, error, limit or undecided';
  end if;
  -- The same two identities as in admission: an agent by its valid key, or a person through an agent that they may use.
  v_denials := array(
    select row(c.ordinal, a.organization_id, c.kind, c.reason, case when c.user_id is null then 'agent' else 'user' end, c.user_id, a.id,
               k.key_id, null)::weir.denial
    from unnest(p_key_ids, p_secret_hashes, p_user_ids, p_agent_ids, p_kinds, p_reasons) with ordinality
         as c(key_id, secret_hash, user_id, agent_id, kind, reason, ordinal)
    left join lateral (select x.key_id, x.agent_id from public.agent_api_keys x
                       where x.key_id = c.key_id and x.secret_hash = c.secret_hash and x.revoked_at is null
                         and (x.expires_at is null or x.expires_at > clock_timestamp()) offset 0) k on true
    -- A person who does not belong to the organization, or no longer does, writes nothing into its audit log.
    join lateral (select x.id, x.organization_id from public.agents x
                  where x.is_active
                    and (x.id = k.agent_id
                         or (c.key_id is null and x.id = c.agent_id and weir.may_use_agent(c.user_id, x.id, x.user_id)
                             and exists (select from public.organization_members m
                                         where m.organization_id = x.organization_id and m.user_id = c.user_id and m.status = 'active')))
                  offset 0) a on true);
  v_counted := weir.count_denials(v_denials);
  -- A repeated batch changes no existing row.
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, replica_id, actor_kind, user_id, agent_id, agent_name, key_id,
    item, request_id, reason, request_bytes, request_hash)
  select p_created_at[d.ordinal], p_ids[d.ordinal], 'denied', d.organization_id, d.kind, 'denied', i.epoch, p_replica_id,
         d.actor_kind, d.user_id, d.agent_id, (select x.name from public.agents x where x.id = d.agent_id), d.key_id,
         weir.cut(p_items[d.ordinal], 4096), weir.cut(p_request_ids[d.ordinal], 256), d.reason, p_request_bytes[d.ordinal],
         p_request_hashes[d.ordinal]
  from unnest(v_denials) d cross join weir.installation i
  where d.ordinal <> all(v_counted)
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return v_written + cardinality(v_counted);
end;
$$;
grant execute on function weir.record_denials to weir_engine;

reset role;
