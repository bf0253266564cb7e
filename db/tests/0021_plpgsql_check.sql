-- plpgsql_check reads every function, with each table that it is a trigger of. Skipped if the extension is missing.
begin;
\ir ../testing/helpers.sql
select plan(1);

do $$ begin
  create extension if not exists plpgsql_check;
exception when others then null; -- the migrator may not create it
end $$;
select case when exists (select from pg_extension where extname = 'plpgsql_check') then is_empty($$
  select f.oid::regprocedure, coalesce(f.tgrelid, 0)::regclass, c.lineno, c.level, c.message
  from (select p.oid, t.tgrelid from pg_proc p
        join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
        left join pg_trigger t on t.tgfoid = p.oid and t.tgparentid = 0
        where p.pronamespace in ('weir'::regnamespace, 'public'::regnamespace)
          and (p.prorettype <> 'trigger'::regtype or t.oid is not null)
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')) f,
       plpgsql_check_function_tb(f.oid::regprocedure, coalesce(f.tgrelid, 0)::regclass, fatal_errors => false,
                                 security_warnings => true, performance_warnings => true, extra_warnings => true) c$$,
  'V1_M6_plpgsql_check_reports_nothing_on_any_function')
  else skip('plpgsql_check is not installed', 1) end;

select * from finish();
rollback;
