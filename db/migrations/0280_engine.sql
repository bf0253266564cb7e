-- The engine's login of people, and replicas. Sign-ins of the embedded issuer begin in weir.begin_sign_in.

-- The password hash for an address. Definer, called by begin_sign_in before anybody is signed in; the engine verifies the
-- password, so the hash never reaches a client. No row where the users are Supabase's: its own issuer knows them.
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

-- A replica reports where it listens. The first replica's keyring becomes the database's. A replica with another keyring could
-- not open what is stored, so it is refused and must not serve. Rows of replicas that were silent for an hour are deleted.
create function weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fingerprint bytea;
begin
  select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  -- Of two first replicas at once one sets the fingerprint; both compare themselves with it.
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
-- Whether this keyring is the database's; null where no replica has brought one yet. It answers without telling the fingerprint,
-- so that a command may ask before it starts.
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

-- Replicas that sent a heartbeat in the last 30 seconds. A replica asks when it must hand over what only one of them holds: a
-- stream, a session, a waiting call.
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
