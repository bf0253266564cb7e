-- A client in SQL, written from the requirement's words alone: its functions, arguments, tables and columns. First what works, then each
-- line of decision 140 where the requirement is not followed, in that order. Each statement is one that a signed-in person sends.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

select weir.set_setting('public_url', '"https://weir.example"') \g /dev/null

-- Servers: created from the catalog, configured, deployed, stopped, deleted
select pg_temp.keep_id('entry', (select c.id from mcp_server_catalog c where c.slug = 'test-files')) \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(concat_ws(' ', name, display_name, version, capabilities, docker_image), ', ')
    from mcp_server_catalog where id = {entry}$$), 'test-files Files 1.0.0 {}', 'the catalog is read by the requirement''s columns');
select pg_temp.create_as('theirs', 'ann', $$select manage_mcp_servers(action => 'create', organization_id => {a}, server_config =>
    jsonb_build_object('instance_name', 'theirs', 'catalog_server_id', {entry},
      'configuration', '{"directory": "/data", "timeout_ms": 9, "max_retries": 2, "retry_backoff_ms": 50, "priority": 3}'::jsonb))$$)
  \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(concat_ws(' ', instance_name, catalog_server_id = {entry}, status, endpoint_url), ', ')
    from mcp_server_instances where id = {theirs}$$), 'theirs t pending https://weir.example/mcp/theirs',
  'an instance is read by the requirement''s columns');
select is(pg_temp.as_user('ann', $$select manage_mcp_servers(action => 'update', organization_id => {a}, server_id => {theirs},
    server_config => '{"instance_name": "their-files", "configuration": {"priority": 4}}') ->> 'endpoint_url'$$),
  'https://weir.example/mcp/their-files', 'an update accepts instance_name');

-- The answer of an acting function, in the order of its members.
create function pg_temp.answer(p_sql text) returns text language sql as $$
  select string_agg(format('%s %s', key, case when key in ('success', 'status') then value #>> '{}' else jsonb_typeof(value) end), ', '
                    order by key)
  from jsonb_each(pg_temp.as_user('ann', p_sql)::jsonb);
$$;
select is(pg_temp.answer(s), format('endpoint_url string, id string, operation_id string, status %s, success true', w),
  'the answer has the requirement''s members: ' || s)
from (values
  (1, $$select deploy_mcp_server_to_dtma(server_instance_id => {theirs})$$, 'deploying'),
  (2, $$select stop_mcp_server_instance(server_instance_id => {theirs})$$, 'stopping'),
  (3, $$select call_dtma_api(request => jsonb_build_object('action', 'deploy_mcp_server', 'server_instance_id', {theirs}))$$, 'deploying'),
  (4, $$select call_dtma_api(request => jsonb_build_object('action', 'stop_mcp_server', 'server_instance_id', {theirs}))$$, 'stopping'))
  t(n, s, w);

-- An organization's servers, and what an agent may use of them
select is(pg_temp.as_user('ann', $$select jsonb_agg(jsonb_build_object(
      'instance_name', c.instance_name, 'has_agent_access', c.has_agent_access, 'configuration', c.configuration,
      'endpoint_url', c.endpoint_url, 'status', c.status, 'catalog_server', c.catalog_server - 'id'))
    from get_organization_mcp_configs(org_id => {a}) c where c.id = {theirs}$$)::jsonb,
  '[{"instance_name": "their-files", "has_agent_access": null, "endpoint_url": "https://weir.example/mcp/their-files", "status": "stopping",
     "configuration": {"directory": "/data", "timeout_ms": 9, "max_retries": 2, "retry_backoff_ms": 50, "priority": 4},
     "catalog_server": {"slug": "test-files", "name": "test-files", "display_name": "Files", "description": "", "version": "1.0.0",
       "capabilities": null, "docker_image": null, "transport": "stdio", "state": "published", "block_reason": null}}]',
  'a server has each of the requirement''s members');
select is(pg_temp.as_user('ann', $$select concat_ws(' ', c.instance_name, c.status, c.has_agent_access, c.endpoint_url)
    from get_organization_mcp_configs(org_id => {a}, agent_id => {robo}) c$$),
  'files running t https://weir.example/mcp/agents/' || pg_temp.id_of('robo') || '/files',
  'an agent''s server has the address for that agent');
select pg_temp.create_as('empty', 'otto', $$select create_organization('Empty')$$) \g /dev/null
select is(pg_temp.as_user('otto', $$select count(*) from get_organization_mcp_configs(org_id => {empty})$$), '0',
  'an organization without servers has no rows');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers(action => 'delete', organization_id => {a}, server_id => {theirs})$$), 'ok',
  'a server is deleted');

-- Grants: permissions left out, as a list, and as they read back
select is(pg_temp.as_user('mia', 'select user_id = {mia} from agents where id = {robo}'), 'true', 'an agent''s owner is its user_id');
create function pg_temp.permissions() returns text language sql as $$
  select pg_temp.as_user('ann', 'select permissions from agent_mcp_permissions where agent_id = {robo} and revoked_at is null');
$$;
select is(pg_temp.error_as('ann', 'select grant_mcp_access(agent_id => {robo}, mcp_server_instance_id => {files})'), 'ok',
  'a grant may leave out permissions');
select is(pg_temp.permissions(), '{}', 'a grant without permissions permits nothing');
select is(pg_temp.admit_call('list_directory'), 'item_not_granted', 'a call with a grant that permits nothing is denied');
select is(pg_temp.error_as('ann', $$select grant_mcp_access(agent_id => {robo}, mcp_server_instance_id => {files},
    permissions => '["read_file", "list_*"]')$$), 'ok', 'a grant accepts a list of tools');
select is(pg_temp.permissions()::jsonb, '{"tools": {"read_file": {}, "list_*": {}}}', 'a list of tools reads back as the object');
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a call that the list permits is admitted');

-- Access, by the caller
select is(pg_temp.as_user('mia', 'select validate_mcp_access(agent_id => {robo}, mcp_server_instance_id => {files})'), 'true',
  'the owner of an agent has access through it');
select is(pg_temp.as_user('mia', 'select validate_mcp_access(agent_id => {robo}, mcp_server_instance_id => {files}, user_id => null)'),
  'false', 'an explicit null user has no access');
select is(pg_temp.as_user('ann', 'select validate_mcp_access(agent_id => {robo}, mcp_server_instance_id => {files}, user_id => {mia})'),
  'true', 'an admin asks for another person');

-- The audit log
select is(pg_temp.as_user('ann', $$select string_agg(k, ' ' order by k)
    from jsonb_object_keys(read_audit(organization_id => {a}, filter => '{"interaction_type": "tool_execution"}') -> 'rows' -> 0) k
    where k in ('organization_id', 'mcp_server_instance_id', 'interaction_type', 'request_data', 'response_data', 'error_details',
                'duration_ms')$$),
  'duration_ms error_details interaction_type mcp_server_instance_id organization_id request_data response_data',
  'a row of the audit log has the requirement''s names');
select is(pg_temp.as_user('ann', $$select string_agg(concat_ws(' ', r ->> 'phase', r #>> '{error_details,reason}'), ', ')
    from jsonb_array_elements(read_audit(organization_id => {a}, filter => jsonb_build_object(
      'mcp_server_instance_id', {files}, 'interaction_type', 'tool_execution', 'merged', true)) -> 'rows') r$$),
  'requested, denied item_not_granted', 'merged rows are one for each interaction');

-- Where the requirement is not followed: pending servers are listed for an agent
select pg_temp.create_as('later', 'ann', $$select manage_mcp_servers('create', {a},
         '{"instance_name": "later", "url": "https://l.example"}')$$),
       pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {later}, '["*"]')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(c.instance_name, ' ')
    from get_organization_mcp_configs(org_id => {a}, agent_id => {robo}) c$$), 'files',
  'a pending server is not listed for an agent that was granted it');

-- the agent's owner writes its grants
select is(pg_temp.error_as('mia', $$select grant_mcp_access({robo}, {files}, '["*"]')$$), 'WR003', 'an agent''s owner grants nothing');
select is(pg_temp.error_as('mia', $$select request_mcp_access({robo}, {files}, '["*"]')$$), 'ok', 'an agent''s owner asks');

-- only the owner passes validate_mcp_access
select is(pg_temp.as_user(w, 'select validate_mcp_access({robo}, {files})'), r, format('for %s validate_mcp_access returns %s', w, r))
from (values ('ann', 'true'), ('adam', 'false'), ('mel', 'false')) t(w, r);

-- a grant whose expiry is null denies
select is(pg_temp.as_user('ann', $$select expires_at is null from agent_mcp_permissions
    where agent_id = {robo} and mcp_server_instance_id = {files} and revoked_at is null$$), 'true',
  'a grant does not expire unless an expiry is given');
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a call with a grant that does not expire is admitted');

-- `running` decides access
select pg_temp.create_as('idle', 'mia', $$select create_agent({a}, 'Idle')$$) \g /dev/null
select is(pg_temp.as_user('mia', 'select validate_mcp_access({idle}, {files})'), 'false',
  'a running server without a grant gives no access');
select is(pg_temp.as_user('mia', 'select validate_mcp_access({robo}, {later})'), 'true', 'a pending server with a grant gives access');
select weir.record_instance_state(pg_temp.id_of('files'), 2, 'degraded', null, null) \g /dev/null
select is(pg_temp.as_user('mia', $$select concat_ws(' ', c.status, c.has_agent_access) from get_organization_mcp_configs({a}, {robo}) c$$),
  'degraded t', 'a degraded server with a grant gives access, and its status is shown as well');
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a call of a degraded server with a grant is admitted');

-- an image is named by a tag
select weir.add_platform_admin(pg_temp.id_of('ann')) \g /dev/null
create function pg_temp.publish(p_members jsonb) returns text language sql as $$
  select pg_temp.error_as('recent:ann', format('select publish_catalog_server(%L)', '{"slug": "imaged", "version": "1.0.0",
    "display_name": "Imaged", "transport": "stdio", "package": "imaged", "bin": "imaged"}'::jsonb || p_members));
$$;
select is(pg_temp.publish(m::jsonb), r, format('publishing an entry with %s returns %s', m, r))
from (values ('{"version": "latest"}', 'WR001'), ('{"version": "^1.0.0"}', 'WR001'), ('{"docker_image": "node:22"}', 'WR001'),
  -- The only runtime of this release runs no images, so a digest is refused too.
  (format('{"docker_image": "node@sha256:%s"}', repeat('a', 64)), 'WR001'), ('{}', 'ok')) t(m, r);

-- the log's table is read directly
select is(pg_temp.as_user('ann', 'select * from mcp_interaction_logs'), '42501', 'the log''s table is not read');

-- everybody calls audit_mcp_interactions
select is(pg_temp.as_user('ann', $$select audit_mcp_interactions('[]')$$), '42501', 'a person writes no row of the audit log');

-- a vault's id stands in configuration
select is(pg_temp.error_as('ann', format($$select manage_mcp_servers('create', {a}, %L)$$, jsonb_build_object('instance_name', 'x',
    'url', 'https://x.example', 'configuration', jsonb_build_object('api_key_vault_id', pg_temp.id_of('a'))))), 'WR001',
  'a configuration has no reference to a vault');

-- get_secret returns the value
select is(pg_temp.as_user('ann', $$select get_secret('x')$$), '42883', 'there is no get_secret');

select * from finish();
rollback;
