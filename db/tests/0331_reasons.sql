-- Why a server does not run, and the progress of a deployment: what is stored, and who reads it.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.report(p_instance text, p_state text, p_code text default null, p_error text default null,
  p_phase text default null) returns integer language sql as $$
  select weir.node_heartbeat(sha256('node key'), null, '{}', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
    'id', i.id, 'generation', i.generation, 'state', p_state, 'errorCode', p_code, 'error', p_error, 'phase', p_phase))))
  from mcp_server_instances i where i.id = pg_temp.id_of(p_instance);
$$;
create function pg_temp.reason_of(p_instance text) returns text language sql as $$
  select concat_ws(' ', i.status, i.phase, i.last_error_code, i.last_error) from mcp_server_instances i
  where i.id = pg_temp.id_of(p_instance);
$$;
create function pg_temp.last_event(p_instance text) returns text language sql as $$
  select l.detail from mcp_interaction_logs l where l.instance_id = pg_temp.id_of(p_instance) and l.kind = 'lifecycle'
  order by l.created_at desc, l.id desc limit 1;
$$;
create function pg_temp.finish(p_instance text, p_outcome text, p_code text, p_error text) returns boolean language sql as $$
  select weir.record_operation(c.operation_id, '01900000-0000-7000-8000-000000000002', p_outcome, p_code, p_error, now())
  from weir.claim_operations('01900000-0000-7000-8000-000000000002', 100, '1 minute') c where c.instance_id = pg_temp.id_of(p_instance);
$$;

-- Reports of a node
savepoint running;
select pg_temp.report('files', 'failed', 'package_not_found', 'The package registry has no left-behind@1.0.0.') \g /dev/null
select is(pg_temp.reason_of('files'), 'failed package_not_found The package registry has no left-behind@1.0.0.',
  'a failed server has its node''s code and sentence');
select is(pg_temp.last_event('files'), 'package_not_found: The package registry has no left-behind@1.0.0.',
  'the audit log has the code and the sentence of a failure');
rollback to running;
select pg_temp.report('files', 'failed', 'a_code_of_its_own') \g /dev/null
select is(pg_temp.reason_of('files'), 'failed failed ' || weir.failure_sentence('failed'), 'a code that Weir does not know becomes failed');
rollback to running;
select pg_temp.report('files', 'failed', 'child_exited', repeat('x', 5000)) \g /dev/null
select is((select length(last_error) from mcp_server_instances where id = pg_temp.id_of('files')), 2000,
  'a node''s sentence is cut to 2,000 characters');
select is(length(pg_temp.last_event('files')), 500, 'the audit log has at most 500 characters of a failure');
rollback to running;
select weir.sweep_nodes('-1 second') \g /dev/null
select is(pg_temp.reason_of('files'), 'degraded node_lost ' || weir.failure_sentence('node_lost'),
  'a reason without a sentence of its own has that of its code');
rollback to running;

-- Who reads it
select pg_temp.report('files', 'failed', 'child_exited', 'The server ended with exit code 7.') \g /dev/null
select is(pg_temp.as_user('mia', $$select last_error_code from mcp_server_instances where id = {files}$$), 'child_exited',
  'a member reads the code of a server''s error');
select is(pg_temp.as_user('adam', $$select last_error from mcp_server_instances where id = {files}$$), '42501',
  'M20_nobody_reads_the_column_of_a_server_s_error_directly');
select is(pg_temp.as_user(w, $$select count(*) from weir.failure_codes$$), '42501', format('M5_%s_does_not_read_the_table_of_codes', w))
from unnest(array['anon', 'service', 'mia']) w;

-- Progress
select pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.reason_of('files'), 'deploying', 'a deployment begins without a phase and without the earlier error');
select pg_temp.report('files', 'starting', p_phase => 'installing') \g /dev/null
select is(pg_temp.reason_of('files'), 'deploying installing', 'a node reports that it installs');
select is((select phase_since between clock_timestamp() - interval '1 minute' and clock_timestamp() from mcp_server_instances
           where id = pg_temp.id_of('files')), true, 'a phase has the time at which it was reported');
select is(pg_temp.as_user('vic', $$select phase from mcp_server_instances where id = {files} and phase_since is not null$$), 'installing',
  'a viewer reads the phase and since when');
create temporary table row_of_before on commit drop as
  select i.ctid::text as place, o.epoch from mcp_server_instances i, weir.installation o where i.id = pg_temp.id_of('files');
select pg_temp.report('files', 'starting', p_phase => 'installing') from generate_series(1, 5) \g /dev/null
select is((select ctid::text from mcp_server_instances where id = pg_temp.id_of('files')), (select place from row_of_before),
  'the same phase again does not write the server''s row');
select pg_temp.report('files', 'starting', p_phase => 'banana') \g /dev/null
select pg_temp.report('files', 'starting', p_phase => repeat('x', 100000)) \g /dev/null
select is(pg_temp.reason_of('files'), 'deploying installing', 'an unknown phase is ignored');
select pg_temp.report('files', 'starting', 'handshake_timed_out', 'The server did not answer initialize within 30 s.', 'handshake')
\g /dev/null
select is(pg_temp.reason_of('files'), 'deploying handshake handshake_timed_out The server did not answer initialize within 30 s.',
  'while a node retries, the instance has the error of its last attempt');
savepoint starting;
select pg_temp.report('files', 'running') \g /dev/null
select is(pg_temp.reason_of('files'), 'running', 'a server that runs has no phase and no error');
select is((select phase_since from mcp_server_instances where id = pg_temp.id_of('files')), null,
  'a server that runs has no time of a phase');
select pg_temp.report('files', 'starting', 'start_failed', 'no', 'starting') \g /dev/null
select is(pg_temp.reason_of('files'), 'running', 'M13_a_phase_of_a_server_that_runs_is_ignored');
rollback to starting;
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.reason_of('files'), 'stopping', 'a server that is stopped while it is deployed has no phase');
rollback to running;
select is(weir.record_phase(pg_temp.id_of('files'), 2, 'handshake'), false,
  'a worker''s phase of a server that is not deployed is ignored');
select is(weir.record_phase(null, null, null), false, 'a worker''s phase of null is ignored');
select is(pg_temp.as_user('ann', $$select weir.record_phase({files}, 2, 'handshake')$$), '42501', 'M5_a_person_records_no_phase');

-- A remote server
select pg_temp.create_as('remote', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "remote", "url": "https://r.example/mcp"}')$$),
       pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {remote})$$) \g /dev/null
select is(weir.record_phase(id, generation - 1, 'handshake'), false, 'M13_a_worker_s_phase_of_another_generation_is_ignored')
from mcp_server_instances where id = pg_temp.id_of('remote');
select is(weir.record_phase(id, generation, 'listing'), true, 'a worker reports its progress')
from mcp_server_instances where id = pg_temp.id_of('remote');
savepoint deploying;
select is(pg_temp.finish('remote', 'retry', 'connection_refused', 'Nobody listens.'), true, 'a worker tries again');
select is(pg_temp.reason_of('remote'), 'deploying listing connection_refused Nobody listens.',
  'a remote server that is retried has its error');
select is(pg_temp.last_event('remote'), 'connection_refused: Nobody listens.', 'the audit log has the reason of an attempt');
rollback to deploying;
select pg_temp.finish('remote', 'failed', 'address_not_allowed', 'It is private.') \g /dev/null
select is(pg_temp.reason_of('remote'), 'failed address_not_allowed It is private.',
  'a server that Weir refuses to connect to while it is deployed is failed');
rollback to deploying;
select weir.record_instance_state(id, generation, 'running', null, null) from mcp_server_instances where id = pg_temp.id_of('remote')
\g /dev/null
select pg_temp.finish('remote', 'done', null, null) \g /dev/null
select pg_temp.as_user('ann', $$select manage_mcp_servers('restart', {a}, null, {remote})$$) \g /dev/null
select pg_temp.finish('remote', 'failed', 'address_not_allowed', 'It is private.') \g /dev/null
select is(pg_temp.reason_of('remote'), 'degraded address_not_allowed It is private.',
  'a server that ran and that Weir refuses to connect to is degraded with the reason');

select * from finish();
rollback;
