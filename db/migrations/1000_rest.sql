-- What the REST endpoints publish, read from the system catalogs of the database: tables, columns and functions that a person may use.

-- The columns that an API role may read: of tables in `public` whose row-level security is forced, so that it binds the owner too, and of
-- views with their caller's rights. A table without row-level security that somebody else adds to `public` is not published. A column
-- without a grant has no row here, so the answer for it is that of a column that does not exist. for_anon: whether `anon` may read it. If
-- it may not, a caller without a token is refused before a statement that PostgreSQL would refuse and write to its log. Not a definer:
-- everybody may read the system catalogs.
create function weir.published_columns() returns table (relation_name text, column_name text, column_type text, for_anon boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, null), has_column_privilege('anon', c.oid, a.attnum, 'SELECT')
  from pg_catalog.pg_class c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = 'public')
    -- A view with its owner's rights would bypass the caller's policies.
    and case c.relkind when 'v' then coalesce(c.reloptions @> array['security_invoker=true'], false)
                       when 'r' then c.relrowsecurity and c.relforcerowsecurity
                       when 'p' then c.relrowsecurity and c.relforcerowsecurity
                       else false end
    -- Tables of extensions are left out: they are not Weir's.
    and not exists (select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e')
    and (has_column_privilege('authenticated', c.oid, a.attnum, 'SELECT') or has_column_privilege('anon', c.oid, a.attnum, 'SELECT'))
  order by c.relname, a.attnum;
end;

-- The functions in `public` that call one in `weir` and that an API role may execute; so a function that somebody else adds to `public` is
-- not published. `columns` and `column_types` are those of a table function's rows; null if the result is one value or a set of values.
-- `required`: how many of the first arguments have no default.
create function weir.published_functions()
returns table (function_name text, argument_names text[], argument_types text[], required integer, returns_set boolean,
               result_type text, columns text[], column_types text[], for_anon boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select p.proname::text, coalesce(p.proargnames[1:p.pronargs], '{}'),
         array(select pg_catalog.format_type(t.type, null) from unnest(p.proargtypes::oid[]) with ordinality t(type, n) order by t.n),
         p.pronargs - p.pronargdefaults, p.proretset, pg_catalog.format_type(p.prorettype, null), o.names, o.types,
         has_function_privilege('anon', p.oid, 'EXECUTE')
  from pg_catalog.pg_proc p
  cross join lateral (
    select array_agg(p.proargnames[m.n] order by m.n) as names,
           array_agg(pg_catalog.format_type(p.proallargtypes[m.n], null) order by m.n) as types
    from unnest(p.proargmodes) with ordinality m(mode, n) where m.mode = 't') o
  where p.pronamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = 'public')
    and p.prokind = 'f'
    -- A body in SQL-standard form (`begin atomic`) has a dependency on what it calls.
    and exists (select from pg_catalog.pg_depend d
                join pg_catalog.pg_proc f on f.oid = d.refobjid
                join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 'weir'
                where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid
                  and d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
    and (has_function_privilege('authenticated', p.oid, 'EXECUTE') or has_function_privilege('anon', p.oid, 'EXECUTE'))
  order by p.proname;
end;

revoke all on function weir.published_columns, weir.published_functions from public;
grant execute on function weir.published_columns, weir.published_functions to weir_engine;
