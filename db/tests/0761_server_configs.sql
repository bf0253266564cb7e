-- What get_organization_mcp_configs shows of a server, and to whom.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

select weir.set_setting('public_url', '"https://weir.example"'),
       pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}}')$$),
       pg_temp.as_user('ann', $$select manage_mcp_servers('create', {a},
         '{"instance_name": "far", "url": "https://u.example/secret/path", "timeout_ms": 9}')$$) \g /dev/null
update mcp_server_instances set status = 'running', first_running_at = now() where id = pg_temp.id_of('files');
-- As if the version had been published with it: a published version cannot be changed.
set local session_replication_role = replica;
update mcp_server_catalog set configuration_schema = '{"type": "object", "properties": {"directory": {"type": "string"},
  "depth": {"type": "integer"}, "token": {"type": "string", "writeOnly": true}, "nested": {"type": "object", "properties":
  {"open": {"type": "string"}, "shut": {"type": "string", "writeOnly": true}}}, "list": {"type": "array", "items": {"type": "object",
  "properties": {"shut": {"type": "string", "writeOnly": true}}}}}}';
set local session_replication_role = origin;
update mcp_server_instances set configuration = '{"directory": "/data", "token": "hidden-1", "nested": {"open": "x", "shut": "hidden-2"},
  "list": [{"shut": "hidden-3"}]}', capabilities = '{"tools": {"listChanged": true}}' where id = pg_temp.id_of('files');

-- A row, by the caller and the agent
create function pg_temp.config_of(p_actor text, p_agent text, p_server text, p_member text) returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select to_jsonb(c) -> %L from get_organization_mcp_configs({a}, %s) c where instance_name = %L',
    p_member, coalesce('{' || p_agent || '}', 'null'), p_server));
$$;
select is(pg_temp.config_of('mia', 'robo', 'files', 'configuration')::jsonb,
  '{"timeout_ms": null, "max_retries": 1, "retry_backoff_ms": 100, "priority": 100}',
  'G2_who_is_no_admin_sees_of_a_configuration_only_what_is_weir_s');
select is(pg_temp.config_of(w, 'robo', 'files', 'configuration')::jsonb,
  '{"timeout_ms": null, "max_retries": 1, "retry_backoff_ms": 100, "priority": 100, "directory": "/data", "nested": {"open": "x"},
    "list": [{}]}', format('G2_%s_sees_no_value_that_the_schema_marks_write_only', w))
from unnest(array['ann', 'adam']) w;
select is(pg_temp.config_of('ann', null, 'far', 'configuration')::jsonb,
  '{"timeout_ms": 9, "max_retries": 1, "retry_backoff_ms": 100, "priority": 100}', 'a remote server has Weir''s settings');
select is(pg_temp.config_of('mia', 'robo', 'files', 'endpoint_url')::jsonb #>> '{}',
  'https://weir.example/mcp/agents/' || pg_temp.id_of('robo') || '/files', 'with an agent the address is the agent''s');
select is(pg_temp.config_of('ann', null, s, 'endpoint_url')::jsonb #>> '{}', 'https://weir.example/mcp/' || s,
  'without an agent the address is the gateway''s for ' || s) from unnest(array['files', 'far']) s;
select is(pg_temp.as_user('ann', $$select count(*) from get_organization_mcp_configs({a}) c where c::text like '%u.example%'
  or c::text like '%hidden%'$$), '0', 'G2_no_row_holds_the_server_s_own_address_or_a_hidden_value');
select is(pg_temp.config_of('mia', 'robo', 'files', 'catalog_server')::jsonb - 'id',
  '{"slug": "test-files", "name": "test-files", "display_name": "Files", "description": "", "version": "1.0.0", "transport": "stdio",
    "docker_image": null, "capabilities": {"tools": {"listChanged": true}}, "state": "published", "block_reason": null}',
  'a catalog server says what it is and what the instance can do');
select is(pg_temp.config_of('ann', null, 'far', 'catalog_server')::jsonb,
  '{"id": null, "slug": null, "name": "far", "display_name": "far", "description": "", "version": null, "transport": "http",
    "docker_image": null, "capabilities": null, "state": null, "block_reason": null}',
  'of a remote server the catalog server is the instance');
select is(pg_temp.config_of(w, 'robo', 'files', 'has_agent_access'), 'true', format('%s sees that the agent has access', w))
from unnest(array['mia', 'ann']) w;
select is(pg_temp.config_of('ann', null, s, 'has_agent_access'), 'null', 'without an agent there is no answer about its access to ' || s)
from unnest(array['files', 'far']) s;
select is(pg_temp.as_user('bob', $$select capabilities::text from mcp_server_instances$$), '42501',
  'what an instance announced is read through its organization''s function only');

-- A version whose schema no longer marks a value does not show it
select weir.publish_catalog_server(jsonb_build_object('slug', 'test-files', 'display_name', 'Files', 'transport', 'stdio',
  'package', '@example/files', 'version', '2.0.0', 'bin', 'files', 'configuration_schema', '{"type": "object", "properties": {
    "directory": {"type": "string"}, "token": {"type": "string"}, "nested": {"type": "object", "properties": {"open": {"type": "string"},
    "shut": {"type": "string"}}},
      "list": {"type": "array", "items": {"type": "object", "properties": {"shut": {"type": "string"}}}}}}'::jsonb)) \g /dev/null
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('update', {a}, '{"version": "2.0.0", "configuration": {"directory": "/x"}}',
  {files})$$), 'ok', 'a server is updated to a version with another schema');
select is((select i.configuration from mcp_server_instances i where i.id = pg_temp.id_of('files')),
  '{"directory": "/x"}'::jsonb, 'G2_a_value_that_the_new_version_would_show_is_removed');

-- What an instance announces never gets into the catalog
select is((select string_agg(distinct capabilities::text, ' ') from mcp_server_catalog), '{}',
  'the catalog holds nothing that an instance announced');

-- A null person has no access
select is(pg_temp.as_user('mia', 'select validate_mcp_access({robo}, {files}, ' || u || ')'), r,
  'validate_mcp_access returns ' || r || ' for ' || u)
from (values ('null', 'false'), ('auth.uid()', 'true'), ('{mia}', 'true'), ('{bob}', 'false')) t(u, r);
select is(pg_temp.as_user('mia', 'select validate_mcp_access({robo}, {files})'), 'true', 'without a user the answer is about the caller');

select * from finish();
rollback;
