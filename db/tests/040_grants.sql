-- Granting and revoking: by actor, and what the table itself refuses to whoever writes it.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(51);

-- Admin
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {files}, '{"tools": {"read_file": {}}}')$$), 'ok',
  'T6_granting_again_replaces_the_grant');
select is(pg_temp.as_user('owner', $$select count(*) from agent_mcp_permissions where agent_id = {robo}$$), '2',
  'T6_and_keeps_the_old_one_as_history');
select is(pg_temp.as_user('owner', $$select granted_by from agent_mcp_permissions where agent_id = {robo} and revoked_at is null$$),
  pg_temp.id_of('adam')::text, 'T2_who_granted_is_the_caller');
select is(pg_temp.as_user('owner', $$select revoked_by from agent_mcp_permissions where agent_id = {robo} and revoked_at is not null$$),
  pg_temp.id_of('adam')::text, 'T8_who_revoked_is_kept');
select is(pg_temp.as_user('adam', $$select count(*) from agent_mcp_permissions$$), '2', 'T5_an_admin_sees_the_grants_of_the_organization');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {files}, '{}', expires_at => now() - interval '1 second')$$),
  'WR001', 'V3_a_grant_does_not_end_in_the_past');
select is(pg_temp.error_as('adam',
  $$select grant_mcp_access({robo}, {files}, '{}', now() + interval '1 hour', now() + interval '2 hours')$$), 'WR001',
  'T8_nor_before_it_starts');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {spy}, '{}')$$), 'WR004',
  'T3_a_server_of_another_organization_is_not_found');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({bot}, {files}, '{}')$$), 'WR004',
  'T3_an_agent_of_another_organization_is_not_found');
select is(pg_temp.error_as('adam', $$select grant_mcp_access({robo}, {nobody}, '{}')$$), pg_temp.error_as('adam',
  $$select grant_mcp_access({robo}, {spy}, '{}')$$), 'T3_missing_and_foreign_look_the_same');
select is(pg_temp.error_as('adam', $$select grant_mcp_access(null, {files}, '{}')$$), 'WR004', 'M10_null_is_no_agent');

-- Somebody who administers one organization and belongs to another
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', $$select grant_mcp_access({bot}, {files}, '{}')$$), 'WR004',
  'V8_an_admin_of_b_cannot_give_a_s_server_to_b_s_agent');
select is(pg_temp.error_as('mel', $$select grant_mcp_access({robo}, {spy}, '{}')$$), 'WR004', 'T3_nor_b_s_server_to_a_s_agent');
select is(pg_temp.error_as('mel', $$select grant_mcp_access({robo}, {files}, '{}')$$), 'WR003', 'T1_a_member_of_a_grants_nothing_there');

select is(pg_temp.error_as('mel', $$select grant_mcp_access({robo}, {files}, 'null')$$), 'WR003', 'T1_nor_hears_what_else_is_wrong');
select is(pg_temp.error_as('mel', $$select revoke_mcp_access({robo}, {files})$$), 'WR003', 'T1_nor_revokes_a_thing');
select is(pg_temp.error_as('mel', $$select revoke_mcp_access({robo}, {spy})$$), 'WR004', 'T3_a_server_of_b_has_nothing_to_do_with_a_s_agent');
select is(pg_temp.error_as('mel', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR003', 'T1_nor_has_the_agent_a_key_of_theirs');

-- The agent's owner
select is(pg_temp.error_as('mia', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}}')$$), 'WR003',
  'T1_an_agent_s_owner_grants_itself_nothing');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where kind = 'grant' and phase = 'denied' and user_id = {mia}$$), '1',
  'T1_and_the_attempt_is_recorded');
select is(pg_temp.as_user('mia', $$select count(*) from agent_mcp_permissions$$), '2', 'T5_the_agent_s_owner_sees_its_grants');
select is(pg_temp.as_user('mia',
  $$insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by, granted_by_id)
                              values ({a}, {robo}, {files}, '{}', {ann}, {ann}) returning 'made'$$), '42501', 'T1_and_writes_none');
select is(pg_temp.as_user('mia', $$select revoke_mcp_access({robo}, {files}) ->> 'revoked'$$), 'true', 'T1_the_agent_s_owner_relinquishes');
select is(pg_temp.as_user('mia', $$select revoke_mcp_access({robo}, {files}) ->> 'revoked'$$), 'false', 'again is harmless');

-- Others
select is(pg_temp.as_user('mel', $$select count(*) from agent_mcp_permissions where organization_id = {a}$$), '0',
  'another member sees no grants');
select is(pg_temp.as_user('bob', $$select count(*) from agent_mcp_permissions$$), '0', 'another tenant sees no grants');
select is(pg_temp.error_as('vic', $$select revoke_mcp_access({robo}, {files})$$), 'WR003', 'a viewer revokes nothing');
select is(pg_temp.error_as('bob', $$select revoke_mcp_access({robo}, {files})$$), 'WR004', 'a foreign grant is not found');
select is(pg_temp.error_as('sam', $$select grant_mcp_access({robo}, {files}, '{}')$$), 'WR004', 'V7_a_suspended_admin_grants_nothing');
select is(pg_temp.as_user('anon', $$select grant_mcp_access({robo}, {files}, '{}')$$), '42501', 'anon grants nothing');

-- The table, for whoever writes it
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set revoked_at = null, revoked_by = null where id = {grant}$$), 'WR005',
  null, 'T4_a_revoked_grant_is_not_reactivated');
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set expires_at = 'infinity' where id = {grant}$$), 'WR005', null,
  'T4_nor_prolonged');
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set permissions = '{"tools": {"*": {}}}' where id = {grant}$$), 'WR005',
  null, 'T4_nor_widened');
select throws_ok(pg_temp.with_ids($$update agent_mcp_permissions set granted_by = {mia} where id = {grant}$$), 'WR005', null,
  'T2_nor_said_to_be_another_s');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {spy}, '{}', {ann})$$), '23503', null, 'T3_no_row_crosses_organizations_by_its_server');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({b}, {robo}, {spy}, '{}', {ann})$$), '23503', null, 'T3_nor_by_its_agent');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {files}, null, {ann})$$), '23502', null, 'T8_permissions_are_not_null');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {files}, '["*"]', {ann})$$), '23514', null, 'T8_permissions_follow_the_grammar_by_direct_sql_too');
select is(pg_temp.error_as('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"list_*": {}}}')$$), 'ok',
  'a new grant after a revoked one');
select throws_ok(pg_temp.with_ids($$
  insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
  values ({a}, {robo}, {files}, '{}', {ann})$$), '23505', null, 'T6_one_active_grant_for_an_agent_and_a_server');

-- A deleted person
delete from auth.users where id = pg_temp.id_of('adam');
select is(pg_temp.as_user('owner', $$select count(*) from agent_mcp_permissions where granted_by is null and granted_by_id = {adam}$$), '1',
  'T7_a_grant_outlives_who_granted_it_and_says_who_it_was');
-- A deleted agent
select lives_ok(pg_temp.with_ids($$delete from agents where id = {robo}$$), 'T10_an_agent_with_history_can_be_deleted');
select isnt(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where agent_id = {robo}$$), '0', 'T10_and_its_record_stays');

-- validate the message of a refusal: where and why
select is(pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": 1}') ->> 'error'$$), 'WR004',
  'the deleted agent is not found');
select pg_temp.create_as('robo2', 'ann', $$select create_agent({a}, 'Robo 2')$$) \g /dev/null
select matches(pg_temp.as_user('ann',
  $$select grant_mcp_access({robo2}, {files}, '{"tools": {"x": {"args": {"p": {"beneath": "/"}}}}}') ->> 'message'$$),
  '\$\.tools\.x\.args\.p\.beneath', 'a grammar error says where');
select is(pg_temp.error_as('ann', $$select grant_mcp_access({robo2}, {files}, null)$$), 'WR001', 'V9_null_permissions_are_refused');
select is(weir.granted_entries(null, 'tool_execution', 'x') is null and weir.granted_entries('null', 'tool_execution', 'x') is null,
  true, 'V9_null_permissions_permit_nothing');
select is(weir.granted_entries('["*"]', 'tool_execution', 'x') is null, true, 'V9_an_older_list_permits_nothing');
select is(weir.granted_entries('{"tools": ["*"]}', 'tool_execution', 'x') is null, true, 'V9_tools_as_a_list_permit_nothing');
select is(weir.granted_entries('{"resources": ["*"]}', 'tool_execution', 'x') is null, true, 'V9_a_grant_of_resources_is_none_of_tools');
select is(weir.granted_entries('{"tools": {"*": {}}}', 'resource_read', 'x') is null, true, 'V9_a_grant_of_tools_is_none_of_resources');

select * from finish();
rollback;
