-- Agents: identities of an organization that use servers. A member owns an agent; an agent is never that member's login.

-- An agent acts only while it is active and its owner is an active member (weir.decide). Every member reads names and instructions; the
-- grants define what the agent may do.
create table public.agents (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  instructions text,
  -- Null after the owner's membership row was deleted. Such an agent is denied everything (`member_inactive`) but stays, with its grants
  -- and history.
  user_id uuid,
  -- When the organization or the platform switched it off, and who did. There are two switches, because no tenant may undo a stop by the
  -- platform. The ids are copies without foreign keys, as in the audit log.
  stopped_at timestamptz,
  stopped_by uuid,
  platform_stopped_at timestamptz,
  platform_stopped_by uuid,
  -- A deleted agent stays as a row, so that the ids in the audit log and in chat still refer to something. Its name is free.
  deleted_at timestamptz,
  deleted_by uuid,
  is_active boolean not null
    generated always as (stopped_at is null and platform_stopped_at is null and deleted_at is null) stored,
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agents_pkey primary key (id),
  -- The target of composite foreign keys: a row that names an agent names the agent's organization with it.
  constraint agents_organization_id_id_key unique (organization_id, id),
  constraint agents_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint agents_instructions_are_at_most_32_kib check (octet_length(instructions) <= 32768),
  constraint agents_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- Composite, so that the owner is a member of this organization; a deletion sets only the person's column to null.
  constraint agents_owner_is_a_member
    foreign key (organization_id, user_id) references public.organization_members (organization_id, user_id)
    on delete set null (user_id),
  constraint agents_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.agents enable row level security, force row level security;
revoke all on public.agents from public, anon, authenticated, service_role;
comment on table public.agents is 'tenant: an AI agent of an organization';
-- Names that differ only by case would be confused in a chat.
-- Unique among agents that are not deleted. Not a partial index: a session that planned while the table was empty would scan such an index
-- as a whole for `deleted_at is null`.
create unique index agents_name_key on public.agents (organization_id, lower(name), coalesce(deleted_at, '-infinity'));
create index agents_owner_idx on public.agents (organization_id, user_id);
create index agents_created_by_idx on public.agents (created_by);

set local role weir_system;

-- The agents that the caller owns and may act for. An owner who is only a viewer by now may do nothing with them.
-- A security definer for the same reason as my_organizations: policies on agents and on tables that refer to agents call it.
create function weir.my_agents() returns setof uuid
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select a.id
    from public.agents a
    where a.organization_id = any(array(select weir.my_organizations('member')))
      and a.user_id = weir.actor_id() and a.deleted_at is null;
end;
$$;
grant execute on function weir.my_agents to authenticated, weir_writer;

reset role;

-- Every member sees the organization's agents; only the agent's owner and admins see its grants. Members create agents of their own.
-- weir_system reads all agents, because a key names an agent before any person is known.
create policy agents_are_seen_by_members on public.agents for select to authenticated
  using (organization_id = any(array(select weir.my_organizations())) and deleted_at is null);
-- Deleted ones too: their messages in chat keep their name, and the row that a deletion writes must be visible to the writer. Functions
-- that look for an agent to act on leave them out.
create policy agents_are_found_by_members on public.agents for select to weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
create policy agents_are_created_by_their_owner on public.agents for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('member')))
              and user_id = (select weir.actor_id()) and created_by = (select weir.actor_id()));
create policy agents_are_changed_by_their_owner_and_admins on public.agents for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))) or id = any(array(select weir.my_agents())))
  with check (organization_id = any(array(select weir.my_organizations('admin'))) or id = any(array(select weir.my_agents())));
create policy agents_are_read_by_the_engine on public.agents for all to weir_system using (true) with check (true);
grant select on public.agents to authenticated;
grant select, insert (id, organization_id, name, instructions, user_id, created_by),
      update (name, instructions, stopped_at, stopped_by, deleted_at, deleted_by, updated_at) on public.agents to weir_writer;
grant select (id, organization_id, name, instructions, user_id, is_active, platform_stopped_at, platform_stopped_by, deleted_at,
              created_at),
      update (instructions, platform_stopped_at, platform_stopped_by, deleted_at) on public.agents to weir_system;

create trigger b_agent_change before insert or update or delete on public.agents
  for each row execute function weir.on_permission_change();
create trigger not_truncated before truncate on public.agents for each statement execute function weir.refuse_truncate();

-- Whether the caller is an admin of that organization or owns the agent, and is an active member (my_organizations and my_agents require
-- that). Not a definer; both read the caller's claims. The organization must be the agent's.
create function weir.may_manage_agent(p_organization_id uuid, p_agent_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or exists (select from weir.my_agents() a where a = p_agent_id);
end;
$$;

revoke all on function weir.may_manage_agent from public;
grant execute on function weir.may_manage_agent to weir_writer, weir_system;

set local role weir_writer;

-- For members; a viewer gets WR003. The creator owns the agent (policy agents_are_created_by_their_owner), and may therefore manage its
-- keys. p_workspace_id adds the agent to a workspace in the same transaction, if the policies of workspace_members permit it; null: to
-- none. The organization's lock makes max_agents exact.
create function weir.create_agent(p_organization_id uuid, p_name text, p_instructions text, p_workspace_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_agent', 'member', 'a viewer creates nothing', p_organization_id,
                    p_workspace_id => p_workspace_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_workspace_id is not null and not exists (
      select from public.workspaces w where w.id = p_workspace_id and w.organization_id = p_organization_id) then
    return weir.refuse(v_act, 'WR004', 'there is no such workspace');
  end if;
  v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name),
    case when octet_length(p_instructions) > 32768 then 'instructions must be at most 32 KiB' end));
  if v_refusal is not null then
    return v_refusal;
  elsif weir.count_of('agents', p_organization_id) >= (select o.max_agents from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has reached its limit of agents (max_agents = '
                         || (select o.max_agents from public.organizations o where o.id = p_organization_id) || ')',
                       'Delete an agent, or ask the operator to raise the limit.');
  end if;
  insert into public.agents (id, organization_id, name, instructions, user_id, created_by)
  values (v_id, p_organization_id, btrim(p_name), p_instructions, v_actor, v_actor);
  if p_workspace_id is not null then
    insert into public.workspace_members (organization_id, workspace_id, agent_id) values (p_organization_id, p_workspace_id, v_id);
  end if;
  v_act.agent_id := v_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_name);
end;
$$;
grant execute on function weir.create_agent to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.create_agent(organization_id uuid, name text, instructions text default null,
                                    workspace_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.create_agent($1, $2, $3, $4); end;

revoke all on function public.create_agent from public, anon, authenticated, service_role;
grant execute on function public.create_agent to authenticated;
