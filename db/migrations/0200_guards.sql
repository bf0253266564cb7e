-- Guards: what was revoked stays revoked, and what was decided is not rewritten. Triggers, so that this holds for direct
-- SQL too; they fire first (a_), before a change takes the organization's lock (b_). Not security definers: they read no
-- table.

-- A grant can only be revoked. granted_by may become null, which is what deleting that user does.
create function weir.guard_grant() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked grant stays revoked: make a new one';
  elsif (old.organization_id, old.agent_id, old.mcp_server_instance_id, old.permissions, old.not_before, old.expires_at,
         old.granted_by_id, old.granted_at)
     is distinct from (new.organization_id, new.agent_id, new.mcp_server_instance_id, new.permissions, new.not_before, new.expires_at,
         new.granted_by_id, new.granted_at)
     -- Null is a deleted user.
     or (new.granted_by is not null and new.granted_by is distinct from old.granted_by) then
    raise exception using errcode = 'WR005', message = 'a grant is not changed, only revoked: make a new one';
  end if;
  new.updated_at := clock_timestamp();
  return new;
end;
$$;
revoke all on function weir.guard_grant() from public;
create trigger a_guard_grant before update on public.agent_mcp_permissions for each row execute function weir.guard_grant();

-- A key's hash and expiry never change, so nobody can turn a key that is known into another one.
create function weir.guard_key() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked key stays revoked: make a new one';
  elsif (old.organization_id, old.agent_id, old.key_id, old.secret_hash, old.expires_at, old.created_at)
     is distinct from (new.organization_id, new.agent_id, new.key_id, new.secret_hash, new.expires_at, new.created_at) then
    raise exception using errcode = 'WR005', message = 'a key is not changed, only revoked: make a new one';
  end if;
  return new;
end;
$$;
revoke all on function weir.guard_key() from public;
create trigger a_guard_key before update on public.agent_api_keys for each row execute function weir.guard_key();

-- A pin is an approval of one definition: only its status and whether and to whom it is announced may change.
create function weir.guard_pin() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if (old.organization_id, old.instance_id, old.kind, old.name, old.definition_hash, old.definition)
     is distinct from (new.organization_id, new.instance_id, new.kind, new.name, new.definition_hash, new.definition) then
    raise exception using errcode = 'WR005', message = 'a pinned definition is not changed: a new one is pinned beside it';
  end if;
  return new;
end;
$$;
revoke all on function weir.guard_pin() from public;
create trigger a_guard_pin before update on public.mcp_server_tools for each row execute function weir.guard_pin();
