-- What governs instances: the trigger that holds them to the state machine, who sees and changes them, the outbox of what
-- nodes are asked to do, and the pins of what servers announce.

-- Whoever updates, by a function or by direct SQL: only a move of weir.instance_moves, and never to another organization.
-- Not a security definer: the table of moves is readable by all who may update.
create function weir.guard_instance() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.organization_id <> old.organization_id then
    raise exception using errcode = 'WR005', message = 'an instance stays in its organization';
  end if;
  if new.status <> old.status
     and not exists (select from weir.instance_moves m where m.from_status = old.status and m.to_status = new.status) then
    raise exception using errcode = 'WR005',
      message = format('an instance cannot go from %s to %s', old.status, new.status);
  end if;
  new.updated_at := now();
  return new;
end;
$$;
revoke all on function weir.guard_instance() from public;
-- The a_ makes it fire first: triggers run in the order of their names, and a refused change must not take the
-- organization's lock (b_instance_update).
create trigger a_guard_instance before update on public.mcp_server_instances
  for each row execute function weir.guard_instance();

-- Members see that a server exists, and its state. Configuration, address, node and the error's text are not granted:
-- get_organization_mcp_configs gives each role what it needs.
create policy instances_are_seen_by_members on public.mcp_server_instances for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
-- Admins write through the functions of weir_writer. An instance begins as `pending`, so its first deployment is an
-- operation of the outbox.
create policy instances_are_created_by_admins on public.mcp_server_instances for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              and created_by = (select weir.actor_id()) and status = 'pending');
create policy instances_are_changed_by_admins on public.mcp_server_instances for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check (organization_id = any(array(select weir.my_organizations('admin'))));
-- weir_system writes what was observed (status, placement, errors, lists). It never inserts or deletes an instance.
create policy instances_are_kept_by_the_engine on public.mcp_server_instances for all to weir_system using (true) with check (true);
grant select (id, organization_id, name, catalog_id, status, share, max_sessions, priority, region, pin_policy, last_error_code,
              created_by, created_at, updated_at)
  on public.mcp_server_instances to authenticated;
grant select,
      insert (id, organization_id, name, catalog_id, url, configuration, share, max_sessions, priority, region, pin_policy, chat_offline,
              created_by),
      update (name, catalog_id, url, configuration, share, max_sessions, priority, region, pin_policy, chat_offline, approved_generation,
              status, generation, resets, last_error_code, last_error, deployed_by)
  on public.mcp_server_instances to weir_writer;
grant select,
      update (status, node_id, last_node_id, configuration, last_error_code, last_error, first_running_at, server_info,
              refreshed_generation, refreshed_at, refresh_at, refresh_by, refresh_lease_until)
  on public.mcp_server_instances to weir_system;

-- The outbox. A row is committed with the change of the instance, and a worker of some replica carries it out afterwards:
-- no transaction is open while a node is called, and an intent is neither lost nor done before it is committed.
create table weir.dtma_operations (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  instance_id uuid not null,
  action text not null,
  -- The instance's when this was wanted. If the instance has a later one, the operation is superseded and asks nobody.
  generation bigint not null,
  -- Null: the system itself, or a user who was deleted.
  created_by uuid,
  created_at timestamptz not null default now(),
  -- Rises with each claim. An operation that is to be tried again has a later run_at.
  attempt integer not null default 0,
  run_at timestamptz not null default now(),
  -- The replica that works on it, and until when: after that any other may take it.
  claimed_by uuid,
  lease_until timestamptz,
  finished_at timestamptz,
  outcome text,
  error_code text,
  error text,
  constraint dtma_operations_pkey primary key (id),
  constraint dtma_operations_action_is_known check (action in ('deploy', 'update', 'restart', 'stop', 'delete')),
  constraint dtma_operations_outcome_is_known check (outcome in ('done', 'failed', 'superseded')),
  constraint dtma_operations_finished_with_outcome check ((finished_at is null) = (outcome is null)),
  constraint dtma_operations_claimed_with_lease check ((claimed_by is null) = (lease_until is null)),
  constraint dtma_operations_errors_are_short check (length(error_code) <= 100 and length(error) <= 2000),
  -- Composite, so that an operation cannot be recorded for another organization's instance.
  constraint dtma_operations_instance_of_the_organization
    foreign key (organization_id, instance_id) references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint dtma_operations_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table weir.dtma_operations enable row level security, force row level security;
revoke all on weir.dtma_operations from public, anon, authenticated, service_role;
comment on table weir.dtma_operations is 'tenant: outbox of what nodes are asked to do';
create index dtma_operations_instance_idx on weir.dtma_operations (organization_id, instance_id);
create index dtma_operations_created_by_idx on weir.dtma_operations (created_by);
-- For workers, which look for what is due all the time: finished rows stay as history and must not slow that down.
create index dtma_operations_open_idx on weir.dtma_operations (run_at) where finished_at is null;
-- One operation for each desired state: two requests for the same thing make one row. A restart wants no other state and
-- keeps the generation, so of restarts one may be open at a time.
create unique index dtma_operations_generation_key on weir.dtma_operations (instance_id, generation, action) where action <> 'restart';
create unique index dtma_operations_restart_key on weir.dtma_operations (instance_id) where action = 'restart' and finished_at is null;
-- Admins add operations in their own name, through weir_writer. They never update or delete one; workers claim and finish
-- them.
create policy operations_are_written_by_admins on weir.dtma_operations for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and created_by = (select weir.actor_id()));
create policy operations_are_seen_by_admins on weir.dtma_operations for select to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
create policy operations_are_kept_by_the_engine on weir.dtma_operations for all to weir_system using (true) with check (true);
grant select, insert (id, organization_id, instance_id, action, generation, created_by) on weir.dtma_operations to weir_writer;
grant select, update (attempt, run_at, claimed_by, lease_until, finished_at, outcome, error_code, error)
  on weir.dtma_operations to weir_system;

-- A pin: a definition of a tool, prompt or template that the server announced, by its hash. A name may have several
-- approved hashes, and may be called while the announced one is among them. So a server cannot change, after it was
-- approved, what its tool claims to do.
-- Resources are rows too but no pins: the last good copy of the server's list, always approved, because each read is
-- decided by its URI.
create table public.mcp_server_tools (
  organization_id uuid not null,
  instance_id uuid not null,
  kind text not null,
  name text not null,
  definition_hash bytea not null,
  -- Text and not jsonb, so that clients get the bytes that were announced.
  definition text not null,
  status text not null,
  -- What in the definition hides from people, and where. Such a pin waits for an admin, whatever the policy. Null: nothing.
  warning text,
  -- Whether the server's newest list has it.
  announced boolean not null,
  -- The clients whose lists it fits into: `legacy` with sessions, `modern` without. Empty: it is listed to nobody.
  eras text[] not null default '{legacy,modern}',
  -- What a client must offer to servers for this server to announce it; empty: nothing.
  needs text[] not null default '{}',
  -- Why it is not listed, or not to all: `malformed` or `unsupported`, the member that is wrong, and a sentence for an
  -- admin. Null: nothing is wrong.
  fault text,
  fault_path text,
  fault_reason text,
  first_seen_at timestamptz not null default clock_timestamp(),
  approved_at timestamptz,
  -- Null where the policy approved it, and after that user was deleted.
  approved_by uuid,
  -- Begins with the instance, because admission finds a pin by instance, kind and name.
  constraint mcp_server_tools_pkey primary key (instance_id, kind, name, definition_hash),
  constraint mcp_server_tools_kind_is_known check (kind in ('tool', 'prompt', 'template', 'resource')),
  constraint mcp_server_tools_resource_is_no_pin check (kind <> 'resource' or (status = 'approved' and warning is null)),
  constraint mcp_server_tools_status_is_known check (status in ('approved', 'quarantined', 'rejected')),
  constraint mcp_server_tools_name_is_at_most_1_kib_and_a_uri_2
    check (octet_length(name) between 1 and case kind when 'resource' then 2048 else 1024 end),
  constraint mcp_server_tools_hash_is_sha256 check (octet_length(definition_hash) = 32),
  constraint mcp_server_tools_definition_is_at_most_256_kib check (octet_length(definition) <= 262144),
  constraint mcp_server_tools_eras_are_known check (eras <@ '{legacy,modern}'),
  constraint mcp_server_tools_fault_has_a_reason check (
    case when fault is null then num_nonnulls(fault_path, fault_reason) = 0
         else fault in ('malformed', 'unsupported') and fault_reason is not null end),
  constraint mcp_server_tools_fault_is_short check (length(fault_path) <= 300 and length(fault_reason) <= 600),
  constraint mcp_server_tools_warning_is_short check (length(warning) between 1 and 500),
  constraint mcp_server_tools_approved_with_time check (status <> 'approved' or approved_at is not null),
  constraint mcp_server_tools_instance_of_the_organization
    foreign key (organization_id, instance_id) references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint mcp_server_tools_approved_by foreign key (approved_by) references auth.users (id) on delete set null
);
alter table public.mcp_server_tools enable row level security, force row level security;
revoke all on public.mcp_server_tools from public, anon, authenticated, service_role;
comment on table public.mcp_server_tools is 'tenant: pinned definitions of an instance''s tools, prompts and templates, and its resources';
-- For the policies, which begin with the organization, and for the foreign key.
create index mcp_server_tools_instance_idx on public.mcp_server_tools (organization_id, instance_id);
create index mcp_server_tools_approved_by_idx on public.mcp_server_tools (approved_by);
-- Members see all pins of the organization; only admins decide, in their own name, and only to approve or to reject.
create policy pins_are_seen_by_members on public.mcp_server_tools for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
create policy pins_are_decided_by_admins on public.mcp_server_tools for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check ((status = 'approved' and approved_by = (select weir.actor_id())) or (status = 'rejected' and approved_by is null));
-- weir_system writes what is announced. It may not update status: what was pinned is decided by admins only.
create policy pins_are_kept_by_the_engine on public.mcp_server_tools for all to weir_system using (true) with check (true);
-- What somebody decided, and what is announced, is history. Restrictive, so that it holds beside the policy above.
create policy only_what_nobody_decided_is_forgotten on public.mcp_server_tools as restrictive for delete to weir_system
  using (kind = 'resource' or (status = 'quarantined' and not announced));
grant select (organization_id, instance_id, kind, name, definition_hash, definition, status, warning, announced, eras, needs, fault,
              fault_path, fault_reason, first_seen_at, approved_at, approved_by)
  on public.mcp_server_tools to authenticated;
grant select on public.mcp_server_tools to weir_writer;
grant update (status, approved_at, approved_by) on public.mcp_server_tools to weir_writer;
grant select,
      insert (organization_id, instance_id, kind, name, definition_hash, definition, status, warning, announced, eras, needs, fault,
              fault_path, fault_reason, approved_at),
      update (announced, eras, needs, fault, fault_path, fault_reason), delete
  on public.mcp_server_tools to weir_system;
