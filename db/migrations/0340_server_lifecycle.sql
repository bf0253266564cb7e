-- Deploying, starting, stopping and restarting servers, and weir.manage_mcp_servers, the one entry to all actions on them. The actions
-- `update` and `delete` are weir.update_mcp_server and weir.delete_mcp_server.

-- Commits what is wanted of a server: its next state, a new generation and the row of the outbox, in one transaction. So nothing is
-- carried out that was not committed, and nothing committed is forgotten; weir.claim_operations takes it from there. Only moves of
-- weir.instance_moves are possible, and a catalog entry that was withdrawn is not run. A restart keeps state and generation,
-- because the node says what becomes of the server, and there is one at a time. A deletion that its node refused may be asked for again.
-- Only weir_writer's own functions may execute it; they have checked who asks.
create function weir.request_operation(p_organization_id uuid, p_instance_id uuid, p_action text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_operation_id constant uuid := weir.uuid_v7();
  v_status text := case p_action when 'deploy' then 'deploying' when 'update' then 'updating' when 'stop' then 'stopping'
                                 when 'delete' then 'deleting' end;
  v_instance public.mcp_server_instances;
  v_open boolean;
begin
  v_act := weir.act('lifecycle', p_action, p_organization_id => p_organization_id, p_instance_id => p_instance_id);
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.organization_id = p_organization_id and i.status <> 'deleted' for no key update;
  v_status := coalesce(v_status, v_instance.status);
  v_open := exists (select from weir.dtma_operations o where o.organization_id = p_organization_id and o.instance_id = p_instance_id
                      and o.action = p_action and o.finished_at is null);
  if v_instance.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  elsif not (case
      when p_action = 'restart' then v_instance.status in ('running', 'degraded', 'failed') and not v_open
                                     and num_nonnulls(v_instance.url, v_instance.node_id) = 1
      -- a deletion that its node refused may be asked for again
      when v_instance.status = 'deleting' then p_action = 'delete' and not v_open
      else exists (select from weir.instance_moves m where m.from_status = v_instance.status and m.to_status = v_status)
    end) then
    return weir.refuse(v_act, 'WR005', format('the server is %s', v_instance.status));
  elsif p_action in ('deploy', 'update', 'restart') and v_instance.catalog_id is not null
        and not exists (select from public.mcp_server_catalog c where c.id = v_instance.catalog_id and c.is_published) then
    return weir.refuse(v_act, 'WR005', 'the catalog server was withdrawn');
  end if;
  if p_action = 'restart' then
    update public.mcp_server_instances i set resets = i.resets + 1
    where i.id = p_instance_id and i.organization_id = p_organization_id;
  else
    update public.mcp_server_instances i
    set status = v_status, generation = i.generation + 1, resets = i.resets + 1, last_error_code = null, last_error = null,
        deployed_by = case when p_action in ('deploy', 'update') then weir.actor_id() else i.deployed_by end
    where i.id = p_instance_id and i.organization_id = p_organization_id
    returning i.generation into v_instance.generation;
  end if;
  insert into weir.dtma_operations (id, organization_id, instance_id, action, generation, created_by)
  values (v_operation_id, p_organization_id, p_instance_id, p_action, v_instance.generation, weir.actor_id());
  perform weir.record_act(v_act, v_operation_id::text);
  return jsonb_build_object('id', p_instance_id, 'status', v_status, 'operation_id', v_operation_id);
end;
$$;

-- An owner or admin may; other members get WR003, and outsiders WR004. The lock blocks calls, so permission is checked before it is taken
-- and before the configuration is looked at, and again while holding it. With an idempotency key in server_config a repeated request
-- gets the first answer and does nothing. Refusals are not kept, so the key may be used again for the corrected request.
create function weir.manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_key text;
  v_answer jsonb;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', p_action, 'admin', 'servers are managed by an owner or admin', p_organization_id,
                    p_instance_id => p_server_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, weir.action_error(p_action, p_server_config));
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_key := p_server_config ->> 'idempotency_key';
  v_answer := weir.answered(p_organization_id, v_key, p_action, p_server_config, p_server_id);
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := case p_action
    when 'create' then weir.create_mcp_server(p_organization_id, p_server_config)
    when 'update' then weir.update_mcp_server(p_organization_id, p_server_id, p_server_config)
    when 'delete' then weir.delete_mcp_server(p_organization_id, p_server_id)
    else weir.request_operation(p_organization_id, p_server_id, case p_action when 'start' then 'deploy' else p_action end)
  end;
  if v_key is not null and not v_answer ? 'error' then
    insert into weir.idempotency_keys (organization_id, key, request_hash, answer)
    values (p_organization_id, v_key, weir.request_hash(p_action, p_server_config, p_server_id), v_answer);
  end if;
  return v_answer;
end;
$$;

-- For whoever knows only the server's id. Its organization is found under the caller's policies, so a server that they do not see is
-- WR004; weir.manage_mcp_servers decides the rest.
create function weir.manage_server_by_id(p_action text, p_instance_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', p_action, 'see');
  select i.organization_id into v_act.organization_id from public.mcp_server_instances i where i.id = p_instance_id;
  v_refusal := weir.authorize(v_act, 'there is no such server');
  return coalesce(v_refusal, weir.manage_mcp_servers(p_action, v_act.organization_id, null, p_instance_id));
end;
$$;

-- The same as one JSON value, of an action and a server's id. It takes neither an address nor a payload, so that nobody reaches a node
-- through it.
create function weir.call_dtma_api(p_request jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'call_dtma_api', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.bounds_error(p_request, 4096) is not null then
    return weir.refuse(v_act, 'WR001', 'request ' || weir.bounds_error(p_request, 4096));
  elsif jsonb_typeof(p_request) is distinct from 'object' or p_request - array['action', 'server_instance_id'] <> '{}' then
    return weir.refuse(v_act, 'WR001', 'request must be {"action", "server_instance_id"}');
  elsif coalesce(p_request ->> 'action', '') not in ('deploy', 'start', 'stop', 'restart', 'delete') then
    return weir.refuse(v_act, 'WR001', 'request.action must be deploy, start, stop, restart or delete');
  elsif coalesce(p_request ->> 'server_instance_id', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    return weir.refuse(v_act, 'WR001', 'request.server_instance_id must be a uuid');
  end if;
  return weir.manage_server_by_id(p_request ->> 'action', (p_request ->> 'server_instance_id')::uuid);
end;
$$;
revoke all on function weir.call_dtma_api(jsonb), weir.request_operation(uuid, uuid, text),
  weir.manage_mcp_servers(text, uuid, jsonb, uuid), weir.manage_server_by_id(text, uuid) from public;
grant execute on function weir.manage_mcp_servers(text, uuid, jsonb, uuid), weir.manage_server_by_id(text, uuid),
  weir.call_dtma_api(jsonb) to authenticated;
grant create on schema weir to weir_writer;
alter function weir.request_operation(uuid, uuid, text) owner to weir_writer;
alter function weir.manage_mcp_servers(text, uuid, jsonb, uuid) owner to weir_writer;
alter function weir.manage_server_by_id(text, uuid) owner to weir_writer;
alter function weir.call_dtma_api(jsonb) owner to weir_writer;
revoke create on schema weir from weir_writer;

-- The published names; parameter names are API.
create function public.manage_mcp_servers(
  action text, organization_id uuid, server_config jsonb default null, server_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.manage_mcp_servers($1, $2, $3, $4); end;

create function public.deploy_mcp_server_to_dtma(server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.manage_server_by_id('deploy', $1); end;

create function public.stop_mcp_server_instance(server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.manage_server_by_id('stop', $1); end;

create function public.call_dtma_api(request jsonb) returns jsonb
language sql volatile begin atomic select weir.call_dtma_api($1); end;
revoke all on function public.manage_mcp_servers(text, uuid, jsonb, uuid), public.deploy_mcp_server_to_dtma(uuid),
  public.stop_mcp_server_instance(uuid), public.call_dtma_api(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.manage_mcp_servers(text, uuid, jsonb, uuid), public.deploy_mcp_server_to_dtma(uuid),
  public.stop_mcp_server_instance(uuid), public.call_dtma_api(jsonb) to authenticated;
