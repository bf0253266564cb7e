-- A node that knows more than the database, because the database was put back to an earlier time, or less, because the node was.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(27);

create function pg_temp.report(p_generation numeric, p_state text default 'running', p_id text default pg_temp.id('files')::text) returns jsonb
language sql as $$
  select jsonb_build_array(jsonb_build_object('id', p_id, 'generation', p_generation, 'state', p_state));
$$;
create function pg_temp.beat(p_servers jsonb, p_key text default 'node key') returns integer language sql as $$
  select weir.node_heartbeat(sha256(convert_to(p_key, 'UTF8')), null, '{}', p_servers);
$$;
create function pg_temp.status() returns text language sql as $$
  select concat_ws(' ', i.status, i.generation, i.last_error_code) from mcp_server_instances i where i.id = pg_temp.id('files');
$$;
create function pg_temp.open() returns text language sql as $$
  select string_agg(o.action || ' ' || o.generation, ', ' order by o.generation) from weir.dtma_operations o
  where o.instance_id = pg_temp.id('files') and o.finished_at is null;
$$;
update weir.dtma_operations set finished_at = clock_timestamp(), outcome = 'done' where finished_at is null;

-- Ahead
select is(pg_temp.status(), 'running 2', 'it runs');
savepoint s;
select pg_temp.beat(pg_temp.report(7)) \g /dev/null
select is(pg_temp.status(), 'updating 8', 'a node that is ahead is told what is wanted, above what it knows');
select is(pg_temp.open(), 'update 8', 'by an operation');
select pg_temp.beat(pg_temp.report(7)) \g /dev/null
select is(pg_temp.open(), 'update 8', 'once');
select pg_temp.beat(pg_temp.report(8)) \g /dev/null
select is(pg_temp.status(), 'running 8', 'and then it runs');
select is((select row(item, detail)::text from mcp_interaction_logs where instance_id = pg_temp.id('files') and detail like 'its node%'),
  '(updating,"its node knows generation 7, the database 2")', 'the record says why');
rollback to s;
select pg_temp.beat(pg_temp.report(7, 'stopped')) \g /dev/null
select is(pg_temp.status(), 'updating 8', 'what was stopped after the backup is to run again');
rollback to s;
update mcp_server_instances set status = 'stopping' where id = pg_temp.id('files');
select pg_temp.beat(pg_temp.report(7)) \g /dev/null
select is(pg_temp.status() || ': ' || pg_temp.open(), 'stopping 8: stop 8', 'what was to stop is still to stop');
rollback to s;
update mcp_server_instances set status = 'failed', last_error_code = 'x' where id = pg_temp.id('files');
select pg_temp.beat(pg_temp.report(7)) \g /dev/null
select is(pg_temp.status(), 'updating 8', 'what had failed is tried with what is wanted now');
rollback to s;
select is(pg_temp.beat(pg_temp.report(n)), 0, 'a generation that no node can have seen changes nothing: ' || n)
from unnest(array[1, 9007199254740993, 9223372036854775807, 1e30, -5]::numeric[]) n;
select is(pg_temp.status(), 'running 2', 'nothing');
select is(pg_temp.beat('[{"id": "x", "generation": [1]}, 7, {"id": 5, "generation": "9"}]'), 0, 'nor does nonsense, which reports nothing of it');
rollback to s;
select weir.issue_node_token('second', 'far', sha256('second'), now() + interval '1 hour') \g /dev/null
select weir.register_node(sha256('second'), sha256('second key'), 'http://127.0.0.1:8', '\x00', 1, 'user', array['process']) \g /dev/null
select pg_temp.beat(pg_temp.report(7), 'second key') \g /dev/null
select is(pg_temp.status(), 'running 2', 'D2_a_node_speaks_only_of_what_is_placed_on_it');
select is(weir.not_placed(sha256('second key'), pg_temp.report(7)), jsonb_build_array(jsonb_build_object('id', pg_temp.id('files'), 'generation', 7)),
  'and is told to end what is placed elsewhere');
select is(weir.not_placed(sha256('node key'), pg_temp.report(7)), '[]', 'not so the node where it is placed');
select is(weir.not_placed(sha256('node key'), pg_temp.report(1, 'running', gen_random_uuid()::text)) -> 0 ->> 'generation', '1', 'nor what the database does not know');
select is(weir.not_placed(sha256('second key'), pg_temp.report(7, 'stopped')), '[]', 'what is stopped may stay');
select is(weir.not_placed(sha256('nobody'), pg_temp.report(7)) || weir.not_placed(sha256('node key'), '{"x": 1}')
  || weir.not_placed(sha256('node key'), '[1, null, {"id": {}, "state": "running"}]'), '[]', 'nonsense is nothing');
rollback to s;

-- Behind
select pg_temp.beat('[]') \g /dev/null
select is(pg_temp.status(), 'degraded 2 not_running', 'what a node does not have does not run');
savepoint missing;
select pg_temp.beat(pg_temp.report(2)) \g /dev/null
select is(pg_temp.status(), 'running 2', 'unless its next report has it');
rollback to missing;
select pg_temp.beat('[]') \g /dev/null
select is(pg_temp.status() || ': ' || pg_temp.open(), 'updating 3: update 3', 'or it is started there again');

-- What the worker hears
select is(weir.overtake_generation(pg_temp.id('files'), 2, 9), false, 'a refusal of something older says nothing');
select is(weir.overtake_generation(pg_temp.id('files'), 3, 9), true, 'a node that refuses what is older than what it knows');
select * from finish();
rollback;
