-- What nodes report about their instances, and how the database and a node are reconciled after one of them was away.

-- Applies what was reported of one instance, as a transition of its state machine. Returns whether anything changed. A report of an older
-- generation, or of a transition that is not allowed, changes nothing. `stopped` is accepted only for an instance that is being stopped;
-- for any other it means that the server was lost. Locks: the organization's, then the row, as in every function, so that two of them never
-- deadlock.
-- p_until: how long to wait for the organization's lock; null: without a limit. Without the lock nothing is applied, and the next heartbeat
-- or sweep reports the same again.
create function weir.apply_report(
  p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text, p_until timestamptz default null) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_instance public.mcp_server_instances;
  v_status text;
  v_code text := weir.failure_code(p_error_code);
  v_error text := weir.cut(p_error, 2000);
begin
  -- Every heartbeat calls this, and most report nothing new. Then nothing is locked.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id;
  if not found or v_instance.generation is distinct from p_generation
     or (p_state = v_instance.status and v_code is not distinct from v_instance.last_error_code) then
    return false;
  end if;
  -- A heartbeat covers many organizations in one transaction, so one that keeps its lock busy must not delay the others.
  if p_until is null then
    perform weir.lock_organization(v_instance.organization_id);
    select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update;
  elsif weir.try_lock_organization(v_instance.organization_id, p_until) then
    select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update skip locked;
  else
    return false;
  end if;
  -- Checked again under the lock. Unknown states are ignored.
  if not found or v_instance.generation is distinct from p_generation
     or p_state is null or p_state not in ('starting', 'running', 'degraded', 'stopped', 'failed') then
    return false;
  end if;
  v_status := case
    -- While it is being stopped, only the report `stopped` counts.
    when v_instance.status = 'stopping' then case when p_state = 'stopped' then 'stopped' end
    when p_state = 'starting' then null
    when p_state = 'stopped' then case when v_instance.status in ('running', 'degraded') then 'degraded' end
    else p_state
  end;
  if v_status is null then
    return false;
  elsif v_status = 'failed' then
    v_code := coalesce(v_code, 'failed');
  elsif v_status = 'degraded' then
    v_code := coalesce(v_code, case p_state when 'stopped' then 'not_running' else 'degraded' end);
  end if;
  -- The state machine (weir.instance_moves) has the final decision.
  if v_status = v_instance.status and v_instance.last_error_code is not distinct from v_code then
    return false;
  elsif v_status <> v_instance.status and not exists (
      select from weir.instance_moves m where m.from_status = v_instance.status and m.to_status = v_status) then
    return false;
  end if;
  v_error := coalesce(v_error, weir.failure_sentence(v_code));
  update public.mcp_server_instances i
  set status = v_status,
      last_error_code = case when v_status in ('running', 'stopped') then null else v_code end,
      last_error = case when v_status in ('running', 'stopped') then null else v_error end,
      -- A stopped instance has no node: it may start on another one.
      node_id = case when v_status = 'stopped' then null else i.node_id end,
      -- A server that runs again may announce other lists.
      refresh_at = case when v_status = 'running' and v_instance.status <> 'running' then clock_timestamp() else i.refresh_at end,
      first_running_at = coalesce(i.first_running_at, case when v_status = 'running' then clock_timestamp() end)
  where i.id = p_instance_id;
  -- Only transitions are recorded, not every repeated error.
  if v_status <> v_instance.status then
    perform weir.record_event('lifecycle', v_instance.organization_id, p_instance_id => p_instance_id, p_item => v_status,
                              p_detail => nullif(weir.failure_detail(v_code, v_error), ''),
                              p_outcome => case v_status when 'failed' then 'failed' else 'ok' end);
  end if;
  return true;
end;
$$;

-- Stores the progress of an instance that is deployed or updated, and the error of its last attempt while it is repeated. It is for people
-- and no decision depends on it, so it waits for no lock: if the row is locked, the next report stores it. Returns whether anything
-- changed.
create function weir.note_start(p_instance_id uuid, p_generation bigint, p_phase text, p_error_code text, p_error text) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_code constant text := weir.failure_code(p_error_code);
begin
  if v_code is null and (p_phase is null or p_phase not in ('installing', 'starting', 'handshake', 'listing')) then
    return false;
  end if;
  perform from public.mcp_server_instances i
  where i.id = p_instance_id and i.generation = p_generation and i.status in ('deploying', 'updating')
    and (coalesce(p_phase, i.phase) is distinct from i.phase or coalesce(v_code, i.last_error_code) is distinct from i.last_error_code)
  for no key update skip locked;
  if not found then
    return false;
  end if;
  update public.mcp_server_instances i
  set phase = coalesce(p_phase, i.phase),
      phase_since = case when coalesce(p_phase, i.phase) is distinct from i.phase then clock_timestamp() else i.phase_since end,
      last_error_code = coalesce(v_code, i.last_error_code),
      last_error = case when v_code is not null then coalesce(weir.cut(p_error, 2000), weir.failure_sentence(v_code)) else i.last_error end
  where i.id = p_instance_id;
  return true;
end;
$$;

-- Requests the desired state of an instance again, in a generation that its node has not seen. This is needed if the node is ahead of this
-- database or has lost the instance, because the database or the node's disk was restored. Pending operations of the earlier generation are
-- superseded. Locks: the organization's, then the row.
-- It acts once a minute for each instance, so that a confused or malicious node cannot fill the audit log. A node that is ahead by more
-- than a million is refused, because it could use up all generations; that is the instance's last error until the node reports something
-- else.
-- p_generation: the database's when the difference was found; p_known: the node's.
create function weir.reassert_instance(p_instance_id uuid, p_generation bigint, p_known bigint, p_until timestamptz) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_instance public.mcp_server_instances;
  v_status text;
  v_is_too_far constant boolean := p_known - p_generation > 1000000;
begin
  -- All checks that need no lock come first; the lock is tried last.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id;
  if not found or p_known < p_generation or v_instance.reasserted_at > clock_timestamp() - interval '1 minute'
     or v_is_too_far and v_instance.last_error_code is not distinct from 'generation_refused'
     or not weir.try_lock_organization(v_instance.organization_id, p_until) then
    return false;
  end if;
  -- Checked again under the lock: another state may have been requested meanwhile.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update skip locked;
  if not found or v_instance.node_id is null or v_instance.generation <> p_generation
     or v_instance.status not in ('deploying', 'running', 'degraded', 'updating', 'failed', 'stopping', 'deleting') then
    return false;
  -- The error is shown; the node is not called.
  elsif v_is_too_far then
    update public.mcp_server_instances i
    set status = case i.status when 'running' then 'degraded' else i.status end, last_error_code = 'generation_refused',
        last_error = format('Its node reports generation %s, and the database has %s. A difference of more than 1000000 is refused: '
                            'delete the instance at the node.', p_known, p_generation)
    where i.id = p_instance_id;
    if v_instance.status = 'running' then
      perform weir.record_event('lifecycle', v_instance.organization_id, p_instance_id => p_instance_id, p_item => 'degraded',
                                p_detail => weir.failure_detail('generation_refused', weir.failure_sentence('generation_refused')));
    end if;
    return false;
  end if;
  -- A server that is switched off is stopped; one that ran is updated; an operation that has begun is requested again.
  v_status := case when v_instance.status = 'deleting' then 'deleting'
                   when not v_instance.is_active
                        or not exists (select from public.organizations o where o.id = v_instance.organization_id and o.is_active)
                   then 'stopping'
                   when v_instance.status in ('running', 'degraded', 'failed') then 'updating'
                   else v_instance.status end;
  update public.mcp_server_instances i
  set generation = p_known + 1, resets = i.resets + 1, status = v_status, last_error_code = null, last_error = null,
      reasserted_at = clock_timestamp()
  where i.id = p_instance_id;
  insert into weir.dtma_operations (organization_id, instance_id, action, generation)
  values (v_instance.organization_id, p_instance_id,
          case v_status when 'deploying' then 'deploy' when 'updating' then 'update' when 'stopping' then 'stop' else 'delete' end,
          p_known + 1);
  perform weir.record_event('lifecycle', v_instance.organization_id, p_instance_id => p_instance_id, p_item => v_status,
                            p_detail => format('its node reports generation %s, the database has %s', p_known, p_generation));
  return true;
end;
$$;

revoke all on function weir.apply_report, weir.note_start, weir.reassert_instance from public;
grant execute on function weir.apply_report, weir.note_start, weir.reassert_instance to weir_system;

set local role weir_system;

-- A node refused an operation as older than what it has seen. If the node reports no later generation, the refusal is unfounded and changes
-- nothing. Called by the worker that carries out the operation.
create function weir.overtake_generation(p_instance_id uuid, p_generation bigint, p_known bigint) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return p_known > p_generation
    and weir.reassert_instance(p_instance_id, p_generation, p_known, clock_timestamp() + interval '5 seconds');
end;
$$;
grant execute on function weir.overtake_generation to weir_engine;

reset role;

-- Compares what is placed on a node with what the node reports, and repairs the difference. Either the node has seen a later generation, or
-- it does not have the instance. A missing instance that should run is set to degraded first; if the next report lacks it too, it is
-- started there again. A missing instance proves nothing in two cases: if its operation ended less than 30 seconds ago, because the report
-- may be older, and if the report is not well-formed.
create function weir.reconcile_node(p_node_id uuid, p_reported jsonb, p_until timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_instance record;
  -- Whether every entry names an instance and a generation.
  v_is_whole constant boolean := not exists (
    select from jsonb_array_elements(p_reported) r
    where jsonb_typeof(r.value -> 'id') is distinct from 'string' or jsonb_typeof(r.value -> 'generation') is distinct from 'number');
begin
  for v_instance in
    select i.id, i.generation, i.status, i.last_error_code, s.generation as known
    from public.mcp_server_instances i
    left join (
      select lower(r.value ->> 'id') as id,
             max(case when r.value ->> 'generation' ~ '^[0-9]{1,16}$' then (r.value ->> 'generation')::bigint else 0 end)
        as generation
      from jsonb_array_elements(p_reported) r group by 1) s on s.id = i.id::text
    where i.node_id = p_node_id
      -- Which differences need an action.
      and case
        when s.generation > i.generation then true
        when s.generation is not null or not v_is_whole then false
        when i.status in ('running', 'degraded') then true
        -- The operation has ended, yet the node does not have the instance.
        when i.status in ('deploying', 'updating', 'stopping') then
          (select coalesce(bool_and(o.finished_at < clock_timestamp() - interval '30 seconds'), false)
           from weir.dtma_operations o where o.instance_id = i.id and o.generation = i.generation and o.organization_id = i.organization_id)
        else false
      end
    -- The order in which all functions take the locks of several organizations.
    order by i.organization_id, i.id
  loop
    -- The first report without it degrades; the second one starts it again.
    if v_instance.known is null and v_instance.status in ('running', 'degraded')
       and v_instance.last_error_code is distinct from 'not_running' then
      perform weir.apply_report(v_instance.id, v_instance.generation, 'degraded', 'not_running', null, p_until);
    else
      perform weir.reassert_instance(v_instance.id, v_instance.generation, coalesce(v_instance.known, v_instance.generation), p_until);
    end if;
    -- The rest is left for the next heartbeat.
    exit when clock_timestamp() > p_until;
  end loop;
end;
$$;

revoke all on function weir.reconcile_node from public;
grant execute on function weir.reconcile_node to weir_system;

set local role weir_system;

-- Servers that a node has although they are not placed there: instances that the database does not know, that are placed elsewhere, or that
-- should not run. The node ends them and keeps their files. An instance is placed before its node is asked to run it, so a new one is never
-- among these. At most 100; the next heartbeat gets the others. An unknown node key gets an empty list.
-- Ids are compared as text, so that malformed ones are no error.
create function weir.not_placed(p_node_key_hash bytea, p_servers jsonb) returns jsonb
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', x.id, 'generation', x.generation)), '[]')
  from (
    select s.value -> 'id' as id, s.value -> 'generation' as generation
    from weir.dtma_nodes n
    cross join jsonb_array_elements(case when jsonb_typeof(p_servers) = 'array' then p_servers else '[]' end) s
    where n.key_hash = p_node_key_hash and s.value ->> 'state' is distinct from 'stopped'
      and jsonb_typeof(s.value -> 'id') = 'string' and jsonb_typeof(s.value -> 'generation') = 'number'
      and not exists (select from public.mcp_server_instances i where i.node_id = n.id and i.id::text = lower(s.value ->> 'id'))
    limit 100) x
$$;
grant execute on function weir.not_placed to weir_engine;

-- A node's heartbeat: marks the node online and applies what it reports of its servers. Returns how many reports were applied; null for an
-- unknown node key. A heartbeat holds its node's row, so it stops after half a second and one more instance. The next heartbeat continues,
-- because reports that were applied change nothing the second time. A node may report only on instances that are placed on it.
create function weir.node_heartbeat(p_node_key_hash bytea, p_api_url text, p_status jsonb, p_servers jsonb) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_node_id uuid;
  v_applied integer := 0;
  v_server record;
  v_until constant timestamptz := clock_timestamp() + interval '500 milliseconds';
begin
  update weir.dtma_nodes n
  set api_url = coalesce(p_api_url, n.api_url), status = p_status, heartbeat_at = clock_timestamp(), is_online = true
  where n.key_hash = p_node_key_hash
  returning n.id into v_node_id;
  if v_node_id is null then
    return null;
  end if;
  -- A node's input is bounded like all input from outside.
  if coalesce(weir.bounds_error(p_status, 65536), weir.bounds_error(p_servers, 4194304)) is not null then
    raise exception using errcode = 'WR001', message = case when weir.bounds_error(p_status, 65536) is not null
      then 'status: ' || weir.bounds_error(p_status, 65536) else 'servers: ' || weir.bounds_error(p_servers, 4194304) end;
  end if;
  -- Reports of the current generation only; reconcile_node handles the others. Ids and generations are compared as text, so that
  -- malformed ones are no error.
  for v_server in
    select i.id, i.generation, s.value ->> 'state' as state, s.value ->> 'errorCode' as error_code, s.value ->> 'error' as error,
           left(s.value ->> 'phase', 20) as phase
    from jsonb_array_elements(case when jsonb_typeof(p_servers) = 'array' then p_servers else '[]' end) s
    join public.mcp_server_instances i on i.node_id = v_node_id and i.id::text = lower(s.value ->> 'id')
    where i.generation::text = s.value ->> 'generation'
    -- The order in which all functions take the locks of several organizations.
    order by i.organization_id, i.id
  loop
    if v_server.state = 'starting' then
      perform weir.note_start(v_server.id, v_server.generation, v_server.phase, v_server.error_code, v_server.error);
    elsif weir.apply_report(v_server.id, v_server.generation, v_server.state, v_server.error_code, v_server.error, v_until) then
      v_applied := v_applied + 1;
    end if;
    exit when clock_timestamp() > v_until;
  end loop;
  if jsonb_typeof(p_servers) = 'array' then
    perform weir.reconcile_node(v_node_id, p_servers, v_until);
  end if;
  return v_applied;
end;
$$;
grant execute on function weir.node_heartbeat to weir_engine;

-- The worker's own observation of an instance, with no limit on the wait: it holds no other organization's lock.
create function weir.record_instance_state(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return weir.apply_report(p_instance_id, p_generation, p_state, p_error_code, p_error);
end;
$$;
grant execute on function weir.record_instance_state to weir_engine;

-- The worker's progress with a remote server. Definer: workers serve all organizations.
create function weir.record_phase(p_instance_id uuid, p_generation bigint, p_phase text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return weir.note_start(p_instance_id, p_generation, p_phase, null, null);
end;
$$;
grant execute on function weir.record_phase to weir_engine;

reset role;
