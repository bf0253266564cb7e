-- Organizations are the tenants. What a person may do follows from one row: their role and status in the organization that
-- is asked about, never in another one. Every tenant's row carries organization_id, and policies compare it first.

-- Limits are columns so that the operator can set them for each organization; zero is a limit. The functions that create
-- things count under the organization's lock, so two requests cannot both take the last place.
create table public.organizations (
  id uuid not null default weir.uuid_v7(),
  name text not null,
  -- Unique in the whole installation. Where the caller gives none, create_organization makes one that is free, so that a
  -- conflict does not reveal a name that is taken.
  slug text not null,
  -- False closes the organization to everybody, its owners included: my_organizations leaves it out and admission denies
  -- its calls.
  is_active boolean not null default true,
  max_mcp_servers integer not null default 25,
  max_agents integer not null default 200,
  max_members integer not null default 500,
  max_workspaces integer not null default 200,
  -- Calls and streams open at once, counted by each replica for itself (decision 0007): it protects the replica and is no
  -- permission.
  max_concurrent_connections integer not null default 200,
  -- Null after its user was deleted: an organization outlives who made it.
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organizations_pkey primary key (id),
  constraint organizations_slug_key unique (slug),
  constraint organizations_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint organizations_slug_is_lower_case check (slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
  constraint organizations_limits_are_not_negative
    check (least(max_mcp_servers, max_agents, max_members, max_workspaces, max_concurrent_connections) >= 0),
  constraint organizations_created_by_a_user foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.organizations enable row level security, force row level security;
revoke all on public.organizations from public, anon, authenticated, service_role;
comment on table public.organizations is 'tenant: the organization itself; its id is the organization_id of every tenant row';
-- For the quota of organizations that a person may make, for my_new_organizations, and for deleting a user.
create index organizations_created_by_idx on public.organizations (created_by);

-- A person who is removed keeps a row with the status removed, so that the row says what they were; an invitation brings
-- them back.
create table public.organization_members (
  organization_id uuid not null,
  user_id uuid not null,
  -- Each role may do all that the ones before it may: viewer, member, admin, owner.
  role text not null,
  -- Only `active` may do anything. A suspended member's refused attempts still go to the organization's audit log
  -- (weir.refuse). Nothing sets `invited`: who was asked is a row of organization_invitations until they accept.
  status text not null default 'active',
  invited_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organization_members_pkey primary key (organization_id, user_id),
  constraint organization_members_role_is_known check (role in ('owner', 'admin', 'member', 'viewer')),
  constraint organization_members_status_is_known check (status in ('active', 'invited', 'suspended', 'removed')),
  constraint organization_members_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- A deleted user is no member of anything. weir.guard_last_owner still refuses to delete the last active owner.
  constraint organization_members_user foreign key (user_id) references auth.users (id) on delete cascade,
  constraint organization_members_invited_by foreign key (invited_by) references auth.users (id) on delete set null
);
alter table public.organization_members enable row level security, force row level security;
revoke all on public.organization_members from public, anon, authenticated, service_role;
comment on table public.organization_members is 'tenant: a person''s role and status in an organization';
-- my_organizations asks by the user, for every policy of every statement; the primary key begins with the organization.
create index organization_members_user_id_idx on public.organization_members (user_id);
create index organization_members_invited_by_idx on public.organization_members (invited_by);

-- The organizations in which the caller is active, with at least this role; none for an unknown role, for anon, and where
-- the organization is inactive. Policies compare with `= any(array(select weir.my_organizations()))`: that is asked once
-- for each statement and becomes an index condition, where `exists (...)` or `in (...)` would be asked for each row.
-- A security definer, because a policy on organization_members that reads organization_members would recurse. `rows 3` is
-- for the planner, which would expect a thousand.
create function weir.my_organizations(p_role text default 'viewer') returns setof uuid
language plpgsql stable security definer rows 3
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select m.organization_id
    from public.organization_members m
    join public.organizations o on o.id = m.organization_id
    where m.user_id = weir.actor_id()
      and m.status = 'active'
      and o.is_active
      and m.role = any(case p_role
            when 'viewer' then array['viewer', 'member', 'admin', 'owner']
            when 'member' then array['member', 'admin', 'owner']
            when 'admin' then array['admin', 'owner']
            when 'owner' then array['owner']
          end);
end;
$$;
revoke all on function weir.my_organizations(text) from public;
grant execute on function weir.my_organizations(text) to authenticated, weir_writer;

-- Organizations that the caller created and that have no member yet. It is what lets the creator, and nobody else, become
-- the first member (policy members_begin_with_their_first_owner).
-- A security definer, because the creator is no member yet and so does not see the organization.
create function weir.my_new_organizations() returns setof uuid
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select o.id
    from public.organizations o
    where o.created_by = weir.actor_id()
      and not exists (select from public.organization_members m where m.organization_id = o.id);
end;
$$;
revoke all on function weir.my_new_organizations() from public;
grant execute on function weir.my_new_organizations() to weir_writer;

-- API roles see their organizations and change none. The writer creates one in the caller's own name. weir_system reads the
-- few columns by which calls are decided, of all organizations.
create policy organizations_are_seen_by_their_members on public.organizations for select to authenticated, weir_writer
  using (id = any(array(select weir.my_organizations())));
create policy organizations_are_created_by_the_caller on public.organizations for insert to weir_writer
  with check (created_by = (select weir.actor_id()));
create policy organizations_are_read_by_the_engine on public.organizations for all to weir_system using (true) with check (true);
grant select on public.organizations to authenticated;
grant select, insert (id, name, slug, created_by) on public.organizations to weir_writer;
grant select (id, is_active, created_by) on public.organizations to weir_system;

-- Every member sees who else belongs to the organization, and in which role.
create policy members_are_seen_by_members on public.organization_members for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
-- The one way to become a member without an invitation: as first owner of an organization that one has just created.
-- Everybody else accepts an invitation (weir.accept_invitation).
create policy members_begin_with_their_first_owner on public.organization_members for insert to weir_writer
  with check (user_id = (select weir.actor_id()) and role = 'owner' and status = 'active'
              and organization_id = any(array(select weir.my_new_organizations())));
-- For my_organizations, and for admission, which asks for the roles of the agent's owner and of the person.
create policy members_are_read_by_the_engine on public.organization_members for all to weir_system using (true) with check (true);
grant select on public.organization_members to authenticated;
grant select, insert (organization_id, user_id, role, status) on public.organization_members to weir_writer;
grant select (organization_id, user_id, role, status) on public.organization_members to weir_system;

grant create on schema weir to weir_system;
alter function weir.my_organizations(text) owner to weir_system;
alter function weir.my_new_organizations() owner to weir_system;
revoke create on schema weir from weir_system;
