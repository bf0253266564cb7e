-- Login of the embedded issuer, and replicas. For the engine.

-- Nothing where the users are Supabase's: there its own issuer knows them.
create function weir.find_login(p_email text) returns table (user_id uuid, password_hash text, disabled boolean)
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from weir.installation i where i.embedded_issuer) then
    return query
      select u.id, u.encrypted_password::text, coalesce(u.banned_until > now(), false)
      from auth.users u where u.email = lower(p_email);
  end if;
end;
$$;
revoke all on function weir.find_login(text) from public;
grant execute on function weir.find_login(text) to weir_engine;

-- A replica says where it listens. The first one's keyring is the database's; another keyring could not open what is
-- stored, so its replica must not serve.
create function weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fingerprint bytea;
begin
  select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  if v_fingerprint is null then
    update weir.installation i set keyring_fingerprint = p_keyring_fingerprint where i.keyring_fingerprint is null;
    select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  end if;
  if v_fingerprint is distinct from p_keyring_fingerprint then
    raise exception using errcode = 'WR005', message = 'the keyring is not the one that this database was written with';
  end if;
  insert into weir.replicas as r (id, internal_url, version) values (p_replica_id, p_internal_url, p_version)
  on conflict (id) do update set internal_url = excluded.internal_url, version = excluded.version, heartbeat_at = now();
  delete from weir.replicas r where r.heartbeat_at < now() - interval '1 hour';
end;
$$;
-- Whether this keyring is the database's; null where no replica has brought one yet.
create function weir.is_keyring(p_fingerprint bytea) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select i.keyring_fingerprint = p_fingerprint from weir.installation i);
end;
$$;
revoke all on function weir.is_keyring(bytea) from public;
grant execute on function weir.is_keyring(bytea) to weir_engine;
revoke all on function weir.replica_heartbeat(uuid, text, bytea, text) from public;
grant execute on function weir.replica_heartbeat(uuid, text, bytea, text) to weir_engine;

-- The replicas that lately said that they live, for handing over what only one of them holds.
create function weir.live_replicas() returns table (id uuid, internal_url text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select r.id, r.internal_url from weir.replicas r where r.heartbeat_at > clock_timestamp() - interval '30 seconds' order by r.id;
end;
$$;
revoke all on function weir.live_replicas() from public;
grant execute on function weir.live_replicas() to weir_engine;

grant create on schema weir to weir_system;
alter function weir.live_replicas() owner to weir_system;
alter function weir.find_login(text) owner to weir_system;
alter function weir.replica_heartbeat(uuid, text, bytea, text) owner to weir_system;
alter function weir.is_keyring(bytea) owner to weir_system;
revoke create on schema weir from weir_system;
