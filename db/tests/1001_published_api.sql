-- The published names and parameter names are API (supabase-js calls by name), so a change here is a change for users.
begin;
\ir ../testing/helpers.sql
select plan(3);

-- the page that lists them, found from every directory that the tests run in
create temporary table page (line text);
\set page `cat docs/functions.md 2>/dev/null || cat ../docs/functions.md 2>/dev/null || cat ../../docs/functions.md`
insert into page select regexp_split_to_table(:'page', '\n');
select results_eq($$
  select format('%s(%s) → %s', p.proname, (
           select string_agg(concat(a.name, case when a.n > p.pronargs - p.pronargdefaults then '?' end, ' ',
                                    format_type(p.proargtypes[a.n - 1], null)), ', ' order by a.n)
           from unnest(p.proargnames[1:p.pronargs]) with ordinality a(name, n)), format_type(p.prorettype, null)) collate "C"
  from pg_proc p
  where p.pronamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  order by 1$$, $$select m[1] collate "C" from page,
    regexp_match(line, '^\| `([a-z_]+\(.*\) → \w+)` \|') m where m is not null order by 1$$,
  'M15_the_published_functions_are_those_in_docs_functions_md');

-- A reading function may run in a transaction that may not write, and a writing one must not count as a reading one (its GET would write).
-- get_mcp_server_logs writes: it records the reading.
select is_empty($$
  select p.proname from pg_proc p
  where p.pronamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    and p.provolatile <> case when p.proname ~ '^(explain|validate|get_(?!mcp_server_logs)|list_members|chat_context)'
    then 's' else 'v' end$$,
  'each published function that reads is stable and each that writes is volatile');
select is_empty($$
  select p.proname from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.proname <> 'audit_mcp_interactions'
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    and not has_function_privilege('authenticated', p.oid, 'EXECUTE')$$,
  'a person may execute every published function except the engine''s own');
select * from finish();
rollback;
