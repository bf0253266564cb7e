-- Roles. They belong to the cluster, not to the database, and several databases of one cluster may migrate at the same
-- time: every statement here is skipped when already true, and the block is tried again when another migration won.
-- Runs as a role that is neither superuser nor bypassing, with CREATEROLE (the embedded cluster's migrator, or
-- Supabase's `postgres`).
--
--   anon, authenticated, service_role   Supabase's; made here only where they are missing
--   weir_writer    owns the published functions that write; RLS decides inside them
--   weir_system    owns what works across tenants; a member of nothing
--   weir_gateway   the login that may become authenticated or anon, nothing else
--   weir_engine    the login that may execute weir_system's functions, nothing else
--   weir_backup    reads every table of Weir's and writes none (0590); only the owner may become it
--
-- The two logins are made without LOGIN: `weir migrate` gives them LOGIN and a password verifier.
do $roles$
declare
  v_role text;
begin
  for v_attempt in 1..20 loop
    begin
      foreach v_role in array array['anon', 'authenticated', 'service_role',
                                    'weir_writer', 'weir_system', 'weir_gateway', 'weir_engine', 'weir_backup'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
          execute format('create role %I nologin noinherit', v_role);
        end if;
      end loop;

      -- A request becomes one of these two for its transaction; noinherit, so the login itself may do nothing.
      foreach v_role in array array['anon', 'authenticated'] loop
        if not exists (select from pg_catalog.pg_auth_members
                       where roleid = v_role::regrole and member = 'weir_gateway'::regrole) then
          execute format('grant %I to weir_gateway', v_role);
        end if;
      end loop;

      -- The migrator must be able to give functions to two of these roles, and to read as the third. A superuser can without being a
      -- member.
      if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        foreach v_role in array array['weir_writer', 'weir_system', 'weir_backup'] loop
          execute format('grant %I to %I', v_role, current_user);
        end loop;
      end if;

      -- Compiling one short statement costs more than running it; and admission's plan must never be made anew. A plan that
      -- is kept may have been made of empty tables, where reading the whole table looked cheapest (decision 0061).
      if not exists (select from pg_catalog.pg_db_role_setting
                     where setrole = 'weir_engine'::regrole and setdatabase = 0
                       and setconfig @> array['jit=off', 'plan_cache_mode=force_generic_plan', 'enable_seqscan=off']) then
        alter role weir_engine set jit = off;
        alter role weir_engine set plan_cache_mode = force_generic_plan;
        alter role weir_engine set enable_seqscan = off;
      end if;
      exit;
    exception
      -- internal_error is "tuple concurrently updated": another database's migration changed the same role.
      when duplicate_object or unique_violation or internal_error or serialization_failure then
        if v_attempt = 20 then
          raise;
        end if;
        perform pg_catalog.pg_sleep(0.02 * v_attempt);
    end;
  end loop;

  -- A role of one of our names that can step over row-level security would make every promise void.
  if exists (select from pg_catalog.pg_roles
             where rolname in ('weir_writer', 'weir_system', 'weir_gateway', 'weir_engine', 'weir_backup')
               and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)) then
    raise exception 'a weir_* role has SUPERUSER, BYPASSRLS, CREATEROLE, CREATEDB or REPLICATION: remove it, then migrate';
  end if;
  if exists (select from pg_catalog.pg_auth_members m
             where m.member in ('weir_system'::regrole, 'weir_writer'::regrole, 'weir_engine'::regrole, 'weir_backup'::regrole)) then
    raise exception 'weir_system, weir_writer, weir_engine or weir_backup is a member of another role: revoke that, then migrate';
  end if;
end
$roles$;
