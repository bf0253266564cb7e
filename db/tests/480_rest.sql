-- What /rest/v1 may name.
begin;
\ir ../testing/helpers.sql
select plan(13);

create function pg_temp.published_columns_of(p_relation text) returns text language sql as $$
  select string_agg(column_name, ',') from weir.published_columns() where relation_name = p_relation;
$$;

select is(pg_temp.published_columns_of('agent_api_keys'), 'id,organization_id,agent_id,name,key_id,created_by,created_at,expires_at,revoked_at,revoked_by',
  'a key is published without its hash');
select is_empty($$select * from weir.published_columns() where column_name ~ '(secret|token|key|password)_hash|secret|password'$$, 'no hash and no secret is');
select is_empty($$select * from weir.published_columns() c where not exists (
    select from pg_attribute a where a.attrelid = to_regclass('public.' || quote_ident(c.relation_name)) and a.attname = c.column_name)$$,
  'everything published is in the schema public');
select is(pg_temp.published_columns_of('mcp_interaction_logs'), null, 'the record is no table of the API');
select is_empty($$select * from weir.published_columns() where relation_name in (select tablename from pg_tables where schemaname = 'weir')$$,
  'nor is anything of weir');

-- what somebody else puts into public is not Weir's to publish
create table public.plain (id int);
create table public.half (id int);
alter table public.half enable row level security;
create view public.seen_by_its_owner as select * from public.organizations;
create view public.seen_by_its_caller with (security_invoker = true) as select id, name from public.organizations;
create function public.stranger() returns int language sql begin atomic select 1; end;
grant select on public.plain, public.half, public.seen_by_its_owner, public.seen_by_its_caller to anon, authenticated;
grant execute on function public.stranger() to anon, authenticated;
select is(pg_temp.published_columns_of('plain'), null, 'a table without row-level security is not published');
select is(pg_temp.published_columns_of('half'), null, 'nor one whose owner steps over it');
select is(pg_temp.published_columns_of('seen_by_its_owner'), null, 'nor a view with its owner''s rights');
select is(pg_temp.published_columns_of('seen_by_its_caller'), 'id,name', 'a view with its caller''s rights is');
select is_empty($$select * from weir.published_functions() where function_name = 'stranger'$$, 'nor a function that is not Weir''s');

select is_empty($$
  select p.proname from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.prosqlbody is not null and p.proname <> 'stranger'
    and has_function_privilege('authenticated', p.oid, 'EXECUTE')
    and not exists (select from weir.published_functions() f where f.function_name = p.proname)$$,
  'every wrapper that a person may execute is published');
select is_empty($$select * from weir.published_functions() where function_name = 'audit_mcp_interactions'$$, 'what only the engine executes is not');
select is((select format('%s %s %s %s %s %s', argument_names, argument_types, required, returns_set, result_type, columns[1:2])
           from weir.published_functions() where function_name = 'get_organization_mcp_configs'),
  '{org_id,agent_id} {uuid,uuid} 1 t record {instance_id,instance_name}', 'with names, types, defaults and columns');
select * from finish();
rollback;
