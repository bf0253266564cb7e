-- A backup reads everything, and its role writes nothing.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(15);

create temporary view our_tables as
  select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relispartition
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and c.relrowsecurity and n.nspname in ('public', 'weir', 'auth')
    and (n.nspname = 'weir' or obj_description(c.oid, 'pg_class') ~ '^(tenant|user|platform|global): ')
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');
create temporary view unread as
  select t.name from our_tables t
  where not has_table_privilege('weir_backup', t.oid, 'select')
     or not exists (select from pg_policy p where p.polrelid = t.oid and p.polname = 'everything_is_read_by_the_backup' and p.polpermissive
                      and p.polcmd = 'r' and (select array_agg(r.rolname::text) from pg_roles r
                        where r.oid = any(p.polroles)) = array['weir_backup'] and pg_get_expr(p.polqual, p.polrelid) = 'true')
     or exists (select from pg_policy p where p.polrelid = t.oid and not p.polpermissive
                  and p.polroles && array[0, (select r.oid from pg_roles r where r.rolname = 'weir_backup')]);

select cmp_ok((select count(*) from our_tables where relispartition), '>', 13::bigint,
  'the audit log has partitions for more than thirteen months');
select is_empty('select name from unread', 'the backup reads all rows of every table and every partition');
select weir.make_log_partition(now() + interval '60 months') \g /dev/null
select is_empty('select name from unread', 'the backup reads a partition that is created later');
select is(weir.make_log_partition(now() + interval '60 months'), false, 'a partition that exists is not created again');

select is_empty($$select t.name, p.privilege from our_tables t,
  unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) p(privilege)
  where has_table_privilege('weir_backup', t.oid, p.privilege)$$, 'T18_the_backup_s_role_writes_no_table');
select is_empty($$select roleid::regrole from pg_auth_members where member = 'weir_backup'::regrole$$,
  'T18_the_backup_s_role_is_a_member_of_no_role');
select is_empty($$select m.member::regrole from pg_auth_members m join pg_roles r on r.oid = m.member
  where m.roleid = 'weir_backup'::regrole and not r.rolsuper
    and m.member <> (select relowner from pg_class where oid = 'weir.installation'::regclass)$$,
      'T18_only_the_owner_of_the_database_is_a_member_of_the_backup_s_role');
select is((select rolcanlogin or rolsuper or rolbypassrls from pg_roles where rolname = 'weir_backup'), false,
  'T18_the_backup_s_role_is_not_a_login_and_bypasses_nothing');

-- The contents of a backup
select set_eq($$select name from weir.backup_tables()$$,
  $$select name from our_tables where not relispartition and name <> 'weir.schema_migrations'$$,
    'a backup has every table, and the audit log as one');
select is_empty($$select name from weir.backup_tables() where not is_readable$$, 'every table of a backup is readable');
select is_empty($$select b.name, a.attname from weir.backup_tables() b
  join pg_attribute a on a.attrelid = b.name::regclass and a.attnum > 0 and not a.attisdropped
  where (quote_ident(a.attname) = any(b.columns)) = (a.attgenerated <> '')$$, 'a backup has every column except generated ones');
create table weir.forgotten (id uuid);
alter table weir.forgotten enable row level security, force row level security;
select is((select is_readable from weir.backup_tables() where name = 'weir.forgotten'), false,
  'a table without a policy for the backup is found to be unreadable');

-- What a restore depends on
select is_empty($$select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'S' and n.nspname in ('weir', 'public')
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')$$,
  'no column takes its value from a sequence, whose state a backup would not have');
select is_empty($$select t.tgrelid::regclass, t.tgname from pg_trigger t join our_tables o on o.oid = t.tgrelid
  where t.tgenabled <> 'O'$$, 'every trigger is enabled as usual');
select is_empty($$select k.conname from pg_constraint k join our_tables o on o.oid = k.conrelid where k.condeferrable$$,
  'no constraint is deferrable');
select * from finish();
rollback;
