-- A node that knows more than the database, because the database was put back to an earlier time, or less, because the node was.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(44);

create function pg_temp.server_report(p_generation numeric, p_state text default 'running', p_id text default pg_temp.id_of('files')::text) returns jsonb
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
select is(pg_temp.server_status(), 'running 2', 'it runs');
savepoint s;
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status(), 'updating 8', 'a node that is ahead is told what is wanted, above what it knows');
select is(pg_temp.open_operations(), 'update 8', 'by an operation');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.open_operations(), 'update 8', 'once');
select pg_temp.send_heartbeat(pg_temp.server_report(8)) \g /dev/null
select is(pg_temp.server_status(), 'running 8', 'and then it runs');
select is((select row(item, detail)::text from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and detail like 'its node%'),
  '(updating,"its node knows generation 7, the database 2")', 'the record says why');
rollback to s;
select pg_temp.send_heartbeat(pg_temp.server_report(7, 'stopped')) \g /dev/null
select is(pg_temp.server_status(), 'updating 8', 'what was stopped after the backup is to run again');
rollback to s;
update mcp_server_instances set status = 'stopping' where id = pg_temp.id_of('files');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'stopping 8: stop 8', 'what was to stop is still to stop');
rollback to s;
update mcp_server_instances set status = 'failed', last_error_code = 'x' where id = pg_temp.id_of('files');
select pg_temp.send_heartbeat(pg_temp.server_report(7)) \g /dev/null
select is(pg_temp.server_status(), 'updating 8', 'what had failed is tried with what is wanted now');
rollback to s;
select is(pg_temp.send_heartbeat(pg_temp.server_report(n)), 0, 'a generation that no node can have seen changes nothing: ' || n)
from unnest(array[1, 9223372036854775807, 1e30, -5]::numeric[]) n;
select is(pg_temp.server_status(), 'running 2', 'nothing');
select is(pg_temp.send_heartbeat('[{"id": "x", "generation": [1]}, 7, {"id": 5, "generation": "9"}]'), 0, 'nor does nonsense, which reports nothing of it');
rollback to s;
select weir.issue_node_token('second', 'far', sha256('second'), now() + interval '1 hour') \g /dev/null
select weir.register_node(sha256('second'), sha256('second key'), 'http://127.0.0.1:8', '\x00', 1, 'user', array['process']) \g /dev/null
select pg_temp.send_heartbeat(pg_temp.server_report(7), 'second key') \g /dev/null
select is(pg_temp.server_status(), 'running 2', 'D2_a_node_speaks_only_of_what_is_placed_on_it');
select is(weir.not_placed(sha256('second key'), pg_temp.server_report(7)), jsonb_build_array(jsonb_build_object('id', pg_temp.id_of('files'), 'generation', 7)),
  'and is told to end what is placed elsewhere');
select is(weir.not_placed(sha256('node key'), pg_temp.server_report(7)), '[]', 'not so the node where it is placed');
select is(weir.not_placed(sha256('node key'), pg_temp.server_report(1, 'running', gen_random_uuid()::text)) -> 0 ->> 'generation', '1', 'nor what the database does not know');
select is(weir.not_placed(sha256('second key'), pg_temp.server_report(7, 'stopped')), '[]', 'what is stopped may stay');
select is(weir.not_placed(sha256('nobody'), pg_temp.server_report(7)) || weir.not_placed(sha256('node key'), '{"x": 1}')
  || weir.not_placed(sha256('node key'), '[1, null, {"id": {}, "state": "running"}]'), '[]', 'nonsense is nothing');
rollback to s;

-- Behind
select pg_temp.send_heartbeat('[]') \g /dev/null
select is(pg_temp.server_status(), 'degraded 2 not_running', 'what a node does not have does not run');
savepoint missing;
select pg_temp.send_heartbeat(pg_temp.server_report(2)) \g /dev/null
select is(pg_temp.server_status(), 'running 2', 'unless its next report has it');
rollback to missing;
select pg_temp.send_heartbeat('[]') \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'updating 3: update 3', 'or it is started there again');

-- What the worker hears
select is(weir.overtake_generation(pg_temp.id_of('files'), 2, 9), false, 'a refusal of something older says nothing');
select is(weir.overtake_generation(pg_temp.id_of('files'), 3, 9), false, 'nor is anything said anew twice in a minute');
select pg_temp.age_last_reassertion() \g /dev/null
select is(weir.overtake_generation(pg_temp.id_of('files'), 3, g), false, 'nor to a node that knows nothing later: ' || g) from unnest(array[3, 2, -9223372036854775808]) g;
select is(weir.overtake_generation(pg_temp.id_of('files'), 3, 9), true, 'a node that refuses what is older than what it knows');
rollback to s;

-- A node that is confused, or lies
create function pg_temp.count_reassertions() returns bigint language sql as $$
  select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and detail like 'its node%';
$$;
select pg_temp.send_heartbeat(pg_temp.server_report(2 + n)) from generate_series(1, 50) n \g /dev/null
select is(pg_temp.count_reassertions(), 1::bigint, 'a node that is ahead with each heartbeat is answered once in a minute');
select pg_temp.age_last_reassertion(), pg_temp.send_heartbeat(pg_temp.server_report(60)) \g /dev/null
select is(pg_temp.server_status() || ' ' || pg_temp.count_reassertions(), 'updating 61 2', 'and after it again, so that an honest one is never lost');
rollback to s;
select is(pg_temp.send_heartbeat(pg_temp.server_report(1000003)), 0, 'more than a million ahead is not believed');
select is(pg_temp.server_status(), 'degraded 2 generation_refused', 'it is the last error of what ran');
select is(last_error, 'its node says that it knows generation 1000003, the database has 2: more than 1000000 ahead is not believed; delete the instance at the node',
  'which says what to do') from mcp_server_instances where id = pg_temp.id_of('files');
create temporary table row_of_before on commit drop as select i.ctid::text as place, i.updated_at from mcp_server_instances i where id = pg_temp.id_of('files');
select pg_temp.send_heartbeat(pg_temp.server_report(n)) from unnest(array[1000003, 4503599627370496, 9007199254740993]::numeric[]) n \g /dev/null
select is((select row(i.ctid::text, i.updated_at)::text from mcp_server_instances i where id = pg_temp.id_of('files')), (select row(b.*)::text from row_of_before b), 'written once');
select is((select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and detail = 'generation_refused'), 1::bigint, 'and recorded once');
select is(pg_temp.open_operations(), null, 'nothing is asked of the node');
savepoint refused;
select pg_temp.send_heartbeat(pg_temp.server_report(2)) \g /dev/null
select is(pg_temp.server_status(), 'running 2', 'an honest report ends it');
rollback to refused;
select pg_temp.send_heartbeat(pg_temp.server_report(1000002)) \g /dev/null
select is(pg_temp.server_status() || ': ' || pg_temp.open_operations(), 'updating 1000003: update 1000003', 'as does one that is ahead by what may be');
rollback to s;

-- A database that was restored asks nothing of a node before the node has spoken to it: it may be a copy, beside the original.
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select weir.begin_epoch('a drill', false) \g /dev/null
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 0::bigint, 'what is asked of a node waits for its heartbeat');
select is((select string_agg(name || ' ' || coalesce(api_url, 'nowhere') || ' ' || online, ',') from weir.node_connections()), 'node-of-the-test nowhere false', 'nobody knows where it is');
select is((select endpoint_url from weir.instance_endpoints(array(select id from mcp_server_instances))), null, 'nor where its servers are');
select weir.node_heartbeat(sha256('node key'), 'http://127.0.0.1:9', '{}', pg_temp.server_report(3)) \g /dev/null
select is((select action || ' ' || node_api_url from weir.claim_operations(gen_random_uuid(), 10, '1 minute')), 'stop http://127.0.0.1:9', 'with that it goes on');
select * from finish();
rollback;
