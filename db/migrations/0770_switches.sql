-- Kill switches: of an agent, of a server, of an organization and of the whole platform. weir.decide denies new calls. The change is
-- announced like any other. Each replica then calls weir.switched_off for the calls and streams that it has open, and ends those that are
-- switched off.
--
-- An agent and a server have two switches, the organization's and the platform's, and run while both are on. The platform's is in columns
-- that weir_writer may not update, so no call of a tenant can undo it. An organization has only the platform's; its owner may delete it.
-- What the platform does is recorded twice: under weir.platform_id(), and in the audit log of each organization that is affected.

set local role weir_system;

-- Stops servers of an organization, or starts again those that it stopped: one of them, or all (p_instance_id null). A server that an admin
-- stopped before does not start, nor does one that another switch keeps off or whose catalog entry is blocked. One that had failed is
-- started again. The nodes get the operations from the outbox. Its callers hold the organization's lock. Definer: the platform, and the
-- deletion of an organization, stop servers too, and no policy for persons covers that.
create function weir.switch_servers(p_organization_id uuid, p_instance_id uuid, p_active boolean) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  with moved as (
    update public.mcp_server_instances i
    set status = case when p_active then 'deploying' else 'stopping' end, generation = i.generation + 1, resets = i.resets + 1,
        resumes = not p_active, last_error_code = null, last_error = null
    where i.organization_id = p_organization_id and (p_instance_id is null or i.id = p_instance_id)
      and case when p_active
               then i.resumes and i.is_active and i.status in ('stopping', 'stopped', 'failed')
                    and exists (select from public.organizations o where o.id = p_organization_id and o.is_active)
                    and (i.catalog_server_id is null
                         or exists (select from public.mcp_server_catalog c where c.id = i.catalog_server_id and c.blocked_at is null))
               else i.status in ('deploying', 'running', 'degraded', 'updating', 'failed') end
    returning i.organization_id, i.id, i.generation)
  insert into weir.dtma_operations (organization_id, instance_id, action, generation)
  select m.organization_id, m.id, case when p_active then 'deploy' else 'stop' end, m.generation from moved m;
end;
$$;
grant execute on function weir.switch_servers to weir_writer;

reset role;

-- Records what a platform admin has done to one organization, in the audit logs of both.
create function weir.record_platform_act(p_act weir.act, p_organization_id uuid, p_detail text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.record_act(p_act, concat_ws(', ', p_detail, 'organization ' || p_organization_id));
  p_act.organization_id := p_organization_id;
  perform weir.record_act(p_act, p_detail || ', by the platform');
end;
$$;

revoke all on function weir.record_platform_act from public;
grant execute on function weir.record_platform_act to weir_system;

set local role weir_writer;

-- For the agent's owner and admins. WR003 if the platform has stopped the agent and the caller wants to start it. A repeated call leaves no
-- row in the audit log.
create function weir.set_agent_active(p_agent_id uuid, p_active boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_agent public.agents;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_agent_active', 'manage_agent', 'only its owner or an admin switches an agent',
                    p_agent_id => p_agent_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id and a.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such agent');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, case when p_active is null then 'active and as_platform must be true or false' end);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Under the lock: the platform may have stopped it, or it may have been deleted, during the wait.
  select a.* into v_agent from public.agents a where a.id = p_agent_id and a.deleted_at is null;
  if v_agent.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such agent');
  elsif p_active and v_agent.platform_stopped_at is not null then
    return weir.refuse(v_act, 'WR003', 'the platform has stopped this agent, and only the platform starts it again');
  elsif p_active <> (v_agent.stopped_at is null) then
    update public.agents a
    set stopped_at = case when not p_active then clock_timestamp() end, stopped_by = case when not p_active then weir.actor_id() end,
        updated_at = now()
    where a.id = p_agent_id;
    perform weir.record_act(v_act, case when p_active then 'on' else 'off' end);
  end if;
  return jsonb_build_object('id', p_agent_id, 'active', p_active);
end;
$$;
grant execute on function weir.set_agent_active to authenticated;

-- For owners and admins. Off: no call is admitted, its node ends the process, and a deployment is refused until it is on again. On: it
-- starts again if it ran when it was switched off. WR003 if the platform has stopped the server and the caller wants to start it.
create function weir.set_mcp_server_active(p_instance_id uuid, p_active boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_instance public.mcp_server_instances;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_mcp_server_active', 'admin', 'only an owner or admin switches a server',
                    p_instance_id => p_instance_id);
  select i.organization_id into v_act.organization_id from public.mcp_server_instances i
  where i.id = p_instance_id and i.status not in ('deleting', 'deleted');
  v_refusal := weir.authorize(v_act, 'there is no such server');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, case when p_active is null then 'active and as_platform must be true or false' end);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.status not in ('deleting', 'deleted') for no key update;
  if v_instance.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  elsif p_active and v_instance.platform_stopped_at is not null then
    return weir.refuse(v_act, 'WR003', 'the platform has stopped this server, and only the platform starts it again');
  elsif p_active <> (v_instance.stopped_at is null) then
    update public.mcp_server_instances i
    set stopped_at = case when not p_active then clock_timestamp() end, stopped_by = case when not p_active then weir.actor_id() end
    where i.id = p_instance_id;
    perform weir.switch_servers(v_act.organization_id, p_instance_id, p_active);
    perform weir.record_act(v_act, case when p_active then 'on' else 'off' end);
  end if;
  return jsonb_build_object('id', p_instance_id, 'active', p_active,
                            'status', (select i.status from public.mcp_server_instances i where i.id = p_instance_id));
end;
$$;
grant execute on function weir.set_mcp_server_active to authenticated;

reset role;

set local role weir_system;

-- The platform's switch of an agent, for platform admins. Definer: no policy shows a platform admin the rows of organizations.
create function weir.set_agent_active_as_platform(p_agent_id uuid, p_active boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_organization_id uuid;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_agent_active', 'platform_admin', 'only a platform admin acts as the platform', weir.platform_id(),
                    p_agent_id => p_agent_id);
  v_refusal := weir.authorize(v_act, 'there is no such agent');
  select a.organization_id into v_organization_id from public.agents a where a.id = p_agent_id and a.deleted_at is null;
  if v_refusal is not null then
    return v_refusal;
  elsif p_active is null then
    return weir.refuse(v_act, 'WR001', 'active and as_platform must be true or false');
  elsif v_organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such agent');
  end if;
  perform weir.lock_organization(v_organization_id);
  update public.agents a
  set platform_stopped_at = case when not p_active then clock_timestamp() end,
      platform_stopped_by = case when not p_active then weir.actor_id() end
  where a.id = p_agent_id and p_active <> (a.platform_stopped_at is null);
  if found then
    perform weir.record_platform_act(v_act, v_organization_id, case when p_active then 'on' else 'off' end);
  end if;
  return jsonb_build_object('id', p_agent_id, 'active', p_active);
end;
$$;
grant execute on function weir.set_agent_active_as_platform to authenticated;

-- The platform's switch of a server, as set_agent_active_as_platform.
create function weir.set_mcp_server_active_as_platform(p_instance_id uuid, p_active boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_organization_id uuid;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_mcp_server_active', 'platform_admin', 'only a platform admin acts as the platform',
                    weir.platform_id(), p_instance_id => p_instance_id);
  v_refusal := weir.authorize(v_act, 'there is no such server');
  select i.organization_id into v_organization_id from public.mcp_server_instances i
  where i.id = p_instance_id and i.status not in ('deleting', 'deleted');
  if v_refusal is not null then
    return v_refusal;
  elsif p_active is null then
    return weir.refuse(v_act, 'WR001', 'active and as_platform must be true or false');
  elsif v_organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  end if;
  perform weir.lock_organization(v_organization_id);
  update public.mcp_server_instances i
  set platform_stopped_at = case when not p_active then clock_timestamp() end,
      platform_stopped_by = case when not p_active then weir.actor_id() end
  where i.id = p_instance_id and p_active <> (i.platform_stopped_at is null);
  if found then
    perform weir.switch_servers(v_organization_id, p_instance_id, p_active);
    perform weir.record_platform_act(v_act, v_organization_id, case when p_active then 'on' else 'off' end);
  end if;
  return jsonb_build_object('id', p_instance_id, 'active', p_active,
                            'status', (select i.status from public.mcp_server_instances i where i.id = p_instance_id));
end;
$$;
grant execute on function weir.set_mcp_server_active_as_platform to authenticated;

-- For platform admins. Off: no person of the organization sees it or acts in it, its owners included, its calls are denied, and its servers
-- end. On: the servers that ran start again. Definer, as set_agent_active_as_platform.
create function weir.set_organization_active(p_organization_id uuid, p_active boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_organization_active', 'platform_admin', 'only a platform admin switches an organization',
                    weir.platform_id());
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_active is null then
    return weir.refuse(v_act, 'WR001', 'active must be true or false');
  elsif not exists (select from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR004', 'there is no such organization');
  end if;
  perform weir.lock_organization(p_organization_id);
  update public.organizations o
  set platform_stopped_at = case when not p_active then clock_timestamp() end,
      platform_stopped_by = case when not p_active then weir.actor_id() end
  where o.id = p_organization_id and p_active <> (o.platform_stopped_at is null);
  if found then
    perform weir.switch_servers(p_organization_id, null, p_active);
    perform weir.record_platform_act(v_act, p_organization_id, case when p_active then 'on' else 'off' end);
  end if;
  return jsonb_build_object('id', p_organization_id, 'active', p_active);
end;
$$;
grant execute on function weir.set_organization_active to authenticated;

-- Stops the calls of all organizations, or permits them again. Servers keep running, since there may be many and no call reaches them.
-- Returns whether anything changed. The act is recorded under the platform's id, and in every organization by one statement, because the
-- stop commits with it. Definer: it writes the audit log of all organizations. The owner calls it (`weir stop-all`), and so does
-- set_platform_active.
create function weir.switch_platform(p_active boolean) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_detail constant text := case when p_active then 'on' else 'off' end;
begin
  if p_active is null then
    raise exception using errcode = 'WR001', message = 'active must be true or false';
  end if;
  perform weir.lock_organization(weir.platform_id());
  if p_active then
    delete from weir.platform_stop p where p.only_row;
  else
    insert into weir.platform_stop (stopped_by) values (weir.actor_id()) on conflict do nothing;
  end if;
  if not found then
    return false;
  end if;
  perform weir.record_event('lifecycle', weir.platform_id(), p_item => 'set_platform_active', p_detail => v_detail);
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, item, detail, outcome)
  select clock_timestamp(), weir.uuid_v7(), 'completed', o.id, 'lifecycle', 'allowed', i.epoch,
         case when weir.actor_id() is null then 'system' else 'user' end, weir.actor_id(), 'set_platform_active',
         v_detail || ', by the platform', 'ok'
  from public.organizations o cross join weir.installation i
  where o.deleted_at is null;
  return true;
end;
$$;

-- For platform admins. People can still sign in, read and change data; only calls are stopped. Definer: it calls switch_platform, which
-- only the owner may execute.
create function weir.set_platform_active(p_active boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_platform_active', 'platform_admin', 'only a platform admin switches the platform',
                    weir.platform_id());
  v_refusal := weir.authorize(v_act, 'there is no such platform');
  if v_refusal is not null then
    return v_refusal;
  elsif p_active is null then
    return weir.refuse(v_act, 'WR001', 'active must be true or false');
  end if;
  perform weir.switch_platform(p_active);
  return jsonb_build_object('active', p_active);
end;
$$;
grant execute on function weir.set_platform_active to authenticated;

-- For a replica after a change: which of the calls and streams that it has open must end. Returns a boolean for each agent and server, in
-- the order of the arguments; a null server means the agent alone. What is deleted or blocked by the platform must end too. Definer, for
-- the engine only: a replica has calls of all organizations open.
create function weir.switched_off(p_agent_ids uuid[], p_instance_ids uuid[]) returns boolean[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if cardinality(p_agent_ids) is distinct from cardinality(p_instance_ids) then
    raise exception using errcode = 'WR001', message = 'p_instance_ids must have one element for each of p_agent_ids';
  end if;
  return array(
    select exists (select from weir.platform_stop p where p.only_row)
        or a.is_active is not true or o.is_active is not true
        or w.instance_id is not null and (i.is_active is not true or i.status in ('deleting', 'deleted'))
        or c.blocked_at is not null
    from unnest(p_agent_ids, p_instance_ids) with ordinality w(agent_id, instance_id, n)
    left join lateral (select x.organization_id, x.is_active from public.agents x where x.id = w.agent_id offset 0) a on true
    left join lateral (select x.is_active from public.organizations x where x.id = a.organization_id offset 0) o on true
    left join lateral (select x.is_active, x.status, x.catalog_server_id from public.mcp_server_instances x
                       where x.id = w.instance_id offset 0) i on true
    left join lateral (select x.blocked_at from public.mcp_server_catalog x where x.id = i.catalog_server_id offset 0) c on true
    order by w.n);
end;
$$;
grant execute on function weir.switched_off to weir_engine;

reset role;

-- The migrator calls it and does not own it.
grant execute on function weir.switch_platform to current_user;

-- The published names; parameter names are API. as_platform selects the platform's switch.
create function public.set_agent_active(agent_id uuid, active boolean, as_platform boolean default false) returns jsonb
language sql volatile
begin atomic
  select case when $3 then weir.set_agent_active_as_platform($1, $2) else weir.set_agent_active($1, $2) end;
end;
create function public.set_mcp_server_active(server_instance_id uuid, active boolean, as_platform boolean default false) returns jsonb
language sql volatile
begin atomic
  select case when $3 then weir.set_mcp_server_active_as_platform($1, $2) else weir.set_mcp_server_active($1, $2) end;
end;
create function public.set_organization_active(organization_id uuid, active boolean) returns jsonb
language sql volatile begin atomic select weir.set_organization_active($1, $2); end;
create function public.set_platform_active(active boolean) returns jsonb
language sql volatile begin atomic select weir.set_platform_active($1); end;

revoke all on function public.set_agent_active, public.set_mcp_server_active, public.set_organization_active, public.set_platform_active
  from public, anon, authenticated, service_role;
grant execute on function public.set_agent_active, public.set_mcp_server_active, public.set_organization_active,
  public.set_platform_active to authenticated;
