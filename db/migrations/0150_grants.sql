-- Grants: what an agent may use of an instance, and until when; requests for them; and the counters of limited grants.

-- One agent, one instance, what is permitted, and when. A grant is never changed: a new one revokes the active one before
-- it, and revoking is final (weir.guard_grant). So the rows are the history of who was allowed what, and by whom.
create table public.agent_mcp_permissions (
  id uuid not null default weir.uuid_v7(),
  -- On the row and in both foreign keys, so that no grant crosses organizations, whoever writes it.
  organization_id uuid not null,
  agent_id uuid not null,
  mcp_server_instance_id uuid not null,
  -- The grammar is weir.permissions_error's. Not null: {} permits no item.
  permissions jsonb not null,
  -- Null: at once. expires_at null: until it is revoked.
  not_before timestamptz,
  expires_at timestamptz,
  -- Null after that user was deleted; granted_by_id is a copy without a foreign key, and still says who it was.
  granted_by uuid,
  granted_by_id uuid not null,
  granted_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz,
  revoked_by uuid,
  -- For readers. It says nothing of not_before and expires_at, so nothing is decided by it.
  is_active boolean not null generated always as (revoked_at is null) stored,
  updated_at timestamptz not null default clock_timestamp(),
  constraint agent_mcp_permissions_pkey primary key (id),
  constraint agent_mcp_permissions_follow_the_grammar check (weir.permissions_error(permissions) is null),
  constraint agent_mcp_permissions_start_before_they_end check (not_before < expires_at),
  constraint agent_mcp_permissions_revoked_by_someone_at_a_time check (revoked_by is null or revoked_at is not null),
  -- Deleted with the agent or the instance; what was done under the grant stays in the audit log, which copies its id.
  constraint agent_mcp_permissions_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint agent_mcp_permissions_instance_of_the_organization
    foreign key (organization_id, mcp_server_instance_id)
    references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint agent_mcp_permissions_granted_by foreign key (granted_by) references auth.users (id) on delete set null (granted_by),
  constraint agent_mcp_permissions_revoked_by foreign key (revoked_by) references auth.users (id) on delete set null (revoked_by)
);
alter table public.agent_mcp_permissions enable row level security, force row level security;
revoke all on public.agent_mcp_permissions from public, anon, authenticated, service_role;
comment on table public.agent_mcp_permissions is 'tenant: what an agent may use of an instance; history is kept';
-- One active grant of an agent for an instance; admission finds it by this index.
create unique index agent_mcp_permissions_active_key on public.agent_mcp_permissions (agent_id, mcp_server_instance_id)
  where revoked_at is null;
create index agent_mcp_permissions_agent_idx on public.agent_mcp_permissions (organization_id, agent_id);
create index agent_mcp_permissions_instance_idx on public.agent_mcp_permissions (organization_id, mcp_server_instance_id);
create index agent_mcp_permissions_granted_by_idx on public.agent_mcp_permissions (granted_by);
create index agent_mcp_permissions_revoked_by_idx on public.agent_mcp_permissions (revoked_by);

-- Admins grant, in their own name. The agent's owner sees its grants and may relinquish them, but never grants: otherwise
-- every member could give their own agent everything.
create policy grants_are_seen_by_admins_and_the_agent_s_owner on public.agent_mcp_permissions for select
  to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (organization_id = any(array(select weir.my_organizations('admin'))) or agent_id = any(array(select weir.my_agents()))));
create policy grants_are_made_by_admins on public.agent_mcp_permissions for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              and granted_by = (select weir.actor_id()) and granted_by_id = (select weir.actor_id()));
-- An update can only revoke, by the caller.
create policy grants_are_revoked_by_admins_and_the_agent_s_owner on public.agent_mcp_permissions for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))) or agent_id = any(array(select weir.my_agents())))
  with check (revoked_at is not null and revoked_by = (select weir.actor_id()));
-- Admission and the agent's catalog read grants of all organizations; weir_system has no privilege to change one.
create policy grants_are_read_by_the_engine on public.agent_mcp_permissions for all to weir_system using (true) with check (true);
grant select on public.agent_mcp_permissions to authenticated, weir_writer;
grant select (id, organization_id, agent_id, mcp_server_instance_id, permissions, not_before, expires_at, revoked_at)
  on public.agent_mcp_permissions to weir_system;
grant insert (id, organization_id, agent_id, mcp_server_instance_id, permissions, not_before, expires_at, granted_by, granted_by_id),
      update (revoked_at, revoked_by, updated_at) on public.agent_mcp_permissions to weir_writer;

-- An agent's owner asks for access, and an admin decides (weir.request_mcp_access). A decided request stays as it was
-- (weir.guard_request).
create table public.permission_requests (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  agent_id uuid not null,
  mcp_server_instance_id uuid not null,
  permissions jsonb not null,
  message text,
  -- `withdrawn` is the asker's own decision, all others an admin's.
  status text not null default 'open',
  -- Null after that user was deleted, as decided_by.
  requested_by uuid,
  created_at timestamptz not null default now(),
  decided_by uuid,
  decided_at timestamptz,
  constraint permission_requests_pkey primary key (id),
  -- The same grammar as a grant's, so that what was asked for can be granted as it is.
  constraint permission_requests_follow_the_grammar check (weir.permissions_error(permissions) is null),
  constraint permission_requests_status_is_known check (status in ('open', 'granted', 'refused', 'withdrawn')),
  constraint permission_requests_decided_at_a_time check ((status = 'open') = (decided_at is null)),
  constraint permission_requests_message_is_short check (length(message) <= 1000),
  constraint permission_requests_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint permission_requests_instance_of_the_organization
    foreign key (organization_id, mcp_server_instance_id)
    references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint permission_requests_requested_by foreign key (requested_by) references auth.users (id) on delete set null,
  constraint permission_requests_decided_by foreign key (decided_by) references auth.users (id) on delete set null
);
alter table public.permission_requests enable row level security, force row level security;
revoke all on public.permission_requests from public, anon, authenticated, service_role;
comment on table public.permission_requests is 'tenant: access that an agent''s owner asked for';
-- One open request of an agent for an instance, so admins are not asked twice for the same.
create unique index permission_requests_open_key on public.permission_requests (agent_id, mcp_server_instance_id)
  where status = 'open';
create index permission_requests_agent_idx on public.permission_requests (organization_id, agent_id);
create index permission_requests_instance_idx on public.permission_requests (organization_id, mcp_server_instance_id);
create index permission_requests_requested_by_idx on public.permission_requests (requested_by);
create index permission_requests_decided_by_idx on public.permission_requests (decided_by);
-- Whoever asked sees their own requests while they are in the organization; other members see none.
create policy requests_are_seen_by_admins_and_who_asked on public.permission_requests for select to authenticated
  using (organization_id = any(array(select weir.my_organizations('admin')))
         or (requested_by = (select weir.actor_id()) and organization_id = any(array(select weir.my_organizations()))));
grant select on public.permission_requests to authenticated;

-- What a limited grant has used of its current minute, hour and day: one row for each, reused when a new window begins
-- (window_start). Admission locks these rows in the order of their key (weir.over_limit).
-- No foreign key: checking one would wait for whoever deletes the grant, who holds the organization's lock and waits for
-- the running admissions.
create table weir.grant_usage (
  organization_id uuid not null,
  grant_id uuid not null,
  period text not null,
  window_start timestamptz not null,
  used bigint not null,
  -- Begins with the grant, because admission sums a batch's calls for each grant.
  constraint grant_usage_pkey primary key (grant_id, period),
  constraint grant_usage_period_is_known check (period in ('per_minute', 'per_hour', 'per_day')),
  constraint grant_usage_is_not_negative check (used >= 0)
);
alter table weir.grant_usage enable row level security, force row level security;
revoke all on weir.grant_usage from public, anon, authenticated, service_role;
comment on table weir.grant_usage is 'tenant: counters of limited grants (no foreign key, see 0150_grants.sql)';
create index grant_usage_organization_idx on weir.grant_usage (organization_id);
-- No person sees or sets a counter. explain_mcp_access says whether a limit is reached.
create policy usage_is_counted_by_the_engine on weir.grant_usage for all to weir_system using (true) with check (true);
grant select, insert, update (window_start, used), delete on weir.grant_usage to weir_system;

-- Counters are created with their grant, so that admission only updates: a call of a limited grant without its counters is
-- over the limit (weir.over_limit). A security definer, because whoever grants may not see the counters.
create function weir.make_counters() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.grant_usage (organization_id, grant_id, period, window_start, used)
  -- In the distant past, so that the first call begins a window.
  select new.organization_id, new.id, l.period, '-infinity', 0
  from jsonb_object_keys(new.permissions -> 'limits') l(period);
  return null;
end;
$$;
revoke all on function weir.make_counters() from public;
grant create on schema weir to weir_system;
alter function weir.make_counters() owner to weir_system;
revoke create on schema weir from weir_system;
-- After the insert, and so after b_grant_change has taken the organization's lock.
create trigger c_limited_grant after insert on public.agent_mcp_permissions
  for each row when (new.permissions -> 'limits' <> '{}') execute function weir.make_counters();
