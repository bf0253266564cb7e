-- Nodes, deployments and what nodes report.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(79);

-- Joining
select is(weir.register_node(sha256('token'), sha256('x'), 'http://127.0.0.1:1', '\x00', 1, 'user', '{}'), null,
  'D2_a_token_is_used_once');
select weir.issue_node_token('late', 'test', sha256('late'), now() - interval '1 second') \g /dev/null
select is(weir.register_node(sha256('late'), sha256('x'), 'http://127.0.0.1:1', '\x00', 1, 'user', '{}'), null,
  'a token expires');
select is(weir.issue_node_token('late', 'test', sha256('l2'), now()), (select id from weir.dtma_nodes where name = 'late'), 'who has not registered gets another token, and keeps the id');
select is((select token_hash from weir.dtma_nodes where name = 'late'), sha256('l2'), 'and only the newest is good');
select throws_ok($$select weir.issue_node_token('', 'test', sha256('l3'), now())$$, 'WR001', null, 'a node has a name');
select is(weir.node_heartbeat(sha256('nobody'), null, '{}', '[]'), null, 'F08_an_unknown_node_does_not_speak_and_nothing_raises');
select is((select string_agg(name || ' ' || online, ',') from weir.node_connections()), 'node-of-the-test true',
  'a node is known once it has registered');

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
select is(pg_temp.report_state('files', 'degraded', 2), 1, 'D7_a_report_is_applied');
select is(pg_temp.server_status('files'), 'degraded degraded', 'D7_to_the_state');
select is(pg_temp.report_state('files', 'running', 2), 1, 'D7_and_back');
select is(pg_temp.server_status('files'), 'running', 'M8_an_error_is_over_when_it_runs');
select is(pg_temp.report_state('files', 'running', 2), 0, 'a report that says nothing new changes nothing');
select is(pg_temp.report_state('files', 'failed', 1), 0, 'M13_a_report_of_an_older_generation_is_ignored');
select is(pg_temp.report_state('files', 'banana', 2), 0, 'M16_an_unknown_state_is_ignored');
select is(weir.node_heartbeat(sha256('node key'), null, '{}', '[{"id": "x", "generation": "y"}, 1, null, {}]'), 0, 'nonsense is ignored');
select is(weir.node_heartbeat(sha256('node key'), null, '{}', '"x"'), 0, 'as is no list');
select is(pg_temp.report_state('files', 'stopped', 2), 1, 'D7_what_stopped_by_itself');
select is(pg_temp.server_status('files'), 'degraded not_running', 'D7_is_degraded_and_not_stopped');
select is(pg_temp.report_state('files', 'failed', 2, p_code => 'exit_1'), 1, 'D7_a_failure');
select is(pg_temp.server_status('files'), 'failed exit_1', 'M16_says_why');
select is(pg_temp.report_state('files', 'running', 2), 1, 'the node''s own restart succeeded');
select is((select endpoint_url from weir.instances_to_refresh(gen_random_uuid(), 10, '1 minute', '0 seconds')),
  format('http://127.0.0.1:9/v1/servers/%s/mcp', pg_temp.id_of('files')), 'M8_an_endpoint_is_derived_and_never_lost');

-- The operations worker's way of saying it has the same rules
create function pg_temp.record_state(p_generation bigint, p_state text, p_instance text default 'files') returns boolean language sql as $$
  select weir.record_instance_state(case when p_instance is not null then pg_temp.id_of(p_instance) end, p_generation, p_state,
    case when p_state = 'failed' then 'exit_1' end, 'because');
$$;
select is(pg_temp.record_state(g, s), false, format('M13_a_worker_says_nothing_of_another_generation: %s of %s', s, coalesce(g::text, 'none')))
from (values (1::bigint), (3), (0), (null)) g(g), unnest(array['failed', 'degraded', 'stopped']) s;
select is(pg_temp.record_state(2, s), false, 'M13_nor_a_state_that_no_move_leads_to: ' || coalesce(s, 'none'))
from unnest(array['starting', 'deploying', 'stopping', 'deleted', 'banana', null]) s;
select is(pg_temp.record_state(2, 'failed', null), false, 'M10_nor_of_no_instance');
select is(weir.record_instance_state(gen_random_uuid(), 1, 'failed', 'x', 'x'), false, 'M10_nor_of_one_that_is_not_there');
select is((select row(status, last_error_code, last_error, generation)::text from mcp_server_instances where id = pg_temp.id_of('files')),
  '(running,,,2)', 'M13_and_nothing_of_the_instance_has_changed');
select is(pg_temp.record_state(2, 'degraded'), true, 'of the instance''s own generation it does');
select is(pg_temp.server_status('files'), 'degraded degraded', 'and that is its state');
select is(pg_temp.record_state(2, 'running'), true, 'and back');
select is(pg_temp.as_user('ann', $$select weir.record_instance_state({files}, 2, 'failed', 'x', 'x')$$), '42501', 'M5_no_person_says_it');

-- Another node
select weir.issue_node_token('second', 'far', sha256('second'), now() + interval '1 hour') \g /dev/null
select weir.register_node(sha256('second'), sha256('second key'), 'http://127.0.0.1:8', '\x00', 1, 'none', array['process']) \g /dev/null
select is(pg_temp.report_state('files', 'failed', 2, 'second key'), 0, 'D2_a_node_speaks_of_its_own_instances_only');

-- Stopping
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.report_state('files', 'running', 3), 0, 'M9_what_is_to_stop_and_still_runs_is_not_running');
select is(pg_temp.server_status('files'), 'stopping', 'M9_and_not_stopped');
select is((select action || ' ' || generation from weir.claim_operations('01900000-0000-7000-8000-000000000002', 10, '1 minute')),
  'stop 3', 'a worker claims the operation');
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint, 'M13_and_no_other_does');
select is(weir.record_operation(o.id, gen_random_uuid(), 'done', null, null, null), false,
  'M13_only_who_claimed_it_may_say_what_became_of_it')
from weir.dtma_operations o where o.generation = 3 and o.instance_id = pg_temp.id_of('files');
select is(weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', 'retry', 'timeout', null, now()), true,
  'D5_a_failed_attempt_is_tried_again')
from weir.dtma_operations o where o.generation = 3 and o.instance_id = pg_temp.id_of('files');
select is((select attempt from weir.claim_operations('01900000-0000-7000-8000-000000000002', 10, '1 minute')), 2, 'D5_and_counted');
select is(weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', 'done', null, null, null), true, 'it is done')
from weir.dtma_operations o where o.generation = 3 and o.instance_id = pg_temp.id_of('files');
select is(pg_temp.server_status('files'), 'stopping', 'M9_done_is_not_yet_stopped');
select is(pg_temp.report_state('files', 'stopped', 3), 1, 'M9_the_node_confirms');
select is(pg_temp.server_status('files'), 'stopped', 'M9_and_then_it_is_stopped');

-- Placement: only the second node is there, which has no isolation
update weir.dtma_nodes set is_online = false where name = 'node-of-the-test';
select pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$) \g /dev/null
select is((select node_api_url || ' ' || package_version || ' ' || bin || ' ' || (configuration ->> 'directory')
  from weir.claim_operations('01900000-0000-7000-8000-000000000002', 10, '1 minute')),
  'http://127.0.0.1:8 1.0.0 files /data', 'M19_D2_a_deployment_is_placed_and_has_all_that_the_node_needs');
select is(weir.record_operation(o.id, '01900000-0000-7000-8000-000000000002', 'failed', 'install_failed', 'no such package', null),
  true, 'D5_a_deployment_that_failed')
from weir.dtma_operations o where o.generation = 4 and o.instance_id = pg_temp.id_of('files');
select is(pg_temp.server_status('files'), 'failed install_failed', 'M16_shows_in_the_instance');
select is(weir.sweep_nodes('0 seconds'), 1, 'D7_a_silent_node_is_offline');
-- it serves a now
select weir.node_heartbeat(sha256('second key'), null, '{}', '[]') \g /dev/null
select pg_temp.create_as('bfiles', 'bob',
  $$select manage_mcp_servers('create', {b}, '{"name": "files", "catalog": "test-files", "configuration": {"directory": "/data"}}')$$),
       pg_temp.as_user('bob', $$select manage_mcp_servers('deploy', {b}, null, {bfiles})$$) \g /dev/null
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint,
  'a node without isolation serves one organization only');
select is(pg_temp.server_status('bfiles'), 'deploying no_node', 'and the instance says what it waits for');
select pg_temp.as_user('bob', $$select manage_mcp_servers('stop', {b}, null, {bfiles})$$) \g /dev/null
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint,
  'what was never placed needs no node to stop');
select is(pg_temp.server_status('bfiles'), 'stopped', 'it is stopped');
select is((select string_agg(outcome, ',' order by generation) from weir.dtma_operations where instance_id = pg_temp.id_of('bfiles')),
  'superseded,done', 'D5_and_the_deployment_is_superseded');

-- Deleted: a tombstone that nothing finds, and whose history stays
savepoint s;
update mcp_server_instances set status = 'failed', last_error_code = 'x' where id = pg_temp.id_of('files') and status <> 'failed';
update mcp_server_instances set status = 'deleting' where id = pg_temp.id_of('files');
select is(pg_temp.admit_call('list_directory'), 'instance_unknown', 'M21_what_is_being_deleted_is_not_called');
select is(pg_temp.report_state('files', 'running', 4, 'second key'), 0, 'M21_nor_brought_back_by_its_node');
update mcp_server_instances set status = 'deleted' where id = pg_temp.id_of('files');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$), 'WR004', 'M21_nor_by_a_person_when_it_is');
select is(pg_temp.as_user('ann', $$select count(*) from get_organization_mcp_configs({a})$$), '0', 'M21_it_is_in_no_list');
select is(pg_temp.error_as('ann',
  $$select manage_mcp_servers('create', {a}, '{"name": "files", "url": "https://x.example/mcp"}')$$), 'ok', 'M21_its_name_is_free');
select isnt_empty(pg_temp.with_ids($$select * from mcp_interaction_logs where instance_id = {files} and item = 'stop'$$),
  'M21_and_its_history_stays');
rollback to s;

-- The state machine, for whoever writes
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set organization_id = {a} where id = {spy}$$), 'WR005', null,
  'M2_an_instance_stays_in_its_organization');
-- and the page that shows it, found from wherever the tests are run
create temporary table page (line text);
\set page `cat docs/nodes.md 2>/dev/null || cat ../docs/nodes.md 2>/dev/null || cat ../../docs/nodes.md`
insert into page select regexp_split_to_table(:'page', '\n');
select set_eq($$
  select m[1], t[1] from page, regexp_match(line, '^\| `([a-z]+)` \| ((?:`[a-z]+`(?:, )?)+) \|$') m, regexp_matches(m[2], '`([a-z]+)`', 'g') t$$,
  $$select from_status, to_status from weir.instance_moves$$, 'M16_the_page_shows_the_moves_that_there_are');
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set status = 'running' where id = {bfiles}$$), 'WR005', null,
  'M13_no_move_that_is_not_in_the_table');
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set status = 'banana' where id = {bfiles}$$), 'WR005', null,
  'M16_nor_to_an_unknown_state');
select throws_ok(pg_temp.with_ids($$update mcp_server_instances set organization_id = {a} where id = {bfiles}$$), 'WR005', null,
  'an instance stays in its organization');
select * from finish();
rollback;
