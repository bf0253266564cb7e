-- Deploy and stop, and the door to all of it.

-- The intent: the instance's next state, a new generation, and the outbox row, in one transaction.
create function weir.request_operation(p_organization_id uuid, p_instance_id uuid, p_action text) returns jsonb
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  v_status constant text := case p_action when 'deploy' then 'deploying' when 'stop' then 'stopping' end;
  v_operation_id constant uuid := weir.uuid_v7();
  v_instance public.mcp_server_instances;
begin
  perform weir.lock_organization(p_organization_id);
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.organization_id = p_organization_id and i.status <> 'deleted' for no key update;
  if v_instance.id is null then
    return weir.refuse('WR004', 'there is no such server', 'lifecycle', p_organization_id, p_instance_id => p_instance_id,
                       p_item => p_action);
  elsif not exists (select from weir.instance_moves m where m.from_status = v_instance.status and m.to_status = v_status) then
    return weir.refuse('WR005', format('the server is %s', v_instance.status), 'lifecycle', p_organization_id,
                       p_instance_id => p_instance_id, p_item => p_action);
  elsif p_action = 'deploy' and v_instance.catalog_id is not null
        and not exists (select from public.mcp_server_catalog c where c.id = v_instance.catalog_id and c.is_published) then
    return weir.refuse('WR005', 'the catalog server was withdrawn', 'lifecycle', p_organization_id,
                       p_instance_id => p_instance_id, p_item => p_action);
  end if;
  update public.mcp_server_instances i
  set status = v_status, generation = i.generation + 1, last_error_code = null, last_error = null,
      deployed_by = case when p_action = 'deploy' then weir.actor_id() else i.deployed_by end
  where i.id = p_instance_id and i.organization_id = p_organization_id;
  insert into weir.dtma_operations (id, organization_id, instance_id, action, generation, created_by)
  values (v_operation_id, p_organization_id, p_instance_id, p_action, v_instance.generation + 1, weir.actor_id());
  perform weir.record_event('lifecycle', p_organization_id, p_instance_id => p_instance_id, p_item => p_action,
                            p_detail => v_operation_id::text);
  return jsonb_build_object('id', p_instance_id, 'status', v_status, 'operation_id', v_operation_id);
end;
$$;

create function weir.manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = ''
as $$
begin
  if weir.actor_id() is null then
    return weir.refuse('WR002', 'sign in first', 'lifecycle');
  elsif not exists (select from weir.my_organizations() o where o = p_organization_id) then
    return weir.refuse('WR004', 'there is no such organization', 'lifecycle', p_organization_id, p_instance_id => p_server_id,
                       p_item => p_action);
  elsif not exists (select from weir.my_organizations('admin') o where o = p_organization_id) then
    return weir.refuse('WR003', 'servers are managed by an owner or admin', 'lifecycle', p_organization_id,
                       p_instance_id => p_server_id, p_item => p_action);
  end if;
  case p_action
    when 'create' then
      return weir.create_mcp_server(p_organization_id, p_server_config);
    when 'deploy', 'start' then
      return weir.request_operation(p_organization_id, p_server_id, 'deploy');
    when 'stop' then
      return weir.request_operation(p_organization_id, p_server_id, 'stop');
    when 'update', 'delete', 'restart' then
      return weir.refuse('WR010', p_action || ' is not supported yet', 'lifecycle', p_organization_id,
                         p_instance_id => p_server_id, p_item => p_action);
    else
      return weir.refuse('WR001', 'action must be create, update, delete, deploy, start, stop or restart', 'lifecycle', p_organization_id,
                         p_instance_id => p_server_id, p_item => p_action);
  end case;
end;
$$;

-- The same by the server's id alone: authorized like the above.
create function weir.manage_server_by_id(p_action text, p_instance_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  v_organization_id uuid;
begin
  if weir.actor_id() is null then
    return weir.refuse('WR002', 'sign in first', 'lifecycle');
  end if;
  select i.organization_id into v_organization_id from public.mcp_server_instances i where i.id = p_instance_id;
  if v_organization_id is null then
    return weir.refuse('WR004', 'there is no such server', 'lifecycle', p_item => p_action);
  end if;
  return weir.manage_mcp_servers(p_action, v_organization_id, null, p_instance_id);
end;
$$;

revoke all on function weir.request_operation(uuid, uuid, text), weir.manage_mcp_servers(text, uuid, jsonb, uuid),
  weir.manage_server_by_id(text, uuid) from public;
grant execute on function weir.manage_mcp_servers(text, uuid, jsonb, uuid), weir.manage_server_by_id(text, uuid) to authenticated;

grant create on schema weir to weir_writer;
alter function weir.request_operation(uuid, uuid, text) owner to weir_writer;
alter function weir.manage_mcp_servers(text, uuid, jsonb, uuid) owner to weir_writer;
alter function weir.manage_server_by_id(text, uuid) owner to weir_writer;
revoke create on schema weir from weir_writer;

create function public.manage_mcp_servers(action text, organization_id uuid, server_config jsonb default null, server_id uuid default null)
returns jsonb
language sql volatile begin atomic select weir.manage_mcp_servers($1, $2, $3, $4); end;
create function public.deploy_mcp_server_to_dtma(server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.manage_server_by_id('deploy', $1); end;
create function public.stop_mcp_server_instance(server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.manage_server_by_id('stop', $1); end;
revoke all on function public.manage_mcp_servers(text, uuid, jsonb, uuid), public.deploy_mcp_server_to_dtma(uuid),
  public.stop_mcp_server_instance(uuid) from public, anon, authenticated, service_role;
grant execute on function public.manage_mcp_servers(text, uuid, jsonb, uuid), public.deploy_mcp_server_to_dtma(uuid),
  public.stop_mcp_server_instance(uuid) to authenticated;
