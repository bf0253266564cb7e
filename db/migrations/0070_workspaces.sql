-- A place inside one organization where people and agents meet.
create table public.workspaces (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint workspaces_pkey primary key (id),
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

-- Either a person or an agent. Composite keys: neither can come from another organization.
create table public.workspace_members (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  workspace_id uuid not null,
  user_id uuid,
  agent_id uuid,
  created_at timestamptz not null default now(),
  constraint workspace_members_pkey primary key (id),
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
create unique index workspace_members_user_key on public.workspace_members (workspace_id, user_id) where user_id is not null;
create unique index workspace_members_agent_key on public.workspace_members (workspace_id, agent_id) where agent_id is not null;
create index workspace_members_workspace_idx on public.workspace_members (organization_id, workspace_id);
create index workspace_members_user_idx on public.workspace_members (organization_id, user_id);
create index workspace_members_agent_idx on public.workspace_members (organization_id, agent_id);
create index workspace_members_user_id_idx on public.workspace_members (user_id);
create index workspace_members_agent_id_idx on public.workspace_members (agent_id);

-- The workspaces that the caller belongs to, in organizations where the caller is active.
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

-- Whether the caller may manage each agent of a workspace: whoever enters it may use all of them, and reads what they can. An admin need not
-- ask. Definer, because who made a workspace and is not in it (any more) does not see its members.
create function weir.may_manage_agents_of(p_workspace_id uuid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return not exists (select from public.workspace_members m
                     where m.workspace_id = p_workspace_id and m.agent_id is not null and m.agent_id <> all(array(select weir.my_agents())));
end;
$$;
revoke all on function weir.may_manage_agents_of(uuid) from public;
grant execute on function weir.may_manage_agents_of(uuid) to weir_writer;

-- In every policy of a tenant's table the organization comes first: it is the index condition, which alternatives are not.
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

create policy workspace_members_are_seen_inside on public.workspace_members for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (workspace_id = any(array(select weir.my_workspaces()))
              or organization_id = any(array(select weir.my_organizations('admin')))));
-- Members add agents of their own, and people where they may manage each agent; an admin adds anybody; who made the workspace enters it
-- first.
create policy workspace_members_are_added_inside on public.workspace_members for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              or (organization_id = any(array(select weir.my_organizations('member')))
                  and (agent_id = any(array(select weir.my_agents())) or agent_id is null and weir.may_manage_agents_of(workspace_id))
                  and (workspace_id = any(array(select weir.my_workspaces()))
                       or (user_id = (select weir.actor_id())
                           and workspace_id = any(array(select w.id from public.workspaces w
                                                        where w.created_by = (select weir.actor_id())))))));
create policy workspace_members_are_read_by_the_engine on public.workspace_members for all to weir_system
  using (true) with check (true);
grant select on public.workspace_members to authenticated;
grant select, insert (organization_id, workspace_id, user_id, agent_id) on public.workspace_members to weir_writer;
grant select (organization_id, workspace_id, user_id, agent_id) on public.workspace_members to weir_system;

grant create on schema weir to weir_system;
alter function weir.my_workspaces() owner to weir_system;
alter function weir.may_manage_agents_of(uuid) owner to weir_system;
revoke create on schema weir from weir_system;
