-- A replica's reports of a node whose port it found closed.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(16);

create function pg_temp.server_status(p_instance text) returns text language sql as $$
  select concat_ws(' ', i.status, i.last_error_code) from mcp_server_instances i where i.id = pg_temp.id_of(p_instance);
$$;
create function pg_temp.report_closed(p_url text default 'http://127.0.0.1:9',
  p_ago interval default '0 seconds') returns boolean language sql as $$
  select weir.report_closed_node(pg_temp.id_of('node'), p_url, p_ago, '7 seconds');
$$;
create function pg_temp.send_heartbeat() returns integer language sql as $$
  select weir.node_heartbeat(sha256('node key'), null, '{}', jsonb_build_array(
    jsonb_build_object('id', pg_temp.id_of('files'), 'generation', 2, 'state', 'running')));
$$;
create function pg_temp.set_heartbeat_age(p_for interval) returns void language sql as $$
  update weir.dtma_nodes set heartbeat_at = clock_timestamp() - p_for where id = pg_temp.id_of('node');
$$;
select pg_temp.send_heartbeat() \g /dev/null
select is(pg_temp.server_status('files'), 'running', 'a server whose node sends heartbeats runs');

select is(pg_temp.report_closed(p_ago => '1 second'), false, 'a report by a replica that tried before the last heartbeat is ignored');
select is(pg_temp.report_closed('http://127.0.0.1:10'), false, 'a report about another address than the node''s is ignored');
select is(weir.report_closed_node(gen_random_uuid(), 'http://127.0.0.1:9', '0 seconds', '7 seconds'), false,
  'a report about a node that does not exist is ignored');
select is(weir.report_closed_node(null, null, null, null), false, 'a report of nulls is ignored');
select is(pg_temp.server_status('files'), 'running', 'a server still runs after ignored reports about its node');

select is(pg_temp.report_closed(), true, 'a report by a replica that tried after the last heartbeat is accepted');
select is(pg_temp.server_status('files'), 'degraded node_lost', 'a server on a node that was reported closed is lost');
select is(pg_temp.report_closed(), false, 'a second report about a closed node changes nothing');

select is(pg_temp.send_heartbeat(), 1, 'a heartbeat after a report that the node is closed is applied');
select is(pg_temp.server_status('files'), 'running', 'a server runs again after a heartbeat of its node');
select is(pg_temp.report_closed(), false, 'a report about a node that has sent a heartbeat after being reported is ignored');
select pg_temp.set_heartbeat_age('8 seconds') \g /dev/null
select is(pg_temp.report_closed(), true, 'a report about such a node is accepted once it has missed a heartbeat');
select pg_temp.send_heartbeat() \g /dev/null
update weir.dtma_nodes set closed_at = closed_at - interval '10 minutes' where id = pg_temp.id_of('node');
select is(pg_temp.report_closed(), true, 'a report about such a node is accepted ten minutes after the last one');
select is(pg_temp.server_status('files'), 'degraded node_lost', 'a server on a node that was reported closed again is lost');

select is(pg_temp.as_user('ann', $$select weir.report_closed_node({node}, 'http://127.0.0.1:9', '0 seconds', '7 seconds')$$), '42501',
  'a person does not execute report_closed_node');
select * from finish();
rollback;
