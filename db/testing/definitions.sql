-- The schema as lines of text that are the same in every version of PostgreSQL, because pg_dump of one version refuses another version's
-- server: what was created, and who has which privilege on it. A function's body in SQL-standard form is left out (versions print its names
-- differently); a body that is stored as text is included.
with ours as (select n.oid, n.nspname from pg_namespace n where n.nspname in ('public', 'weir')),
relations as (
  select c.oid, format('%I.%I', o.nspname, c.relname) as name, c.relowner, c.relacl, c.relkind, c.relrowsecurity, c.relforcerowsecurity
  from pg_class c join ours o on o.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'S', 'v') and c.relname <> 'schema_migrations'
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
),
functions as (
  select p.oid, p.oid::regprocedure::text as name, p.proowner, p.proacl, p.prosrc, p.prosecdef, p.provolatile, p.proconfig, p.prorettype,
    p.prolang
  from pg_proc p join ours o on o.oid = p.pronamespace
  where not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
)
select line collate "C" from (
  select format('relation %s %s %s %s', name, relkind, relrowsecurity, relforcerowsecurity) from relations
  union all
  select format('column %s.%I %s %s %s', r.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid))
  from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
  where r.relkind <> 'S'
  union all
  -- version 18 stores a column's not null here too
  select format('constraint %s %I %s', r.name, k.conname, pg_get_constraintdef(k.oid)) from relations r
    join pg_constraint k on k.conrelid = r.oid where k.contype <> 'n'
  union all
  select pg_get_indexdef(i.indexrelid) from relations r join pg_index i on i.indrelid = r.oid
  union all
  select format('%s %s', pg_get_triggerdef(g.oid), g.tgenabled) from relations r join pg_trigger g on g.tgrelid = r.oid
    where not g.tgisinternal
  union all
  select format('policy %s %I %s %s %s %s %s', r.name, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  from relations r join pg_policy p on p.polrelid = r.oid
  union all
  select format('function %s %s %s %s %s %s %s', f.name, f.prorettype::regtype, f.prosecdef, f.provolatile, f.proconfig, md5(f.prosrc),
    l.lanname)
  from functions f join pg_language l on l.oid = f.prolang
  union all
  select format('grant %s on %s to %s', a.privilege_type, x.name, a.grantee::regrole)
  from (select name, relowner as owner, relacl as acl from relations union all select name, proowner, proacl from functions) x,
    aclexplode(x.acl) a
  where a.grantee <> x.owner
  union all
  select format('grant %s (%I) on %s to %s', a.privilege_type, c.attname, r.name, a.grantee::regrole)
  from relations r join pg_attribute c on c.attrelid = r.oid, aclexplode(c.attacl) a where a.grantee <> r.relowner
) d(line) order by 1
