-- The tenant, and who belongs to it.
create table public.organizations (
  id uuid not null default weir.uuid_v7(),
  name text not null,
  slug text not null,
  is_active boolean not null default true,
  max_mcp_servers integer not null default 25,
  max_agents integer not null default 200,
  max_members integer not null default 500,
  max_workspaces integer not null default 200,
  max_concurrent_connections integer not null default 200,
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
create index organizations_created_by_idx on public.organizations (created_by);

create table public.organization_members (
  organization_id uuid not null,
  user_id uuid not null,
  role text not null,
  status text not null default 'active',
  invited_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organization_members_pkey primary key (organization_id, user_id),
  constraint organization_members_role_is_known check (role in ('owner', 'admin', 'member', 'viewer')),
  constraint organization_members_status_is_known check (status in ('active', 'invited', 'suspended', 'removed')),
  constraint organization_members_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint organization_members_user foreign key (user_id) references auth.users (id) on delete cascade,
  constraint organization_members_invited_by foreign key (invited_by) references auth.users (id) on delete set null
);
alter table public.organization_members enable row level security, force row level security;
revoke all on public.organization_members from public, anon, authenticated, service_role;
comment on table public.organization_members is 'tenant: a person''s role and status in an organization';
create index organization_members_user_id_idx on public.organization_members (user_id);
create index organization_members_invited_by_idx on public.organization_members (invited_by);

-- The organizations in which the caller is active, with at least this role. Policies compare with
-- `= any(array(select weir.my_organizations()))`, which becomes an index condition. Definer, because a policy on
-- organization_members that reads organization_members would recurse.
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

-- Organizations that the caller has just created and that nobody belongs to yet: the first member is their creator.
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

create policy organizations_are_seen_by_their_members on public.organizations for select to authenticated, weir_writer
  using (id = any(array(select weir.my_organizations())));
create policy organizations_are_created_by_the_caller on public.organizations for insert to weir_writer
  with check (created_by = (select weir.actor_id()));
create policy organizations_are_read_by_the_engine on public.organizations for all to weir_system using (true) with check (true);
grant select on public.organizations to authenticated;
grant select, insert (id, name, slug, created_by) on public.organizations to weir_writer;
grant select (id, is_active, created_by) on public.organizations to weir_system;

create policy members_are_seen_by_members on public.organization_members for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
-- Whoever comes later is invited, and lets themselves in (0400).
create policy members_begin_with_their_first_owner on public.organization_members for insert to weir_writer
  with check (user_id = (select weir.actor_id()) and role = 'owner' and status = 'active'
              and organization_id = any(array(select weir.my_new_organizations())));
create policy members_are_read_by_the_engine on public.organization_members for all to weir_system using (true) with check (true);
grant select on public.organization_members to authenticated;
grant select, insert (organization_id, user_id, role, status) on public.organization_members to weir_writer;
grant select (organization_id, user_id, role, status) on public.organization_members to weir_system;

grant create on schema weir to weir_system;
alter function weir.my_organizations(text) owner to weir_system;
alter function weir.my_new_organizations() owner to weir_system;
revoke create on schema weir from weir_system;
