-- A server's log: who may read it, and what a call in SQL returns.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.count_readings() returns bigint language sql as $$
  select count(*) from mcp_interaction_logs where item = 'get_mcp_server_logs' and kind = 'admin_read' and decision = 'allowed';
$$;
select pg_temp.create_as('remote', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "remote", "url": "https://r.example/mcp"}')$$) \g /dev/null

-- In plain SQL
select is(pg_temp.error_as(w, $$select get_mcp_server_logs({files})$$), r, format('M1_a_log_in_plain_SQL_is_%s_to_%s', r, w))
from (values ('ann', 'WR010'), ('adam', 'WR010'), ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'),
             ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select get_mcp_server_logs({files})$$), '42501', format('M5_%s_does_not_execute_get_mcp_server_logs', w))
from unnest(array['anon', 'service']) w;
select is(pg_temp.count_readings(), 0::bigint, 'a refused reading of a log is not recorded as a reading');
select is(pg_temp.as_user('ann', $$select count(*) from weir.server_log_source({files})$$), '42501',
  'M5_a_person_does_not_ask_where_a_log_is');

-- As Weir's process calls it
select set_config('weir.log_reader', 'on', true) \g /dev/null
select is(pg_temp.error_as(w, $$select get_mcp_server_logs({files})$$), r, format('M1_a_log_is_%s_to_%s', r, w))
from (values ('ann', 'ok'), ('adam', 'ok'), ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'),
             ('otto', 'WR004')) t(w, r);
select is(pg_temp.count_readings(), 2::bigint, 'each reading of a log is recorded');
select is(pg_temp.as_user('ann', $$select get_mcp_server_logs({files}, 5, '2026-11-30T00:00:00Z')$$)::jsonb ->> 'tail', '5',
  'a person who may read a log gets the arguments back');
select is(pg_temp.error_as('ann', format('select get_mcp_server_logs(%s)', a)), e, format('M10_get_mcp_server_logs(%s)', a))
from (values ('null', 'WR004'), ('{nobody}', 'WR004'), ('{spy}', 'WR004'), ('{files}, 0', 'WR001'), ('{files}, 1001', 'WR001'),
             ('{files}, null', 'WR001'), ('{files}, 1, ''infinity''', 'WR001'), ('{remote}', 'WR010')) t(a, e);

-- What is masked
select weir.publish_catalog_server(jsonb_build_object(
  'slug', 'masked', 'display_name', 'Masked', 'transport', 'stdio', 'package', '@example/masked', 'version', '1.0.0', 'bin', 'masked',
  'env', '{"TOKEN": "${config.token}"}'::jsonb,
  'configuration_schema', '{"type": "object", "properties": {"token": {"type": "string", "writeOnly": true},
                            "open": {"type": "string"}}}'::jsonb))
\g /dev/null
select pg_temp.create_as('masked', 'ann', $$select manage_mcp_servers('create', {a},
  '{"instance_name": "masked", "catalog": "masked", "configuration": {"token": "t0ken", "open": "o"}}')$$) \g /dev/null
select is((select row(organization_id, node_id, env ->> 'TOKEN', configuration ->> 'token',
                      configuration_schema #> '{properties,token,writeOnly}')::text
           from weir.server_log_source(pg_temp.id_of('masked'))),
  row(pg_temp.id_of('a'), null::uuid, '${config.token}', 't0ken', 'true'::jsonb)::text,
  'the process gets the values that must be removed from the lines');
select is((select node_id from weir.server_log_source(pg_temp.id_of('files'))),
  (select node_id from mcp_server_instances where id = pg_temp.id_of('files')), 'the process gets the node that has the lines');

select * from finish();
rollback;
