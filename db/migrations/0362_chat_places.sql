-- Where a chat turn takes place: in a channel, or in the person's direct conversation with an agent. The functions belong to
-- weir_writer: row-level security decides what the person sees.

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

-- For a turn that names no channel: the caller's direct conversation with the agent, which nobody else sees. It is in p_workspace_id;
-- null: in a workspace that both belong to, where they have spoken before, else in the oldest. WR004 where they share none, because a
-- workspace is what lets them speak. The conversation is made on first use, by a member (policy
-- channels_are_created_by_workspace_members), and only then there is a row in the audit log. Of two requests that come first together,
-- both get the same one. Answers as chat_context does.
create function weir.open_direct_channel(p_agent_id uuid, p_workspace_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id uuid := weir.uuid_v7();
  v_name text;
  v_place record;
  v_refusal jsonb;
  v_constraint text;
begin
  -- without an agent there is nothing to see: everybody who is signed in hears that it is missing
  v_act := weir.act('chat', 'open_direct_channel', case when p_agent_id is null then 'signed_in' else 'see' end);
  select a.organization_id, a.name into v_act.organization_id, v_name from public.agents a where a.id = p_agent_id and a.is_active;
  select m.workspace_id, c.id as channel_id into v_place
  from public.workspace_members m
  left join public.chat_channels c on c.workspace_id = m.workspace_id and c.user_id = v_actor and c.agent_id = m.agent_id
  where m.agent_id = p_agent_id and m.workspace_id = any(array(select weir.my_workspaces()))
    and (p_workspace_id is null or m.workspace_id = p_workspace_id)
  order by c.id nulls last, m.workspace_id
  limit 1;
  v_refusal := weir.authorize(v_act, 'there is no such agent, workspace or channel',
                              p_found => p_agent_id is null or v_place.workspace_id is not null);
  if v_refusal is not null then
    return v_refusal;
  elsif p_agent_id is null then
    return weir.refuse(v_act, 'WR001', 'agent_id is missing: a direct conversation is with an agent');
  elsif v_place.channel_id is null then
    insert into public.chat_channels (id, organization_id, workspace_id, name, user_id, agent_id, created_by)
    values (v_id, v_act.organization_id, v_place.workspace_id, v_name, v_actor, p_agent_id, v_actor)
    on conflict (workspace_id, user_id, agent_id) do nothing;
    if found then
      perform weir.record_event('lifecycle', v_act.organization_id, p_agent_id => p_agent_id, p_item => v_act.item, p_detail => v_id::text);
    else
      select c.id into v_id from public.chat_channels c
      where c.workspace_id = v_place.workspace_id and c.user_id = v_actor and c.agent_id = p_agent_id;
    end if;
  end if;
  return weir.chat_context(p_agent_id, v_place.workspace_id, coalesce(v_place.channel_id, v_id));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
revoke all on function weir.chat_context(uuid, uuid, uuid), weir.open_direct_channel(uuid, uuid) from public;
grant execute on function weir.chat_context(uuid, uuid, uuid), weir.open_direct_channel(uuid, uuid) to authenticated;
grant execute on function weir.may_use_agent(uuid, uuid, uuid) to weir_writer;
grant create on schema weir to weir_writer;
alter function weir.chat_context(uuid, uuid, uuid) owner to weir_writer;
alter function weir.open_direct_channel(uuid, uuid) owner to weir_writer;
revoke create on schema weir from weir_writer;

-- The published names; parameter names are API.
create function public.chat_context(agent_id uuid, workspace_id uuid default null, channel_id uuid default null) returns jsonb
language sql stable begin atomic select weir.chat_context($1, $2, $3); end;

create function public.open_direct_channel(agent_id uuid, workspace_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.open_direct_channel($1, $2); end;
revoke all on function public.chat_context(uuid, uuid, uuid), public.open_direct_channel(uuid, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.chat_context(uuid, uuid, uuid), public.open_direct_channel(uuid, uuid) to authenticated;
