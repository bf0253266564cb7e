-- Admission: a batch of calls is decided and recorded in one statement.

-- A call of a name that its agent does not have, but its organization has: the decision about the item that the name means.
create type weir.known_denial as (place integer, item text, decision weir.call_decision);
revoke all on type weir.known_denial from public;
grant usage on type weir.known_denial to weir_system;

-- What a name that an agent does not have means in its organization: the server, and its own name of the item. p_item is a name as the
-- gateway makes it (ExposedNames.cs, ResourceUris.cs), or the server's own if the endpoint is that server's (p_instance_name). No row if
-- there is no such server, or it never announced such an item. A shortened name ends in a hash, for which at most 1,000 of the server's
-- items are tried.
create function weir.named_item(p_organization_id uuid, p_kind text, p_item text, p_instance_name text)
returns table (instance_id uuid, item text)
language plpgsql stable rows 1
as $$
declare
  v_name constant text := coalesce(p_instance_name, case when p_kind = 'resource_read' then split_part(split_part(p_item, '://', 2), '/', 1)
                                                         else split_part(p_item, '__', 1) end);
  v_id constant uuid := (select i.id from public.mcp_server_instances i
                         where i.organization_id = p_organization_id and i.instance_name = left(v_name, 100)
                           and i.status not in ('deleting', 'deleted'));
  v_pin constant text := case p_kind when 'tool_execution' then 'tool' when 'prompt_get' then 'prompt' end;
  v_own text := p_item;
begin
  if v_id is null or octet_length(p_item) > 4096 then
    return;
  elsif p_kind = 'resource_read' then
    -- weir://{instance}/{uri}; an address of a user interface keeps its scheme in front. Null for any other.
    if p_instance_name is null then
      v_own := case when p_item ~* '^ui://' then left(p_item, 5) when p_item ~ '^weir://' then '' end
               || substr(p_item, strpos(p_item, '://') + 4 + length(v_name));
    end if;
  elsif p_instance_name is null and p_item ~ '_[0-9a-f]{8}$' then
    v_own := (select t.name from (select x.name from public.mcp_server_tools x where x.instance_id = v_id and x.kind = v_pin limit 1000) t
              where left(encode(sha256(uuid_send(v_id) || '\x00' || convert_to(t.name, 'UTF8')), 'hex'), 8) = right(p_item, 8) limit 1);
  else
    v_own := case when p_instance_name is null then substr(p_item, length(v_name) + 3) else p_item end;
    v_own := (select t.name from public.mcp_server_tools t where t.instance_id = v_id and t.kind = v_pin and t.name = v_own limit 1);
  end if;
  if v_own is not null then
    return query select v_id, v_own;
  end if;
end;
$$;

-- The decisions about calls whose name was unknown to their agent only, so that the audit log has the server and the true reason. Their
-- callers still get the answer that the name is unknown: only reasons that callers get for every unknown name are used, and nothing becomes
-- allowed. p_calls is the answer of weir.decide, which has checked the key and the person. At most four shortened names of a batch are
-- looked up; the others stay unknown.
create function weir.known_denials(
  p_calls weir.call_decision[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[],
  p_items text[], p_instance_names text[], p_locked uuid[]) returns setof weir.known_denial
language plpgsql stable
as $$
declare
  v_places integer[];
  v_ordinals integer[];
  v_instance_ids uuid[];
  v_items text[];
begin
  select array_agg(c.n), array_agg(c.ordinal), array_agg(t.instance_id), array_agg(t.item)
  into v_places, v_ordinals, v_instance_ids, v_items
  from (
    select n, c.ordinal, c.organization_id, c.is_shortened, count(*) filter (where c.is_shortened) over (order by n) as shortened
    from generate_subscripts(p_calls, 1) n
    cross join lateral (select p_calls[n].ordinal as ordinal, p_calls[n].organization_id as organization_id,
                               p_instance_names[p_calls[n].ordinal] is null and p_items[p_calls[n].ordinal] ~ '_[0-9a-f]{8}$'
                                 as is_shortened) c
    where p_calls[n].failures[1] = 'unknown' and p_kinds[c.ordinal] in ('tool_execution', 'prompt_get', 'resource_read')) c
  cross join lateral weir.named_item(c.organization_id, p_kinds[c.ordinal], p_items[c.ordinal], p_instance_names[c.ordinal]) t
  -- Each of these costs a thousand hashes, and the batch has calls of other agents too.
  where not c.is_shortened or c.shortened <= 4;
  if v_places is null then
    return;
  end if;
  return query
  select v_places[d.ordinal], v_items[d.ordinal],
         row(v_ordinals[d.ordinal], d.failures, d.detail, d.organization_id, d.agent_id, d.agent_name, d.key_id, d.user_id, d.instance_id,
             d.instance_name, d.endpoint_url, d.node_id, d.share, d.grant_id, d.limits, d.resets)::weir.call_decision
  from unnest((weir.decide(
    array(select p_key_ids[o] from unnest(v_ordinals) with ordinality u(o, n) order by n),
    array(select p_secret_hashes[o] from unnest(v_ordinals) with ordinality u(o, n) order by n),
    array(select p_user_ids[o] from unnest(v_ordinals) with ordinality u(o, n) order by n),
    array(select p_agent_ids[o] from unnest(v_ordinals) with ordinality u(o, n) order by n),
    array(select p_kinds[o] from unnest(v_ordinals) with ordinality u(o, n) order by n),
    v_instance_ids, v_items, array_fill(null::text, array[cardinality(v_ordinals)]), p_locked)).calls) d
  where d.failures[1] in ('instance_unknown', 'no_grant', 'grant_expired', 'item_not_granted', 'definition_not_approved');
end;
$$;

revoke all on function weir.named_item, weir.known_denials from public;
grant execute on function weir.named_item, weir.known_denials to weir_system;

set local role weir_system;

-- Decides a batch of calls and records each call, in one transaction. Definer: it decides for all organizations, and no client may write
-- the audit log. Executed by weir_engine only. Input that a client can send never raises here. Input that only a faulty replica can send
-- raises and rolls back the whole batch; so does an id that is already recorded, which the audit log's primary key finds (looking for it
-- first would cost every call an index search).
--   1. Check the shape of the batch.
--   2. Try the shared locks, in a statement before the one that reads.
--   3. Read and decide. For names that the agent does not have, find out what they mean in its organization.
--   4. Apply the limits: open connections, which the replica counts, then calls, if a grant has a limit.
--   5. Record every call that has an organization, and return the decisions with the calls' ordinals.
-- p_organization_ids says which locks to take; it is cached at the replica and not authoritative. Null: it is looked up. A wrong id makes
-- its call `changing`, never allowed. p_at_limit says which calls found their organization's max_concurrent_connections open at this
-- replica (decision 0007); null: none. It can only deny, and only a call that all other checks allow, so a caller who is denied anyway
-- learns nothing about the load. p_instance_names: for a call without an instance, the server of the endpoint that it came to; null: the
-- endpoint serves all servers.
create function weir.admit(
  p_replica_id uuid, p_ids uuid[], p_created_at timestamptz[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[],
  p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_request_ids text[],
  p_attempts integer[], p_request_bytes bigint[], p_request_hashes bytea[], p_request_copies text[], p_organization_ids uuid[],
  p_at_limit boolean[] default null, p_instance_names text[] default null)
returns weir.call_decision[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid;
  v_asked uuid[] := p_organization_ids;
  v_locked uuid[] := '{}'::uuid[];
  v_decisions weir.decisions;
  v_calls weir.call_decision[];
  v_over jsonb;
  v_call weir.call_decision;
  v_known weir.known_denial;
  v_counted integer[] := '{}'::integer[];
  v_time timestamptz;
  v_now constant timestamptz := clock_timestamp();
begin
  -- 1. The shape, by expressions: a query would cost a lone call as much as all of these together.
  if p_replica_id is null or array_position(p_ids, null) is not null or array_position(p_created_at, null) is not null
     or array_position(p_attempts, null) is not null
     or not coalesce(cardinality(p_ids) = all(array[cardinality(p_created_at), cardinality(p_key_ids), cardinality(p_secret_hashes),
          cardinality(p_user_ids), cardinality(p_agent_ids), cardinality(p_kinds), cardinality(p_instance_ids), cardinality(p_items),
          cardinality(p_arguments), cardinality(p_request_ids), cardinality(p_attempts), cardinality(p_request_bytes),
          cardinality(p_request_hashes), cardinality(p_request_copies), cardinality(p_organization_ids),
          coalesce(cardinality(p_at_limit), cardinality(p_ids)), coalesce(cardinality(p_instance_names), cardinality(p_ids))]), false) then
    raise exception using errcode = 'WR001', message = 'arrays must have one element for each call, and ids, times and attempts no null';
  elsif not p_kinds <@ array['tool_execution', 'resource_read', 'prompt_get', 'context_request']
        or array_position(p_kinds, null) is not null then
    raise exception using errcode = 'WR001', message = 'p_kinds: a kind is not known';
  elsif current_setting('transaction_isolation') <> 'read committed' then
    -- Under one snapshot for the whole transaction the locks would prove nothing.
    raise exception using errcode = 'WR001', message = 'admission needs the isolation level read committed';
  end if;
  -- These times are the replica's clock. Partitions are chosen by them, and roll_up_usage waits for clocks that are five minutes late.
  foreach v_time in array p_created_at loop
    if v_time not between v_now - interval '5 minutes' and v_now + interval '5 minutes' then
      raise exception using errcode = 'WR001', message = 'p_created_at: a time is more than five minutes from the database''s clock';
    end if;
  end loop;

  -- 2. The locks. A key or an agent never moves to another organization, so looking it up before the lock is safe. The locks need
  --    no order: a try never waits, so it cannot deadlock.
  if array_position(v_asked, null) is not null then
    v_asked := array(
      select distinct coalesce(c.organization_id, k.organization_id, a.organization_id)
      from unnest(p_organization_ids, p_key_ids, p_agent_ids) c(organization_id, key_id, agent_id)
      left join lateral (select x.organization_id from public.agent_api_keys x where x.key_id = c.key_id offset 0) k on true
      left join lateral (select x.organization_id from public.agents x
                         where x.id = case when c.key_id is null then c.agent_id end offset 0) a on true);
  end if;
  foreach v_organization_id in array v_asked loop
    if not v_organization_id = any(v_locked) and pg_try_advisory_xact_lock_shared(weir.lock_key(v_organization_id)) then
      v_locked := v_locked || v_organization_id;
    end if;
  end loop;
  -- Every organization's decisions depend on the catalog. Without the platform's lock every call is `changing`.
  if not pg_try_advisory_xact_lock_shared(weir.lock_key(weir.platform_id())) then
    v_locked := '{}';
  end if;

  -- 3. The decisions. This statement takes its snapshot after the locks, so it sees every committed revoke.
  v_decisions := weir.decide(
    p_key_ids, p_secret_hashes, p_user_ids, p_agent_ids, p_kinds, p_instance_ids, p_items, p_arguments, v_locked);
  v_calls := v_decisions.calls;
  if array_position(p_instance_ids, null) is not null then
    for v_known in select * from weir.known_denials(v_calls, p_key_ids, p_secret_hashes, p_user_ids, p_agent_ids, p_kinds, p_items,
                                                    p_instance_names, v_locked) loop
      v_calls[v_known.place] := v_known.decision;
      p_items[(v_known.decision).ordinal] := v_known.item;
    end loop;
  end if;

  -- 4. The limits.
  if p_at_limit is not null then
    for n in 1 .. cardinality(v_calls) loop
      -- A call that is refused for its size comes without its arguments, so the missing arguments may be the only reason that it fails the
      -- argument rule.
      if p_at_limit[v_calls[n].ordinal] and v_calls[n].failures <@ '{argument_rule}' then
        v_calls[n].failures := array['limit'];
        v_calls[n].detail := 'connections';
        v_calls[n].endpoint_url := null;
      end if;
    end loop;
  end if;
  -- Limits of calls. Most batches have none and skip this statement.
  if v_decisions.limited then
    v_over := weir.over_limit(v_calls);
    if v_over is not null then
      for n in 1 .. cardinality(v_calls) loop
        if v_over ? v_calls[n].ordinal::text then
          v_calls[n].failures := array['limit'];
          -- Seconds to wait, for the refusal that the caller gets.
          v_calls[n].detail := v_over ->> v_calls[n].ordinal::text;
          v_calls[n].endpoint_url := null;
        end if;
      end loop;
    end if;
  end if;

  -- 5. The audit log. Most batches deny nothing and skip the counting. Repeated denials that are only counted get no row.
  foreach v_call in array v_calls loop
    if v_call.failures <> '{}' and v_call.organization_id is not null then
      v_counted := weir.count_denied_calls(v_calls, p_kinds);
      exit;
    end if;
  end loop;
  -- Names are copied: the row must be readable after its agent or server is deleted.
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, replica_id, actor_kind, user_id, agent_id, agent_name, key_id,
    instance_id, instance_name, item, grant_id, request_id, attempt, reason, detail, request_bytes, request_hash, request_copy)
  select p_created_at[c.ordinal], p_ids[c.ordinal], case when c.failures = '{}' then 'requested' else 'denied' end,
         c.organization_id, p_kinds[c.ordinal], case when c.failures = '{}' then 'allowed' else 'denied' end,
         (select i.epoch from weir.installation i), p_replica_id,
         case when c.user_id is null then 'agent' else 'user' end, c.user_id, c.agent_id, c.agent_name, c.key_id,
         c.instance_id, c.instance_name, weir.cut(p_items[c.ordinal], 4096), c.grant_id, weir.cut(p_request_ids[c.ordinal], 256),
         p_attempts[c.ordinal], c.failures[1], c.detail, p_request_bytes[c.ordinal], p_request_hashes[c.ordinal],
         weir.cut(p_request_copies[c.ordinal], 4096)
  from unnest(v_calls) c
  where c.organization_id is not null and c.ordinal <> all(v_counted);

  return v_calls;
end;
$$;
grant execute on function weir.admit to weir_engine;

reset role;

-- Counts the calls of grants with limits, and returns those that are over a limit as {ordinal: seconds to wait}, or null. Counters are
-- locked in key order, so two batches never deadlock. Windows follow the clock (UTC); the clock is read when all locks are held, so a batch
-- that waited counts in the current window. It is one statement, because starting a statement costs a lone call more than the counting
-- does.
create function weir.over_limit(p_calls weir.call_decision[]) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_over jsonb;
begin
  -- Allowed calls with limits, by grant. A denied call uses up nothing.
  with asked as materialized (
    select c.grant_id, (array_agg(c.limits))[1] as limits, array_agg(c.ordinal order by c.ordinal) as ordinals, count(*) as calls
    from unnest(p_calls) c where c.failures = '{}' and c.limits <> '{}' group by c.grant_id
  -- The rows exist: make_counters writes them with the grant. Here they are only locked.
  ), counters as materialized (
    select a.grant_id, u.period, u.window_start, u.used, a.limits, a.calls
    from asked a
    join weir.grant_usage u on u.grant_id = a.grant_id and a.limits ? u.period
    order by u.grant_id, u.period
    for update of u
  -- room: the remaining calls of the grant in this window. A counter of an earlier window counts as zero.
  ), windows as materialized (
    select c.*, now.starts[w.n] as start, w.length,
           (c.limits ->> c.period)::bigint - case when c.window_start >= now.starts[w.n] then c.used else 0 end as room
    from (select array[date_trunc('minute', max(clock_timestamp()), 'UTC'), date_trunc('hour', max(clock_timestamp()), 'UTC'),
                       date_trunc('day', max(clock_timestamp()), 'UTC')] as starts from counters offset 0) now,
         counters c
    join (values ('per_minute', 1, interval '1 minute'), ('per_hour', 2, interval '1 hour'), ('per_day', 3, interval '1 day'))
      as w(period, n, length) on w.period = c.period
  ), fits as materialized (
    -- Of each grant's calls the first ones that fit into every window are allowed. If a counter is missing, none is.
    select w.grant_id, case when w.limits - array_agg(w.period) = '{}' then least(greatest(min(w.room), 0), w.calls) else 0 end as calls,
           max(w.start + w.length) filter (where w.room < w.calls) as ends
    from windows w group by w.grant_id, w.limits, w.calls
  -- Calls that do not fit are not counted: retrying does not prolong the wait. window_start never decreases, so a clock that was set back
  -- starts no new window.
  ), counted as (
    update weir.grant_usage u
    set used = case when u.window_start >= w.start then u.used else 0 end + f.calls, window_start = greatest(u.window_start, w.start)
    from windows w join fits f on f.grant_id = w.grant_id
    where u.grant_id = w.grant_id and u.period = w.period
  )
  -- The wait lasts until the last full window ends, and at least one second.
  select jsonb_object_agg(o.ordinal, greatest(ceil(extract(epoch from f.ends - clock_timestamp())), 1)::integer) into v_over
  from asked a
  left join fits f on f.grant_id = a.grant_id
  cross join lateral unnest(a.ordinals[coalesce(f.calls, 0) + 1 :]) o(ordinal);
  return v_over;
end;
$$;

revoke all on function weir.over_limit from public;
grant execute on function weir.over_limit to weir_system;
