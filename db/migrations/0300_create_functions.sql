-- What a person needs from sign-up on: an organization, a workspace, a channel, an agent.
-- Each writing function is owned by weir_writer: row-level security decides inside it, by the caller's claims.

create function weir.create_organization(p_name text, p_slug text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_slug text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_organization', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  elsif octet_length(p_slug) > 40 or p_slug !~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$' then
    return weir.refuse(v_act, 'WR001', 'slug must be 1 to 40 of a-z, 0-9 and -');
  end if;
  -- one at a time for a person, so that the maximum holds
  perform pg_advisory_xact_lock(hashtextextended('weir.organizations ' || v_actor, 0));
  if weir.organizations_made_by(v_actor) >= 50 then
    return weir.refuse(v_act, 'WR006', 'a person may create 50 organizations');
  end if;
  v_slug := p_slug;
  if v_slug is null then
    -- It ends in a part of the id, so that it is free: a conflict would tell the caller which names are taken.
    v_slug := trim('-' from left(regexp_replace(lower(p_name), '[^a-z0-9]+', '-', 'g'), 24));
    v_slug := trim('-' from v_slug || '-' || right(v_id::text, 8));
  end if;
  insert into public.organizations (id, name, slug, created_by) values (v_id, btrim(p_name), v_slug, v_actor);
  insert into public.organization_members (organization_id, user_id, role, status) values (v_id, v_actor, 'owner', 'active');
  perform weir.record_act(weir.act('lifecycle', 'create_organization', p_organization_id => v_id));
  return jsonb_build_object('id', v_id, 'name', btrim(p_name), 'slug', v_slug);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

create function weir.create_workspace(p_organization_id uuid, p_name text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_workspace', 'member', 'a viewer creates nothing', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, weir.name_error('name', p_name));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif weir.count_of('workspaces', p_organization_id)
        >= (select o.max_workspaces from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of workspaces');
  end if;
  insert into public.workspaces (id, organization_id, name, created_by) values (v_id, p_organization_id, btrim(p_name), weir.actor_id());
  insert into public.workspace_members (organization_id, workspace_id, user_id) values (p_organization_id, v_id, weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

-- Whether the caller may bring a person, or an agent, into a workspace. Whoever shares a workspace with an agent may use it, and all that it
-- was granted: so an agent is brought in by its owner, a person by who may manage each agent that is there, and both by an admin.
create function weir.may_add_to_workspace(p_organization_id uuid, p_workspace_id uuid, p_agent_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or case when p_agent_id is not null then exists (select from weir.my_agents() a where a = p_agent_id)
              else exists (select from weir.my_organizations('member') o where o = p_organization_id)
                   and weir.may_manage_agents_of(p_workspace_id) end;
end;
$$;
revoke all on function weir.may_add_to_workspace(uuid, uuid, uuid) from public;
grant execute on function weir.may_add_to_workspace(uuid, uuid, uuid) to weir_writer;

create function weir.add_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_answer jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'add_workspace_member', 'add_to_workspace',
    case when p_agent_id is not null then 'an agent is brought in by its owner or an admin'
         else 'a person is brought in where agents are by an admin, or by a member who owns each of them' end,
    p_workspace_id => p_workspace_id);
  v_answer := jsonb_build_object('workspace_id', p_workspace_id, 'user_id', p_user_id, 'agent_id', p_agent_id);
  -- A caller who is not signed in sees no workspace, so these answers do not come before WR002.
  select w.organization_id into v_act.organization_id from public.workspaces w where w.id = p_workspace_id;
  if v_act.organization_id is not null then
    if num_nonnulls(p_user_id, p_agent_id) <> 1 then
      return weir.refuse(v_act, 'WR001', 'give user_id or agent_id');
    elsif (p_user_id is not null and not exists (
            select from public.organization_members m
            where m.organization_id = v_act.organization_id and m.user_id = p_user_id and m.status = 'active'))
       or (p_agent_id is not null and not exists (
            select from public.agents a where a.organization_id = v_act.organization_id and a.id = p_agent_id)) then
      return weir.refuse(v_act, 'WR004', 'there is no such person or agent in the organization');
    end if;
    v_act.agent_id := p_agent_id;
    -- The lock blocks calls, so a caller who adds what is there already must not take it. An agent's presence is not told to a caller
    -- who may not add it.
    if exists (select from public.workspace_members m
               where m.workspace_id = p_workspace_id and (m.user_id = p_user_id or m.agent_id = p_agent_id))
       and (p_user_id is not null or weir.may(v_act, 'add_to_workspace')) then
      return v_answer;
    end if;
  end if;
  -- While this waits for the lock an agent may enter the workspace, and then the caller may not add a person to it any more.
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif not exists (select from public.workspace_members m
                    where m.workspace_id = p_workspace_id and (m.user_id = p_user_id or m.agent_id = p_agent_id)) then
    insert into public.workspace_members (organization_id, workspace_id, user_id, agent_id)
    values (v_act.organization_id, p_workspace_id, p_user_id, p_agent_id);
    perform weir.record_act(v_act, coalesce(p_user_id, p_agent_id)::text);
  end if;
  return v_answer;
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

create function weir.create_channel(p_workspace_id uuid, p_name text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_channel', 'see');
  select w.organization_id into v_act.organization_id
  from public.workspaces w where w.id = p_workspace_id and w.id in (select weir.my_workspaces());
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  end if;
  -- One at a time in a workspace, so that the maximum holds; its members see all channels that have a name. No call waits for this lock.
  perform pg_advisory_xact_lock(hashtextextended('weir.chat_channels ' || p_workspace_id, 0));
  if (select count(*) from public.chat_channels c where c.workspace_id = p_workspace_id and c.user_id is null) >= 1000 then
    return weir.refuse(v_act, 'WR006', 'a workspace may have 1000 channels');
  end if;
  insert into public.chat_channels (id, organization_id, workspace_id, name, created_by)
  values (v_id, v_act.organization_id, p_workspace_id, btrim(p_name), weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'workspace_id', p_workspace_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

-- How many there are in all, beyond what the caller may see; asked under the organization's lock.
create function weir.count_of(p_what text, p_organization_id uuid) returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_what
    when 'workspaces' then (select count(*) from public.workspaces w where w.organization_id = p_organization_id)
    when 'agents' then (select count(*) from public.agents a where a.organization_id = p_organization_id)
    -- who was asked has a place until the invitation expires
    when 'members' then (select count(*) from public.organization_members m
                         where m.organization_id = p_organization_id and m.status <> 'removed')
                      + (select count(*) from public.organization_invitations i
                         where i.organization_id = p_organization_id and i.accepted_at is null and i.revoked_at is null
                           and i.expires_at > now())
    when 'mcp_servers' then (select count(*) from public.mcp_server_instances i
                             where i.organization_id = p_organization_id and i.status <> 'deleted')
  end;
end;
$$;

-- How many organizations a person has made, those that they have left too: else who hands them over makes more without end.
create function weir.organizations_made_by(p_user_id uuid) returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select count(*) from public.organizations o where o.created_by = p_user_id);
end;
$$;

revoke all on function weir.create_organization(text, text), weir.create_workspace(uuid, text),
  weir.add_workspace_member(uuid, uuid, uuid), weir.create_channel(uuid, text), weir.count_of(text, uuid),
  weir.organizations_made_by(uuid) from public;
grant execute on function weir.create_organization(text, text), weir.create_workspace(uuid, text),
  weir.add_workspace_member(uuid, uuid, uuid), weir.create_channel(uuid, text) to authenticated;
grant execute on function weir.count_of(text, uuid), weir.organizations_made_by(uuid) to weir_writer;

grant create on schema weir to weir_system, weir_writer;
alter function weir.create_organization(text, text) owner to weir_writer;
alter function weir.create_workspace(uuid, text) owner to weir_writer;
alter function weir.add_workspace_member(uuid, uuid, uuid) owner to weir_writer;
alter function weir.create_channel(uuid, text) owner to weir_writer;
alter function weir.count_of(text, uuid) owner to weir_system;
alter function weir.organizations_made_by(uuid) owner to weir_system;
revoke create on schema weir from weir_system, weir_writer;

-- The published names: wrappers, whose parameter names are API.
create function public.create_organization(name text, slug text default null) returns jsonb
language sql volatile begin atomic select weir.create_organization($1, $2); end;
create function public.create_workspace(organization_id uuid, name text) returns jsonb
language sql volatile begin atomic select weir.create_workspace($1, $2); end;
create function public.add_workspace_member(workspace_id uuid, user_id uuid default null, agent_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.add_workspace_member($1, $2, $3); end;
create function public.create_channel(workspace_id uuid, name text) returns jsonb
language sql volatile begin atomic select weir.create_channel($1, $2); end;

revoke all on function public.create_organization(text, text), public.create_workspace(uuid, text),
  public.add_workspace_member(uuid, uuid, uuid), public.create_channel(uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.create_organization(text, text), public.create_workspace(uuid, text),
  public.add_workspace_member(uuid, uuid, uuid), public.create_channel(uuid, text) to authenticated;
