-- The processes that serve requests, and where they listen for each other.

-- A replica finds here the one that holds a stream or a waiting call. Rows of replicas that have been silent for an hour are deleted
-- (weir.replica_heartbeat); a replica counts as alive for 30 seconds after its last heartbeat (weir.live_replicas).
create table weir.replicas (
  id uuid not null,
  internal_url text not null,
  version text not null,
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  constraint replicas_pkey primary key (id),
  constraint replicas_internal_url_is_http check (internal_url ~ '^https?://[^/?#@]+$')
);
alter table weir.replicas enable row level security, force row level security;
revoke all on weir.replicas from public, anon, authenticated, service_role;
comment on table weir.replicas is 'platform: the gateway''s processes and where they listen for each other';

-- Only the engine reads internal addresses.
create policy replicas_are_kept_by_the_engine on weir.replicas for all to weir_system using (true) with check (true);
grant select, insert (id, internal_url, version), update (internal_url, version, heartbeat_at), delete on weir.replicas to weir_system;

set local role weir_system;

-- A replica reports where it listens. The first replica's keyring becomes the database's. A replica with another keyring could not decrypt
-- what is stored, so it is refused and must not serve.
create function weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fingerprint bytea;
begin
  select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  -- If two first replicas report at once, one sets the fingerprint and both compare theirs with it.
  if v_fingerprint is null then
    update weir.installation i set keyring_fingerprint = p_keyring_fingerprint where i.keyring_fingerprint is null;
    select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  end if;
  if v_fingerprint is distinct from p_keyring_fingerprint then
    raise exception using errcode = 'WR005',
      message = 'the keyring is not the one that this database was written with: start Weir with that keyring';
  end if;
  insert into weir.replicas as r (id, internal_url, version) values (p_replica_id, p_internal_url, p_version)
  on conflict (id) do update set internal_url = excluded.internal_url, version = excluded.version, heartbeat_at = now();
  delete from weir.replicas r where r.heartbeat_at < now() - interval '1 hour';
end;
$$;
grant execute on function weir.replica_heartbeat to weir_engine;

-- Replicas that sent a heartbeat in the last 30 seconds. A replica calls this when it must forward a request for something that only one
-- replica holds: a stream, a session, a waiting call.
create function weir.live_replicas() returns table (id uuid, internal_url text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select r.id, r.internal_url from weir.replicas r where r.heartbeat_at > clock_timestamp() - interval '30 seconds' order by r.id;
end;
$$;
grant execute on function weir.live_replicas to weir_engine;

-- Whether this keyring is the database's; null while no replica has reported one. A command calls this before it starts. The fingerprint is
-- not returned.
create function weir.is_keyring(p_fingerprint bytea) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select i.keyring_fingerprint = p_fingerprint from weir.installation i);
end;
$$;
grant execute on function weir.is_keyring to weir_engine;

reset role;
