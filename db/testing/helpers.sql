-- Helpers of the pgTAP tests; never part of a migration. Each test includes this file inside its transaction. Everything is created in
-- pg_temp and every test rolls back, so nothing remains.
--
-- The tests run as a superuser or as the migrator. The migrator has CREATEROLE: for the test's transaction it becomes a member of the roles
-- below.
--
--   pg_temp.as_user('ada', 'select ...')    runs a statement as that actor; returns its first value as text, or the SQLSTATE it raised
--   pg_temp.error_as('ada', 'select ...')   runs a writing function as that actor; returns the error in its answer, or ok
--   pg_temp.create_as('x', 'ada', '...')    runs a creating function as that actor, and keeps the new id under the name x
--   pg_temp.id_of('x')                      the id that is kept under the name x
--
-- In these statements {x} stands for the quoted id that is kept under x.
--
-- Actors: the name of a kept user (signed in as `authenticated`), recent:name (the same, who signed in just now), writer:name (weir_writer
-- with that person's claims: what row-level security allows inside the writing functions), anon, service (a service_role token), gateway
-- (the login without a person), engine, and owner (the role that runs the test).
\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
\pset pager off
set client_min_messages = warning;

do $$
declare
  v_role text;
begin
  if not (select rolsuper from pg_roles where rolname = current_user) then
    foreach v_role in array array['anon', 'authenticated', 'service_role', 'weir_gateway', 'weir_engine'] loop
      execute format('grant %I to %I', v_role, current_user);
    end loop;
  end if;
  -- The database decides in which schema each extension is.
  execute (select format('set search_path = public, %s', string_agg(distinct quote_ident(n.nspname), ', '))
           from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname in ('pgtap', 'plpgsql_check', 'plpgsql'));
end
$$;

create temporary table ids (name text primary key, id uuid not null);

-- Keeps an id under a name; a later id replaces an earlier one.
create function pg_temp.keep_id(p_name text, p_id uuid) returns uuid language sql as $$
  insert into ids values (p_name, p_id) on conflict (name) do update set id = excluded.id returning id;
$$;

-- Raises for a name without an id: a misspelled name must not become null and pass.
create function pg_temp.id_of(p_name text) returns uuid language plpgsql as $$
declare
  v_id uuid := (select i.id from ids i where i.name = p_name);
begin
  if v_id is null then
    raise exception 'no id was kept as %', p_name;
  end if;
  return v_id;
end;
$$;

-- Replaces each {name} by the quoted id of that name. {nobody} is an id that no row has.
create function pg_temp.with_ids(p_sql text) returns text language plpgsql as $$
declare
  v_name text;
begin
  for v_name in select distinct m[1] from regexp_matches(p_sql, '\{([a-z][a-z0-9_]*)\}', 'g') m loop
    p_sql := replace(p_sql, '{' || v_name || '}',
      case when v_name = 'nobody' then quote_literal('01900000-0000-7000-8000-00000000dead') || '::uuid'
           else quote_literal(pg_temp.id_of(v_name)) || '::uuid' end);
  end loop;
  return p_sql;
end;
$$;

-- Sets role and claims as the gateway does for a transaction, here for one statement.
create function pg_temp.as_user(p_actor text, p_sql text) returns text language plpgsql as $$
declare
  v_sql text := pg_temp.with_ids(p_sql);
  v_result text;
  v_state text;
begin
  begin
    perform set_config('request.jwt.claims', case
              when p_actor in ('owner', 'engine', 'gateway') then ''
              when p_actor = 'anon' then '{"role": "anon"}'
              when p_actor = 'service' then '{"role": "service_role"}'
              else jsonb_strip_nulls(jsonb_build_object('role', 'authenticated', 'sub',
                     pg_temp.id_of(regexp_replace(p_actor, '^(writer|recent):', '')),
                     'auth_time', case when p_actor like 'recent:%' then floor(extract(epoch from now())) end))::text end, true);
    perform set_config('role', case p_actor when 'owner' then 'none' when 'engine' then 'weir_engine' when 'gateway' then 'weir_gateway'
                                            when 'anon' then 'anon' when 'service' then 'service_role'
                                            else case when p_actor like 'writer:%' then 'weir_writer' else 'authenticated' end end, true);
    execute v_sql into v_result;
  exception
    when others then
      -- The subtransaction has rolled back, so role and claims are the previous ones again.
      get stacked diagnostics v_state = returned_sqlstate;
      return v_state;
  end;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return v_result;
end;
$$;

-- Returns the SQLSTATE as well, if the statement raised.
create function pg_temp.error_as(p_actor text, p_sql text) returns text language plpgsql as $$
declare
  v_answer text := pg_temp.as_user(p_actor, p_sql);
begin
  return case when v_answer is null or left(v_answer, 1) <> '{' then v_answer
              else coalesce(v_answer::jsonb ->> 'error', 'ok') end;
end;
$$;

-- Simulates another session that commits while the function under test waits for an organization's lock: until the next rollback to a
-- savepoint, every function that takes the lock runs this statement. A statement that raises shows whether the lock is taken at all.
-- AdminRaceTests uses two real sessions.
create function pg_temp.when_lock_is_taken(p_sql text) returns void language plpgsql as $$
begin
  execute format('create or replace function weir.lock_organization(p_organization_id uuid) returns void language plpgsql security definer
    set search_path = pg_catalog, pg_temp as %L', 'begin ' || pg_temp.with_ids(p_sql) || '; end');
  execute format('alter function weir.lock_organization(uuid) owner to %I', current_user);
end;
$$;

-- Runs statements within one minute of the clock: if the minute has ended meanwhile, undoes them and runs them again. For functions that
-- count by the minute.
create function pg_temp.within_one_minute(p_sql text) returns void language plpgsql as $$
declare
  v_sql constant text := pg_temp.with_ids(p_sql);
  v_minute timestamptz;
begin
  loop
    v_minute := date_trunc('minute', clock_timestamp());
    begin
      execute v_sql;
      if date_trunc('minute', clock_timestamp()) = v_minute then
        return;
      end if;
      raise exception 'the minute has ended' using errcode = 'P0999';
    exception
      when sqlstate 'P0999' then null;
    end;
  end loop;
end;
$$;

-- Raises if nothing was created: a test must not continue without the row that it is about.
create function pg_temp.create_as(p_name text, p_actor text, p_sql text) returns uuid language plpgsql as $$
declare
  v_answer text := pg_temp.as_user(p_actor, p_sql);
begin
  if v_answer is null or left(v_answer, 1) <> '{' or v_answer::jsonb ->> 'id' is null then
    raise exception '% was not created: %', p_name, v_answer;
  end if;
  return pg_temp.keep_id(p_name, (v_answer::jsonb ->> 'id')::uuid);
end;
$$;

-- Creates a user as the issuer of this installation would, and keeps the id under the name.
create function pg_temp.create_user(p_name text) returns uuid language plpgsql as $$
declare
  v_id uuid := weir.uuid_v7();
  v_email text := p_name || '.' || right(v_id::text, 12) || '@example.org';
begin
  if (select i.embedded_issuer from weir.installation i) then
    v_id := weir.create_user(v_email, 'not a hash');
  else
    insert into auth.users (id, email) values (v_id, v_email);
  end if;
  return pg_temp.keep_id(p_name, v_id);
end;
$$;
