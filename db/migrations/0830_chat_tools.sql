-- Whether chat turns of an organization may use tools, and what a person sees of an agent before they write to it.

-- Whether chat turns of the organization may use tools: both switches must permit it. Without the operator's setting they may.
create function weir.chat_has_tools(p_organization_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from public.organizations o where o.id = p_organization_id and o.chat_tools)
     and not exists (select from weir.settings s where s.name = 'chat_tools' and s.value <> 'true');
end;
$$;

revoke all on function weir.chat_has_tools from public;
grant execute on function weir.chat_has_tools to weir_system;

set local role weir_writer;

-- An admin may (policy organizations_are_switched_by_admins); other members get WR003, and outsiders WR004. A repeated call updates
-- nothing, because an update of the organization's row takes its lock, which blocks calls; nor does it leave a row in the audit log.
create function weir.set_chat_tools(p_organization_id uuid, p_enabled boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_chat_tools', 'admin', 'tools are switched by an owner or admin', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_enabled is null then
    return weir.refuse(v_act, 'WR001', 'enabled must be true or false');
  end if;
  update public.organizations o set chat_tools = p_enabled where o.id = p_organization_id and o.chat_tools <> p_enabled;
  if found then
    perform weir.record_act(v_act, p_enabled::text);
  end if;
  return jsonb_build_object('organization_id', p_organization_id, 'chat_tools', p_enabled);
end;
$$;
grant execute on function weir.set_chat_tools to authenticated;

-- What a chat turn starts from. Agent, workspace and channel must be seen by the caller and belong together; one error for all that is
-- missing, so that another tenant's id shows nothing. Null p_channel_id and p_workspace_id: the turn is of the agent's organization. Null
-- p_agent_id: no agent is asked. In a direct conversation no other agent answers. It writes nothing and raises its
-- refusals.
create function weir.chat_context(p_agent_id uuid, p_workspace_id uuid, p_channel_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor constant uuid := weir.actor_id();
  v_agent public.agents;
  v_organization_id uuid;
  v_workspace_id uuid;
  v_role text;
begin
  perform weir.require_sign_in();
  v_workspace_id := p_workspace_id;
  if p_channel_id is not null then
    -- who sees a channel belongs to its workspace
    select c.workspace_id, c.organization_id into v_workspace_id, v_organization_id from public.chat_channels c
    where c.id = p_channel_id and (p_workspace_id is null or c.workspace_id = p_workspace_id)
      and (c.user_id is null or p_agent_id is null or c.agent_id = p_agent_id);
    if v_workspace_id is null then
      raise exception using errcode = 'WR004', message = 'there is no such agent, workspace or channel';
    end if;
  elsif v_workspace_id is not null then
    select w.organization_id into v_organization_id from public.workspaces w
    where w.id = v_workspace_id and w.id in (select weir.my_workspaces());
  end if;
  if p_agent_id is not null then
    -- the agent is in that workspace, whoever owns it, and of the same organization
    select a.* into v_agent from public.agents a
    where a.id = p_agent_id and a.is_active
      and (v_workspace_id is null or a.organization_id = v_organization_id)
      and case when v_workspace_id is null then weir.may_use_agent(v_actor, a.id, a.owner_id)
               else exists (select from public.workspace_members m where m.workspace_id = v_workspace_id and m.agent_id = a.id) end;
    v_organization_id := coalesce(v_organization_id, v_agent.organization_id);
  end if;
  select m.role into v_role from public.organization_members m where m.organization_id = v_organization_id and m.user_id = v_actor;
  if v_role is null or (p_agent_id is not null and v_agent.id is null) then
    raise exception using errcode = 'WR004', message = 'there is no such agent, workspace or channel';
  end if;
  return jsonb_build_object(
    'organization_id', v_organization_id,
    'agent', case when v_agent.id is not null
                  then jsonb_build_object('id', v_agent.id, 'name', v_agent.name, 'instructions', v_agent.instructions) end,
    'workspace_id', v_workspace_id, 'channel_id', p_channel_id, 'role', v_role);
end;
$$;
grant execute on function weir.chat_context to authenticated;

reset role;

-- The published name; parameter names are API.
create function public.set_chat_tools(organization_id uuid, enabled boolean) returns jsonb
language sql volatile begin atomic select weir.set_chat_tools($1, $2); end;

-- The published names; parameter names are API.
create function public.chat_context(agent_id uuid, workspace_id uuid default null, channel_id uuid default null) returns jsonb
language sql stable begin atomic select weir.chat_context($1, $2, $3); end;

revoke all on function public.set_chat_tools, public.chat_context from public, anon, authenticated, service_role;
grant execute on function public.set_chat_tools, public.chat_context to authenticated;
