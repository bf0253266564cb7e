-- What /rest/v1 publishes.
begin;
\ir ../testing/helpers.sql
select plan(13);

create function pg_temp.published_columns_of(p_relation text) returns text language sql as $$
  select string_agg(column_name, ',') from weir.published_columns() where relation_name = p_relation;
$$;

select is(pg_temp.published_columns_of('agent_api_keys'),
  'id,organization_id,agent_id,name,key_id,created_by,created_at,expires_at,revoked_at,revoked_by',
  'an agent''s key is published without its hash');
select is_empty($$select * from weir.published_columns() where column_name ~ '(secret|token|key|password)_hash|secret|password'$$,
  'no hash and no secret is published');
select is_empty($$select * from weir.published_columns() c where not exists (
    select from pg_attribute a where a.attrelid = to_regclass('public.' || quote_ident(c.relation_name)) and a.attname = c.column_name)$$,
  'every published column is in the schema public');
select is(pg_temp.published_columns_of('mcp_interaction_logs'), null, 'the audit log is not published');
select is_empty($$select * from weir.published_columns()
  where relation_name in (select tablename from pg_tables where schemaname = 'weir')$$,
  'no table of the schema weir is published');

-- Weir does not publish what somebody else adds to public
create table public.plain (id int);
create table public.half (id int);
alter table public.half enable row level security;
create view public.seen_by_its_owner as select * from public.organizations;
create view public.seen_by_its_caller with (security_invoker = true) as select id, name from public.organizations;
create function public.stranger() returns int language sql begin atomic select 1; end;
grant select on public.plain, public.half, public.seen_by_its_owner, public.seen_by_its_caller to anon, authenticated;
grant execute on function public.stranger() to anon, authenticated;
select is(pg_temp.published_columns_of('plain'), null, 'a table without row-level security is not published');
select is(pg_temp.published_columns_of('half'), null, 'a table whose owner bypasses row-level security is not published');
select is(pg_temp.published_columns_of('seen_by_its_owner'), null, 'a view with its owner''s rights is not published');
select is(pg_temp.published_columns_of('seen_by_its_caller'), 'id,name', 'a view with its caller''s rights is published');
select is_empty($$select * from weir.published_functions() where function_name = 'stranger'$$,
  'a function that is not Weir''s is not published');

select is_empty($$
  select p.proname from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.prosqlbody is not null and p.proname <> 'stranger'
    and has_function_privilege('authenticated', p.oid, 'EXECUTE')
    and not exists (select from weir.published_functions() f where f.function_name = p.proname)$$,
  'every wrapper that a person may execute is published');
select is_empty($$select * from weir.published_functions() where function_name = 'audit_mcp_interactions'$$,
  'a function that only the engine executes is not published');
select is((select format('%s %s %s %s %s %s', argument_names, argument_types, required, returns_set, result_type, columns[1:2])
           from weir.published_functions() where function_name = 'get_organization_mcp_configs'),
  '{org_id,agent_id} {uuid,uuid} 1 t record {id,instance_name}',
    'a function is published with its names, types, defaults and columns');
select * from finish();
rollback;
