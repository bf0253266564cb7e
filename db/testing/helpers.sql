-- Helpers of the tests; never part of a migration. Every test includes this inside its transaction. All of it is in
-- pg_temp, and every test rolls back, so nothing is left.
--
-- The tests run as a superuser, or as the migrator (who, having CREATEROLE, becomes a member of the roles below for the
-- test's transaction).
--
--   pg_temp.be('ada', 'select ...')   runs a statement as that actor and answers its first value as text, or the
--                                     SQLSTATE that it raised; {name} in it is the quoted id of that name
--   pg_temp.id('name')                an id that was kept by pg_temp.keep('name', id)
--
-- Actors: a kept user's name (signed in as `authenticated`), writer:name (weir_writer with that person's claims: what
-- row-level security allows inside the writing functions), anon, service (a service_role token), gateway (the login
-- without a person), engine, and owner (the role that runs the test).
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
  -- extensions are wherever the database has them
  execute (select format('set search_path = public, %s', string_agg(distinct quote_ident(n.nspname), ', '))
           from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname in ('pgtap', 'plpgsql_check', 'plpgsql'));
end
$$;

create temporary table ids (name text primary key, id uuid not null);

create function pg_temp.keep(p_name text, p_id uuid) returns uuid language sql as $$
  insert into ids values (p_name, p_id) on conflict (name) do update set id = excluded.id returning id;
$$;

create function pg_temp.id(p_name text) returns uuid language plpgsql as $$
declare
  v_id uuid := (select i.id from ids i where i.name = p_name);
begin
  if v_id is null then
    raise exception 'no id was kept as %', p_name;
  end if;
  return v_id;
end;
$$;

-- Replaces {name} by its id; {nobody} is an id that nothing has.
create function pg_temp.expand(p_sql text) returns text language plpgsql as $$
declare
  v_name text;
begin
  for v_name in select distinct m[1] from regexp_matches(p_sql, '\{([a-z][a-z0-9_]*)\}', 'g') m loop
    p_sql := replace(p_sql, '{' || v_name || '}',
      case when v_name = 'nobody' then quote_literal('01900000-0000-7000-8000-00000000dead') || '::uuid'
           else quote_literal(pg_temp.id(v_name)) || '::uuid' end);
  end loop;
  return p_sql;
end;
$$;

-- As the gateway does it: role and claims for the transaction, here for one statement.
create function pg_temp.be(p_actor text, p_sql text) returns text language plpgsql as $$
declare
  v_sql text := pg_temp.expand(p_sql);
  v_result text;
  v_state text;
begin
  begin
    perform set_config('request.jwt.claims', case
              when p_actor in ('owner', 'engine', 'gateway') then ''
              when p_actor = 'anon' then '{"role": "anon"}'
              when p_actor = 'service' then '{"role": "service_role"}'
              else jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id(regexp_replace(p_actor, '^writer:', '')))::text end, true);
    perform set_config('role', case p_actor when 'owner' then 'none' when 'engine' then 'weir_engine' when 'gateway' then 'weir_gateway'
                                            when 'anon' then 'anon' when 'service' then 'service_role'
                                            else case when p_actor like 'writer:%' then 'weir_writer' else 'authenticated' end end, true);
    execute v_sql into v_result;
  exception
    when others then
      -- the handler has already taken role and claims back
      get stacked diagnostics v_state = returned_sqlstate;
      return v_state;
  end;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return v_result;
end;
$$;

-- The error of a writing function's answer, or ok.
create function pg_temp.outcome(p_actor text, p_sql text) returns text language plpgsql as $$
declare
  v_answer text := pg_temp.be(p_actor, p_sql);
begin
  return case when v_answer is null or left(v_answer, 1) <> '{' then v_answer
              else coalesce(v_answer::jsonb ->> 'error', 'ok') end;
end;
$$;

-- What another session commits while a function waits for an organization's lock: from now on, until the next rollback to a savepoint,
-- who takes the lock runs this statement. One that raises says that nobody takes it. Two sessions at once: AdminRaceTests.
create function pg_temp.while_waiting(p_sql text) returns void language plpgsql as $$
begin
  execute format('create or replace function weir.lock_organization(p_organization_id uuid) returns void language plpgsql security definer
    set search_path = pg_catalog, pg_temp as %L', 'begin ' || pg_temp.expand(p_sql) || '; end');
  execute format('alter function weir.lock_organization(uuid) owner to %I', current_user);
end;
$$;

-- Runs a creating function and keeps the id of its answer.
create function pg_temp.make(p_name text, p_actor text, p_sql text) returns uuid language plpgsql as $$
declare
  v_answer text := pg_temp.be(p_actor, p_sql);
begin
  if v_answer is null or left(v_answer, 1) <> '{' or v_answer::jsonb ->> 'id' is null then
    raise exception '% was not made: %', p_name, v_answer;
  end if;
  return pg_temp.keep(p_name, (v_answer::jsonb ->> 'id')::uuid);
end;
$$;

-- A user of the issuer, kept by name.
create function pg_temp.user(p_name text) returns uuid language plpgsql as $$
declare
  v_id uuid := weir.uuid_v7();
  v_email text := p_name || '.' || right(v_id::text, 12) || '@example.org';
begin
  if (select i.embedded_issuer from weir.installation i) then
    v_id := weir.create_user(v_email, 'not a hash');
  else
    insert into auth.users (id, email) values (v_id, v_email);
  end if;
  return pg_temp.keep(p_name, v_id);
end;
$$;
