-- The schema `weir` holds what no API role may name: helpers, platform tables and partitions. API roles may execute
-- single functions of it through the wrappers in `public`, which needs EXECUTE but no USAGE here.
--
-- Reserved for later releases, so that nothing else takes these names: public.oauth_providers, oauth_connections,
-- rotation_policies; weir.credentials, credential_versions, oauth_flows, data_keys.
create schema if not exists weir;
revoke all on schema weir from public, anon, authenticated, service_role;
grant usage on schema weir to weir_writer, weir_system, weir_engine;

-- The record hashes text as its bytes: the bytes must be the same everywhere.
do $$
begin
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'Weir needs a database with encoding UTF8, this one has %', current_setting('server_encoding');
  end if;
end
$$;

-- UUIDv7 (PostgreSQL 15 has none): 48 bits of milliseconds, then random. Ids made later sort later, so indexes grow
-- at their end.
create function weir.uuid_v7() returns uuid
language sql volatile parallel safe
begin atomic
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
              placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
              from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid;
end;
revoke all on function weir.uuid_v7() from public;
grant execute on function weir.uuid_v7() to weir_writer, weir_system;

-- Every function that runs with its owner's rights, and every other that has a path, has this one: pg_catalog, pg_temp. An empty path
-- would have pg_temp first, where a session that may make temporary types decides what `text` is. All other names are qualified.
--
-- Who asks: the subject of the verified token that was bound to this transaction. Null for anon, for a service_role
-- token (it has no actor here), and outside a request. Does not use auth.uid(), because Weir's own roles have no
-- privilege in Supabase's schema auth.
create function weir.actor_id() returns uuid
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
begin
  if v_claims ->> 'role' = 'authenticated'
     and v_claims ->> 'sub' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    return (v_claims ->> 'sub')::uuid;
  end if;
  return null;
end;
$$;
revoke all on function weir.actor_id() from public;
grant execute on function weir.actor_id() to weir_writer, weir_system, authenticated;

-- The answer of a published writing function that refuses. It is returned, not raised, so that what it recorded stays.
create function weir.error(p_code text, p_message text, p_hint text default null) returns jsonb
language sql immutable parallel safe
begin atomic
  select jsonb_strip_nulls(jsonb_build_object('error', p_code, 'message', p_message, 'hint', p_hint));
end;
revoke all on function weir.error(text, text, text) from public;
grant execute on function weir.error(text, text, text) to weir_writer, weir_system;

-- TRUNCATE fires no row trigger and no row-level security: refused wherever a row decides or proves something.
create function weir.refuse_truncate() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'WR003', message = format('%I.%I cannot be truncated', tg_table_schema, tg_table_name);
end;
$$;
revoke all on function weir.refuse_truncate() from public;
