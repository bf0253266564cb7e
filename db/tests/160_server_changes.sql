-- Updating, restarting and deleting servers, and idempotency keys: by actor, and by what becomes of the server.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.manage_server(p_actor text, p_action text, p_server text, p_config text default null, p_organization text default 'a')
returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select manage_mcp_servers(%L, {%s}, %L, %s)', p_action, p_organization, p_config,
                                         coalesce('{' || p_server || '}', 'null')));
$$;
create function pg_temp.server_status(p_name text) returns text language sql as $$
  select concat_ws(' ', i.status, i.generation, i.last_error_code) from mcp_server_instances i where i.id = pg_temp.id_of(p_name);
$$;
-- Claims what is due and says what; the worker's side.
create function pg_temp.claim_operations() returns text language sql as $$
  select string_agg(concat_ws(' ', c.action, c.instance_name, c.generation, c.package_version, c.configuration ->> 'directory'), ', '
                    order by c.instance_name)
  from weir.claim_operations('01900000-0000-7000-8000-000000000002', 100, '1 minute') c;
$$;
create function pg_temp.record_operation(p_server text, p_action text, p_outcome text, p_code text default null) returns boolean language sql as $$
  select weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', p_outcome, p_code, null, now())
  from weir.dtma_operations o where o.instance_id = pg_temp.id_of(p_server) and o.action = p_action and o.finished_at is null;
$$;
select pg_temp.create_as('remote', 'ann', $$select manage_mcp_servers('create', {a}, '{"name": "remote", "url": "https://r.example/mcp"}')$$),
       weir.publish_catalog_server(jsonb_build_object(
  'slug', 'test-files', 'name', 'Files', 'transport', 'stdio', 'package', '@example/files', 'version', '2.0.0', 'bin', 'files',
  'args', '["${config.directory}"]'::jsonb,
  'configuration_schema', '{"type": "object", "required": ["directory"], "properties": {"directory": {"type": "string"}}}'::jsonb))
\g /dev/null

-- By actor
select is(pg_temp.manage_server(w, a, 'files', case a when 'update' then '{"priority": 5}' end), r, format('M1_%s_by_%s', a, w))
from unnest(array['update', 'restart', 'delete']) a,
     (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select manage_mcp_servers('delete', {a}, null, {files})$$), '42501', format('M5_nor_by_%s', w))
from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.manage_server('ann', a, 'spy', case a when 'update' then '{"priority": 5}' end), 'WR004', format('M2_%s_of_a_foreign_server', a))
from unnest(array['update', 'restart', 'delete']) a;
select is(pg_temp.manage_server('bob', a, 'files', case a when 'update' then '{"priority": 5}' end, 'b'), 'WR004', format('M2_nor_%s_in_its_own', a))
from unnest(array['update', 'restart', 'delete']) a;
savepoint s;
update organization_members set role = 'owner' where user_id = pg_temp.id_of('mel') and organization_id = pg_temp.id_of('b');
select is(pg_temp.manage_server('mel', a, 'files', case a when 'update' then '{"priority": 5}' end), 'WR003', format('M2_nor_does_b_s_owner_who_is_a_member_%s_it', a))
from unnest(array['update', 'restart', 'delete', 'stop']) a;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.manage_server('mel', a, 'files', case a when 'update' then '{"priority": 5}' end, 'b'), 'WR004', format('M2_nor_does_an_admin_of_both_%s_it_as_of_b', a))
from unnest(array['update', 'restart', 'delete', 'stop']) a;
rollback to s;
select is(pg_temp.manage_server('ann', a, null, case a when 'update' then '{"priority": 5}' end), 'WR004', format('M10_%s_of_null', a))
from unnest(array['update', 'restart', 'delete', 'start', 'stop']) a;
select is(pg_temp.server_status('files'), 'running 2', 'M2_and_nothing_was_changed');

-- Update: what is wrong, by name
select is(pg_temp.manage_server('ann', 'update', s, c) || ' ' || (pg_temp.as_user('ann', format('select manage_mcp_servers(''update'', {a}, %L, {%s}) ->> ''message''',
  c, s)) like 'server_config%')::text, 'WR001 true', format('M11_update_refuses %s', left(coalesce(c, 'null'), 80)))
from (values ('files', null), ('files', 'null'), ('files', '[]'), ('files', '"x"'), ('files', '{"name": null}'), ('files', '{"name": "Upper"}'),
  ('files', '{"command": "sh"}'), ('files', '{"priority": 1001}'), ('files', '{"priority": "1"}'), ('files', '{"share": "all"}'),
  ('files', '{"url": "https://x.example"}'), ('files', '{"catalog": "other"}'), ('files', '{"configuration": null}'),
  ('files', '{"configuration": {}}'), ('files', '{"configuration": {"directory": "--help"}}'), ('files', '{"configuration": {"directory": "/d", "x": 1}}'),
  ('files', '{"version": 1}'), ('files', '{"idempotency_key": 1}'), ('files', '{"idempotency_key": ""}'), ('files', '{"chat": {"offline": "x"}}'),
  ('files', '{"configuration": {"directory": "' || repeat('x', 200000) || '"}}'),
  ('remote', '{"url": "http://x.example"}'), ('remote', '{"url": "https://user@x.example"}'), ('remote', '{"configuration": {"a": 1}}'),
  ('remote', '{"catalog": "test-files"}'), ('remote', '{"version": "1.0.0"}'), ('remote', '{"max_sessions": 2}'),
  ('files', '{"max_sessions": -1}'), ('files', '{"max_sessions": 1025}'), ('files', '{"max_sessions": 1.5}'), ('files', '{"max_sessions": "2"}')) t(s, c);
select is(pg_temp.manage_server('ann', 'update', 'files', '{"version": "9.9.9"}'), 'WR004', 'M11_a_version_that_is_not_there');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"name": "remote"}'), 'WR005', 'M11_a_name_that_is_taken');
select is((select row(name, priority, configuration, generation)::text from mcp_server_instances where id = pg_temp.id_of('files')),
  '(files,100,"{""directory"": ""/data""}",2)', 'M11_and_nothing_is_half_written');

-- What needs no node
select is(pg_temp.as_user('adam', $$select manage_mcp_servers('update', {a}, '{"priority": 0, "name": "docs", "region": "north", "pin_policy": "manual",
  "chat": {"offline": ["read_*"]}}', {files})$$), format('{"id": "%s", "status": "running"}', pg_temp.id_of('files')), 'M1_update_by_an_admin');
select is((select row(status, generation, name, priority, region, pin_policy, chat_offline)::text from mcp_server_instances where id = pg_temp.id_of('files')),
  '(running,2,docs,0,north,manual,{read_*})', 'S6_zero_stays_zero_and_what_runs_runs_on');
select is(pg_temp.manage_server('adam', 'update', 'files', '{"name": "files", "pin_policy": "trust_first"}'), 'ok', 'and back');
select is((select row(priority, region, chat_offline)::text from mcp_server_instances where id = pg_temp.id_of('files')), '(0,north,{read_*})',
  'what is not named stays');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/data"}}'), 'ok', 'the same configuration');
select is(pg_temp.server_status('files'), 'running 2', 'is no reason to disturb it');

-- What does: running -> updating -> running
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/more"}}'), 'ok', 'M1_update_of_the_configuration');
select is(pg_temp.server_status('files'), 'updating 3', 'M16_says_updating');
select is(pg_temp.admit_call('list_directory'), 'unavailable', 'V10_meanwhile_it_is_down_and_not_denied');
select is(pg_temp.manage_server('ann', a, 'files', case a when 'update' then '{"priority": 1}' end), 'WR005', format('M13_no_%s_meanwhile', a))
from unnest(array['update', 'deploy', 'restart']) a;
select is(pg_temp.claim_operations(), 'update files 3 1.0.0 /more', 'M7_the_worker_gets_the_new_configuration');
select is(weir.record_instance_state(pg_temp.id_of('files'), 2, 'running', null, null), false, 'M13_a_report_of_before_means_nothing');
select is(weir.record_instance_state(pg_temp.id_of('files'), 3, 'running', null, null), true, 'M8_it_runs_when_its_node_says_so');
select is(pg_temp.record_operation('files', 'update', 'done'), true, 'M7_and_the_operation_is_done');
select is(pg_temp.server_status('files'), 'running 3', 'M16_and_it_runs');
select is((select deployed_by from mcp_server_instances where id = pg_temp.id_of('files')), pg_temp.id_of('ann'), 'M18_who_updated_is_kept');

-- How many sessions it may have, which its node is told; and how many calls at once, which only the catalog says
select is(pg_temp.manage_server('ann', 'update', 'files', '{"max_sessions": 7}'), 'ok', 'where_callers_share_one_process');
select is(pg_temp.server_status('files'), 'running 3', 'the_number_of_sessions_disturbs_nobody');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"max_sessions": 1024, "share": "session"}'), 'ok', 'update_of_its_sessions');
select is((select row(status, generation, max_sessions)::text from mcp_server_instances where id = pg_temp.id_of('files')), '(updating,4,1024)',
  'is_for_its_node_to_carry_out');
savepoint s;
update mcp_server_catalog set calls_at_once = 1 where id = (select catalog_id from mcp_server_instances where id = pg_temp.id_of('files'));
select is((select row(c.max_sessions, c.calls_at_once)::text
           from weir.claim_operations('01900000-0000-7000-8000-000000000002', 100, '1 minute') c), '(1024,1)', 'the_worker_gets_both');
rollback to s;
select pg_temp.claim_operations(), weir.record_instance_state(pg_temp.id_of('files'), 4, 'running', null, null), pg_temp.record_operation('files', 'update', 'done') \g /dev/null
savepoint s;
select is(pg_temp.manage_server('ann', 'update', 'files', '{"max_sessions": 0}'), 'ok', 'zero_is_the_nodes_number_again');
select is((select row(status, max_sessions)::text from mcp_server_instances where id = pg_temp.id_of('files')), '(updating,)', 'which_its_node_is_told');
rollback to s;
select is(pg_temp.as_user('ann', $$select manage_mcp_servers('create', {a}, '{"name": "far", "url": "https://r.example/mcp", "max_sessions": 1}') ->> 'message'$$),
  'server_config.max_sessions: a remote server has none', 'a remote server is asked for no number of sessions');
select throws_ok(format('select weir.publish_catalog_server(%L)', jsonb_build_object('slug', 'x', 'version', '1.0.0', 'calls_at_once', c::jsonb)),
  'WR001', 'entry.calls_at_once: must be a number from 1 to 1024', 'an entry takes no calls_at_once of ' || c)
from unnest(array['0', '-1', '1025', '1.5', '"one"', 'true', '[]']) c;

-- A version: what it announces first is approved, and what comes later is not
create function pg_temp.announce_tools(p_generation bigint, p_seed text) returns text language sql as $$
  select row(d.*)::text from weir.record_definitions(pg_temp.id_of('files'), p_generation, array['tool', 'tool'], array['read_file', p_seed],
    array[sha256(p_seed::bytea), sha256((p_seed || ' itself')::bytea)], array['{"name":"read_file"}', '{}'], '{}') d;
$$;
select is(pg_temp.announce_tools(4, 'sly'), '(1,1,2)', 'a change without an admin is quarantined');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"catalog": "test-files", "version": "2.0.0"}'), 'ok', 'M1_update_of_the_version');
select is(pg_temp.claim_operations(), 'update files 5 2.0.0 /more', 'M7_which_the_worker_gets');
select is(weir.record_instance_state(pg_temp.id_of('files'), 5, 'running', null, null), true, 'it runs');
select is(pg_temp.record_operation('files', 'update', 'done'), true, 'done');
select is(pg_temp.announce_tools(5, 'new'), '(1,1,0)', 'an admin''s update approves what the new version announces');
select is(pg_temp.announce_tools(5, 'later'), '(1,1,2)', 'and no later surprise of it');
select weir.withdraw_catalog_server('test-files', '2.0.0') \g /dev/null
select is(pg_temp.manage_server('ann', 'restart', 'files'), 'WR005', 'V12_a_withdrawn_version_is_not_started');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"version": "1.0.0", "configuration": {"directory": "/data"}}'), 'ok', 'V12_it_is_left_for_another');
select is(pg_temp.claim_operations(), 'update files 6 1.0.0 /data', 'M7_which_the_worker_gets_too');
select is(pg_temp.record_operation('files', 'update', 'failed', 'start_failed'), true, 'D5_an_update_that_failed');
select is(pg_temp.server_status('files'), 'failed 6 start_failed', 'M16_says_why');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/mended"}}'), 'ok', 'M16_what_failed_is_updated');
select is(pg_temp.manage_server('ann', 'stop', 'files'), 'ok', 'M16_an_update_may_be_ended');
select is(pg_temp.claim_operations(), 'stop files 8 1.0.0 /mended', 'D5_and_is_superseded');
select weir.record_instance_state(pg_temp.id_of('files'), 8, 'stopped', null, null), pg_temp.record_operation('files', 'stop', 'done') \g /dev/null
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/data"}}'), 'ok', 'M1_update_of_what_is_stopped');
select is(pg_temp.server_status('files') || coalesce(pg_temp.claim_operations(), ''), 'stopped 8', 'waits for its next start');
select is(pg_temp.manage_server('ann', 'restart', 'files'), 'WR005', 'M16_what_is_stopped_is_not_restarted');
select is(pg_temp.manage_server('ann', 'start', 'files'), 'ok', 'M1_it_is_started');
select is(pg_temp.claim_operations(), 'deploy files 9 1.0.0 /data', 'M7_with_what_it_was_updated_to');
select is((select node_id = last_node_id from mcp_server_instances where id = pg_temp.id_of('files')), true, 'M19_where_its_files_are');
select weir.record_instance_state(pg_temp.id_of('files'), 9, 'running', null, null), pg_temp.record_operation('files', 'deploy', 'done') \g /dev/null

-- Restart: no other state is wanted
select is(pg_temp.manage_server('adam', 'restart', 'files'), 'ok', 'M1_restart_by_an_admin');
select is(pg_temp.server_status('files'), 'running 9', 'M9_until_its_node_says_otherwise_it_runs');
select is(pg_temp.manage_server('adam', 'restart', 'files'), 'WR005', 'M13_one_restart_at_a_time');
select is(pg_temp.claim_operations(), 'restart files 9 1.0.0 /data', 'M7_the_worker_gets_it');
select is(weir.record_instance_state(pg_temp.id_of('files'), 9, 'degraded', 'restarting', null), true, 'D7_the_node_restarts_it');
select is(weir.record_instance_state(pg_temp.id_of('files'), 9, 'running', null, null), true, 'D7_and_it_runs');
select is(pg_temp.record_operation('files', 'restart', 'done'), true, 'it is done');
select is(pg_temp.manage_server('adam', 'restart', 'files'), 'ok', 'M13_and_may_be_restarted_again');
select is(pg_temp.claim_operations(), 'restart files 9 1.0.0 /data', 'in the same generation');
select is(pg_temp.record_operation('files', 'restart', 'failed', 'node_unreachable'), true, 'D5_a_node_that_cannot_be_asked');
select is(pg_temp.server_status('files'), 'running 9', 'M9_has_said_nothing_of_the_server');
select is(pg_temp.manage_server('adam', 'restart', 'remote'), 'WR005', 'M16_what_was_never_deployed_is_not_restarted');

-- A remote server
select pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {remote})$$), pg_temp.claim_operations(),
       weir.record_instance_state(pg_temp.id_of('remote'), 2, 'running', null, null), pg_temp.record_operation('remote', 'deploy', 'done') \g /dev/null
select is(pg_temp.manage_server('ann', 'update', 'remote', '{"url": "https://elsewhere.example/mcp"}'), 'ok', 'M1_update_of_an_address');
select is((select endpoint_url from weir.claim_operations('01900000-0000-7000-8000-000000000002', 9, '1 minute')), 'https://elsewhere.example/mcp',
  'M8_it_is_shaken_hands_with_anew');
select is(pg_temp.server_status('remote'), 'updating 3', 'M8_before_it_runs');
select pg_temp.record_operation('remote', 'update', 'done') \g /dev/null

-- Idempotency keys, of every action
select is(pg_temp.as_user('ann', format('select manage_mcp_servers(%L, {a}, %L, {%s})', a, c, s)),
          pg_temp.as_user('ann', format('select manage_mcp_servers(%L, {a}, %L, {%s})', a, c, s)), 'M13_the_same_request_again_is_one: ' || a)
from (values ('update', 'files', '{"priority": 7, "idempotency_key": "u"}'), ('restart', 'files', '{"idempotency_key": "r"}'),
             ('stop', 'files', '{"idempotency_key": "s"}'), ('stop', 'remote', '{"idempotency_key": "t"}')) t(a, s, c);
select is(pg_temp.as_user('owner', $$select count(*) from weir.dtma_operations where instance_id = {files} and action = 'stop'$$), '2', 'M13_and_is_done_once');
select is(pg_temp.manage_server('ann', a, s, c), 'WR005', 'M13_a_key_is_of_one_request')
from (values ('start', 'files', '{"idempotency_key": "s"}'), ('stop', 'files', '{"idempotency_key": "t"}'),
             ('update', 'files', '{"priority": 8, "idempotency_key": "u"}')) t(a, s, c);
select is(pg_temp.manage_server('bob', 'start', 'spy', '{"idempotency_key": "s"}', 'b'), 'ok', 'M13_and_of_one_organization');
savepoint s;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.manage_server('mel', 'create', null, '{"name": "other", "url": "https://o.example", "idempotency_key": "u"}', 'b'), 'ok', 'M13_for_an_admin_of_both_too');
rollback to s;
select is(pg_temp.manage_server('ann', 'restart', 'files', '{"idempotency_key": "again"}'), 'WR005', 'what is refused');
select is(pg_temp.as_user('owner', $$select count(*) from weir.idempotency_keys where key = 'again'$$), '0', 'is not remembered');
select is(pg_temp.manage_server('ann', 'stop', 'files', '{"idempotency_key": "x", "name": "y"}'), 'WR001', 'M11_an_action_without_a_configuration_gets_none');
select is(pg_temp.manage_server('mia', 'stop', 'files', '{"idempotency_key": "s"}'), 'WR003', 'M13_an_answer_is_for_who_may_ask');

-- Delete
select pg_temp.claim_operations(), weir.record_instance_state(pg_temp.id_of('files'), 9, 'stopped', null, null), pg_temp.record_operation('files', 'stop', 'done') \g /dev/null
select pg_temp.create_as('asked', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"*": {}}}')$$) \g /dev/null
select is(pg_temp.manage_server('ann', 'delete', 'files', '{"idempotency_key": "d"}'), 'ok', 'M21_delete_by_an_owner');
select is(pg_temp.manage_server('ann', 'delete', 'files', '{"idempotency_key": "d"}'), 'ok', 'M13_again_with_its_key');
select is(pg_temp.server_status('files'), 'deleting 11', 'M21_says_deleting');
select is(pg_temp.as_user('owner', $$select concat_ws(' ', count(*), bool_and(revoked_at is not null), bool_and(revoked_by = {ann})) from agent_mcp_permissions
  where mcp_server_instance_id = {files}$$), '1 t t', 'M21_grants_are_revoked_at_once');
select is(pg_temp.as_user('owner', 'select status from permission_requests where id = {asked}'), 'refused', 'M21_and_requests_closed');
select is(pg_temp.manage_server('ann', 'create', null, '{"name": "files", "url": "https://n.example"}'), 'ok', 'M21_the_name_is_free');
select is(pg_temp.manage_server('ann', a, 'files', case a when 'update' then '{"priority": 1}' end), case a when 'update' then 'WR004' else 'WR005' end,
  format('M21_no_%s_any_more', a)) from unnest(array['update', 'start', 'stop', 'restart', 'delete']) a;
select is((select concat_ws(' ', c.action, c.node_id = pg_temp.id_of('node')) from weir.claim_operations('01900000-0000-7000-8000-000000000002', 9, '1 minute') c
  where c.instance_id = pg_temp.id_of('files')), 'delete t', 'M21_the_node_that_has_its_files_is_asked_though_it_was_stopped');
select is(pg_temp.record_operation('files', 'delete', 'failed', 'not_supported'), true, 'a node that refuses');
select is(pg_temp.server_status('files'), 'deleting 11 not_supported', 'M9_what_was_not_removed_is_not_deleted');
select is(pg_temp.manage_server('ann', 'delete', 'files'), 'ok', 'and may be asked again');
select is(pg_temp.claim_operations(), 'delete files 12 1.0.0 /data', 'M7_which_the_worker_gets');
select is(pg_temp.record_operation('files', 'delete', 'done'), true, 'M21_when_its_node_has_removed_it');
select is((select row(status, node_id, last_node_id, configuration)::text from mcp_server_instances where id = pg_temp.id_of('files')), '(deleted,,,{})',
  'M21_it_is_a_tombstone');
select is(pg_temp.manage_server('ann', 'delete', 'files'), 'WR004', 'M21_which_nobody_finds');
select is(pg_temp.error_as('ann', $$select grant_mcp_access({robo}, {files}, '{}')$$), 'WR004', 'M21_nor_grants');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where instance_id = {files} and item = 'delete' and user_id = {ann}
  and decision = 'allowed'$$), '2', 'M18_who_deleted_is_kept');
select isnt(pg_temp.as_user('owner', $$select count(*) from agent_mcp_permissions where mcp_server_instance_id = {files}$$), '0', 'M21_and_the_history_stays');
select pg_temp.create_as('fresh', 'ann', $$select manage_mcp_servers('create', {a}, '{"name": "fresh", "catalog": "test-files", "configuration": {"directory": "/d"}}')$$)
\g /dev/null
select is(pg_temp.manage_server('ann', 'delete', 'fresh'), 'ok', 'M21_delete_of_what_was_never_deployed');
select pg_temp.claim_operations() \g /dev/null
select is(pg_temp.server_status('fresh'), 'deleted 2', 'M21_asks_no_node');

-- By the server's id alone
select pg_temp.create_as('api', 'ann', $$select manage_mcp_servers('create', {a}, '{"name": "api", "url": "https://api.example"}')$$) \g /dev/null
select is(pg_temp.error_as('ann', format($$select call_dtma_api('%s')$$, r)), 'WR001', 'D2_call_dtma_api_refuses ' || left(r, 60))
from unnest(array['null', '[]', '{}', '{"action": "deploy"}', '{"action": "update", "server_instance_id": "01900000-0000-7000-8000-00000000dead"}',
  '{"action": "deploy", "server_instance_id": "x"}', '{"action": "deploy", "server_instance_id": null}',
  '{"action": "deploy", "server_instance_id": "01900000-0000-7000-8000-00000000dead", "url": "http://169.254.169.254"}']) r;
select is(pg_temp.error_as(w, format($$select call_dtma_api('{"action": "deploy", "server_instance_id": "%s"}')$$, pg_temp.id_of('api'))), r,
  'D1_call_dtma_api_by_' || w) from (values ('mia', 'WR003'), ('bob', 'WR004'), ('sam', 'WR004'), ('ann', 'ok')) t(w, r);
select * from finish();
rollback;
