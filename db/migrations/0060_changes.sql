-- How a revoke takes effect immediately. Admission takes a shared lock on each organization of its batch, and one on the platform, in a
-- statement before the one that reads. A transaction that changes a row that admission decides by takes the same lock exclusively, in a row
-- trigger. So it commits only after the running admissions, and every later admission reads what was committed.
-- Locks are held to the end of the transaction, and PostgreSQL makes a commit visible before it releases the locks.

-- How often each organization's permissions changed. These are rows and not a sequence, because the number must not be visible before the
-- change that it counts. Transactions that hold the organization's exclusive lock run one after the other anyway, so the row adds no
-- waiting.
create table weir.change_versions (
  organization_id uuid not null,
  version bigint not null default 1,
  -- The transaction that counted last. A transaction counts once, however many rows it changes.
  changed_in xid8 not null default pg_current_xact_id(),
  constraint change_versions_pkey primary key (organization_id)
);
alter table weir.change_versions enable row level security, force row level security;
revoke all on weir.change_versions from public, anon, authenticated, service_role;
comment on table weir.change_versions is
  'tenant: change counters that replicas poll (no foreign key: the platform has a row, and a deleted organization still counts)';

-- Replicas read only the sum (weir.change_version).
create policy changes_are_counted_by_the_engine on weir.change_versions for all to weir_system using (true) with check (true);
grant select, insert (organization_id), update (version, changed_in) on weir.change_versions to weir_system;

-- The key of an organization's advisory lock. The seed keeps these keys apart from other advisory locks. If two organizations have the same
-- key, they only wait for each other.
create function weir.lock_key(p_organization_id uuid) returns bigint
language sql immutable parallel safe
begin atomic
  select uuid_hash_extended(p_organization_id, 774957746);
end;

-- For functions that change several rows. They take the organization's lock first and row locks after it, so that transactions do not
-- deadlock. The lock blocks the organization's calls, so callers check the permission before they take it, and again while they hold it.
create function weir.lock_organization(p_organization_id uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(weir.lock_key(p_organization_id));
end;
$$;

-- For work on several organizations in one transaction: an organization that keeps its own lock busy must not delay the others. Returns
-- false if the lock could not be taken; the caller leaves that organization for the next run.
-- A batch of calls holds the lock for some milliseconds, so a short wait is worthwhile (lock_timeout), up to p_until in total. Without a
-- wait, an organization that calls all the time would always be skipped.
create function weir.try_lock_organization(p_organization_id uuid, p_until timestamptz) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '50ms'
as $$
begin
  if pg_try_advisory_xact_lock(weir.lock_key(p_organization_id)) then
    return true;
  -- No time is left to wait.
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

-- The id that stands for the platform wherever an organization's id is expected, for what all organizations depend on (the catalog).
create function weir.platform_id() returns uuid
language sql immutable parallel safe
  return '00000000-0000-0000-0000-000000000000'::uuid;

-- Counts a change and notifies the listening replicas. A notification arrives after the commit and may be missed; the counter is what
-- proves that something changed.
-- A change that no decision reads (resources) is counted without announce_change, under the shared lock. That lock does not block
-- admissions, but it excludes every transaction with the exclusive one.
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

revoke all on function weir.lock_key, weir.lock_organization, weir.try_lock_organization, weir.platform_id, weir.count_change from public;
grant execute on function weir.lock_key, weir.lock_organization, weir.platform_id to weir_system, weir_writer;
grant execute on function weir.try_lock_organization, weir.count_change to weir_system;

set local role weir_system;

-- Takes the organization's lock and counts the change. A security definer, because no person may write the counters. Only the functions of
-- weir_writer and the trigger functions may call it.
create function weir.announce_change(p_organization_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(weir.lock_key(p_organization_id));
  perform weir.count_change(p_organization_id);
end;
$$;
grant execute on function weir.announce_change to weir_writer;

-- For tables with an organization_id. A function may already hold the lock; direct SQL takes it here, before its change. A row that moves
-- to another organization counts for both. The trigger functions are security definers, so that they work for every writer.
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

-- For organizations themselves. An insert needs no lock: no call can be decided for an organization that does not exist yet.
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

-- Every organization's decisions depend on the catalog, so a change of it takes the platform's lock, which all admissions share.
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

-- The number that each replica polls every two seconds besides listening, because a notification may be missed. A sum of rows never
-- decreases and never misses a commit.
create function weir.change_version() returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select coalesce(sum(v.version), 0)::bigint from weir.change_versions v);
end;
$$;
grant execute on function weir.change_version to weir_engine;

reset role;
