-- A node whose generations are ahead of the database's, because the database was restored, or behind them, because the node was.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(46);

create function pg_temp.server_report(p_generation numeric, p_state text default 'running',
  p_id text default pg_temp.id_of('files')::text) returns jsonb
language sql as $$
  select jsonb_build_array(jsonb_build_object('id', p_id, 'generation', p_generation, 'state', p_state));
$$;
create function pg_temp.send_heartbeat(p_servers jsonb, p_key text default 'node key') returns integer language sql as $$
  select weir.node_heartbeat(sha256(convert_to(p_key, 'UTF8')), null, '{}', p_servers);
$$;
create function pg_temp.server_status() returns text language sql as $$
  select concat_ws(' ', i.status, i.generation, i.last_error_code) from mcp_server_instances i where i.id = pg_temp.id_of('files');
$$;
create function pg_temp.open_operations() returns text language sql as $$
  select string_agg(o.action || ' ' || o.generation, ', ' order by o.generation) from weir.dtma_operations o
  where o.instance_id = pg_temp.id_of('files') and o.finished_at is null;
$$;
create function pg_temp.age_last_reassertion() returns void language sql as $$
  update mcp_server_instances set reasserted_at = reasserted_at - interval '1 minute' where id = pg_temp.id_of('files');
$$;
update weir.dtma_operations set finished_at = clock_timestamp(), outcome = 'done' where finished_at is null;

-- Ahead
select is(pg_temp.server_status(), 'running 2', 'a server whose node knows the database''s generation runs');
savepoint s;
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status(), 'updating 8', 'a server whose node is ahead is updated to a generation above the node''s');
select is(pg_temp.open_operations(), 'update 8', 'a server whose node is ahead gets one operation');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.open_operations(), 'update 8', 'a second report of a node that is ahead makes no second operation');
select pg_temp.send_heartbeat(pg_temp.server_report(8)) \g /dev/null
select is(pg_temp.server_status(), 'running 8', 'a server runs when its node reports the new generation');
select is((select row(item, detail)::text from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and detail like 'its node%'),
  '(updating,"its node reports generation 7, the database has 2")', 'the audit log says that the node was ahead');
rollback to s;
select pg_temp.send_heartbeat(pg_temp.server_report(7, 'stopped')) \g /dev/null
select is(pg_temp.server_status(), 'updating 8', 'a running server that its node reports as stopped and ahead is updated to run again');
rollback to s;
update mcp_server_instances set status = 'stopping' where id = pg_temp.id_of('files');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'stopping 8: stop 8',
  'a stopping server whose node is ahead must still stop');
rollback to s;
update mcp_server_instances set status = 'failed', last_error_code = 'failed' where id = pg_temp.id_of('files');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status(), 'updating 8', 'a failed server whose node is ahead is updated');
rollback to s;
update mcp_server_instances set status = 'failed', last_error_code = 'failed', platform_stopped_at = now()
  where id = pg_temp.id_of('files');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'stopping 8: stop 8',
  'a server that the platform has stopped is not started because its node is ahead');
rollback to s;
update organizations set deleted_at = now() where id = pg_temp.id_of('a');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'stopping 8: stop 8',
  'a server of a deleted organization is not started because its node is ahead');
rollback to s;
select is(pg_temp.send_heartbeat(pg_temp.server_report(n)), 0, 'a generation that no node can have seen changes nothing: ' || n)
from unnest(array[1, 9223372036854775807, 1e30, -5]::numeric[]) n;
select is(pg_temp.server_status(), 'running 2', 'a server still runs after reports of generations that no node can have seen');
select is(pg_temp.send_heartbeat('[{"id": "x", "generation": [1]}, 7, {"id": 5, "generation": "9"}]'), 0,
  'malformed reports of generations change nothing');
rollback to s;
select weir.issue_node_token('second', 'far', sha256('second'), now() + interval '1 hour') \g /dev/null
select weir.register_node(sha256('second'), sha256('second key'), 'http://127.0.0.1:8', '\x00', 1, 'user', array['process']) \g /dev/null
select pg_temp.send_heartbeat(pg_temp.server_report(7), 'second key') \g /dev/null
select is(pg_temp.server_status(), 'running 2', 'D2_a_report_by_a_node_that_is_ahead_of_an_instance_elsewhere_is_ignored');
select is(weir.not_placed(sha256('second key'), pg_temp.server_report(7)),
  jsonb_build_array(jsonb_build_object('id', pg_temp.id_of('files'), 'generation', 7)),
  'a node that reports an instance placed elsewhere must end it');
select is(weir.not_placed(sha256('node key'), pg_temp.server_report(7)), '[]',
  'a node that reports an instance placed on it need not end it');
select is(weir.not_placed(sha256('node key'), pg_temp.server_report(1, 'running', gen_random_uuid()::text)) -> 0 ->> 'generation', '1',
  'a node that reports an instance that the database does not know must end it');
select is(weir.not_placed(sha256('second key'), pg_temp.server_report(7, 'stopped')), '[]',
  'a node that reports a stopped instance placed elsewhere need not end it');
select is(weir.not_placed(sha256('nobody'), pg_temp.server_report(7)) || weir.not_placed(sha256('node key'), '{"x": 1}')
  || weir.not_placed(sha256('node key'), '[1, null, {"id": {}, "state": "running"}]'), '[]', 'malformed reports name no instance to end');
rollback to s;

-- Behind
select pg_temp.send_heartbeat('[]') \g /dev/null
select is(pg_temp.server_status(), 'degraded 2 not_running', 'a server that its node does not report is degraded');
savepoint missing;
select pg_temp.send_heartbeat(pg_temp.server_report(2)) \g /dev/null
select is(pg_temp.server_status(), 'running 2', 'a server that its node reports again runs');
rollback to missing;
select pg_temp.send_heartbeat('[]') \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'updating 3: update 3',
  'a server that its node does not report twice is started there again');

-- Refusals that the worker gets
select is(weir.overtake_generation(pg_temp.id_of('files'), 2, 9), false,
  'a node''s refusal of an older generation than the database''s is ignored');
select is(weir.overtake_generation(pg_temp.id_of('files'), 3, 9), false, 'a node''s refusal within a minute of the last update is ignored');
select pg_temp.age_last_reassertion() \g /dev/null
select is(weir.overtake_generation(pg_temp.id_of('files'), 3, g), false,
  'a node''s refusal with a generation that is not later is ignored: ' || g) from unnest(array[3, 2, -9223372036854775808]) g;
select is(weir.overtake_generation(pg_temp.id_of('files'), 3, 9), true, 'a node''s refusal with a later generation leads to an update');
rollback to s;

-- A node that is broken or malicious
create function pg_temp.count_reassertions() returns bigint language sql as $$
  select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and detail like 'its node%';
$$;
select pg_temp.send_heartbeat(pg_temp.server_report(2 + n)) from generate_series(1, 50) n \g /dev/null
select is(pg_temp.count_reassertions(), 1::bigint, 'a node that is ahead with each of fifty heartbeats gets one new generation a minute');
select pg_temp.age_last_reassertion(), pg_temp.send_heartbeat(pg_temp.server_report(60)) \g /dev/null
select is(pg_temp.server_status() || ' ' || pg_temp.count_reassertions(), 'updating 61 2',
  'a node that is still ahead after a minute gets another generation');
rollback to s;
select is(pg_temp.send_heartbeat(pg_temp.server_report(1000003)), 0, 'a report of more than a million generations ahead changes no state');
select is(pg_temp.server_status(), 'degraded 2 generation_refused',
  'a server whose node is more than a million generations ahead is degraded with its error');
select is(last_error, 'Its node reports generation 1000003, and the database has 2. '
  'A difference of more than 1000000 is refused: delete the instance at the node.',
  'the error of such a server says what to do') from mcp_server_instances where id = pg_temp.id_of('files');
create temporary table row_of_before on commit drop as select i.ctid::text as place,
  i.updated_at from mcp_server_instances i where id = pg_temp.id_of('files');
select pg_temp.send_heartbeat(pg_temp.server_report(n)) from unnest(array[1000003, 4503599627370496, 9007199254740993]::numeric[]) n
  \g /dev/null
select is((select row(i.ctid::text, i.updated_at)::text from mcp_server_instances i where id = pg_temp.id_of('files')),
  (select row(b.*)::text from row_of_before b), 'more such reports do not write the server''s row again');
select is((select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and detail like 'generation_refused: %'),
  1::bigint, 'such reports are in the audit log once');
select is(pg_temp.open_operations(), null, 'such reports lead to no operation');
savepoint refused;
select pg_temp.send_heartbeat(pg_temp.server_report(2)) \g /dev/null
select is(pg_temp.server_status(), 'running 2', 'a report of the database''s generation ends the error');
rollback to refused;
select pg_temp.send_heartbeat(pg_temp.server_report(1000002)) \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'updating 1000003: update 1000003',
  'a report of exactly a million generations ahead leads to an update');
rollback to s;

-- A restored database sends a node nothing before the node's first heartbeat: it may be a copy beside the original.
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select weir.begin_epoch('a drill', false) \g /dev/null
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint,
  'an operation waits for the node''s first heartbeat after a restore');
select is((select string_agg(name || ' ' || coalesce(api_url, 'nowhere') || ' ' || online, ',') from weir.node_connections()),
  'node-of-the-test nowhere false', 'a node has no address and is offline after a restore');
select is((select endpoint_url from weir.instance_endpoints(array(select id from mcp_server_instances))), null,
  'a server on a node has no endpoint after a restore');
select weir.node_heartbeat(sha256('node key'), 'http://127.0.0.1:9', '{}', pg_temp.server_report(3)) \g /dev/null
select is((select action || ' ' || node_api_url from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 'stop http://127.0.0.1:9',
  'an operation is claimed after the node''s first heartbeat');
select * from finish();
rollback;
