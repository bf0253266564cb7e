-- A person who shares a workspace with an agent may use the agent with all its grants. This file tries every way into a workspace.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- home has mia's agent robo; ann adds one of her own.
select pg_temp.create_as('boss', 'ann', $$select create_agent({a}, 'Boss', workspace_id => {home})$$),
       pg_temp.as_user('ann', $$select grant_mcp_access({boss}, {files}, '{"tools": {"*": {}}}')$$) \g /dev/null

-- A member of the workspace who owns only some of its agents
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003',
  'F09_a_member_adds_nobody_to_a_workspace_that_has_an_agent_of_another');
select is(pg_temp.admit_call_as('mel', 'read_file', 'boss'), 'user_forbidden', 'F09_a_member_who_was_not_added_does_not_use_the_agent');
select is(pg_temp.as_user('writer:mia',
  $$insert into workspace_members (organization_id, workspace_id, user_id) values ({a}, {home}, {mel}) returning workspace_id$$), '42501',
  'F09_the_writer_adds_nobody_to_a_workspace_that_has_an_agent_of_another');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {ann})$$), 'ok',
  'adding a person who is already in the workspace is not refused');
select is(pg_temp.as_user('owner',
  $$select reason from mcp_interaction_logs where item = 'add_workspace_member' and phase = 'denied' and user_id = {mia}$$), 'forbidden',
  'a refused addition is in the audit log');

-- A viewer, who may add nobody
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic'));
select is(pg_temp.error_as('vic', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003',
  'F09_a_viewer_adds_nobody_to_a_workspace');

-- A person who is an admin, or owns agents, of another organization only
savepoint s;
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('mel'));
select pg_temp.when_lock_is_taken('raise exception ''the lock was taken''') \g /dev/null
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, user_id => {adam})$$), 'WR003',
  'F09_an_owner_of_b_who_is_a_member_in_a_adds_nobody_and_takes_no_lock');
rollback to s;
update organization_members set role = 'viewer' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
insert into organization_members (organization_id, user_id, role, status)
  values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member', 'active');
delete from workspace_members where agent_id is not null and workspace_id = pg_temp.id_of('home');
select pg_temp.when_lock_is_taken('raise exception ''the lock was taken''') \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003',
  'F09_a_member_of_b_who_is_a_viewer_in_a_adds_nobody_and_takes_no_lock');
rollback to s;

-- An admin, who need not be in the workspace
select is(pg_temp.error_as('adam', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok',
  'an admin adds a member to a workspace that they are not in');
select is(pg_temp.admit_call_as('mel', 'read_file', 'boss'), 'admitted', 'a member whom an admin added uses the agent');
rollback to s;

-- A member who owns each agent that is there
delete from workspace_members where agent_id = pg_temp.id_of('boss');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok',
  'a member adds another to a workspace whose agents are all their own');
select is(pg_temp.as_user('writer:mia',
  $$insert into workspace_members (organization_id, workspace_id, agent_id) values ({a}, {home}, {boss}) returning workspace_id$$), '42501',
  'F09_the_writer_adds_no_agent_of_another_for_a_member');
rollback to s;
delete from workspace_members where agent_id is not null and workspace_id = pg_temp.id_of('home');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok',
  'a member adds another to a workspace without agents');
rollback to s;
delete from workspace_members where agent_id = pg_temp.id_of('boss');
update organization_members set role = 'viewer' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003',
  'F09_a_viewer_adds_nobody_to_a_workspace_whose_agents_are_all_their_own');
rollback to s;

-- The creator of a workspace who is not in it any more: removed from the organization and back by an invitation
select pg_temp.create_as('lab', 'mia', $$select create_workspace({a}, 'Lab')$$) \g /dev/null
select is(pg_temp.error_as('ann', $$select add_workspace_member({lab}, agent_id => {boss})$$), 'ok',
  'an owner adds their agent to a member''s workspace');
select is(pg_temp.error_as('ann', $$select set_member_status({a}, {mia}, 'removed')$$), 'ok',
  'an owner removes the creator of a workspace from the organization');
update organization_members set status = 'active' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.error_as('mia', $$select add_workspace_member({lab}, user_id => {mia})$$), 'WR003',
  'F09_a_workspace_s_creator_who_was_removed_does_not_add_themselves_again');
select is(pg_temp.admit_call_as('mia', 'read_file', 'boss'), 'user_forbidden',
  'F09_a_workspace_s_creator_who_was_removed_does_not_use_its_agents');
select is(pg_temp.as_user('writer:mia',
  $$insert into workspace_members (organization_id, workspace_id, user_id) values ({a}, {lab}, {mia}) returning workspace_id$$), '42501',
  'F09_the_writer_does_not_add_a_workspace_s_creator_who_was_removed');
select is(pg_temp.as_user('mia', $$select open_direct_channel({boss}) ->> 'error'$$), 'WR004',
  'F09_a_workspace_s_creator_who_was_removed_opens_no_direct_channel_with_its_agents');
delete from workspace_members where agent_id = pg_temp.id_of('boss') and workspace_id = pg_temp.id_of('lab');
select is(pg_temp.error_as('mia', $$select add_workspace_member({lab}, user_id => {mia})$$), 'ok',
  'a workspace''s creator who was removed adds themselves again if it has no agents');
rollback to s;

-- Changes while the caller waited for the lock
delete from workspace_members where agent_id = pg_temp.id_of('boss');
select pg_temp.when_lock_is_taken($$insert into public.workspace_members (organization_id, workspace_id, agent_id)
  values ({a}, {home}, {boss})$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003',
  'F09_a_member_adds_nobody_once_an_agent_of_another_was_added_while_they_waited');
rollback to s;
delete from workspace_members where agent_id = pg_temp.id_of('boss');
select pg_temp.when_lock_is_taken($$update public.organization_members set role = 'viewer' where organization_id = {a}
  and user_id = {mia}$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR003',
  'F09_a_member_who_became_a_viewer_while_they_waited_adds_nobody');
rollback to s;
select pg_temp.create_as('lab', 'mia', $$select create_workspace({a}, 'Lab')$$),
       pg_temp.when_lock_is_taken($$update public.agents set user_id = {ann} where id = {robo}$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select add_workspace_member({lab}, agent_id => {robo})$$), 'WR003',
  'F09_a_member_does_not_add_an_agent_that_was_given_to_another_while_they_waited');
rollback to s;

-- F10: API roles read the description of a catalog entry, and never what runs
select is(pg_temp.as_user(a, format('select %I from mcp_server_catalog', c)), '42501',
  format('F10_%s_cannot_read_the_column_%s_of_the_catalog', a, c))
from unnest(array['ann', 'otto', 'anon']) a, unnest(array['env', 'args', 'package', 'bin']) c;
select is(pg_temp.as_user('otto', 'select * from mcp_server_catalog'), '42501', 'F10_an_api_role_cannot_read_all_columns_of_the_catalog');
select is(pg_temp.as_user('otto', 'select to_jsonb(c) from mcp_server_catalog c'), '42501',
  'F10_an_api_role_cannot_read_a_row_of_the_catalog_as_a_whole');
select is(pg_temp.as_user('otto', $$select concat_ws(' ', slug, version, name, display_name, transport) from mcp_server_catalog$$),
  'test-files 1.0.0 test-files Files stdio',
  'an API role reads the description of a catalog entry');
-- The columns that API roles read and whose names suggest a secret, an address or a command. A new such column fails this test.
select results_eq($$
  select (c.relname || '.' || a.attname)::text collate "C" from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
    and (has_column_privilege('authenticated', c.oid, a.attnum, 'select') or has_column_privilege('anon', c.oid, a.attnum, 'select'))
    and a.attname ~ 'env|arg|package|bin|hash|secret|seal|wrapped|token|password|url|address|config|setting|node|error|private|leaf|copy'
  order by 1$$, $$values
  ('datastores.settings' collate "C"), ('documents.content_hash'), ('mcp_server_catalog.configuration_schema'),
    ('mcp_server_instances.endpoint_url'), ('mcp_server_instances.last_error_code'),
  ('mcp_server_tools.definition_hash'), ('model_settings.max_tokens'), ('model_usage_hourly.input_tokens'),
    ('model_usage_hourly.output_tokens')$$,
  'F10_no_column_with_a_secret_an_address_or_a_command_is_readable');
select * from finish();
rollback;
