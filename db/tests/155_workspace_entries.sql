-- Every way by which somebody comes to use an agent through a workspace: whoever shares one with an agent may use it, and all that it was granted.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- home has mia's agent robo; ann brings in one of her own.
select pg_temp.create_as('boss', 'ann', $$select create_agent({a}, 'Boss', workspace_id => {home})$$),
       pg_temp.as_user('ann', $$select grant_mcp_access({boss}, {files}, '{"tools": {"*": {}}}')$$) \g /dev/null

-- A plain member who is inside
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003', 'F09_a_member_brings_nobody_to_an_agent_of_another_s');
select is(pg_temp.admit_call_as('mel', 'read_file', 'boss'), 'user_forbidden', 'F09_who_was_not_brought_in_does_not_use_the_agent');
select is(pg_temp.as_user('writer:mia', $$insert into workspace_members (organization_id, workspace_id, user_id) values ({a}, {home}, {mel}) returning workspace_id$$), '42501',
  'F09_nor_is_the_row_written_in_another_way');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {ann})$$), 'ok', 'who is there already is there');
select is(pg_temp.as_user('owner', $$select reason from mcp_interaction_logs where item = 'add_workspace_member' and phase = 'denied' and user_id = {mia}$$), 'forbidden',
  'the refusal is recorded');

-- A viewer, who may bring in nobody at all
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic'));
select is(pg_temp.error_as('vic', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003', 'F09_a_viewer_brings_in_nobody');

-- Who is an admin, or owns agents, of another organization only
savepoint s;
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('mel'));
select pg_temp.when_lock_is_taken('raise exception ''the lock was taken''') \g /dev/null
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, user_id => {adam})$$), 'WR003', 'F09_an_owner_of_b_is_a_plain_member_in_a');
rollback to s;
update organization_members set role = 'viewer' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
insert into organization_members (organization_id, user_id, role, status) values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member', 'active');
delete from workspace_members where agent_id is not null and workspace_id = pg_temp.id_of('home');
select pg_temp.when_lock_is_taken('raise exception ''the lock was taken''') \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003', 'F09_a_member_of_b_is_a_viewer_in_a');
rollback to s;

-- An admin, who need not be inside
select is(pg_temp.error_as('adam', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok', 'an admin brings in anybody');
select is(pg_temp.admit_call_as('mel', 'read_file', 'boss'), 'admitted', 'and then they use the agent');
rollback to s;

-- A member who owns each agent that is there
delete from workspace_members where agent_id = pg_temp.id_of('boss');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok', 'a member brings in others where all agents are their own');
select is(pg_temp.as_user('writer:mia', $$insert into workspace_members (organization_id, workspace_id, agent_id) values ({a}, {home}, {boss}) returning workspace_id$$), '42501',
  'F09_and_no_agent_of_another_s');
rollback to s;
delete from workspace_members where agent_id is not null and workspace_id = pg_temp.id_of('home');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok', 'and where there are none');
rollback to s;
delete from workspace_members where agent_id = pg_temp.id_of('boss');
update organization_members set role = 'viewer' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003', 'F09_an_agent_s_owner_who_is_a_viewer_brings_in_nobody');
rollback to s;

-- Who made the workspace and is not in it any more: gone from the organization and back by an invitation
select pg_temp.create_as('lab', 'mia', $$select create_workspace({a}, 'Lab')$$) \g /dev/null
select is(pg_temp.error_as('ann', $$select add_workspace_member({lab}, agent_id => {boss})$$), 'ok', 'an agent of another''s comes into it');
select is(pg_temp.error_as('ann', $$select set_member_status({a}, {mia}, 'removed')$$), 'ok', 'its maker is removed');
update organization_members set status = 'active' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.error_as('mia', $$select add_workspace_member({lab}, user_id => {mia})$$), 'WR003', 'F09_its_maker_does_not_come_back_to_the_agents_by_themselves');
select is(pg_temp.admit_call_as('mia', 'read_file', 'boss'), 'user_forbidden', 'F09_and_does_not_use_them');
select is(pg_temp.as_user('writer:mia', $$insert into workspace_members (organization_id, workspace_id, user_id) values ({a}, {lab}, {mia}) returning workspace_id$$), '42501',
  'F09_nor_by_the_policy_for_who_made_it');
select is(pg_temp.as_user('mia', $$select open_direct_channel({boss}) ->> 'error'$$), 'WR004', 'F09_nor_speaks_with_them');
delete from workspace_members where agent_id = pg_temp.id_of('boss') and workspace_id = pg_temp.id_of('lab');
select is(pg_temp.error_as('mia', $$select add_workspace_member({lab}, user_id => {mia})$$), 'ok', 'and where there are none they do');
rollback to s;

-- Looked at again under the lock
delete from workspace_members where agent_id = pg_temp.id_of('boss');
select pg_temp.when_lock_is_taken($$insert into public.workspace_members (organization_id, workspace_id, agent_id) values ({a}, {home}, {boss})$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003', 'F09_an_agent_that_came_in_while_the_caller_waited_counts');
rollback to s;
delete from workspace_members where agent_id = pg_temp.id_of('boss');
select pg_temp.when_lock_is_taken($$update public.organization_members set role = 'viewer' where organization_id = {a} and user_id = {mia}$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003', 'F09_who_became_a_viewer_while_they_waited_brings_in_nobody');
rollback to s;
select pg_temp.create_as('lab', 'mia', $$select create_workspace({a}, 'Lab')$$),
       pg_temp.when_lock_is_taken($$update public.agents set owner_id = {ann} where id = {robo}$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({lab}, agent_id => {robo})$$), 'WR003', 'F09_nor_an_agent_that_is_not_theirs_any_more');
rollback to s;

-- F10: API roles read of a catalog entry what describes it, and never what runs
select is(pg_temp.as_user(a, format('select %I from mcp_server_catalog', c)), '42501', format('F10_%s_does_not_read_%s_of_the_catalog', a, c))
from unnest(array['ann', 'otto', 'anon']) a, unnest(array['env', 'args', 'package', 'bin']) c;
select is(pg_temp.as_user('otto', 'select * from mcp_server_catalog'), '42501', 'F10_nor_all_columns_at_once');
select is(pg_temp.as_user('otto', 'select to_jsonb(c) from mcp_server_catalog c'), '42501', 'F10_nor_the_row');
select is(pg_temp.as_user('otto', 'select slug || version || name || transport from mcp_server_catalog'), 'test-files1.0.0Filesstdio', 'what describes it is read');
-- What API roles read is named here where its name says that it could be a secret, an address or a command. A new such column fails this.
select results_eq($$
  select (c.relname || '.' || a.attname)::text collate "C" from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
    and (has_column_privilege('authenticated', c.oid, a.attnum, 'select') or has_column_privilege('anon', c.oid, a.attnum, 'select'))
    and a.attname ~ 'env|arg|package|bin|hash|secret|seal|wrapped|token|password|url|address|config|setting|node|error|private|leaf|copy'
  order by 1$$, $$values
  ('datastores.settings' collate "C"), ('documents.content_hash'), ('mcp_server_catalog.configuration_schema'), ('mcp_server_instances.last_error_code'),
  ('mcp_server_tools.definition_hash'), ('model_settings.max_tokens'), ('model_usage_hourly.input_tokens'), ('model_usage_hourly.output_tokens')$$,
  'F10_no_column_with_a_secret_an_address_or_a_command_is_readable');
select * from finish();
rollback;
