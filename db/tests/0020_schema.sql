-- Rules that every table and function must keep, read from the system catalogs, so that they apply to every new one.
begin;
\ir ../testing/helpers.sql
select plan(23);

create temporary view our_tables as
  select c.oid, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) as name, c.relrowsecurity, c.relforcerowsecurity,
         c.relispartition, split_part(obj_description(c.oid, 'pg_class'), ':', 1) as class, obj_description(c.oid, 'pg_class') as comment
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname in ('public', 'weir')
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');
create temporary view our_functions as
  select p.oid, p.oid::regprocedure::text as name, n.nspname || '.' || p.proname as short_name, n.nspname, p.proname, p.proacl,
         p.prosecdef, p.proconfig, p.prosqlbody, r.rolname as owner
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles r on r.oid = p.proowner
  where n.nspname in ('public', 'weir') and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e');
create temporary view api_roles as
  select r.role from (values ('public'), ('anon'), ('authenticated'), ('service_role'), ('weir_gateway')) r(role);

-- Tables
select is_empty($$select name from our_tables where not (relrowsecurity and relforcerowsecurity)$$,
  'T17_every_table_and_partition_has_forced_row_level_security');
select is_empty($$select name from our_tables where class is null or class not in ('tenant', 'user', 'platform', 'global')$$,
  'T17_every_table_declares_its_class');
select is_empty($$select name from our_tables t where class = 'tenant' and name <> 'organizations' and name <> 'public.organizations'
                   and not exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'organization_id'
                   and a.attnotnull)$$,
  'T3_every_tenant_table_has_an_organization');
select is_empty($$
  select t.name, c.conname from our_tables t join pg_constraint c on c.conrelid = t.oid and c.contype = 'f'
  join our_tables f on f.oid = c.confrelid and f.class = 'tenant' and f.relname <> 'organizations'
  where t.class = 'tenant' and c.conparentid = 0
    and not exists (select from unnest(c.conkey) k join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k
                    where a.attname = 'organization_id')
    -- a reply is in its channel, whose key has the organization
    and c.conname <> 'chat_messages_reply_in_the_channel'$$,
  'T3_every_reference_between_tenant_rows_carries_the_organization');
select is_empty($$select name from our_tables t where class = 'tenant' and not relispartition and comment not like '%no foreign key%'
                   and relname <> 'organizations'
                   and not exists (select from pg_constraint c where c.conrelid = t.oid and c.contype = 'f')$$,
  'T10_a_tenant_table_without_foreign_keys_says_so');
select is_empty($$
  select t.name, c.conname from our_tables t join pg_constraint c on c.conrelid = t.oid and c.contype = 'f'
  where not exists (select from pg_index i where i.indrelid = t.oid and i.indpred is null
                    and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey)$$,
  'T9_every_foreign_key_has_an_index');
select is_empty($$
  select t.name from our_tables t
  where not relispartition and class = 'tenant' and relname <> 'organizations'
    and not exists (select from pg_index i join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]
                    where i.indrelid = t.oid and a.attname in ('organization_id', 'workspace_id'))$$,
  'T9_every_column_that_a_policy_compares_has_an_index');
select is_empty($$
  select t.name, r.role, p.privilege from our_tables t, api_roles r,
         unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p(privilege)
  where has_table_privilege(case r.role when 'public' then 'anon' else r.role end, t.oid, p.privilege)$$,
  'T12_api_roles_write_no_table');
select is_empty($$select name from our_tables t where nspname = 'weir' and has_table_privilege('authenticated', t.oid, 'SELECT')$$,
  'T17_api_roles_read_nothing_in_weir');
select is_empty($$select name from our_tables t where has_any_column_privilege('anon', t.oid, 'SELECT')$$,
  'T19_anon_reads_no_table');
select is_empty($$select tablename, policyname from pg_policies where schemaname in ('public', 'weir') and roles = '{public}'$$,
  'T19_every_policy_names_its_roles');
select is_empty($$
  select tablename, policyname from pg_policies
  where schemaname in ('public', 'weir') and concat(qual, with_check) ~ 'auth\.(uid|jwt|role)\(|current_setting|current_user'$$,
  'T19_policies_ask_for_the_actor_once_and_not_per_row');

-- Names and ids follow one convention, so one function accepts what another returns
select is_empty($$
  select t.name, a.attname from our_tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where (a.attname = 'id' or a.attname like '%\_id') and a.atttypid <> 'uuid'::regtype
    -- texts that clients or this installation generate: a key's public part, a request's id
    and a.attname not in ('key_id', 'request_id', 'client_message_id')$$, 'S7_every_id_of_a_table_is_a_uuid');
select is_empty($$
  select f.name, a.name from our_functions f join pg_proc p on p.oid = f.oid,
         unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[])) a(name, type)
  where a.name ~ '(^|_)ids?$' and a.type not in ('uuid'::regtype, 'uuid[]'::regtype)
    and a.name !~ '^(p_)?(key_ids?|request_ids?|client_message_id)$'$$, 'S7_every_id_that_a_function_takes_or_gives_is_a_uuid');
select is_empty($$
  select t.name, a.attname from our_tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where a.attname !~ '^[a-z][a-z0-9]*(_[a-z0-9]+)*$'
  union all
  select f.name, a.name from our_functions f join pg_proc p on p.oid = f.oid, unnest(p.proargnames) a(name)
  where a.name !~ '^[a-z][a-z0-9]*(_[a-z0-9]+)*$'$$, 'S7_every_column_and_parameter_is_named_in_snake_case');

-- Functions
select is_empty($$select name from our_functions where proacl is null or exists (
                    select from aclexplode(proacl) a where a.grantee = 0)$$, 'M5_nobody_is_granted_a_function_by_default');
select is_empty($$select name from our_functions f where has_function_privilege('anon', f.oid, 'EXECUTE')
                     or has_function_privilege('service_role', f.oid, 'EXECUTE') or has_function_privilege('weir_gateway', f.oid,
                     'EXECUTE')$$,
  'M5_anon_and_the_bare_login_execute_nothing');
select is_empty($$
  select name from our_functions
  where (prosecdef or exists (select from unnest(proconfig) c where c like 'search\_path=%')
         or exists (select from aclexplode(proacl) a where a.grantee = 'authenticated'::regrole and nspname = 'weir'))
    and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)$$,
  'M4_every_definer_function_looks_in_pg_temp_last');
-- A function without a search_path runs with its caller's, so only functions that have one may call it: PostgreSQL keeps a plpgsql function
-- as it was first compiled, and nobody may compile it with a search_path of their own.
select is_empty($$
  select f.name from our_functions f join pg_proc p on p.oid = f.oid
  where p.prosqlbody is null and not exists (select from unnest(f.proconfig) c where c like 'search\_path=%')
    and exists (select from aclexplode(f.proacl) a where a.grantee not in (p.proowner, 'weir_system'::regrole, 'weir_writer'::regrole))$$,
  'M4_a_function_without_a_path_is_called_from_inside_only');
-- The published list of db/DEFINERS.md, found from every directory that the tests run in. There `the owner` is the role that owns Weir's
-- tables: on Supabase that role bypasses row-level security, so a function of it must not be a definer.
create temporary table definers (line text);
\set definers `cat db/DEFINERS.md 2>/dev/null || cat DEFINERS.md 2>/dev/null || cat ../DEFINERS.md`
insert into definers select regexp_split_to_table(:'definers', '\n');
create temporary view listed as
  select m[1] as name, m[2] as owner from definers,
       regexp_match(line, '^\| `([a-z0-9_.]+)` \| (weir_system|weir_writer|the owner) \|') m where m is not null;
create temporary view found as
  select f.short_name as name, f.prosecdef,
         case when f.owner in ('weir_system', 'weir_writer') then f.owner::text
              when f.owner = (select r.rolname from pg_class c join pg_roles r on r.oid = c.relowner
                              where c.oid = 'weir.installation'::regclass) then 'the owner'
              else 'somebody else: ' || f.owner end as owner
  from our_functions f;
select results_eq(
  'select name collate "C", owner collate "C" from found where prosecdef order by 1',
  'select name collate "C", owner collate "C" from listed order by 1',
  'M4_every_definer_function_is_listed_with_its_owner_and_its_reason');
select is_empty($$select name, owner from found where not prosecdef and owner <> 'the owner'$$,
  'M4_every_function_that_is_no_definer_belongs_to_the_migrator');
select is_empty($$select name from listed where owner = 'the owner'
                   and name not in ('weir.ensure_log_partitions', 'weir.confirmed_email', 'weir.email_of', 'weir.is_banned')$$,
  'M4_no_other_definer_belongs_to_a_role_that_may_bypass_row_level_security');
select is_empty($$
  select name from our_functions where nspname = 'public'
    and (prosecdef or prosqlbody is null) $$, 'M15_a_published_function_is_a_wrapper_that_passes_on');

select * from finish();
rollback;
