-- Granting and revoking: by actor, and what the table itself refuses to every writer.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- Admin
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {files}, '{"tools": {"read_file": {}}}')$$), 'ok',
  'T6_a_grant_for_an_agent_that_has_one_is_made');
select is(pg_temp.as_user('owner', $$select count(*) from agent_mcp_permissions where agent_id = {robo}$$), '2',
  'T6_a_replaced_grant_is_kept_as_history');
select is(pg_temp.as_user('owner', $$select granted_by from agent_mcp_permissions where agent_id = {robo} and revoked_at is null$$),
  pg_temp.id_of('adam')::text, 'T2_a_grant_says_that_the_caller_granted_it');
select is(pg_temp.as_user('owner', $$select revoked_by from agent_mcp_permissions where agent_id = {robo} and revoked_at is not null$$),
  pg_temp.id_of('adam')::text, 'T8_a_replaced_grant_says_who_revoked_it');
select is(pg_temp.as_user('adam', $$select count(*) from agent_mcp_permissions$$), '2', 'T5_an_admin_sees_the_grants_of_the_organization');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {files}, '{}', expires_at => now() - interval '1 second')$$),
  'WR001', 'V3_a_grant_that_expires_in_the_past_is_refused');
select is(pg_temp.error_as('adam',
  $$select grant_mcp_access({robo}, {files}, '{}', now() + interval '1 hour', now() + interval '2 hours')$$), 'WR001',
  'T8_a_grant_that_expires_before_it_starts_is_refused');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {spy}, '{}')$$), 'WR004',
  'T3_an_admin_grants_no_server_of_another_organization');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({bot}, {files}, '{}')$$), 'WR004',
  'T3_an_admin_grants_nothing_to_an_agent_of_another_organization');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {nobody}, '{}')$$), pg_temp.error_as('adam',
  $$select grant_mcp_access({robo}, {spy}, '{}')$$), 'T3_a_server_that_does_not_exist_and_one_of_another_organization_are_refused_alike');
select is(pg_temp.error_as('adam', $$select grant_mcp_access(null, {files}, '{}')$$), 'WR004', 'M10_null_is_no_agent_to_grant_to');

-- An admin of one organization who belongs to another
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', $$select grant_mcp_access({bot}, {files}, '{}')$$), 'WR004',
  'V8_an_admin_of_b_cannot_give_a_s_server_to_b_s_agent');
select is(pg_temp.error_as('mel', $$select grant_mcp_access({robo}, {spy}, '{}')$$), 'WR004',
  'T3_an_admin_of_b_cannot_give_b_s_server_to_a_s_agent');
select is(pg_temp.error_as('mel', $$select grant_mcp_access({robo}, {files}, '{}')$$), 'WR003',
  'T1_an_admin_of_b_who_is_a_member_of_a_grants_nothing_in_a');

select is(pg_temp.error_as('mel', $$select grant_mcp_access({robo}, {files}, 'null')$$), 'WR003',
  'T1_a_caller_who_may_not_grant_does_not_learn_what_is_wrong_with_the_permissions');
select is(pg_temp.error_as('mel', $$select revoke_mcp_access({robo}, {files})$$), 'WR003',
  'T1_an_admin_of_b_who_is_a_member_of_a_revokes_nothing_in_a');
select is(pg_temp.error_as('mel', $$select revoke_mcp_access({robo}, {spy})$$), 'WR004',
  'T3_a_grant_of_b_s_server_to_a_s_agent_is_not_found_for_revoking');
select is(pg_temp.error_as('mel', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR003',
  'T1_an_admin_of_b_who_is_a_member_of_a_creates_no_key_for_a_s_agent');

-- The agent's owner
select is(pg_temp.error_as('mia', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}}')$$), 'WR003',
  'T1_an_agent_s_owner_who_is_a_member_grants_the_agent_nothing');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where kind = 'grant' and phase = 'denied' and user_id = {mia}$$), '1',
  'T1_an_agent_s_owner_who_tried_to_grant_is_in_the_audit_log');
select is(pg_temp.as_user('mia', $$select count(*) from agent_mcp_permissions$$), '2', 'T5_an_agent_s_owner_sees_its_grants');
select is(pg_temp.as_user('mia',
  $$insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by, granted_by_id)
                              values ({a}, {robo}, {files}, '{}', {ann}, {ann}) returning 'made'$$), '42501',
                                'T1_an_agent_s_owner_inserts_no_grant_by_direct_sql');
select is(pg_temp.as_user('mia', $$select revoke_mcp_access({robo}, {files}) ->> 'revoked'$$), 'true',
  'T1_an_agent_s_owner_revokes_its_grant');
select is(pg_temp.as_user('mia', $$select revoke_mcp_access({robo}, {files}) ->> 'revoked'$$), 'false',
  'revoking a grant that is revoked changes nothing');

-- Other actors
select is(pg_temp.as_user('mel', $$select count(*) from agent_mcp_permissions where organization_id = {a}$$), '0',
  'a member who does not own the agent sees no grants of it');
select is(pg_temp.as_user('bob', $$select count(*) from agent_mcp_permissions$$), '0', 'an owner sees no grants of another organization');
select is(pg_temp.error_as('vic', $$select revoke_mcp_access({robo}, {files})$$), 'WR003', 'a viewer revokes no grant');
select is(pg_temp.error_as('bob', $$select revoke_mcp_access({robo}, {files})$$), 'WR004',
  'an owner revokes no grant of another organization');
select is(pg_temp.error_as('sam', $$select grant_mcp_access({robo}, {files}, '{}')$$), 'WR004', 'V7_a_suspended_admin_makes_no_grant');
select is(pg_temp.as_user('anon', $$select grant_mcp_access({robo}, {files}, '{}')$$), '42501', 'anon makes no grant');

-- What the table refuses to every writer
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set revoked_at = null, revoked_by = null where id = {grant}$$), 'WR005',
  null, 'T4_a_revoked_grant_is_not_reactivated_by_direct_sql');
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set expires_at = 'infinity' where id = {grant}$$), 'WR005', null,
  'T4_a_grant_is_not_prolonged_by_direct_sql');
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set permissions = '{"tools": {"*": {}}}' where id = {grant}$$), 'WR005',
  null, 'T4_a_grant_is_not_widened_by_direct_sql');
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set granted_by = {mia} where id = {grant}$$), 'WR005', null,
  'T2_a_grant_is_not_put_in_another_s_name_by_direct_sql');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {spy}, '{}', {ann})$$), '23503', null, 'T3_no_row_crosses_organizations_by_its_server');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({b}, {robo}, {spy}, '{}', {ann})$$), '23503', null, 'T3_no_row_crosses_organizations_by_its_agent');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {files}, null, {ann})$$), '23502', null, 'T8_permissions_are_not_null');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {files}, '["*"]', {ann})$$), '23514', null, 'T8_permissions_follow_the_grammar_by_direct_sql_too');
select is(pg_temp.error_as('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"list_*": {}}}')$$), 'ok',
  'a new grant is made after the last one was revoked');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {files}, '{}', {ann})$$), '23505', null,
    'T6_a_second_active_grant_for_an_agent_and_a_server_is_refused_by_direct_sql');

-- A deleted person
delete from auth.users where id = pg_temp.id_of('adam');
select is(pg_temp.as_user('owner', $$select count(*) from agent_mcp_permissions where granted_by is null and granted_by_id = {adam}$$), '1',
  'T7_a_grant_outlives_who_granted_it_and_says_who_it_was');
-- A deleted agent
select lives_ok(pg_temp.with_ids($$delete from agents where id = {robo}$$), 'T10_an_agent_with_history_can_be_deleted');
select isnt(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where agent_id = {robo}$$), '0',
  'T10_the_audit_log_of_a_deleted_agent_stays');

-- The message of a refusal says where and why
select is(pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": 1}') ->> 'error'$$), 'WR004',
  'a deleted agent is not found for a grant');
select pg_temp.create_as('robo2', 'ann', $$select create_agent({a}, 'Robo 2')$$) \g /dev/null
select matches(pg_temp.as_user('ann',
  $$select grant_mcp_access({robo2}, {files}, '{"tools": {"x": {"args": {"p": {"beneath": "/"}}}}}') ->> 'message'$$),
  '\$\.tools\.x\.args\.p\.beneath', 'a refusal of permissions has the path');

-- Permissions as a list, empty, or left out
create function pg_temp.stored_as(p_permissions text) returns jsonb language plpgsql as $$
declare
  v_error text := pg_temp.error_as('ann', format('select grant_mcp_access({robo2}, {files}%s)', ', ' || p_permissions));
begin
  return case when v_error = 'ok' then (select permissions from agent_mcp_permissions g
    where g.agent_id = pg_temp.id_of('robo2') and g.revoked_at is null) else to_jsonb(v_error) end;
end;
$$;
select is(pg_temp.stored_as(g), p::jsonb, format('permissions given as %s are stored as %s', coalesce(g, 'nothing'), p))
from (values ($$'["read_file", "list_*"]'$$, '{"tools": {"read_file": {}, "list_*": {}}}'), ($$'["*", "*"]'$$, '{"tools": {"*": {}}}'),
  ($$'[]'$$, '{}'), ('null', '{}'), (null, '{}'), ($$'{}'$$, '{}'), ($$'null'$$, '"WR001"'), ($$'[1]'$$, '"WR001"'),
  ($$'[""]'$$, '"WR001"'),
  ($$'["a", null]'$$, '"WR001"'), ($$'[["a"]]'$$, '"WR001"'), ($$'["a*b*c*d*e*"]'$$, '"WR001"'), ($$'"*"'$$, '"WR001"'),
  ($$(select jsonb_agg('a' || n) from generate_series(1, 20000) n)$$, '"WR001"'), ($$(repeat('[', 3000) || repeat(']', 3000))::jsonb$$,
  '"WR001"')) t(g, p);
select is(pg_temp.as_user('ann', $$select grant_mcp_access({robo2}, {files}, '["a", {"tools": {}}]') ->> 'message'$$),
  'permissions $[1]: must be a text of 1 to 1024 characters', 'a refusal of a list has the index of the wrong element');
select is(weir.granted_entries(pg_temp.stored_as('null'), k, i) is null, true, 'permissions that were left out permit no ' || k)
from (values ('tool_execution', 'read_file'), ('resource_read', 'file:///data/x'), ('prompt_get', 'greet')) t(k, i);
select is(weir.granted_entries(pg_temp.stored_as($$'["*"]'$$), 'resource_read', '*') is null, true, 'a list of tools permits no resource');

-- A tool that the server does not announce is granted, with a warning
select is(pg_temp.as_user('ann', format('select grant_mcp_access({robo2}, {files}, %L) -> ''warnings''', p))::jsonb, w::jsonb,
  'a grant of these permissions has the right warnings: ' || p)
from (values ('["read_file", "list_*"]', '[]'), ('["*"]', '[]'), ('[]', '[]'), ('{"resources": ["x"]}', '[]'),
  ('["drop_all", "get_*", "read_file"]',
   '["the server does not announce the tool drop_all", "the server announces no tool that matches get_*"]')) t(p, w);
select is(pg_temp.as_user('ann', $$select grant_mcp_access({robo2}, {files},
  (select jsonb_agg(repeat('x', 200) || n) from generate_series(1, 90) n)) -> 'warnings'$$)::jsonb,
  (select jsonb_agg('the server does not announce the tool ' || repeat('x', 100)) from generate_series(1, 9))
  || '["and more: the server does not announce some of the other tools"]', 'the warnings of a grant are bounded');
select pg_temp.create_as('unknown', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "unknown", "url": "https://u.example"}')$$)
\g /dev/null
select is(pg_temp.as_user('ann', $$select grant_mcp_access({robo2}, {unknown}, '["x"]') -> 'warnings'$$)::jsonb,
  '["the server has announced no tools yet, so the names of the granted tools were not checked"]',
  'a grant for a server that has announced nothing has a warning');
select is(weir.granted_entries(null, 'tool_execution', 'x') is null and weir.granted_entries('null', 'tool_execution', 'x') is null,
  true, 'V9_null_permissions_permit_nothing');
select is(weir.granted_entries('["*"]', 'tool_execution', 'x') is null, true, 'V9_permissions_written_as_a_list_permit_nothing');
select is(weir.granted_entries('{"tools": ["*"]}', 'tool_execution', 'x') is null, true, 'V9_tools_as_a_list_permit_nothing');
select is(weir.granted_entries('{"resources": ["*"]}', 'tool_execution', 'x') is null, true, 'V9_a_grant_of_all_resources_permits_no_tool');
select is(weir.granted_entries('{"tools": {"*": {}}}', 'resource_read', 'x') is null, true, 'V9_a_grant_of_all_tools_permits_no_resource');

select * from finish();
rollback;
