-- What makes a revoke immediate. Admission takes a shared lock on each organization of its batch and one on the platform,
-- by try, in a statement of its own, before the statement that reads. Whoever changes a row that admission decides by,
-- through a function or by direct SQL, takes the same lock exclusively here, in a row trigger, and so commits only after
-- the running admissions have; and what is admitted afterwards reads what was committed.
-- Locks are held to the end of the transaction, and PostgreSQL shows a commit before it releases its locks.

create function weir.lock_key(p_organization_id uuid) returns bigint
language sql immutable parallel safe
begin atomic
  select uuid_hash_extended(p_organization_id, 774957746);
end;
revoke all on function weir.lock_key(uuid) from public;
grant execute on function weir.lock_key(uuid) to weir_system, weir_writer;

-- For functions that change several rows: the organization's lock first, then rows, so that no two wait in a circle.
create function weir.lock_organization(p_organization_id uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(weir.lock_key(p_organization_id));
end;
$$;
revoke all on function weir.lock_organization(uuid) from public;
grant execute on function weir.lock_organization(uuid) to weir_system, weir_writer;

-- For work on several organizations in one transaction: whoever keeps one organization's lock busy must hold up no other. False where
-- the lock is not to be had: then that organization is left for the next time. A batch of calls holds it for some milliseconds, so it is
-- worth a short wait, up to p_until: what an organization calls all the time would never be done by a mere attempt.
create function weir.try_lock_organization(p_organization_id uuid, p_until timestamptz) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '50ms'
as $$
begin
  if pg_try_advisory_xact_lock(weir.lock_key(p_organization_id)) then
    return true;
  elsif clock_timestamp() >= p_until then
    return false;
  end if;
  perform weir.lock_organization(p_organization_id);
  return true;
exception
  when lock_not_available then
    return false;
end;
$$;
revoke all on function weir.try_lock_organization(uuid, timestamptz) from public;
grant execute on function weir.try_lock_organization(uuid, timestamptz) to weir_system;

-- The id that stands for the platform (the catalog) among organizations' ids.
create function weir.platform_id() returns uuid
language sql immutable parallel safe
  return '00000000-0000-0000-0000-000000000000'::uuid;
revoke all on function weir.platform_id() from public;
grant execute on function weir.platform_id() to weir_system, weir_writer;

-- How often each organization's permissions changed. Rows, not a sequence: a number must not be seen before the change
-- that it counts. The organization's lock already orders who updates a row.
create table weir.change_versions (
  organization_id uuid not null,
  version bigint not null default 1,
  changed_in xid8 not null default pg_current_xact_id(),
  constraint change_versions_pkey primary key (organization_id)
);
alter table weir.change_versions enable row level security, force row level security;
revoke all on weir.change_versions from public, anon, authenticated, service_role;
comment on table weir.change_versions is
  'tenant: change counters, a hint for replicas (no foreign key: the platform has a row, and a deleted organization still counts)';
create policy changes_are_counted_by_the_engine on weir.change_versions for all to weir_system using (true) with check (true);
grant select, insert (organization_id), update (version, changed_in) on weir.change_versions to weir_system;

-- Counts a change and tells the listeners; counted once per transaction. By itself for what no decision reads (resources):
-- then under the shared lock, which no admission feels, and which keeps apart from those who hold the exclusive one.
create function weir.count_change(p_organization_id uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.change_versions as v (organization_id) values (p_organization_id)
  on conflict (organization_id) do update
    set version = v.version + 1, changed_in = pg_current_xact_id()
    where v.changed_in <> pg_current_xact_id();
  perform pg_notify('weir_changes', p_organization_id::text);
end;
$$;
revoke all on function weir.count_change(uuid) from public;
grant execute on function weir.count_change(uuid) to weir_system;

-- Takes the lock, and counts the change.
create function weir.announce_change(p_organization_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(weir.lock_key(p_organization_id));
  perform weir.count_change(p_organization_id);
end;
$$;
revoke all on function weir.announce_change(uuid) from public;
grant execute on function weir.announce_change(uuid) to weir_writer;

-- For tables with an organization_id.
create function weir.on_permission_change() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op in ('UPDATE', 'DELETE') then
    perform weir.announce_change(old.organization_id);
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    perform weir.announce_change(new.organization_id);
    return new;
  end if;
  return old;
end;
$$;
revoke all on function weir.on_permission_change() from public;

create function weir.on_organization_change() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.announce_change(old.id);
  if tg_op = 'UPDATE' then
    return new;
  end if;
  return old;
end;
$$;
revoke all on function weir.on_organization_change() from public;

-- The catalog decides for every organization.
create function weir.on_catalog_change() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.announce_change(weir.platform_id());
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;
revoke all on function weir.on_catalog_change() from public;

create trigger b_organization_change before delete or update on public.organizations
  for each row execute function weir.on_organization_change();
create trigger b_member_change before insert or update or delete on public.organization_members
  for each row execute function weir.on_permission_change();
create trigger b_agent_change before insert or update or delete on public.agents
  for each row execute function weir.on_permission_change();
create trigger b_key_change before insert or update or delete on public.agent_api_keys
  for each row execute function weir.on_permission_change();
create trigger b_workspace_member_change before insert or update or delete on public.workspace_members
  for each row execute function weir.on_permission_change();
create trigger b_grant_change before insert or update or delete on public.agent_mcp_permissions
  for each row execute function weir.on_permission_change();
-- Resources are no pins: nothing is decided by them.
create trigger b_pin_change before insert or update on public.mcp_server_tools
  for each row when (new.kind <> 'resource') execute function weir.on_permission_change();
create trigger b_pin_removal before delete on public.mcp_server_tools
  for each row when (old.kind <> 'resource') execute function weir.on_permission_change();
create trigger b_catalog_change before insert or update or delete on public.mcp_server_catalog
  for each row execute function weir.on_catalog_change();
create trigger b_instance_change before insert or delete on public.mcp_server_instances
  for each row execute function weir.on_permission_change();
-- A refresh of what an instance announces touches its row often, and changes nothing that is decided by.
create trigger b_instance_update before update on public.mcp_server_instances
  for each row
  when ((old.organization_id, old.name, old.catalog_id, old.url, old.status, old.share, old.priority, old.node_id, old.chat_offline,
         old.resets)
        is distinct from
        (new.organization_id, new.name, new.catalog_id, new.url, new.status, new.share, new.priority, new.node_id, new.chat_offline,
         new.resets))
  execute function weir.on_permission_change();

-- A restart and an update also have the server's lists read again, even while they are being read.
create function weir.on_instance_reset() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.refresh_at := clock_timestamp();
  new.refresh_lease_until := null;
  return new;
end;
$$;
revoke all on function weir.on_instance_reset() from public;
create trigger c_instance_reset before update on public.mcp_server_instances
  for each row when (new.resets is distinct from old.resets) execute function weir.on_instance_reset();

-- TRUNCATE fires no row trigger.
create trigger not_truncated before truncate on public.organizations for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.organization_members for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.agents for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.agent_api_keys for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.workspace_members for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.agent_mcp_permissions for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.mcp_server_tools for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.mcp_server_catalog for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on public.mcp_server_instances for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on weir.grant_usage for each statement execute function weir.refuse_truncate();

-- What a replica compares every two seconds, beside listening: a sum of rows never goes back and never misses a commit.
create function weir.change_version() returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select coalesce(sum(v.version), 0)::bigint from weir.change_versions v);
end;
$$;
revoke all on function weir.change_version() from public;
grant execute on function weir.change_version() to weir_engine;

grant create on schema weir to weir_system;
alter function weir.announce_change(uuid) owner to weir_system;
alter function weir.on_permission_change() owner to weir_system;
alter function weir.on_organization_change() owner to weir_system;
alter function weir.on_catalog_change() owner to weir_system;
alter function weir.change_version() owner to weir_system;
revoke create on schema weir from weir_system;
