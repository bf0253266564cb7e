-- Rows of the audit log that follow a decision or need none: outcomes, denials that admission did not decide, failures of unknown
-- callers, and events outside of admission. All of it is for the engine.

-- Records the outcomes of admitted calls: a second row for each, found by the key of the first. A call that was not admitted gets
-- no outcome, and none gets two. Definer: nobody else may write the audit log. The client does not wait for this statement, nor
-- does the statement wait for the disk: a crash of PostgreSQL may lose the last outcomes, and such a call then shows as one
-- without an outcome.
-- force_custom_plan (decision 0061): one session sees a partition grow from nothing to millions of rows. A plan that was kept
-- from the time when both of its indexes were empty may use the one that does not find a row by its key.
create function weir.complete(
  p_replica_id uuid, p_ids uuid[], p_created_at timestamptz[], p_outcomes text[], p_error_codes text[], p_durations_us bigint[],
  p_response_bytes bigint[], p_response_hashes bytea[], p_response_copies text[]) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
as $$
declare
  v_written integer;
  v_epoch integer;
  -- The first and the last time of the batch: partitions of other months are not even opened.
  v_from timestamptz := p_created_at[1];
  v_to timestamptz := p_created_at[1];
  v_time timestamptz;
begin
  perform set_config('synchronous_commit', 'off', true);
  foreach v_time in array p_created_at loop
    v_from := least(v_from, v_time);
    v_to := greatest(v_to, v_time);
  end loop;
  select i.epoch into v_epoch from weir.installation i;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, replica_id, actor_kind, user_id, agent_id, agent_name, key_id,
    instance_id, instance_name, item, grant_id, request_id, attempt, outcome, error_code, duration_us, response_bytes,
    response_hash, response_copy)
  -- Actor, agent, server and item are copied from the request's row; the replica only reports the outcome.
  select r.created_at, r.id, 'completed', r.organization_id, r.kind, r.decision, v_epoch, p_replica_id, r.actor_kind, r.user_id,
         r.agent_id, r.agent_name, r.key_id, r.instance_id, r.instance_name, r.item, r.grant_id, r.request_id, r.attempt,
         c.outcome, weir.cut(c.error_code, 100), c.duration_us, c.response_bytes, c.response_hash, weir.cut(c.response_copy, 4096)
  from unnest(p_ids, p_created_at, p_outcomes, p_error_codes, p_durations_us, p_response_bytes, p_response_hashes, p_response_copies)
       as c(id, created_at, outcome, error_code, duration_us, response_bytes, response_hash, response_copy)
  -- One index lookup for each outcome; `offset 0` keeps it from becoming a join over the whole partition.
  join lateral (select l.* from public.mcp_interaction_logs l
                where l.created_at = c.created_at and l.id = c.id and l.phase = 'requested'
                  and l.created_at between v_from and v_to offset 0) r on true
  -- A replica sends a batch again if its commit's answer was lost.
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return v_written;
end;
$$;
revoke all on function weir.complete from public;
grant execute on function weir.complete to weir_engine;

-- Records what admission did not decide: a malformed request of a known actor, a call on which admission raised or timed out, a
-- stream beyond a limit. Returns how many denials were recorded or counted. A caller whose key or agent is unknown has no
-- organization and gets no row; record_security_events counts it. Definer, and for the engine only, so that nobody forges a
-- denial.
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
  -- The other reasons are admission's, which records them itself.
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
    -- Somebody who does not belong to the organization (any more) writes nothing into its audit log.
    join lateral (select x.id, x.organization_id from public.agents x
                  where x.is_active
                    and (x.id = k.agent_id
                         or (c.key_id is null and x.id = c.agent_id and weir.may_use_agent(c.user_id, x.id, x.owner_id)
                             and exists (select from public.organization_members m
                                         where m.organization_id = x.organization_id and m.user_id = c.user_id and m.status = 'active')))
                  offset 0) a on true);
  v_counted := weir.count_denials(v_denials);
  -- A repeated batch changes nothing in the rows that are there.
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
revoke all on function weir.record_denials from public;
grant execute on function weir.record_denials to weir_engine;

-- Counts failures of callers without a known organization. A minute has at most 100 different rows; beyond that, all failures of
-- one reason share a row. Anybody can cause these failures, from any number of addresses, so IPv6 addresses are kept as their /64
-- network, and key ids by their first eight characters. Definer: the engine has no rights on the table.
create function weir.record_security_events(p_reasons text[], p_key_prefixes text[], p_addresses inet[], p_counts integer[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_minute constant timestamptz := date_trunc('minute', clock_timestamp());
  -- How many new rows this minute may still get. Two replicas at once can exceed this by one batch each.
  v_free constant bigint := 100 - (select count(*) from (
    select from weir.security_events s where s.minute = v_minute limit 100) t);
begin
  insert into weir.security_events as s (minute, reason, key_prefix, address, occurrences)
  -- Rows that are there may always grow. Of new ones the most frequent take the free places; the others fall into their reason's
  -- row.
  select v_minute, k.reason, k.key_prefix, k.address, sum(k.occurrences)
  from (
    select c.reason, c.occurrences, case when f.fits then c.key_prefix else '' end as key_prefix,
           case when f.fits then c.address else '0.0.0.0' end as address
    from (
      select c.*, row_number() over (partition by c.is_there order by c.occurrences desc, c.reason, c.key_prefix, c.address) as place
      from (
        select t.*, exists (select from weir.security_events s
                            where s.minute = v_minute and s.reason = t.reason and s.key_prefix = t.key_prefix
                              and s.address = t.address) as is_there
        from (
          select left(e.reason, 64) as reason, left(coalesce(e.key_prefix, ''), 8) as key_prefix,
                 coalesce(case family(e.address) when 6 then network(set_masklen(e.address, 64))::inet else e.address end,
                          '0.0.0.0') as address,
                 sum(greatest(e.count, 1)) as occurrences
          from unnest(p_reasons, p_key_prefixes, p_addresses, p_counts) e(reason, key_prefix, address, count)
          where e.reason <> ''
          group by 1, 2, 3) t) c) c
    cross join lateral (select c.is_there or c.place <= v_free as fits) f) k
  group by k.reason, k.key_prefix, k.address
  -- In the order of the key, so that two replicas never deadlock.
  order by 2, 3, 4
  on conflict on constraint security_events_pkey do update set occurrences = s.occurrences + excluded.occurrences;
end;
$$;
revoke all on function weir.record_security_events from public;
grant execute on function weir.record_security_events to weir_engine;

-- Records what happens outside of admission: one row, or only a count where a denial repeats. Definer, for weir_writer's
-- functions; no client may call it. The actor is the token's, or the organization's key that the engine has verified (p_key_id;
-- then there is no token); it is no parameter, so nobody acts in another's name. Names are copied from the rows of that
-- organization that the ids mean; an id of another organization is recorded without a name. p_reason null: allowed.
create function weir.record_event(
  p_kind text, p_organization_id uuid, p_reason text default null, p_agent_id uuid default null, p_instance_id uuid default null,
  p_item text default null, p_detail text default null, p_grant_id uuid default null, p_outcome text default 'ok',
  p_key_id text default null) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor constant uuid := weir.actor_id();
  v_actor_kind constant text := case when p_key_id is not null then 'key' when v_actor is null then 'system' else 'user' end;
begin
  -- A denial is counted first; without a row of its own it ends here.
  if p_reason is not null and cardinality(weir.count_denials(array[row(
       1, p_organization_id, p_kind, p_reason, v_actor_kind, v_actor,
       -- Only ids of this organization count, so that invented ids cannot defeat the grouping of denials.
       (select a.id from public.agents a where a.id = p_agent_id and a.organization_id = p_organization_id), p_key_id,
       (select s.id from public.mcp_server_instances s
        where s.id = p_instance_id and s.organization_id = p_organization_id))::weir.denial])) > 0 then
    return;
  end if;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, key_id, agent_id, agent_name, instance_id,
    instance_name, item, grant_id, reason, detail, outcome)
  select clock_timestamp(), weir.uuid_v7(), case when p_reason is null then 'completed' else 'denied' end, p_organization_id, p_kind,
         case when p_reason is null then 'allowed' else 'denied' end, i.epoch,
         v_actor_kind, v_actor, p_key_id, p_agent_id,
         (select a.name from public.agents a where a.id = p_agent_id and a.organization_id = p_organization_id), p_instance_id,
         (select s.name from public.mcp_server_instances s where s.id = p_instance_id and s.organization_id = p_organization_id),
         weir.cut(p_item, 4096), p_grant_id, p_reason, weir.cut(p_detail, 500), case when p_reason is null then p_outcome end
  from weir.installation i;
end;
$$;
revoke all on function weir.record_event from public;
grant execute on function weir.record_event to weir_writer;

-- Writes the engine's own events (lifecycle, chat, errors): [{kind, organization_id, ...}]. An organization that does not exist
-- gets no row. Returns {written}; malformed input is answered with {"error": "WR001"}. An id that is recorded already changes
-- nothing, so a batch may be sent again. Definer, for the engine only.
create function weir.audit_mcp_interactions(p_interactions jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_written integer;
begin
  if jsonb_typeof(p_interactions) is distinct from 'array' then
    return weir.error('WR001', 'interactions: must be an array of objects');
  elsif weir.bounds_error(p_interactions, 4194304) is not null then
    return weir.error('WR001', 'interactions: ' || weir.bounds_error(p_interactions, 4194304));
  end if;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, agent_id, agent_name, instance_id,
    instance_name, item, request_id, reason, detail, outcome, error_code, duration_us)
  select coalesce(e.created_at, clock_timestamp()), coalesce(e.id, weir.uuid_v7()),
         case when e.reason is null then 'completed' else 'denied' end, o.id, e.kind,
         case when e.reason is null then 'allowed' else 'denied' end, i.epoch,
         case when e.user_id is not null then 'user' when e.agent_id is not null then 'agent' else 'system' end,
         -- Names are copied where the id is one of the organization's; a foreign id gets no name.
         e.user_id, e.agent_id, (select a.name from public.agents a where a.id = e.agent_id and a.organization_id = o.id),
         e.instance_id, (select s.name from public.mcp_server_instances s where s.id = e.instance_id and s.organization_id = o.id),
         weir.cut(e.item, 4096), weir.cut(e.request_id, 256), e.reason, weir.cut(e.detail, 500),
         case when e.reason is null then coalesce(e.outcome, 'ok') end, weir.cut(e.error_code, 100), e.duration_us
  from jsonb_to_recordset(p_interactions) as e(
         id uuid, created_at timestamptz, kind text, organization_id uuid, user_id uuid, agent_id uuid, instance_id uuid, item text,
         request_id text, reason text, detail text, outcome text, error_code text, duration_us bigint)
  join public.organizations o on o.id = e.organization_id
  cross join weir.installation i
  -- Admission and the published functions record the decided kinds. Here they would be forgeries.
  where e.kind in ('lifecycle', 'credential', 'oauth', 'chat', 'error')
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return jsonb_build_object('written', v_written);
end;
$$;
revoke all on function weir.audit_mcp_interactions(jsonb) from public;
grant execute on function weir.audit_mcp_interactions(jsonb) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.complete owner to weir_system;
alter function weir.record_denials owner to weir_system;
alter function weir.record_security_events owner to weir_system;
alter function weir.record_event owner to weir_system;
alter function weir.audit_mcp_interactions(jsonb) owner to weir_system;
revoke create on schema weir from weir_system;

-- The published name, as the requirement has it. Nobody but the engine may execute it, so that nobody forges a row of the audit
-- log.
create function public.audit_mcp_interactions(interactions jsonb) returns jsonb
language sql volatile
begin atomic
  select weir.audit_mcp_interactions($1);
end;
revoke all on function public.audit_mcp_interactions(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.audit_mcp_interactions(jsonb) to weir_engine;
