-- Workspaces: where people and agents of one organization meet. Sharing a workspace with an agent is a permission: it lets
-- the person use the agent, with all that the agent was granted (weir.may_use_agent). So adding to one is guarded.

-- The organization's row is deleted with everything in it; who created the workspace may leave, and it stays.
create table public.workspaces (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint workspaces_pkey primary key (id),
  -- The target of composite foreign keys, so that nothing in a workspace is of another organization.
  constraint workspaces_organization_id_id_key unique (organization_id, id),
  constraint workspaces_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint workspaces_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint workspaces_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.workspaces enable row level security, force row level security;
revoke all on public.workspaces from public, anon, authenticated, service_role;
comment on table public.workspaces is 'tenant: a place where people and agents of one organization talk';
create unique index workspaces_name_key on public.workspaces (organization_id, lower(name));
create index workspaces_created_by_idx on public.workspaces (created_by);

-- One table for people and agents, because both are members in the same sense. The foreign keys are composite, so neither
-- can come from another organization; each member goes with the membership or the agent that it is.
create table public.workspace_members (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  workspace_id uuid not null,
  user_id uuid,
  agent_id uuid,
  created_at timestamptz not null default now(),
  constraint workspace_members_pkey primary key (id),
  -- Exactly one of the two columns is set. This is also why there is no natural primary key.
  constraint workspace_members_person_or_agent check (num_nonnulls(user_id, agent_id) = 1),
  constraint workspace_members_workspace_of_the_organization
    foreign key (organization_id, workspace_id) references public.workspaces (organization_id, id) on delete cascade,
  constraint workspace_members_user_of_the_organization
    foreign key (organization_id, user_id) references public.organization_members (organization_id, user_id) on delete cascade,
  constraint workspace_members_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade
);
alter table public.workspace_members enable row level security, force row level security;
revoke all on public.workspace_members from public, anon, authenticated, service_role;
comment on table public.workspace_members is 'tenant: a person or an agent in a workspace; sharing one lets the person use the agent';
-- Nobody is in a workspace twice. Each index is partial because the other kind of member has null there.
create unique index workspace_members_user_key on public.workspace_members (workspace_id, user_id) where user_id is not null;
create unique index workspace_members_agent_key on public.workspace_members (workspace_id, agent_id) where agent_id is not null;
-- The first three serve the foreign keys. The last two serve look-ups by the person or the agent alone (my_workspaces,
-- may_use_agent).
create index workspace_members_workspace_idx on public.workspace_members (organization_id, workspace_id);
create index workspace_members_user_idx on public.workspace_members (organization_id, user_id);
create index workspace_members_agent_idx on public.workspace_members (organization_id, agent_id);
create index workspace_members_user_id_idx on public.workspace_members (user_id);
create index workspace_members_agent_id_idx on public.workspace_members (agent_id);

-- The workspaces that the caller belongs to, in organizations where the caller is active. A security definer, because a
-- policy on workspace_members that reads workspace_members would recurse.
create function weir.my_workspaces() returns setof uuid
language plpgsql stable security definer rows 5
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select w.workspace_id
    from public.workspace_members w
    where w.user_id = weir.actor_id()
      and w.organization_id = any(array(select weir.my_organizations()));
end;
$$;
revoke all on function weir.my_workspaces() from public;
grant execute on function weir.my_workspaces() to authenticated, weir_writer;

-- Whether the caller owns every agent of a workspace; true where it has none. Whoever enters a workspace may use all its
-- agents, so a member may bring in others only where no agent is somebody else's. An admin need not ask.
-- A security definer, because the creator of a workspace who is not in it (any more) does not see its members, and would
-- find no agent there.
create function weir.may_manage_agents_of(p_workspace_id uuid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return not exists (select from public.workspace_members m
                     where m.workspace_id = p_workspace_id and m.agent_id is not null
                       and m.agent_id <> all(array(select weir.my_agents())));
end;
$$;
revoke all on function weir.may_manage_agents_of(uuid) from public;
grant execute on function weir.may_manage_agents_of(uuid) to weir_writer;

-- In every policy of a tenant's table the organization comes first: it becomes the index condition, and alternatives after
-- it do not. The creator sees the workspace before they are its member.
create policy workspaces_are_seen_by_their_members_and_admins on public.workspaces for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (id = any(array(select weir.my_workspaces()))
              or organization_id = any(array(select weir.my_organizations('admin')))
              or created_by = (select weir.actor_id())));
create policy workspaces_are_created_by_members on public.workspaces for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('member')))
              and created_by = (select weir.actor_id()));
create policy workspaces_are_read_by_the_engine on public.workspaces for all to weir_system using (true) with check (true);
grant select on public.workspaces to authenticated;
grant select, insert (id, organization_id, name, created_by) on public.workspaces to weir_writer;
grant select (id, organization_id) on public.workspaces to weir_system;

-- Seen from inside, and by admins; to others a workspace and its members do not exist.
create policy workspace_members_are_seen_inside on public.workspace_members for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (workspace_id = any(array(select weir.my_workspaces()))
              or organization_id = any(array(select weir.my_organizations('admin')))));
-- An admin adds anybody. A member adds agents of their own, and people where they own each agent, and only in a workspace
-- that they belong to; the creator may enter it first. The same is asked by weir.may_add_to_workspace, under the lock.
create policy workspace_members_are_added_inside on public.workspace_members for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              or (organization_id = any(array(select weir.my_organizations('member')))
                  and (agent_id = any(array(select weir.my_agents())) or agent_id is null and weir.may_manage_agents_of(workspace_id))
                  and (workspace_id = any(array(select weir.my_workspaces()))
                       or (user_id = (select weir.actor_id())
                           and workspace_id = any(array(select w.id from public.workspaces w
                                                        where w.created_by = (select weir.actor_id())))))));
-- For the functions above, and for admission, which asks whether a person shares a workspace with an agent.
create policy workspace_members_are_read_by_the_engine on public.workspace_members for all to weir_system
  using (true) with check (true);
grant select on public.workspace_members to authenticated;
grant select, insert (organization_id, workspace_id, user_id, agent_id) on public.workspace_members to weir_writer;
grant select (organization_id, workspace_id, user_id, agent_id) on public.workspace_members to weir_system;

grant create on schema weir to weir_system;
alter function weir.my_workspaces() owner to weir_system;
alter function weir.may_manage_agents_of(uuid) owner to weir_system;
revoke create on schema weir from weir_system;
