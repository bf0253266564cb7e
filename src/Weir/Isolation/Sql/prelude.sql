-- The objects of Weir in this database, and the roles of API callers. Every statement of this folder begins with this.
-- Reads the system catalogs only; $1 is db/DEFINERS.md of this release.
with definers as materialized (
  select d.name, d.owner, d.executors from jsonb_to_recordset($1) d(name text, owner text, executors text[])
),
home as materialized (
  select n.oid, n.nspowner as owner from pg_namespace n where n.nspname = 'weir'
),
-- 0 is PUBLIC
api_roles as materialized (
  select 0::oid as oid, 'public' as name
  union all
  select r.oid, r.rolname from pg_roles r where r.rolname in ('anon', 'authenticated', 'service_role', 'weir_gateway')
),
-- An object that depends on an object of the schema weir (by a default, a policy, a trigger, a type, a body) is Weir's in every schema.
-- An application's own objects in public are not.
leaning as materialized (
  select d.classid, d.objid
  from pg_depend d
  where d.deptype in ('n', 'a')
    and (d.refclassid = 'pg_proc'::regclass and d.refobjid in (select p.oid from pg_proc p join home h on h.oid = p.pronamespace)
         or d.refclassid = 'pg_type'::regclass and d.refobjid in (select t.oid from pg_type t join home h on h.oid = t.typnamespace)
         or d.refclassid = 'pg_class'::regclass and d.refobjid in (select c.oid from pg_class c join home h on h.oid = c.relnamespace))
),
leaning_relations as materialized (
  select l.objid as oid from leaning l where l.classid = 'pg_class'::regclass
  union select a.adrelid from leaning l join pg_attrdef a on a.oid = l.objid where l.classid = 'pg_attrdef'::regclass
  union select p.polrelid from leaning l join pg_policy p on p.oid = l.objid where l.classid = 'pg_policy'::regclass
  union select t.tgrelid from leaning l join pg_trigger t on t.oid = l.objid where l.classid = 'pg_trigger'::regclass
  union select c.conrelid from leaning l join pg_constraint c on c.oid = l.objid where l.classid = 'pg_constraint'::regclass
),
our_tables as materialized (
  select c.oid, n.nspname as schema, c.relname as name, format('%I.%I', n.nspname, c.relname) as object, c.relowner as owner,
         c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relacl,
         substring(obj_description(c.oid, 'pg_class') from '^(tenant|user|platform|global): ') as class,
         c.oid = to_regclass('public.organizations') as is_organizations
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join home h
  where c.relkind in ('r', 'p', 'f')
    and (n.oid = h.oid
         or (n.nspname in ('public', 'auth')
             and (c.oid in (select l.oid from leaning_relations l)
                  -- a table with such a comment, owned by the owner of Weir's tables
                  or (c.relowner = h.owner and obj_description(c.oid, 'pg_class') ~ '^(tenant|user|platform|global): '))))
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
),
our_functions as materialized (
  select p.oid, n.nspname as schema, format('%I.%I', n.nspname, p.proname) as name,
         format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as object,
         case p.prokind when 'p' then 'procedure' else 'function' end as kind,
         p.proowner as owner, pg_get_userbyid(p.proowner) as owner_name, p.prosecdef as is_definer, p.proconfig, p.proacl
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  cross join home h
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (n.oid = h.oid
         or (n.nspname = 'public'
             and (p.oid in (select l.objid from leaning l where l.classid = 'pg_proc'::regclass)
                  or pg_get_userbyid(p.proowner) in ('weir_system', 'weir_writer')
                  or p.prosrc ~ '\mweir\.'))
         -- a definer that uses Weir's tables is checked in every schema
         or (p.prosecdef
             and (p.prosrc ~ '\mweir\.'
                  or p.prosrc ~ (select '\mpublic\.(' || string_agg(t.name, '|') || ')\M' from our_tables t where t.schema = 'public')
                  or exists (select from pg_depend d join our_tables t on t.oid = d.refobjid
                             where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass))))
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
),
-- Tables and sequences; a sequence is Weir's if it is in weir or belongs to a column of Weir's tables.
our_relations as materialized (
  select t.oid, t.schema, t.object, 'table' as kind, t.owner, t.relacl from our_tables t
  union all
  select c.oid, n.nspname, format('%I.%I', n.nspname, c.relname), 'sequence', c.relowner, c.relacl
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'S'
    and (n.oid = (select h.oid from home h)
         or exists (select from pg_depend d join our_tables t on t.oid = d.refobjid
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')))
),
-- Each privilege on them that a role other than the owner has, including column privileges.
our_privileges as materialized (
  select r.schema, r.object, r.kind, a.grantee, coalesce(g.rolname, 'public') as role, lower(a.privilege_type) as privilege,
         null::text as columns
  from our_relations r
  cross join lateral aclexplode(r.relacl) a
  left join pg_roles g on g.oid = a.grantee
  where a.grantee <> r.owner
  union all
  select r.schema, r.object, r.kind, a.grantee, coalesce(g.rolname, 'public'), lower(a.privilege_type),
         string_agg(quote_ident(c.attname), ', ' order by c.attnum)
  from our_relations r
  join pg_attribute c on c.attrelid = r.oid and not c.attisdropped
  cross join lateral aclexplode(c.attacl) a
  left join pg_roles g on g.oid = a.grantee
  where a.grantee <> r.owner
  group by r.schema, r.object, r.kind, a.grantee, g.rolname, a.privilege_type
)
