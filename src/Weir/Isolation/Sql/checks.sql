-- The checks, in the order of docs/isolation.md. A statement returns the objects that break the promise, and what was found; {column} in
-- a fix is that column of its result. `note` marks what is reported but is not a finding. All run as one statement.

-- id: rls-off
-- promise: Row-level security is enabled on every table.
-- fix: alter table {object} enable row level security;
select t.object, 'row-level security is off' as found
from our_tables t where not t.relrowsecurity;

-- id: rls-not-forced
-- promise: Row-level security binds a table's owner too; on partitions as on tables.
-- fix: alter table {object} force row level security;
select t.object, 'row-level security does not bind its owner' as found
from our_tables t where not t.relforcerowsecurity;

-- id: table-without-class
-- promise: Every table's comment begins with its class, on which the other checks depend.
-- fix: comment on table {object} is 'tenant: …'; or user, platform, global.
select t.object, 'its comment does not begin with tenant:, user:, platform: or global:' as found
from our_tables t where t.class is null;

-- id: policy-without-role
-- promise: Every policy names its roles.
-- fix: alter policy {policy} on {table} to authenticated, weir_writer; or whom it is meant for.
select format('%I on %s', p.polname, t.object) as object, 'the policy holds for PUBLIC' as found, quote_ident(p.polname) as policy,
       t.object as table
from our_tables t join pg_policy p on p.polrelid = t.oid
where 0 = any(p.polroles);

-- id: policy-open
-- promise: Every permissive policy on a tenant's or a person's table reads a column of its row; else it is the same for all rows.
-- fix: drop policy {policy} on {table};
select format('%I on %s', p.polname, t.object) as object,
       format('it is %s for every row, for %s', coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
              (select string_agg(a.name, ', ') from api_roles a where a.oid = any(p.polroles))) as found,
       quote_ident(p.polname) as policy, t.object as table
from our_tables t join pg_policy p on p.polrelid = t.oid
where p.polpermissive
  and coalesce(t.class, 'tenant') in ('tenant', 'user')
  and p.polroles && array(select a.oid from api_roles a)
  and num_nonnulls(p.polqual, p.polwithcheck) > 0
  and not exists (select from pg_depend d where d.classid = 'pg_policy'::regclass and d.objid = p.oid
                    and d.refclassid = 'pg_class'::regclass and d.refobjid = p.polrelid and d.refobjsubid > 0);

-- id: policy-without-index
-- promise: A tenant's table that API roles read has an index that begins with the organization, which comes first in each policy.
-- fix: create index on {object} ({column});
select t.object, format('no index begins with %s, so each request reads the rows of all tenants', k.column) as found, k.column
from our_tables t
cross join lateral (select case when t.is_organizations then 'id' else 'organization_id' end as column) k
where t.class = 'tenant' and not t.relispartition
  and exists (select from pg_policy p where p.polrelid = t.oid and p.polroles && array(select a.oid from api_roles a))
  and not exists (select from pg_index i join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]
                  where i.indrelid = t.oid and i.indisvalid and i.indpred is null and a.attname = k.column);

-- id: tenant-without-organization
-- promise: Every row of a tenant's table names its organization: organization_id uuid not null.
-- fix: alter table {object} alter column organization_id set not null; the column is a uuid.
select t.object, 'there is no organization_id of type uuid that cannot be null' as found
from our_tables t
where t.class = 'tenant' and not t.is_organizations
  and not exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'organization_id' and not a.attisdropped
                    and a.atttypid = 'uuid'::regtype and a.attnotnull);

-- id: reference-across-tenants
-- promise: A reference between tenants' rows has the organization, or a column that such a reference binds to one.
-- fix: alter table {table} drop constraint {constraint}; then add it with organization_id in front, on both sides.
with pairs as (
  select c.oid, c.conname, c.conrelid, c.confrelid, f.attname as from_column, r.attname as to_column,
         f.attname = 'organization_id' and r.attname = case when t.is_organizations then 'id' else 'organization_id' end as carries
  from pg_constraint c
  join our_tables s on s.oid = c.conrelid and s.class = 'tenant'
  join our_tables t on t.oid = c.confrelid and t.class = 'tenant'
  cross join lateral unnest(c.conkey, c.confkey) k(from_attribute, to_attribute)
  join pg_attribute f on f.attrelid = c.conrelid and f.attnum = k.from_attribute
  join pg_attribute r on r.attrelid = c.confrelid and r.attnum = k.to_attribute
  where c.contype = 'f' and c.conparentid = 0
), bound as (
  -- the columns that share a reference with the organization, and their targets
  select p.conrelid, p.from_column, p.confrelid, p.to_column
  from pairs p where not p.carries and exists (select from pairs o where o.oid = p.oid and o.carries)
)
select format('%I on %s', p.conname, s.object) as object,
       format('it leads to %s by %s alone', t.object, string_agg(p.from_column, ', ')) as found, s.object as table,
       quote_ident(p.conname) as constraint
from pairs p join our_tables s on s.oid = p.conrelid join our_tables t on t.oid = p.confrelid
group by p.oid, p.conname, s.object, t.object
having not bool_or(p.carries)
   and not bool_or(exists (select from bound a join bound b on b.confrelid = a.confrelid and b.to_column = a.to_column
                           where a.conrelid = p.conrelid and a.from_column = p.from_column
                             and b.conrelid = p.confrelid and b.from_column = p.to_column));

-- id: partition-in-public
-- promise: Partitions are in weir, which no API role may use: a partition has its own policies, not its parent's.
-- fix: alter table {object} set schema weir;
select t.object, 'a partition is where API roles can name it' as found
from our_tables t where t.relispartition and t.schema <> 'weir';

-- id: rewrite-rule
-- promise: No table has a rewrite rule, which would replace a statement, with the rights of the table's owner.
-- fix: drop rule {rule} on {table};
select format('%I on %s', r.rulename, t.object) as object, 'a rule rewrites what is asked of the table' as found,
       quote_ident(r.rulename) as rule, t.object as table
from our_tables t join pg_rewrite r on r.ev_class = t.oid;

-- id: trigger-disabled
-- promise: Every trigger is enabled: they guard the state machine, revocation and references.
-- fix: alter table {table} enable trigger {trigger};
select format('%I on %s', g.tgname, t.object) as object, 'the trigger is disabled' as found, quote_ident(g.tgname) as trigger,
       t.object as table
from our_tables t join pg_trigger g on g.tgrelid = t.oid
where g.tgenabled not in ('O', 'A');

-- id: record-changeable
-- promise: No role changes or removes a row of the audit log, its seals and its checkpoints.
-- fix: create trigger append_only before update or delete on {object} for each row execute function weir.refuse_change();
-- a partition has its parent's row triggers, and they cannot be dropped there
select t.object, 'no trigger refuses update and delete of a row' as found
from our_tables t
where t.object in ('public.mcp_interaction_logs', 'weir.audit_seals', 'weir.audit_checkpoints')
  and not exists (select from pg_trigger g
                  -- before (2) each row (1), for delete (8) and update (16), always
                  where g.tgrelid = t.oid and g.tgtype & 27 = 27 and g.tgqual is null and g.tgattr = ''
                    and g.tgfoid = to_regprocedure('weir.refuse_change()'));

-- id: record-truncatable
-- promise: The audit log, its seals and its checkpoints cannot be truncated; each partition has a guard of its own.
-- fix: create trigger not_truncated before truncate on {object} for each statement execute function weir.refuse_truncate();
with recursive record as (
  select t.oid from our_tables t where t.object in ('public.mcp_interaction_logs', 'weir.audit_seals', 'weir.audit_checkpoints')
  union
  select i.inhrelid from record r join pg_inherits i on i.inhparent = r.oid
)
select t.object, 'no trigger refuses truncate' as found
from our_tables t join record r on r.oid = t.oid
where not exists (select from pg_trigger g
                  where g.tgrelid = t.oid and g.tgtype & 34 = 34 and g.tgfoid = to_regprocedure('weir.refuse_truncate()'));

-- id: view-as-owner
-- promise: A view over Weir's tables reads with its reader's rights.
-- fix: alter view {object} set (security_invoker = true);
with recursive reached as (
  select v.ev_class as oid from our_tables t join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid
  join pg_rewrite v on d.classid = 'pg_rewrite'::regclass and v.oid = d.objid and v.ev_class <> t.oid
  union
  select v.ev_class from reached r join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = r.oid
  join pg_rewrite v on d.classid = 'pg_rewrite'::regclass and v.oid = d.objid and v.ev_class <> r.oid
)
select format('%I.%I', n.nspname, c.relname) as object,
       'the view reads with the rights of its owner, ' || pg_get_userbyid(c.relowner) as found
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v' and (c.oid in (select r.oid from reached r) or n.nspname = 'weir')
  and not exists (select from pg_options_to_table(c.reloptions) o where o.option_name = 'security_invoker' and o.option_value::boolean)
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e');

-- id: view-materialized
-- promise: No API role reads a copy of Weir's rows: a materialized view has no row-level security.
-- fix: revoke all on {object} from {roles};
with recursive reached as (
  select v.ev_class as oid from our_tables t join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid
  join pg_rewrite v on d.classid = 'pg_rewrite'::regclass and v.oid = d.objid and v.ev_class <> t.oid
  union
  select v.ev_class from reached r join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = r.oid
  join pg_rewrite v on d.classid = 'pg_rewrite'::regclass and v.oid = d.objid and v.ev_class <> r.oid
)
select format('%I.%I', n.nspname, c.relname) as object, format('%s may read this copy', x.roles) as found, x.roles
from pg_class c join pg_namespace n on n.oid = c.relnamespace
cross join lateral (
  select string_agg(distinct a.name, ', ') as roles
  from api_roles a
  join (select e.grantee from aclexplode(c.relacl) e
        union select e.grantee from pg_attribute b cross join lateral aclexplode(b.attacl) e
              where b.attrelid = c.oid) e on e.grantee = a.oid) x
where c.relkind = 'm' and x.roles is not null and (c.oid in (select r.oid from reached r) or n.nspname = 'weir');

-- id: definer-search-path
-- promise: A function looks names up by its own search_path, whoever calls it, and the caller's temporary schema comes last.
-- fix: alter {kind} {object} set search_path = pg_catalog, pg_temp;
-- A path that does not name pg_temp, even an empty one, searches it first for types and relations. A function without a path has its
-- caller's, which is usually a definer's; but one that API roles may call is compiled with the path of the first call.
select f.object,
       coalesce('its names are looked up by ' || s.setting || ', where pg_temp is not last',
                'its names are looked up by its caller''s search_path') as found,
       f.kind
from our_functions f
join pg_proc p on p.oid = f.oid
left join lateral (select c.setting, string_to_array(replace(split_part(c.setting, '=', 2), ' ', ''), ',') as path
                   from unnest(f.proconfig) c(setting) where c.setting like 'search\_path=%') s on true
where (f.is_definer or s.path is not null
       or p.prosqlbody is null and exists (select from aclexplode(f.proacl) a join api_roles r on r.oid = a.grantee))
  and (s.path is null or array_position(s.path, 'pg_temp') is distinct from cardinality(s.path));

-- id: definer-unlisted
-- promise: The functions that run with their owner's rights are those of db/DEFINERS.md, with the owners that it names.
-- fix: {remedy}
select f.object,
       case when d.name is null then format('it runs with the rights of %s, and DEFINERS.md does not know it', f.owner_name)
            else format('it runs with the rights of %s, and not of %s', f.owner_name, d.owner) end as found,
       case when d.name is null then format('alter %s %s security invoker;', f.kind, f.object)
            else format('alter %s %s owner to %I;', f.kind, f.object,
                        case d.owner when 'the owner' then pg_get_userbyid(h.owner) else d.owner end) end as remedy
from our_functions f cross join home h left join definers d on d.name = f.name
where f.is_definer
  and case d.owner when 'the owner' then pg_get_userbyid(h.owner) else d.owner end is distinct from f.owner_name;

-- id: function-for-public
-- promise: PUBLIC may not execute any function of Weir.
-- fix: revoke execute on {kind} {object} from public;
select f.object, 'PUBLIC may execute it' as found, f.kind
from our_functions f
where f.proacl is null or exists (select from aclexplode(f.proacl) a where a.grantee = 0);

-- id: function-granted
-- promise: Only the roles of db/DEFINERS.md execute a definer; API roles execute only what published functions and policies use.
-- fix: revoke execute on {kind} {object} from {role};
select f.object, format('%s may execute it', r.rolname) as found, f.kind, quote_ident(r.rolname) as role
from our_functions f
cross join home h
cross join lateral aclexplode(f.proacl) a
join pg_roles r on r.oid = a.grantee and r.oid not in (f.owner, h.owner)
where case
    when f.is_definer then exists (select from definers d where d.name = f.name and not r.rolname = any(d.executors))
    when f.schema <> 'weir' then r.rolname in ('anon', 'service_role', 'weir_gateway')
    else r.rolname in (select p.name from api_roles p)
      and not exists (select from pg_depend d join our_functions w on w.oid = d.objid and w.schema = 'public'
                      where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
                        and exists (select from aclexplode(w.proacl) e where e.grantee = r.oid))
      and not exists (select from pg_depend d join pg_policy p on p.oid = d.objid
                      where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
                        and r.oid = any(p.polroles))
  end;

-- id: schema-usage
-- promise: No API role has USAGE on the schema weir.
-- fix: revoke usage on schema weir from {role};
select 'weir' as object, format('%s has usage on the schema', p.name) as found, p.name as role
from home h join pg_namespace n on n.oid = h.oid cross join lateral aclexplode(n.nspacl) a join api_roles p on p.oid = a.grantee
where a.privilege_type = 'USAGE';

-- id: schema-create
-- promise: No role that serves requests may create objects in the schemas of Weir.
-- fix: revoke create on schema {object} from {role};
select n.nspname as object, format('%s may create objects in the schema', r.name) as found, r.name as role
from pg_namespace n
cross join lateral aclexplode(n.nspacl) a
join (select p.oid, p.name from api_roles p
      union all select o.oid, o.rolname from pg_roles o where o.rolname in ('weir_engine', 'weir_system', 'weir_writer')) r
  on r.oid = a.grantee
where n.nspname in ('public', 'weir') and a.privilege_type = 'CREATE';

-- id: grant-to-api-role
-- promise: anon and authenticated may only select, from published tables; they have no privilege in the schema weir.
-- fix: revoke {what} on {kind} {object} from {role};
select p.object, format('%s has %s', p.role, x.what) as found, p.kind, p.role, x.what
from our_privileges p
cross join lateral (select p.privilege || coalesce(' (' || p.columns || ')', '') as what) x
where p.role in ('anon', 'authenticated') and (p.privilege <> 'select' or p.kind = 'sequence' or p.schema = 'weir');

-- id: grant-to-outsider
-- promise: PUBLIC, service_role and the two logins have no privilege on Weir's tables and sequences.
-- fix: revoke {what} on {kind} {object} from {role};
select p.object, format('%s has %s', p.role, x.what) as found, p.kind, p.role, x.what
from our_privileges p
cross join lateral (select p.privilege || coalesce(' (' || p.columns || ')', '') as what) x
where p.role in ('public', 'service_role', 'weir_gateway', 'weir_engine');

-- id: grant-by-default
-- promise: No default privilege grants API roles anything on new objects of the schema weir.
-- fix: alter default privileges for role {maker}{place} revoke all on {kind} from {role};
select format('default privileges of %s', pg_get_userbyid(d.defaclrole)) as object,
       format('%s get %s on %s%s', p.name, string_agg(lower(a.privilege_type), ', '), k.kind,
              coalesce(' in schema ' || n.nspname, '')) as found,
       quote_ident(pg_get_userbyid(d.defaclrole)) as maker, coalesce(' in schema ' || quote_ident(n.nspname), '') as place, k.kind,
       p.name as role
from pg_default_acl d
cross join home h
left join pg_namespace n on n.oid = d.defaclnamespace
cross join lateral (select case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                                                when 'T' then 'types' when 'n' then 'schemas' else 'objects' end as kind) k
cross join lateral aclexplode(d.defaclacl) a
join api_roles p on p.oid = a.grantee
where (d.defaclnamespace = h.oid
       or (d.defaclnamespace = 0 and pg_get_userbyid(d.defaclrole) in (pg_get_userbyid(h.owner), 'weir_system', 'weir_writer')))
  -- such a row also has PostgreSQL's built-in grants to PUBLIC; the migrations revoke those for each object
  and not (d.defaclnamespace = 0 and a.grantee = 0 and d.defaclobjtype in ('f', 'T'))
group by d.defaclrole, n.nspname, p.name, k.kind;

-- id: role-power
-- promise: No role of Weir, and neither anon nor authenticated, bypasses row-level security or creates roles.
-- fix: alter role {object} {remedy};
select r.rolname as object, 'the role is ' || concat_ws(', ', x.super, x.bypass, x.createrole, x.createdb, x.replication) as found,
       'no' || concat_ws(' no', x.super, x.bypass, x.createrole, x.createdb, x.replication) as remedy
from pg_roles r
cross join lateral (select case when r.rolsuper then 'superuser' end as super, case when r.rolbypassrls then 'bypassrls' end as bypass,
  case when r.rolcreaterole then 'createrole' end as createrole, case when r.rolcreatedb then 'createdb' end as createdb,
  case when r.rolreplication then 'replication' end as replication) x
where r.rolname in ('anon', 'authenticated', 'weir_gateway', 'weir_engine', 'weir_writer', 'weir_system', 'weir_backup')
  and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication);

-- id: role-inherits
-- promise: The two logins have no privilege of a role before they become it.
-- fix: alter role {object} noinherit;
select r.rolname as object, 'the login has the rights of the roles that it may become, without becoming them' as found
from pg_roles r where r.rolname in ('weir_gateway', 'weir_engine') and r.rolinherit;

-- id: role-membership
-- promise: weir_gateway may become only authenticated and anon; weir_engine, weir_backup and the owners of functions no role.
-- fix: {remedy}
with recursive becomes as (
  select m.member, m.member as through, m.roleid from pg_auth_members m join pg_roles r on r.oid = m.member
  where r.rolname in ('weir_gateway', 'weir_engine', 'weir_writer', 'weir_system', 'weir_backup')
  union
  select b.member, m.member, m.roleid from becomes b join pg_auth_members m on m.member = b.roleid
)
select pg_get_userbyid(b.member) as object, format('it may become %s', pg_get_userbyid(b.roleid)) as found,
       format('revoke %I from %I;', pg_get_userbyid(b.roleid), pg_get_userbyid(b.through)) as remedy
from becomes b
where not (pg_get_userbyid(b.member) = 'weir_gateway' and pg_get_userbyid(b.roleid) in ('anon', 'authenticated'))
union all
select 'weir_gateway', format('it cannot become %s', r.name), format('grant %I to weir_gateway;', r.name)
from api_roles r
where r.name in ('anon', 'authenticated')
  and not exists (select from pg_auth_members m where m.roleid = r.oid and pg_get_userbyid(m.member) = 'weir_gateway');

-- id: role-owns
-- promise: The two logins own nothing, and no API role owns an object of Weir: an owner may undo what binds others.
-- fix: reassign owned by {role} to {owner};
select x.object, format('%s owns it', x.role) as found, quote_ident(x.role) as role, quote_ident(pg_get_userbyid(h.owner)) as owner
from home h
cross join lateral (
  select pg_describe_object(s.classid, s.objid, 0) as object, r.rolname as role
  from pg_shdepend s join pg_roles r on s.refclassid = 'pg_authid'::regclass and r.oid = s.refobjid
  where s.deptype = 'o' and r.rolname in ('weir_gateway', 'weir_engine')
    and s.dbid in (0, (select d.oid from pg_database d where d.datname = current_database()))
  union all
  select t.object, r.rolname from our_tables t join pg_roles r on r.oid = t.owner
  where r.rolname in ('anon', 'authenticated', 'service_role')
  union all
  select f.object, r.rolname from our_functions f join pg_roles r on r.oid = f.owner
  where r.rolname in ('anon', 'authenticated', 'service_role')
) x;

-- id: role-becomes-system
-- promise: Only the owner of the schema may become weir_system, weir_writer or weir_backup.
-- fix: revoke {role} from {object}; or from the role through which it comes to it.
select r.rolname as object, format('the login may become %s', s.rolname) as found, s.rolname as role
from pg_roles r
cross join home h
join pg_roles s on s.rolname in ('weir_system', 'weir_writer', 'weir_backup')
where r.rolcanlogin and not r.rolsuper and r.rolname not in ('weir_gateway', 'weir_engine')
  and not pg_has_role(r.oid, h.owner, 'MEMBER')
  and pg_has_role(r.oid, s.oid, 'MEMBER');

-- id: role-setting
-- promise: No setting of a role or of the database changes the actor, the meaning of names, or whether rows are hidden.
-- fix: alter {what} reset {setting};
select coalesce(r.rolname, 'all roles') as object, format('%s starts with %s', coalesce(r.rolname, 'every session'), c.setting) as found,
       case when r.oid is null then format('database %I', b.datname) when b.oid is null then format('role %I', r.rolname)
            else format('role %I in database %I', r.rolname, b.datname) end as what,
       split_part(c.setting, '=', 1) as setting
from pg_db_role_setting s
left join pg_roles r on r.oid = s.setrole
left join pg_database b on b.oid = s.setdatabase
cross join lateral unnest(s.setconfig) c(setting)
where (s.setdatabase = 0 or b.datname = current_database())
  and case when s.setrole = 0
           then split_part(c.setting, '=', 1) in ('row_security', 'role', 'session_authorization', 'session_replication_role')
           else r.rolname in ('anon', 'authenticated', 'weir_gateway', 'weir_engine', 'weir_writer', 'weir_system', 'weir_backup')
             and split_part(c.setting, '=', 1)
                 in ('search_path', 'row_security', 'role', 'session_authorization', 'session_replication_role') end;

-- id: temporary-for-callers
-- note
-- promise: API roles create no temporary objects: another application's function without a search_path would use them.
-- fix: revoke temporary on database {object} from {roles};
select quote_ident(d.datname) as object, format('%s may make temporary objects', string_agg(r.name, ', ')) as found,
       string_agg(case r.oid when 0 then r.name else quote_ident(r.name) end, ', ') as roles
from pg_database d
cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
join (select a.oid, a.name from api_roles a
      union all select e.oid, e.rolname from pg_roles e where e.rolname = 'weir_engine') r on r.oid = a.grantee
where d.datname = current_database() and a.privilege_type = 'TEMPORARY'
group by d.datname;

-- id: published-to-replicas
-- note
-- promise: Rows that leave by a publication have no row-level security: a subscriber reads all tenants.
-- fix: alter publication {publication} drop table {object}; unless whoever subscribes may read everything.
select t.object, format('its rows leave by the publication %s', p.pubname) as found, quote_ident(p.pubname) as publication
from our_tables t join pg_publication_tables p on p.schemaname = t.schema and p.tablename = t.name;
