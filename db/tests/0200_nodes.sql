-- Nodes, deployments and the reports of nodes.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(79);

-- Registration
select is(weir.register_node(sha256('token'), sha256('x'), 'http://127.0.0.1:1', '\x00', 1, 'user', '{}'), null,
  'D2_a_node_s_token_is_used_once');
select weir.issue_node_token('late', 'test', sha256('late'), now() - interval '1 second') \g /dev/null
select is(weir.register_node(sha256('late'), sha256('x'), 'http://127.0.0.1:1', '\x00', 1, 'user', '{}'), null,
  'a node does not register with an expired token');
select is(weir.issue_node_token('late', 'test', sha256('l2'), now()), (select id from weir.dtma_nodes where name = 'late'),
  'a node that has not registered gets another token and keeps its id');
select is((select token_hash from weir.dtma_nodes where name = 'late'), sha256('l2'), 'only the newest token of a node is valid');
select throws_ok($$select weir.issue_node_token('', 'test', sha256('l3'), now())$$, 'WR001', null, 'a node without a name gets no token');
select is(weir.node_heartbeat(sha256('nobody'), null, '{}', '[]'), null,
  'F08_a_heartbeat_of_an_unknown_node_is_answered_with_null_and_nothing_raises');
select is((select string_agg(name || ' ' || online, ',') from weir.node_connections()), 'node-of-the-test true',
  'only a node that has registered is among the connections');

-- A report: {id, generation, state}
create function pg_temp.report_state(p_instance text, p_state text, p_generation bigint, p_key text default 'node key',
  p_code text default null) returns integer language sql as $$
  select weir.node_heartbeat(sha256(convert_to(p_key, 'UTF8')), null, '{}', jsonb_build_array(
    jsonb_build_object('id', pg_temp.id_of(p_instance), 'generation', p_generation, 'state', p_state, 'errorCode', p_code, 'error',
    'because')));
$$;
create function pg_temp.server_status(p_instance text) returns text language sql as $$
  select concat_ws(' ', i.status, i.last_error_code) from mcp_server_instances i where i.id = pg_temp.id_of(p_instance);
$$;
select is(pg_temp.report_state('files', 'degraded', 2), 1, 'D7_a_report_that_a_running_server_is_degraded_is_applied');
select is(pg_temp.server_status('files'), 'degraded degraded', 'D7_a_server_that_was_reported_degraded_is_degraded');
select is(pg_temp.report_state('files', 'running', 2), 1, 'D7_a_report_that_a_degraded_server_runs_is_applied');
select is(pg_temp.server_status('files'), 'running', 'M8_a_server_that_was_reported_running_has_no_error');
select is(pg_temp.report_state('files', 'running', 2), 0, 'a report of the state that a server has changes nothing');
select is(pg_temp.report_state('files', 'failed', 1), 0, 'M13_a_report_of_an_older_generation_is_ignored');
select is(pg_temp.report_state('files', 'banana', 2), 0, 'M16_an_unknown_state_is_ignored');
select is(weir.node_heartbeat(sha256('node key'), null, '{}', '[{"id": "x", "generation": "y"}, 1, null, {}]'), 0,
  'a heartbeat with malformed reports is ignored');
select is(weir.node_heartbeat(sha256('node key'), null, '{}', '"x"'), 0, 'a heartbeat whose reports are not an array is ignored');
select is(pg_temp.report_state('files', 'stopped', 2), 1, 'D7_a_report_that_a_running_server_stopped_by_itself_is_applied');
select is(pg_temp.server_status('files'), 'degraded not_running', 'D7_a_server_that_stopped_by_itself_is_degraded_and_not_stopped');
select is(pg_temp.report_state('files', 'failed', 2, p_code => 'child_exited'), 1, 'D7_a_report_that_a_server_failed_is_applied');
select is(pg_temp.server_status('files'), 'failed child_exited', 'M16_a_failed_server_has_the_code_of_its_error');
select is(pg_temp.report_state('files', 'running', 2), 1, 'a report that a failed server runs again is applied');
select is((select endpoint_url from weir.instances_to_refresh(gen_random_uuid(), 10, '1 minute', '0 seconds')),
  format('http://127.0.0.1:9/v1/servers/%s/mcp', pg_temp.id_of('files')), 'M8_an_endpoint_is_derived_from_the_node_s_address');

-- The worker that carries out operations reports a state under the same rules
create function pg_temp.record_state(p_generation bigint, p_state text, p_instance text default 'files') returns boolean language sql as $$
  select weir.record_instance_state(case when p_instance is not null then pg_temp.id_of(p_instance) end, p_generation, p_state,
    case when p_state = 'failed' then 'child_exited' end, 'because');
$$;
select is(pg_temp.record_state(g, s), false,
  format('M13_a_worker_s_state_of_another_generation_is_refused: %s of %s', s, coalesce(g::text, 'none')))
from (values (1::bigint), (3), (0), (null)) g(g), unnest(array['failed', 'degraded', 'stopped']) s;
select is(pg_temp.record_state(2, s), false, 'M13_a_worker_s_state_that_no_move_leads_to_is_refused: ' || coalesce(s, 'none'))
from unnest(array['starting', 'deploying', 'stopping', 'deleted', 'banana', null]) s;
select is(pg_temp.record_state(2, 'failed', null), false, 'M10_a_worker_s_state_of_a_null_instance_is_refused');
select is(weir.record_instance_state(gen_random_uuid(), 1, 'failed', 'x', 'x'), false,
  'M10_a_worker_s_state_of_an_instance_that_does_not_exist_is_refused');
select is((select row(status, last_error_code, last_error, generation)::text from mcp_server_instances where id = pg_temp.id_of('files')),
  '(running,,,2)', 'M13_refused_states_of_a_worker_change_nothing_of_the_instance');
select is(pg_temp.record_state(2, 'degraded'), true, 'a worker''s state of the instance''s own generation is recorded');
select is(pg_temp.server_status('files'), 'degraded degraded', 'an instance has the state that a worker recorded');
select is(pg_temp.record_state(2, 'running'), true, 'a worker records that a degraded instance runs again');
select is(pg_temp.as_user('ann', $$select weir.record_instance_state({files}, 2, 'failed', 'x', 'x')$$), '42501',
  'M5_a_person_does_not_execute_record_instance_state');

-- Another node
select weir.issue_node_token('second', 'far', sha256('second'), now() + interval '1 hour') \g /dev/null
select weir.register_node(sha256('second'), sha256('second key'), 'http://127.0.0.1:8', '\x00', 1, 'none', array['process']) \g /dev/null
select is(pg_temp.report_state('files', 'failed', 2, 'second key'), 0, 'D2_a_report_of_an_instance_on_another_node_is_ignored');

-- Stopping
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.report_state('files', 'running', 3), 0, 'M9_a_report_that_a_stopping_server_still_runs_changes_nothing');
select is(pg_temp.server_status('files'), 'stopping', 'M9_a_stopping_server_that_still_runs_is_stopping');
select is((select action || ' ' || generation from weir.claim_operations('01900000-0000-7000-8000-000000000002', 10, '1 minute')),
  'stop 3', 'a worker claims the operation of a stop');
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint,
  'M13_a_claimed_operation_is_claimed_by_no_other_worker');
select is(weir.record_operation(o.id, gen_random_uuid(), 'done', null, null, null), false,
  'M13_a_worker_records_no_outcome_of_an_operation_that_another_claimed')
from weir.dtma_operations o where o.generation = 3 and o.instance_id = pg_temp.id_of('files');
select is(weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', 'retry', 'timeout', null, now()), true,
  'D5_a_worker_records_that_an_operation_is_to_be_tried_again')
from weir.dtma_operations o where o.generation = 3 and o.instance_id = pg_temp.id_of('files');
select is((select attempt from weir.claim_operations('01900000-0000-7000-8000-000000000002', 10, '1 minute')), 2,
  'D5_the_second_attempt_of_an_operation_is_counted');
select is(weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', 'done', null, null, null), true,
  'a worker records that an operation is done')
from weir.dtma_operations o where o.generation = 3 and o.instance_id = pg_temp.id_of('files');
select is(pg_temp.server_status('files'), 'stopping', 'M9_a_server_whose_stop_was_sent_is_stopping');
select is(pg_temp.report_state('files', 'stopped', 3), 1, 'M9_a_report_that_a_stopping_server_stopped_is_applied');
select is(pg_temp.server_status('files'), 'stopped', 'M9_a_server_whose_stop_its_node_confirmed_is_stopped');

-- Placement: only the second node is online, which has no isolation
update weir.dtma_nodes set is_online = false where name = 'node-of-the-test';
select pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$) \g /dev/null
select is((select node_api_url || ' ' || package_version || ' ' || bin || ' ' || (configuration ->> 'directory')
  from weir.claim_operations('01900000-0000-7000-8000-000000000002', 10, '1 minute')),
  'http://127.0.0.1:8 1.0.0 files /data', 'M19_D2_a_deployment_is_placed_and_has_all_that_the_node_needs');
select is(weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', 'failed', 'package_install_failed', 'no such package', null),
  true, 'D5_a_worker_records_that_a_deployment_failed')
from weir.dtma_operations o where o.generation = 4 and o.instance_id = pg_temp.id_of('files');
select is(pg_temp.server_status('files'), 'failed package_install_failed',
  'M16_an_instance_whose_deployment_failed_has_the_code_of_the_error');
select is(weir.sweep_nodes('0 seconds'), 1, 'D7_a_silent_node_is_offline');
-- the second node now serves organization a
select weir.node_heartbeat(sha256('second key'), null, '{}', '[]') \g /dev/null
select pg_temp.create_as('bfiles', 'bob',
  $$select manage_mcp_servers('create', {b}, '{"instance_name": "files", "catalog": "test-files",
    "configuration": {"directory": "/data"}}')$$),
       pg_temp.as_user('bob', $$select manage_mcp_servers('deploy', {b}, null, {bfiles})$$) \g /dev/null
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint,
  'a node without isolation serves one organization only');
select is(pg_temp.server_status('bfiles'), 'deploying no_node', 'an instance that no node can run has the code no_node');
select pg_temp.as_user('bob', $$select manage_mcp_servers('stop', {b}, null, {bfiles})$$) \g /dev/null
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint,
  'an instance that was never placed needs no node to stop');
select is(pg_temp.server_status('bfiles'), 'stopped', 'an instance that was never placed is stopped by the stop itself');
select is((select string_agg(outcome, ',' order by generation) from weir.dtma_operations where instance_id = pg_temp.id_of('bfiles')),
  'superseded,done', 'D5_a_stop_supersedes_the_deployment_of_an_instance_that_was_never_placed');

-- Deleted: a row that no look-up finds, and whose history stays
savepoint s;
update mcp_server_instances set status = 'failed', last_error_code = 'failed' where id = pg_temp.id_of('files') and status <> 'failed';
update mcp_server_instances set status = 'deleting' where id = pg_temp.id_of('files');
select is(pg_temp.admit_call('list_directory'), 'instance_unknown', 'M21_a_call_to_a_server_that_is_being_deleted_is_denied');
select is(pg_temp.report_state('files', 'running', 4, 'second key'), 0, 'M21_a_report_that_a_server_runs_that_is_being_deleted_is_ignored');
update mcp_server_instances set status = 'deleted' where id = pg_temp.id_of('files');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$), 'WR004',
  'M21_a_deleted_server_is_not_found_for_a_deployment');
select is(pg_temp.as_user('ann', $$select count(*) from get_organization_mcp_configs({a})$$), '0',
  'M21_a_deleted_server_is_not_in_the_list_of_servers');
select is(pg_temp.error_as('ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "files", "url": "https://x.example/mcp"}')$$), 'ok',
    'M21_the_name_of_a_deleted_server_is_free');
select isnt_empty(pg_temp.with_ids($$select * from mcp_interaction_logs where instance_id = {files} and item = 'stop'$$),
  'M21_the_audit_log_of_a_deleted_server_stays');
rollback to s;

-- The state machine binds every writer
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set organization_id = {a} where id = {spy}$$), 'WR005', null,
  'M2_a_remote_server_is_not_moved_to_another_organization_by_direct_sql');
-- docs/nodes.md shows it. The tests run from several directories.
create temporary table page (line text);
\set page `cat docs/nodes.md 2>/dev/null || cat ../docs/nodes.md 2>/dev/null || cat ../../docs/nodes.md`
insert into page select regexp_split_to_table(:'page', '\n');
select set_eq($$
  select m[1], t[1] from page, regexp_match(line, '^\| `([a-z]+)` \| ((?:`[a-z]+`(?:, )?)+) \|$') m,
    regexp_matches(m[2], '`([a-z]+)`', 'g') t$$,
  $$select from_status, to_status from weir.instance_moves$$, 'M16_the_moves_of_a_server_s_state_are_those_in_docs_nodes_md');
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set status = 'running' where id = {bfiles}$$), 'WR005', null,
  'M13_a_move_that_is_not_in_the_table_is_refused_by_direct_sql');
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set status = 'banana' where id = {bfiles}$$), 'WR005', null,
  'M16_a_move_to_an_unknown_state_is_refused_by_direct_sql');
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set organization_id = {a} where id = {bfiles}$$), 'WR005', null,
  'a server on a node is not moved to another organization by direct SQL');
select * from finish();
rollback;
