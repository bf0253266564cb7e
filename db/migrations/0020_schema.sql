-- The schema `weir` and what every later file uses. The files are in reading order: the hundreds are features, and no foreign key or policy
-- refers to a later file. Each file has tables with their policies first, then functions, then published functions.
--
-- A function is created under `set local role` of the role that owns it. `weir migrate` lets these roles create in the schema `weir` while
-- a file runs. A function that is created without such a role belongs to the migrator and must not be a definer, because on Supabase the
-- migrator bypasses row-level security; db/DEFINERS.md lists the exceptions.

-- These names are reserved for later releases: public.oauth_providers, oauth_connections, rotation_policies; weir.credentials,
-- credential_versions, oauth_flows, data_keys.

-- `weir migrate` has already created the schema for its journal of migrations.
create schema if not exists weir;

revoke all on schema weir from public, anon, authenticated, service_role;

grant usage on schema weir to weir_writer, weir_system, weir_engine;

-- The audit log hashes text as bytes (weir.log_leaf), so the same text must be the same bytes in every database.
do $$
begin
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'the encoding of the database is %: create one with UTF8, which Weir needs', current_setting('server_encoding');
  end if;
end
$$;

-- PostgreSQL lets everybody execute a new function, by a built-in grant to public. That grant is revoked here for the two roles that own
-- functions. There is no `in schema`, because the defaults of one schema can only add privileges.
alter default privileges for role weir_writer, weir_system revoke execute on functions from public;

-- UUIDv7, because PostgreSQL before 18 has none: 48 bits of milliseconds, then random bits. An id from a later millisecond sorts later, so
-- indexes grow at their end. clock_timestamp() makes this true within one transaction as well.
-- A random UUID has version 4 (binary 0100); setting bits 52 and 53 makes it 7 (0111). Its variant is already right.
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

-- The person who makes the request: the subject of the verified token that is bound to this transaction. Null for anon, for a service_role
-- token (it names no person), for a subject that is not a UUID, and outside a request. A policy that compares with null shows nothing.
-- It reads the setting itself instead of auth.uid(), because Weir's own roles have no privilege on Supabase's schema auth.
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

-- What a published writing function returns when it refuses. It is returned and not raised, because an exception would roll back the row of
-- the audit log that records the refusal.
create function weir.error(p_code text, p_message text, p_hint text default null) returns jsonb
language sql immutable parallel safe
begin atomic
  select jsonb_strip_nulls(jsonb_build_object('error', p_code, 'message', p_message, 'hint', p_hint));
end;

-- For tables whose rows decide or prove something. TRUNCATE fires no row trigger and ignores policies, so a statement trigger refuses it.
create function weir.refuse_truncate() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'WR003', message = format('%I.%I cannot be truncated', tg_table_schema, tg_table_name);
end;
$$;

-- Cuts text from outside to the number of bytes that a column of the audit log holds, without splitting a character. A character has at
-- most four bytes, so a quarter as many characters always fit.
create function weir.cut(p_text text, p_bytes integer) returns text
language sql immutable parallel safe
  return case when octet_length(p_text) <= p_bytes then p_text
              when octet_length(left(p_text, p_bytes)) <= p_bytes then left(p_text, p_bytes)
              else left(p_text, p_bytes / 4) end;

-- What is wrong with a name, or null. The error begins with the argument's name, as every WR001 does. The length is checked before btrim,
-- so that a huge text is refused without being copied.
create function weir.name_error(p_argument text, p_value text) returns text
language sql immutable parallel safe
  return case when p_value is null or length(p_value) > 1000 or length(btrim(p_value)) not between 1 and 100
                or p_value ~ '[[:cntrl:]]'
              then p_argument || ' must be 1 to 100 characters' end;

revoke all on function weir.uuid_v7, weir.actor_id, weir.error, weir.refuse_truncate, weir.cut, weir.name_error from public;
grant execute on function weir.uuid_v7, weir.error, weir.name_error to weir_writer, weir_system;
grant execute on function weir.actor_id to weir_writer, weir_system, authenticated;
grant execute on function weir.cut to weir_system;
