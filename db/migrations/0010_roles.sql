-- Roles belong to the cluster, not to a database, and several databases of one cluster may migrate at the same time. So every statement is
-- skipped if its effect is already there, and the block is retried if another migration made the same change first. The migrator has
-- CREATEROLE and is neither a superuser nor BYPASSRLS (the embedded cluster's owner, or Supabase's `postgres`).
--
--   anon, authenticated, service_role   Supabase's; created here only where they are missing
--   weir_writer    owns the published functions that write; row-level security decides inside them
--   weir_system    owns the functions that work across tenants; a member of no role
--   weir_gateway   the login that may become authenticated or anon, and nothing else
--   weir_engine    the login that may execute the engine's functions, and nothing else
--   weir_backup    reads every table of Weir and writes none (weir.backup_tables); only the owner may become it
--
-- Passwords never appear here: the logins are created without LOGIN, and `weir migrate` gives them LOGIN and a password verifier.

do $roles$
declare
  v_role text;
begin
  for v_attempt in 1..20 loop
    begin
      -- noinherit everywhere: a login has no privilege of another role until it runs `set role`.
      foreach v_role in array array['anon', 'authenticated', 'service_role',
                                    'weir_writer', 'weir_system', 'weir_gateway', 'weir_engine', 'weir_backup'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
          execute format('create role %I nologin noinherit', v_role);
        end if;
      end loop;

      -- A request becomes one of these two for its transaction. service_role is not among them: its token names no person in Weir.
      foreach v_role in array array['anon', 'authenticated'] loop
        if not exists (select from pg_catalog.pg_auth_members
                       where roleid = v_role::regrole and member = 'weir_gateway'::regrole) then
          execute format('grant %I to weir_gateway', v_role);
        end if;
      end loop;

      -- The migrator must be a member of these three: it creates functions as the first two and reads tables as the third. A superuser
      -- needs no membership.
      if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        foreach v_role in array array['weir_writer', 'weir_system', 'weir_backup'] loop
          execute format('grant %I to %I', v_role, current_user);
        end loop;
      end if;

      -- JIT compilation of a short statement costs more than running it. Plans are kept, because planning is more than half of the cost of
      -- an admission. Sequential scans are off, because a plan that was made while a table was empty would scan the table for as long as
      -- the session lives (decision 0061).
      if not exists (select from pg_catalog.pg_db_role_setting
                     where setrole = 'weir_engine'::regrole and setdatabase = 0
                       and setconfig @> array['jit=off', 'plan_cache_mode=force_generic_plan', 'enable_seqscan=off']) then
        alter role weir_engine set jit = off;
        alter role weir_engine set plan_cache_mode = force_generic_plan;
        alter role weir_engine set enable_seqscan = off;
      end if;
      exit;
    exception
      -- internal_error is "tuple concurrently updated": another database's migration changed the same role. All pauses together take about
      -- four seconds.
      when duplicate_object or unique_violation or internal_error or serialization_failure then
        if v_attempt = 20 then
          raise;
        end if;
        perform pg_catalog.pg_sleep(0.02 * v_attempt);
    end;
  end loop;

  -- A role with one of these names may have existed before, with attributes that bypass row-level security. No policy would apply to it, so
  -- the migration stops.
  if exists (select from pg_catalog.pg_roles
             where rolname in ('weir_writer', 'weir_system', 'weir_gateway', 'weir_engine', 'weir_backup')
               and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)) then
    raise exception 'a weir_* role has SUPERUSER, BYPASSRLS, CREATEROLE, CREATEDB or REPLICATION: remove it, then migrate';
  end if;
  -- As a member of another role, one of these roles could read or own what that role does.
  if exists (select from pg_catalog.pg_auth_members m
             where m.member in ('weir_system'::regrole, 'weir_writer'::regrole, 'weir_engine'::regrole, 'weir_backup'::regrole)) then
    raise exception 'weir_system, weir_writer, weir_engine or weir_backup is a member of another role: revoke that, then migrate';
  end if;
end
$roles$;
