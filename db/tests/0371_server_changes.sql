-- Updating, restarting and deleting servers, and idempotency keys: by actor, and by the effect on the server.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.manage_server(p_actor text, p_action text, p_server text, p_config text default null,
  p_organization text default 'a')
returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select manage_mcp_servers(%L, {%s}, %L, %s)', p_action, p_organization, p_config,
                                         coalesce('{' || p_server || '}', 'null')));
$$;
create function pg_temp.server_status(p_name text) returns text language sql as $$
  select concat_ws(' ', i.status, i.generation, i.last_error_code) from mcp_server_instances i where i.id = pg_temp.id_of(p_name);
$$;
-- Claims the operations that are due and describes them, as a worker.
create function pg_temp.claim_operations() returns text language sql as $$
  select string_agg(concat_ws(' ', c.action, c.instance_name, c.generation, c.package_version, c.configuration ->> 'directory'), ', '
                    order by c.instance_name)
  from weir.claim_operations('01900000-0000-7000-8000-000000000002', 100, '1 minute') c;
$$;
create function pg_temp.record_operation(p_server text, p_action text, p_outcome text,
  p_code text default null) returns boolean language sql as $$
  select weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', p_outcome, p_code, null, now())
  from weir.dtma_operations o where o.instance_id = pg_temp.id_of(p_server) and o.action = p_action and o.finished_at is null;
$$;
select pg_temp.create_as('remote', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "remote", "url": "https://r.example/mcp"}')$$),
       weir.publish_catalog_server(jsonb_build_object(
  'slug', 'test-files', 'display_name', 'Files', 'transport', 'stdio', 'package', '@example/files', 'version', '2.0.0', 'bin', 'files',
  'args', '["${config.directory}"]'::jsonb,
  'configuration_schema', '{"type": "object", "required": ["directory"], "properties": {"directory": {"type": "string"}}}'::jsonb))
\g /dev/null

-- By actor
select is(pg_temp.manage_server(w, a, 'files', case a when 'update' then '{"priority": 5}' end), r, format('M1_%s_is_refused_to_%s', a, w))
from unnest(array['update', 'restart', 'delete']) a,
     (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select manage_mcp_servers('delete', {a}, null, {files})$$), '42501',
  format('M5_%s_does_not_execute_manage_mcp_servers', w))
from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.manage_server('ann', a, 'spy', case a when 'update' then '{"priority": 5}' end), 'WR004',
  format('M2_an_owner_may_not_%s_a_server_of_another_organization', a))
from unnest(array['update', 'restart', 'delete']) a;
select is(pg_temp.manage_server('bob', a, 'files', case a when 'update' then '{"priority": 5}' end, 'b'), 'WR004',
  format('M2_an_outsider_may_not_%s_a_server_as_their_own_organization_s', a))
from unnest(array['update', 'restart', 'delete']) a;
savepoint s;
update organization_members set role = 'owner' where user_id = pg_temp.id_of('mel') and organization_id = pg_temp.id_of('b');
select is(pg_temp.manage_server('mel', a, 'files', case a when 'update' then '{"priority": 5}' end), 'WR003',
  format('M2_an_owner_of_b_who_is_a_member_of_a_may_not_%s_a_server_of_a', a))
from unnest(array['update', 'restart', 'delete', 'stop']) a;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.manage_server('mel', a, 'files', case a when 'update' then '{"priority": 5}' end, 'b'), 'WR004',
  format('M2_an_admin_of_both_may_not_%s_a_server_of_a_as_b_s', a))
from unnest(array['update', 'restart', 'delete', 'stop']) a;
rollback to s;
select is(pg_temp.manage_server('ann', a, null, case a when 'update' then '{"priority": 5}' end), 'WR004',
  format('M10_%s_of_a_null_server_is_refused', a))
from unnest(array['update', 'restart', 'delete', 'start', 'stop']) a;
select is(pg_temp.server_status('files'), 'running 2', 'M2_refused_changes_leave_the_server_as_it_was');

-- Update: errors name the member
select is(pg_temp.manage_server('ann', 'update', s, c) || ' '
  || (pg_temp.as_user('ann', format('select manage_mcp_servers(''update'', {a}, %L, {%s}) ->> ''message''',
  c, s)) like 'server_config%')::text, 'WR001 true',
    format('M11_update_refuses_for_the_server_%s: %s', s, left(coalesce(c, 'no configuration'), 80)))
from (values ('files', null), ('files', 'null'), ('files', '[]'), ('files', '"x"'), ('files', '{"instance_name": null}'),
  ('files', '{"instance_name": "Upper"}'),
  ('files', '{"command": "sh"}'), ('files', '{"priority": 1001}'), ('files', '{"priority": "1"}'), ('files', '{"share": "all"}'),
  ('files', '{"url": "https://x.example"}'), ('files', '{"catalog": "other"}'), ('files', '{"configuration": null}'),
  ('files', '{"configuration": {"directory": null}}'), ('files', '{"configuration": {"directory": "--help"}}'),
    ('files', '{"configuration": {"directory": "/d", "x": 1}}'),
  ('files', '{"version": 1}'), ('files', '{"idempotency_key": 1}'), ('files', '{"idempotency_key": ""}'),
    ('files', '{"chat": {"offline": "x"}}'),
  ('files', '{"configuration": {"directory": "' || repeat('x', 200000) || '"}}'),
  ('remote', '{"url": "ftp://x.example"}'), ('remote', '{"url": "https://user@x.example"}'), ('remote', '{"configuration": {"a": 1}}'),
  ('remote', '{"catalog": "test-files"}'), ('remote', '{"version": "1.0.0"}'), ('remote', '{"max_sessions": 2}'),
  ('files', '{"max_sessions": -1}'), ('files', '{"max_sessions": 1025}'), ('files', '{"max_sessions": 1.5}'),
    ('files', '{"max_sessions": "2"}')) t(s, c);
select is(pg_temp.manage_server('ann', 'update', 'files', '{"version": "9.9.9"}'), 'WR004',
  'M11_an_update_to_a_version_that_does_not_exist_is_refused');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"instance_name": "remote"}'), 'WR005',
  'M11_an_update_to_a_name_of_another_server_is_a_conflict');
select is((select row(instance_name, priority, configuration, generation)::text from mcp_server_instances
  where id = pg_temp.id_of('files')),
  '(files,100,"{""directory"": ""/data""}",2)', 'M11_refused_updates_write_nothing');

-- Changes that need no node
select is(pg_temp.as_user('adam',
  $$select manage_mcp_servers('update', {a}, '{"priority": 0, "instance_name": "docs", "region": "north", "pin_policy": "manual",
  "chat": {"offline": ["read_*"]}}', {files})$$),
  format('{"id": "%s", "status": "running", "success": true, "endpoint_url": null, "operation_id": null}', pg_temp.id_of('files')),
  'M1_an_admin_updates_a_server');
select is((select row(status, generation, instance_name, priority, region, pin_policy, chat_offline)::text from mcp_server_instances
  where id = pg_temp.id_of('files')),
  '(running,2,docs,0,north,manual,{read_*})', 'S6_an_update_to_zero_stays_zero_and_does_not_restart_the_server');
select is(pg_temp.manage_server('adam', 'update', 'files', '{"instance_name": "files", "pin_policy": "trust_first"}'), 'ok',
  'an admin updates a server''s name and policy again');
select is((select row(priority, region, chat_offline)::text from mcp_server_instances where id = pg_temp.id_of('files')),
  '(0,north,{read_*})',
  'an update changes only what it names');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/data"}}'), 'ok',
  'an update to the same configuration is accepted');
select is(pg_temp.server_status('files'), 'running 2', 'an update to the same configuration does not restart the server');

-- Changes that need a node: running -> updating -> running
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/more"}}'), 'ok',
  'M1_an_update_of_the_configuration_is_accepted');
select is(pg_temp.server_status('files'), 'updating 3', 'M16_a_server_whose_configuration_changed_is_updating');
select is(pg_temp.admit_call('list_directory'), 'unavailable', 'V10_a_permitted_call_to_an_updating_server_is_unavailable_and_not_denied');
select is(pg_temp.manage_server('ann', a, 'files', case a when 'update' then '{"priority": 1}' end), 'WR005',
  format('M13_an_updating_server_refuses_%s', a))
from unnest(array['update', 'deploy', 'restart']) a;
select is(pg_temp.claim_operations(), 'update files 3 1.0.0 /more', 'M7_the_operation_of_an_update_has_the_new_configuration');
select is(weir.record_instance_state(pg_temp.id_of('files'), 2, 'running', null, null), false,
  'M13_a_state_of_the_generation_before_an_update_is_ignored');
select is(weir.record_instance_state(pg_temp.id_of('files'), 3, 'running', null, null), true,
  'M8_a_state_of_the_generation_of_an_update_is_recorded');
select is(pg_temp.record_operation('files', 'update', 'done'), true, 'M7_the_operation_of_an_update_is_done');
select is(pg_temp.server_status('files'), 'running 3', 'M16_an_updated_server_runs_in_its_new_generation');
select is((select deployed_by from mcp_server_instances where id = pg_temp.id_of('files')), pg_temp.id_of('ann'),
  'M18_a_server_says_who_updated_it');

-- The number of sessions is the organization's choice and is sent to the node. The number of concurrent calls is the catalog's alone.
select is(pg_temp.manage_server('ann', 'update', 'files', '{"max_sessions": 7}'), 'ok',
  'an update of the number of sessions is accepted where callers share one process');
select is(pg_temp.server_status('files'), 'running 3', 'an update of the number of sessions does not restart a shared process');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"max_sessions": 1024, "share": "session"}'), 'ok',
  'an update to a process for each session is accepted');
select is((select row(status, generation, max_sessions)::text from mcp_server_instances where id = pg_temp.id_of('files')),
  '(updating,4,1024)',
  'an update to a process for each session is carried out by the node');
savepoint s;
-- As if the version had been published with it: a published version cannot be changed.
set local session_replication_role = replica;
update mcp_server_catalog set calls_at_once = 1
  where id = (select catalog_server_id from mcp_server_instances where id = pg_temp.id_of('files'));
set local session_replication_role = origin;
select is((select row(c.max_sessions, c.calls_at_once)::text
           from weir.claim_operations('01900000-0000-7000-8000-000000000002', 100, '1 minute') c), '(1024,1)',
             'an operation has the number of sessions and of calls at once');
rollback to s;
select pg_temp.claim_operations(), weir.record_instance_state(pg_temp.id_of('files'), 4, 'running', null, null),
  pg_temp.record_operation('files', 'update', 'done') \g /dev/null
savepoint s;
select is(pg_temp.manage_server('ann', 'update', 'files', '{"max_sessions": 0}'), 'ok', 'an update to zero sessions is accepted');
select is((select row(status, max_sessions)::text from mcp_server_instances where id = pg_temp.id_of('files')), '(updating,)',
  'an update to zero sessions leaves the number to the node, which gets the zero');
rollback to s;
select is(pg_temp.as_user('ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "far", "url": "https://r.example/mcp",
    "max_sessions": 1}') ->> 'message'$$),
  'server_config.max_sessions: must be left out for a remote server (url)', 'a number of sessions is refused for a remote server');
select throws_ok(format('select weir.publish_catalog_server(%L)',
  jsonb_build_object('slug', 'x', 'version', '1.0.0', 'display_name', 'X', 'transport', 'stdio', 'package', 'x', 'bin', 'x',
                     'calls_at_once', c::jsonb)),
  'WR001', 'entry.calls_at_once: must be a number from 1 to 1024', 'a catalog entry is refused for calls_at_once of ' || c)
from unnest(array['0', '-1', '1025', '1.5', '"one"', 'true', '[]']) c;

-- An update to a version approves what that version announces first, and nothing that comes later
create function pg_temp.announce_tools(p_generation bigint, p_seed text) returns text language sql as $$
  select row(d.*)::text from weir.record_definitions(pg_temp.id_of('files'), p_generation, array['tool', 'tool'],
    array['read_file', p_seed],
    array[sha256(p_seed::bytea), sha256((p_seed || ' itself')::bytea)], array['{"name":"read_file"}', '{}'], '{}') d;
$$;
select is(pg_temp.announce_tools(4, 'sly'), '(1,1,2)', 'a changed and a new definition without an update are quarantined');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"catalog": "test-files", "version": "2.0.0"}'), 'ok',
  'M1_an_update_of_the_version_is_accepted');
select is(pg_temp.claim_operations(), 'update files 5 2.0.0 /more', 'M7_the_operation_of_an_update_has_the_new_version');
select is(weir.record_instance_state(pg_temp.id_of('files'), 5, 'running', null, null), true, 'a server with a new version runs');
select is(pg_temp.record_operation('files', 'update', 'done'), true, 'the operation of an update of the version is done');
select is(pg_temp.announce_tools(5, 'new'), '(1,1,0)', 'an update of the version approves what the new version announces first');
select is(pg_temp.announce_tools(5, 'later'), '(1,1,2)', 'an update of the version does not approve what the new version announces later');
savepoint withdrawn;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.manage_server('ann', 'restart', 'files'), 'ok', 'a server with a withdrawn version is restarted');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/other"}}'), 'ok',
  'a server with a withdrawn version is reconfigured');
select is(pg_temp.claim_operations(), 'update files 6 2.0.0 /other',
  'an operation of a server with a withdrawn version is carried out');
update mcp_server_instances set status = 'running' where id = pg_temp.id_of('files');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"version": "1.0.0"}'), 'WR004',
  'a server cannot be updated to a withdrawn version');
select is(pg_temp.manage_server('ann', 'create', null,
         format('{"instance_name": "new", "catalog": "test-files", %s "configuration": {"directory": "/d"}}', v)),
  'WR004', 'no server is created from a withdrawn version: ' || v) from unnest(array['', '"version": "2.0.0",']) v;
rollback to withdrawn;
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/other"}}'), 'ok',
  'an update is requested before the version is blocked');
select weir.block_catalog_server('test-files', '2.0.0', 'It leaks.') \g /dev/null
select is(pg_temp.claim_operations(), null, 'V12_an_update_is_not_carried_out_after_its_version_was_blocked');
select is(pg_temp.server_status('files'), 'failed 6 catalog_blocked', 'an update whose version was blocked meanwhile has its own code');
rollback to withdrawn;
select is(pg_temp.manage_server('ann', 'restart', 'files'), 'ok', 'a restart is requested before the version is blocked');
select weir.block_catalog_server('test-files', '2.0.0', 'It leaks.') \g /dev/null
select is(pg_temp.claim_operations(), null, 'V12_an_operation_requested_before_its_version_was_blocked_is_not_carried_out');
select is((select concat(o.outcome, ' ', o.error_code) from weir.dtma_operations o
           where o.instance_id = pg_temp.id_of('files') and o.action = 'restart' order by o.id desc limit 1), 'failed catalog_blocked',
  'an operation whose version was blocked meanwhile has failed, with the reason');
select is(pg_temp.server_status('files'), 'running 5', 'a restart that is refused leaves the server as it is');
select is(pg_temp.manage_server('ann', 'restart', 'files'), 'WR005', 'V12_a_server_with_a_blocked_version_is_not_restarted');
select matches(pg_temp.as_user('ann', $$select manage_mcp_servers('restart', {a}, null, {files}) ->> 'message'$$), 'It leaks\.$',
  'an admin who restarts a blocked server gets the reason');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/other"}}'), 'WR005',
  'V12_a_running_server_with_a_blocked_version_is_not_reconfigured');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"instance_name": "renamed", "configuration": {"directory": "/other"}}'),
  'WR005',
  'V12_a_server_with_a_blocked_version_is_not_renamed_by_a_refused_request');
select is((select concat_ws(' ', i.instance_name, i.configuration ->> 'directory') from mcp_server_instances i
           where i.id = pg_temp.id_of('files')), 'files /more', 'a refused update changes nothing');
select is(pg_temp.manage_server('ann', 'create', null, '{"instance_name": "new", "catalog": "test-files", "version": "2.0.0"}'), 'WR004',
  'V12_no_server_is_created_from_a_blocked_version');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"version": "1.0.0", "configuration": {"directory": "/data"}}'), 'ok',
  'V12_a_server_with_a_blocked_version_is_updated_to_another');
select is(pg_temp.claim_operations(), 'update files 6 1.0.0 /data', 'M7_the_operation_of_an_update_has_the_version_and_the_configuration');
select is(pg_temp.record_operation('files', 'update', 'failed', 'start_failed'), true, 'D5_a_worker_records_that_an_update_failed');
select is(pg_temp.server_status('files'), 'failed 6 start_failed', 'M16_a_server_whose_update_failed_has_the_code_of_the_error');
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/mended"}}'), 'ok',
  'M16_a_failed_server_is_updated');
select is(pg_temp.manage_server('ann', 'stop', 'files'), 'ok', 'M16_an_updating_server_is_stopped');
select is(pg_temp.claim_operations(), 'stop files 8 1.0.0 /mended', 'D5_a_stop_supersedes_an_update');
select weir.record_instance_state(pg_temp.id_of('files'), 8, 'stopped', null, null),
  pg_temp.record_operation('files', 'stop', 'done') \g /dev/null
select is(pg_temp.manage_server('ann', 'update', 'files', '{"configuration": {"directory": "/data"}}'), 'ok',
  'M1_a_stopped_server_is_updated');
select is(pg_temp.server_status('files') || coalesce(pg_temp.claim_operations(), ''), 'stopped 8',
  'an update of a stopped server waits for its next start');
select is(pg_temp.manage_server('ann', 'restart', 'files'), 'WR005', 'M16_a_stopped_server_is_not_restarted');
select is(pg_temp.manage_server('ann', 'start', 'files'), 'ok', 'M1_a_stopped_server_is_started');
select is(pg_temp.claim_operations(), 'deploy files 9 1.0.0 /data', 'M7_a_started_server_has_the_configuration_of_its_update');
select is((select node_id = last_node_id from mcp_server_instances where id = pg_temp.id_of('files')), true,
  'M19_a_server_is_started_on_the_node_that_has_its_files');
select weir.record_instance_state(pg_temp.id_of('files'), 9, 'running', null, null),
  pg_temp.record_operation('files', 'deploy', 'done') \g /dev/null

-- A restart does not change the desired state
select is(pg_temp.manage_server('adam', 'restart', 'files'), 'ok', 'M1_an_admin_restarts_a_server');
select is(pg_temp.server_status('files'), 'running 9', 'M9_a_restarting_server_runs_until_its_node_says_otherwise');
select is(pg_temp.manage_server('adam', 'restart', 'files'), 'WR005', 'M13_a_restarting_server_is_not_restarted_again');
select is(pg_temp.claim_operations(), 'restart files 9 1.0.0 /data', 'M7_a_restart_is_an_operation_of_the_same_generation');
select is(weir.record_instance_state(pg_temp.id_of('files'), 9, 'degraded', 'restarting', null), true,
  'D7_a_server_that_its_node_restarts_is_degraded');
select is(weir.record_instance_state(pg_temp.id_of('files'), 9, 'running', null, null), true,
  'D7_a_server_that_its_node_has_restarted_runs');
select is(pg_temp.record_operation('files', 'restart', 'done'), true, 'the operation of a restart is done');
select is(pg_temp.manage_server('adam', 'restart', 'files'), 'ok', 'M13_a_restarted_server_is_restarted_again');
select is(pg_temp.claim_operations(), 'restart files 9 1.0.0 /data', 'a second restart is an operation of the same generation');
select is(pg_temp.record_operation('files', 'restart', 'failed', 'node_unreachable'), true,
  'D5_a_worker_records_that_a_restart_failed_for_its_node');
select is(pg_temp.server_status('files'), 'running 9', 'M9_a_server_whose_node_could_not_be_reached_for_a_restart_runs');
select is(pg_temp.manage_server('adam', 'restart', 'remote'), 'WR005', 'M16_a_server_that_was_never_deployed_is_not_restarted');

-- A remote server
select pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {remote})$$), pg_temp.claim_operations(),
       weir.record_instance_state(pg_temp.id_of('remote'), 2, 'running', null, null),
         pg_temp.record_operation('remote', 'deploy', 'done') \g /dev/null
select is(pg_temp.manage_server('ann', 'update', 'remote', '{"url": "https://elsewhere.example/mcp"}'), 'ok',
  'M1_an_update_of_a_remote_server_s_address_is_accepted');
select is((select endpoint_url from weir.claim_operations('01900000-0000-7000-8000-000000000002', 9, '1 minute')),
  'https://elsewhere.example/mcp',
  'M8_the_operation_of_an_update_of_an_address_has_the_new_address');
select is(pg_temp.server_status('remote'), 'updating 3', 'M8_a_remote_server_with_a_new_address_is_updating');
select pg_temp.record_operation('remote', 'update', 'done') \g /dev/null

-- Idempotency keys, for every action
select is(pg_temp.as_user('ann', format('select manage_mcp_servers(%L, {a}, %L, {%s})', a, c, s)),
          pg_temp.as_user('ann', format('select manage_mcp_servers(%L, {a}, %L, {%s})', a, c, s)),
            'M13_the_same_request_with_the_same_idempotency_key_has_the_same_answer: ' || concat_ws(' ', a, s))
from (values ('update', 'files', '{"priority": 7, "idempotency_key": "u"}'), ('restart', 'files', '{"idempotency_key": "r"}'),
             ('stop', 'files', '{"idempotency_key": "s"}'), ('stop', 'remote', '{"idempotency_key": "t"}')) t(a, s, c);
select is(pg_temp.as_user('owner', $$select count(*) from weir.dtma_operations where instance_id = {files} and action = 'stop'$$), '2',
  'M13_the_same_stop_with_the_same_idempotency_key_is_done_once');
select is(pg_temp.manage_server('ann', a, s, c), 'WR005',
  'M13_an_idempotency_key_is_not_used_for_another_request: ' || concat_ws(' ', a, s, c))
from (values ('start', 'files', '{"idempotency_key": "s"}'), ('stop', 'files', '{"idempotency_key": "t"}'),
             ('update', 'files', '{"priority": 8, "idempotency_key": "u"}')) t(a, s, c);
select is(pg_temp.manage_server('bob', 'start', 'spy', '{"idempotency_key": "s"}', 'b'), 'ok',
  'M13_an_idempotency_key_of_another_organization_is_free');
savepoint s;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.manage_server('mel', 'create', null, '{"instance_name": "other", "url": "https://o.example", "idempotency_key": "u"}',
  'b'), 'ok',
  'M13_an_admin_of_both_uses_one_organization_s_idempotency_key_in_the_other');
rollback to s;
select is(pg_temp.manage_server('ann', 'restart', 'files', '{"idempotency_key": "again"}'), 'WR005',
  'a request with an idempotency key is refused by the server''s state');
select is(pg_temp.as_user('owner', $$select count(*) from weir.idempotency_keys where key = 'again'$$), '0',
  'the idempotency key of a refused request is not kept');
select is(pg_temp.manage_server('ann', 'stop', 'files', '{"idempotency_key": "x", "name": "y"}'), 'WR001',
  'M11_a_stop_with_a_configuration_is_refused');
select is(pg_temp.manage_server('mia', 'stop', 'files', '{"idempotency_key": "s"}'), 'WR003',
  'M13_an_idempotency_key_gives_no_answer_to_a_caller_who_may_not_ask');

-- Delete
select pg_temp.claim_operations(), weir.record_instance_state(pg_temp.id_of('files'), 9, 'stopped', null, null),
  pg_temp.record_operation('files', 'stop', 'done') \g /dev/null
select pg_temp.create_as('asked', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"*": {}}}')$$) \g /dev/null
select is(pg_temp.manage_server('ann', 'delete', 'files', '{"idempotency_key": "d"}'), 'ok', 'M21_an_owner_deletes_a_server');
select is(pg_temp.manage_server('ann', 'delete', 'files', '{"idempotency_key": "d"}'), 'ok',
  'M13_the_same_deletion_with_its_idempotency_key_is_accepted');
select is(pg_temp.server_status('files'), 'deleting 11', 'M21_a_server_that_is_being_deleted_has_the_status_deleting');
select is(pg_temp.as_user('owner',
  $$select concat_ws(' ', count(*), bool_and(revoked_at is not null), bool_and(revoked_by = {ann})) from agent_mcp_permissions
  where mcp_server_instance_id = {files}$$), '1 t t', 'M21_the_grants_of_a_server_that_is_being_deleted_are_revoked');
select is(pg_temp.as_user('owner', 'select status from permission_requests where id = {asked}'), 'refused',
  'M21_open_requests_for_a_server_that_is_being_deleted_are_refused');
select is(pg_temp.manage_server('ann', 'create', null, '{"instance_name": "files", "url": "https://n.example"}'), 'ok',
  'M21_the_name_of_a_server_that_is_being_deleted_is_free');
select is(pg_temp.manage_server('ann', a, 'files', case a when 'update' then '{"priority": 1}' end),
  case a when 'update' then 'WR004' else 'WR005' end,
  format('M21_a_server_that_is_being_deleted_refuses_%s', a)) from unnest(array['update', 'start', 'stop', 'restart', 'delete']) a;
select is((select concat_ws(' ', c.action, c.node_id = pg_temp.id_of('node'))
  from weir.claim_operations('01900000-0000-7000-8000-000000000002', 9, '1 minute') c
  where c.instance_id = pg_temp.id_of('files')), 'delete t', 'M21_the_node_that_has_the_files_of_a_stopped_server_is_asked_to_delete_them');
select is(pg_temp.record_operation('files', 'delete', 'failed', 'not_supported'), true, 'a worker records that a node refused a deletion');
select is(pg_temp.server_status('files'), 'deleting 11 not_supported', 'M9_a_server_whose_node_refused_the_deletion_is_not_deleted');
select is(pg_temp.manage_server('ann', 'delete', 'files'), 'ok', 'a deletion that a node refused is requested again');
select is(pg_temp.claim_operations(), 'delete files 12 1.0.0 /data', 'M7_a_second_deletion_is_an_operation_of_a_new_generation');
select is(pg_temp.record_operation('files', 'delete', 'done'), true, 'M21_a_worker_records_that_a_deletion_is_done');
select is((select row(status, node_id, last_node_id, configuration)::text from mcp_server_instances where id = pg_temp.id_of('files')),
  '(deleted,,,{})',
  'M21_a_deleted_server_is_a_tombstone_without_node_and_configuration');
select is(pg_temp.manage_server('ann', 'delete', 'files'), 'WR004', 'M21_a_deleted_server_is_not_found_for_a_deletion');
select is(pg_temp.error_as('ann', $$select grant_mcp_access({robo}, {files}, '{}')$$), 'WR004',
  'M21_a_deleted_server_is_not_found_for_a_grant');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where instance_id = {files} and item = 'delete' and user_id = {ann}
  and decision = 'allowed'$$), '2', 'M18_the_audit_log_says_who_deleted_a_server');
select isnt(pg_temp.as_user('owner', $$select count(*) from agent_mcp_permissions where mcp_server_instance_id = {files}$$), '0',
  'M21_the_grants_of_a_deleted_server_are_kept_as_history');
select pg_temp.create_as('fresh', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "fresh", "catalog": "test-files", "configuration": {"directory": "/d"}}')$$)
\g /dev/null
select is(pg_temp.manage_server('ann', 'delete', 'fresh'), 'ok', 'M21_a_server_that_was_never_deployed_is_deleted');
select pg_temp.claim_operations() \g /dev/null
select is(pg_temp.server_status('fresh'), 'deleted 2', 'M21_a_deletion_of_a_server_that_was_never_deployed_asks_no_node');

-- By the server's id alone
select pg_temp.create_as('api', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "api", "url": "https://api.example"}')$$)
  \g /dev/null
select is(pg_temp.error_as('ann', format($$select call_dtma_api('%s')$$, r)), 'WR001', 'D2_call_dtma_api_refuses ' || left(r, 60))
from unnest(array['null', '[]', '{}', '{"action": "deploy"}',
  '{"action": "update", "server_instance_id": "01900000-0000-7000-8000-00000000dead"}',
  '{"action": "deploy", "server_instance_id": "x"}', '{"action": "deploy", "server_instance_id": null}',
  '{"action": "deploy", "server_instance_id": "01900000-0000-7000-8000-00000000dead", "url": "http://169.254.169.254"}']) r;
select is(pg_temp.error_as(w, format($$select call_dtma_api('{"action": "deploy", "server_instance_id": "%s"}')$$, pg_temp.id_of('api'))),
  r,
  'D1_call_dtma_api_deploys_only_for_admins: ' || w)
    from (values ('mia', 'WR003'), ('bob', 'WR004'), ('sam', 'WR004'), ('ann', 'ok')) t(w, r);
select * from finish();
rollback;
