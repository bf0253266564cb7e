-- Nodes: how one joins, what it may say, and when it is taken for lost.

create function weir.issue_node_token(p_name text, p_region text, p_token_hash bytea, p_expires_at timestamptz) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := weir.uuid_v7();
begin
  insert into weir.dtma_nodes (id, name, region, token_hash, token_expires_at)
  values (v_id, p_name, coalesce(p_region, 'default'), p_token_hash, p_expires_at);
  return v_id;
exception
  when unique_violation then
    raise exception using errcode = 'WR005', message = 'a node of this name is already known';
  when check_violation or not_null_violation then
    raise exception using errcode = 'WR001', message = 'name, region, token hash or expiry is not valid';
end;
$$;
revoke all on function weir.issue_node_token(text, text, bytea, timestamptz) from public;
grant execute on function weir.issue_node_token(text, text, bytea, timestamptz) to weir_engine;

-- The token is used up by the same statement that reads it. Null where it is not good: anybody can send one, and an error would be
-- lines in PostgreSQL's log.
create function weir.register_node(
  p_token_hash bytea, p_node_key_hash bytea, p_api_url text, p_sealed_api_key bytea, p_capability_version integer,
  p_isolation text, p_runtimes text[]) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid;
begin
  update weir.dtma_nodes n
  set token_hash = null, registered_at = now(), key_hash = p_node_key_hash, api_url = p_api_url, sealed_api_key = p_sealed_api_key,
      capability_version = p_capability_version, isolation = p_isolation, runtimes = coalesce(p_runtimes, '{}'),
      is_online = true, heartbeat_at = now()
  where n.token_hash = p_token_hash and n.token_expires_at > clock_timestamp()
  returning n.id into v_id;
  return v_id;
end;
$$;
revoke all on function weir.register_node(bytea, bytea, text, bytea, integer, text, text[]) from public;
grant execute on function weir.register_node(bytea, bytea, text, bytea, integer, text, text[]) to weir_engine;

-- What was reported of one instance, as a move of its state machine. Of an older generation, or no allowed move: nothing.
-- `stopped` is believed of an instance that is being stopped; of another it means that it was lost.
-- p_until: how long it may wait for the organization's lock; null, for as long as it takes. Where it has to do without, nothing is applied:
-- the next heartbeat, or the next sweep, says the same again.
create function weir.apply_report(
  p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text, p_until timestamptz default null) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_instance public.mcp_server_instances;
  v_status text;
  v_code text := weir.cut(p_error_code, 100);
begin
  -- The report of every heartbeat comes here and mostly says nothing new: then nothing is locked. The organization's lock
  -- comes before the row's, as in every function, so that two of them never wait for each other.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id;
  if not found or v_instance.generation is distinct from p_generation
     or (p_state = v_instance.status and v_code is not distinct from v_instance.last_error_code) then
    return false;
  end if;
  if p_until is null then
    perform weir.lock_organization(v_instance.organization_id);
    select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update;
  elsif weir.try_lock_organization(v_instance.organization_id, p_until) then
    select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update skip locked;
  else
    return false;
  end if;
  if not found or v_instance.generation is distinct from p_generation
     or p_state is null or p_state not in ('starting', 'running', 'degraded', 'stopped', 'failed') then
    return false;
  end if;
  v_status := case
    -- while it is being stopped only the end of that counts
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
  if v_status = v_instance.status and v_instance.last_error_code is not distinct from v_code then
    return false;
  elsif v_status <> v_instance.status and not exists (
      select from weir.instance_moves m where m.from_status = v_instance.status and m.to_status = v_status) then
    return false;
  end if;
  update public.mcp_server_instances i
  set status = v_status,
      last_error_code = case when v_status in ('running', 'stopped') then null else v_code end,
      last_error = case when v_status in ('running', 'stopped') then null else weir.cut(p_error, 2000) end,
      -- what is stopped has no place: it may start on another node
      node_id = case when v_status = 'stopped' then null else i.node_id end,
      -- what runs again may have other lists
      refresh_at = case when v_status = 'running' and v_instance.status <> 'running' then clock_timestamp() else i.refresh_at end,
      first_running_at = coalesce(i.first_running_at, case when v_status = 'running' then clock_timestamp() end)
  where i.id = p_instance_id;
  if v_status <> v_instance.status then
    perform weir.record_event('lifecycle', v_instance.organization_id, p_instance_id => p_instance_id, p_item => v_status,
                              p_detail => v_code, p_outcome => case v_status when 'failed' then 'failed' else 'ok' end);
  end if;
  return true;
end;
$$;
revoke all on function weir.apply_report(uuid, bigint, text, text, text, timestamptz) from public;
grant execute on function weir.apply_report(uuid, bigint, text, text, text, timestamptz) to weir_system;

-- The node of a key, or null: asked before anything that its bearer sends is read, so what is unknown is no error.
create function weir.node_of_key(p_node_key_hash bytea) returns uuid
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select n.id from weir.dtma_nodes n where n.key_hash = p_node_key_hash and n.registered_at is not null
$$;
revoke all on function weir.node_of_key(bytea) from public;
grant execute on function weir.node_of_key(bytea) to weir_engine;

-- How many reports were applied; null where the key is no node's.
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
  if coalesce(weir.bounds_error(p_status, 65536), weir.bounds_error(p_servers, 4194304)) is not null then
    raise exception using errcode = 'WR001', message = case when weir.bounds_error(p_status, 65536) is not null
      then 'status: ' || weir.bounds_error(p_status, 65536) else 'servers: ' || weir.bounds_error(p_servers, 4194304) end;
  end if;
  -- only instances that are placed on this node; ids compared as text, so that nonsense is no error
  for v_server in
    select i.id, i.generation, s.value ->> 'state' as state, s.value ->> 'errorCode' as error_code, s.value ->> 'error' as error
    from jsonb_array_elements(case when jsonb_typeof(p_servers) = 'array' then p_servers else '[]' end) s
    join public.mcp_server_instances i on i.node_id = v_node_id and i.id::text = lower(s.value ->> 'id')
    where i.generation::text = s.value ->> 'generation'
    order by i.organization_id, i.id
  loop
    if weir.apply_report(v_server.id, v_server.generation, v_server.state, v_server.error_code, v_server.error, v_until) then
      v_applied := v_applied + 1;
    end if;
  end loop;
  return v_applied;
end;
$$;
revoke all on function weir.node_heartbeat(bytea, text, jsonb, jsonb) from public;
grant execute on function weir.node_heartbeat(bytea, text, jsonb, jsonb) to weir_engine;

create function weir.record_instance_state(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return weir.apply_report(p_instance_id, p_generation, p_state, p_error_code, p_error);
end;
$$;
revoke all on function weir.record_instance_state(uuid, bigint, text, text, text) from public;
grant execute on function weir.record_instance_state(uuid, bigint, text, text, text) to weir_engine;

create function weir.node_connections()
returns table (node_id uuid, name text, api_url text, sealed_api_key bytea, online boolean)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select n.id, n.name, n.api_url, n.sealed_api_key, n.is_online
               from weir.dtma_nodes n where n.registered_at is not null order by n.name;
end;
$$;
revoke all on function weir.node_connections() from public;
grant execute on function weir.node_connections() to weir_engine;

-- A node that is silent for this long is offline, and what ran there is not known to run.
create function weir.sweep_nodes(p_stale interval) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_nodes uuid[];
  v_instance record;
  v_until constant timestamptz := clock_timestamp() + interval '500 milliseconds';
begin
  with lost as (
    update weir.dtma_nodes n set is_online = false
    where n.is_online and n.heartbeat_at < clock_timestamp() - p_stale
    returning n.id)
  select coalesce(array_agg(l.id), '{}') into v_nodes from lost l;
  for v_instance in
    select i.id, i.generation from public.mcp_server_instances i
    join weir.dtma_nodes n on n.id = i.node_id and not n.is_online
    where i.status = 'running' order by i.organization_id, i.id
  loop
    perform weir.apply_report(v_instance.id, v_instance.generation, 'degraded', 'node_lost', null, v_until);
  end loop;
  return cardinality(v_nodes);
end;
$$;
revoke all on function weir.sweep_nodes(interval) from public;
grant execute on function weir.sweep_nodes(interval) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.issue_node_token(text, text, bytea, timestamptz) owner to weir_system;
alter function weir.register_node(bytea, bytea, text, bytea, integer, text, text[]) owner to weir_system;
alter function weir.node_of_key(bytea) owner to weir_system;
alter function weir.node_heartbeat(bytea, text, jsonb, jsonb) owner to weir_system;
alter function weir.record_instance_state(uuid, bigint, text, text, text) owner to weir_system;
alter function weir.node_connections() owner to weir_system;
alter function weir.sweep_nodes(interval) owner to weir_system;
revoke create on schema weir from weir_system;
