-- The roles, and what a request may do.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(25);

select is_empty($$select rolname from pg_roles where rolname in ('weir_system', 'weir_writer', 'weir_gateway', 'weir_engine')
  and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)$$, 'T18_no_role_of_weir_steps_over_anything');
select is_empty($$select member::regrole from pg_auth_members
  where member in ('weir_system'::regrole, 'weir_writer'::regrole,
  'weir_engine'::regrole)$$, 'T18_the_owners_of_functions_and_the_engine_are_members_of_nothing');
select results_eq($$select roleid::regrole::text from pg_auth_members where member = 'weir_gateway'::regrole order by 1$$,
  $$values ('anon'), ('authenticated')$$, 'T18_the_gateway_becomes_only_anon_and_authenticated');
select is((select rolinherit from pg_roles where rolname = 'weir_gateway'), false, 'T18_the_gateway_does_not_inherit_their_privileges');
select is((select count(*) from pg_class where relowner in ('weir_gateway'::regrole, 'weir_engine'::regrole, 'weir_system'::regrole,
  'weir_writer'::regrole, 'authenticated'::regrole)
           and relnamespace not in (select oid from pg_namespace where nspname like 'pg\_%')), 0::bigint,
             'T18_no_role_of_weir_that_serves_requests_owns_a_table');
select is(pg_temp.as_user('gateway', $$select count(*) from organizations$$), '42501', 'A02_without_a_person_the_gateway_reads_nothing');
select is(pg_temp.as_user('engine', $$select count(*) from organizations$$), '42501', 'the engine cannot read organizations directly');
select is(pg_temp.as_user('engine', $$select count(*) from weir.dtma_nodes$$), '42501', 'the engine cannot read nodes directly');
select is(pg_temp.as_user('ann', $$select weir.uuid_v7()::text$$), '42501', 'a person executes no internal function of the schema weir');
select is(pg_temp.as_user('ann',
  $$select weir.admit(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)$$), '42501',
  'a person does not execute admission');

-- Claims that are missing or broken identify no person
create function pg_temp.with_claims(p_claims text, p_sql text) returns text language plpgsql as $$
declare
  v_result text;
begin
  perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', p_claims, true);
  execute p_sql into v_result;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return v_result;
exception when others then
  return sqlstate;
end;
$$;
select is(pg_temp.with_claims(c, 'select count(*) from organizations'), '0',
  'A02_a_caller_sees_no_organization_with_the_claims ' || coalesce(replace(c, pg_temp.id_of('ann')::text, 'the id of ann'), 'null'))
from unnest(array['', '{}', '{"sub": null, "role": "authenticated"}', '{"sub": "x", "role": "authenticated"}', '{"role": "authenticated"}',
                  pg_temp.with_ids('{"role": "service_role", "sub": "' || pg_temp.id_of('ann') || '"}'),
                  '{"sub": "' || pg_temp.id_of('ann') || '"}']) c;
select is(pg_temp.with_claims('{not json', 'select count(*) from organizations'), '22P02', 'A02_claims_that_are_no_json_are_an_error');
select is(pg_temp.with_claims('', $$select create_organization('x') ->> 'error'$$), 'WR002',
  'M17_a_function_answers_a_caller_without_an_actor_with_a_typed_error');
-- V4: no decision depends on the user's metadata
select is(pg_temp.with_claims(format('{"sub": "%s", "role": "authenticated", "user_metadata": {"organization_id": "%s", "role": "owner"}}',
  pg_temp.id_of('otto'), pg_temp.id_of('a')),
  'select count(*) from organizations'), '0', 'V4_an_organization_in_the_user_s_metadata_gives_no_access');

-- Every table is scanned under its policies: one that reads the membership table by itself would recurse (42P17, 54001).
select is_empty($$
  select t.name, a.actor, r.result
  from (select c.oid, c.oid::regclass::text as name from pg_class c
        where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace)) t
  cross join (values ('ann', 'authenticated'), ('writer:ann', 'weir_writer')) a(actor, role)
  cross join lateral (select case when has_any_column_privilege(a.role, t.oid, 'SELECT')
                        then pg_temp.as_user(a.actor, format('select ''rows: '' || count(*) from %s', t.name)) end as result) r
  where r.result not like 'rows: %'$$, 'T20_no_policy_of_a_table_recurses');
select is((select string_agg(pg_temp.as_user(a, 'select ''rows: '' || count(*) from organization_members'), ', ')
  from unnest(array['ann', 'mia', 'mel', 'sam', 'otto']) a), 'rows: 6, rows: 6, rows: 8, rows: 0, rows: 0',
  'T20_each_person_sees_the_memberships_of_their_own_organizations');
select results_eq($$
  select distinct p.proname::text collate "C", p.prosecdef, p.proowner::regrole::text = 'weir_system'
  from pg_depend d join pg_proc p on p.oid = d.refobjid
  where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass order by 1$$, $$values
  ('actor_id' collate "C", false, false), ('is_platform_admin', true, true), ('may_manage_agents_of', true, true),
  ('my_agents', true, true), ('my_datastores', true, true),
    ('my_new_organizations', true, true), ('my_organizations', true, true),
  ('my_workspaces', true, true), ('owners_may_choose_models', true, true),
  ('signed_in_recently', true, true)$$, 'T20_policies_ask_the_vetted_functions_only');

-- M4: a caller's temporary objects change nothing
create temporary table organization_members (organization_id uuid, user_id uuid, role text, status text);
insert into pg_temp.organization_members values (pg_temp.id_of('a'), pg_temp.id_of('otto'), 'owner', 'active');
grant select on pg_temp.organization_members to authenticated;
select is(pg_temp.as_user('otto', 'select count(*) from public.organizations'), '0', 'M4_a_temporary_table_makes_nobody_an_owner');
select is(pg_temp.error_as('otto', $$select manage_mcp_servers('stop', {a}, null, {files})$$), 'WR004',
  'M4_a_temporary_table_lets_nobody_stop_a_server');
select * from finish();
rollback;
