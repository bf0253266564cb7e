-- What manage_mcp_servers accepts and returns, in the words of the requirement.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- Every acting function returns the same members.
create function pg_temp.answer_shape(p_actor text, p_sql text) returns text language sql as $$
  select string_agg(e.key || case when e.key in ('success', 'status', 'error') then '=' || (e.value #>> '{}')
                                  when e.value = 'null' then '=null' else '' end, ' ' order by e.key)
  from jsonb_each(pg_temp.as_user(p_actor, p_sql)::jsonb) e;
$$;
select weir.set_setting('public_url', '"https://weir.example/base"') \g /dev/null
select is(pg_temp.answer_shape('ann', s), w, 'an acting function returns what the requirement says: ' || s)
from (values
  ($$select manage_mcp_servers('create', {a}, '{"instance_name": "far", "url": "https://far.example/mcp"}')$$,
   'endpoint_url id operation_id=null status=pending success=true'),
  ($$select deploy_mcp_server_to_dtma({files})$$, 'error=WR005 message success=false'),
  ($$select stop_mcp_server_instance({files})$$, 'endpoint_url id operation_id status=stopping success=true'),
  ($$select call_dtma_api('{"action": "deploy_mcp_server", "server_instance_id": "$$ || pg_temp.id_of('files') || $$"}')$$,
   'endpoint_url id operation_id status=deploying success=true'),
  ($$select manage_mcp_servers('delete', {a}, null, {files})$$, 'endpoint_url id operation_id status=deleting success=true')) t(s, w);
select pg_temp.keep_id('far', (select id from mcp_server_instances where instance_name = 'far')) \g /dev/null
select is(pg_temp.answer_shape('ann',
  $$select call_dtma_api(jsonb_build_object('action', 'deploy_mcp_server', 'server_instance_id', {far}))$$),
  'endpoint_url id operation_id status=deploying success=true', 'call_dtma_api accepts deploy_mcp_server');
select is(pg_temp.answer_shape('ann',
  $$select call_dtma_api(jsonb_build_object('action', 'stop_mcp_server', 'server_instance_id', {far}))$$),
  'endpoint_url id operation_id status=stopping success=true', 'call_dtma_api accepts stop_mcp_server');
select is(pg_temp.as_user('ann',
  $$select call_dtma_api(jsonb_build_object('action', 'stop', 'server_instance_id', {far}, 'payload', '{}'::jsonb))
  ->> 'message'$$), 'request.payload: is not known; give action and server_instance_id only',
  'call_dtma_api refuses a payload by its name');
select is(pg_temp.answer_shape('mia', $$select manage_mcp_servers('stop', {a}, null, {far})$$), 'error=WR003 message success=false',
  'a refusal has success=false');
select is(pg_temp.answer_shape('bob', $$select stop_mcp_server_instance({far})$$), 'error=WR004 message success=false',
  'an outsider''s refusal has no other members');

-- Addresses
select is(pg_temp.as_user('mia', 'select endpoint_url from mcp_server_instances where id = {far}'), 'https://weir.example/base/mcp/far',
  'a member reads the address of a server at Weir');
select is(pg_temp.as_user('bob', 'select count(*) from mcp_server_instances where id = {far}'), '0',
  'an outsider reads no address');
select is(pg_temp.as_user('mia', 'select url from mcp_server_instances where id = {far}'), '42501',
  'a member does not read the server''s own address');
select pg_temp.create_as('near', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "near", "url": "https://n.example"}')$$)
  \g /dev/null
select is(pg_temp.as_user('ann', $$select manage_mcp_servers('update', {a}, '{"instance_name": "nearer"}', {near}) ->> 'endpoint_url'$$),
  'https://weir.example/base/mcp/nearer', 'an address follows the server''s name');
select weir.set_setting('public_url', '"https://other.example"') \g /dev/null
select is(pg_temp.as_user('mia', 'select endpoint_url from mcp_server_instances where id = {near}'), 'https://other.example/mcp/nearer',
  'an address follows the setting public_url');
select throws_ok(format('select weir.set_setting(%L, %L)', 'public_url', v), '23514', null, 'a public_url is refused: ' || v)
from unnest(array['"ftp://x"', '"https://x/"', '"https://u@x"', '"https://x?a"', '7', '"https://x/a b"']) v;

-- Names
select is(pg_temp.as_user('ann', format($$select manage_mcp_servers('create', {a}, %L) ->> 'message'$$,
    jsonb_build_object('instance_name', n, 'url', 'https://x.example'))),
  'server_config.instance_name: must be 1 to 20 of a-z, 0-9 and -; ' || p || ' would fit', 'a valid name is proposed for ' || n)
from (values ('My Files!', 'my-files'), ('!!!', 'server'), ('A name that is far too long to be one', 'a-name-that-is-far-t'),
  ('', 'server')) t(n, p);

-- The catalog's row
select pg_temp.keep_id('entry', (select id from mcp_server_catalog where slug = 'test-files')) \g /dev/null
select pg_temp.create_as('row', 'ann',
  pg_temp.with_ids($$select manage_mcp_servers('create', {a}, jsonb_build_object('instance_name', 'row',
  'catalog_server_id', {entry}, 'configuration', '{"directory": "/d", "timeout_ms": 5, "priority": 3}'::jsonb))$$)) \g /dev/null
select is((select row(catalog_server_id = pg_temp.id_of('entry'), configuration, timeout_ms, priority)::text
  from mcp_server_instances where id = pg_temp.id_of('row')),
  '(t,"{""directory"": ""/d""}",5,3)', 'a server is created from a catalog entry, with Weir''s settings inside its configuration');
select is(pg_temp.error_as('ann', format($$select manage_mcp_servers('create', {a}, %L)$$, c)), w, 'a create is refused: ' || c)
from (values
  ('{"instance_name": "x", "catalog_server_id": "01900000-0000-7000-8000-000000000001"}', 'WR004'),
  ('{"instance_name": "x", "catalog_server_id": "files"}', 'WR001'),
  ('{"instance_name": "x", "catalog_server_id": "01900000-0000-7000-8000-000000000001", "version": "1.0.0"}', 'WR001'),
  ('{"instance_name": "x", "catalog_server_id": "01900000-0000-7000-8000-000000000001", "catalog": "test-files"}', 'WR001'),
  ('{"instance_name": "x", "catalog": "test-files", "timeout_ms": 1, "configuration": {"directory": "/d", "timeout_ms": 2}}', 'WR001'),
  ('{"instance_name": "x", "catalog": "test-files", "configuration": {"directory": "/d", "timeout_ms": "2"}}', 'WR001'),
  ('{"instance_name": "x", "url": "https://x.example", "configuration": {"directory": "/d"}}', 'WR001')) t(c, w);

-- Updates
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('update', {a}, '{"configuration": {"depth": 2, "priority": 9}}', {row})$$),
  'ok', 'an update names what changes inside a configuration');
select is((select row(configuration, timeout_ms, priority)::text from mcp_server_instances where id = pg_temp.id_of('row')),
  '("{""depth"": 2, ""directory"": ""/d""}",5,9)', 'members that an update does not name stay');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('update', {a}, '{"configuration": {"depth": null}}', {row})$$), 'ok',
  'an update removes a member of a configuration');
select is((select configuration from mcp_server_instances where id = pg_temp.id_of('row')), '{"directory": "/d"}',
  'null removes a member of a configuration');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('update', {a}, '{"configuration": {"timeout_ms": 9}}', {near})$$),
  'ok', 'a remote server accepts Weir''s settings inside a configuration');

-- Secrets
select matches(pg_temp.as_user('ann', format($$select manage_mcp_servers('update', {a}, %L, {row}) ->> 'message'$$,
    jsonb_build_object('configuration', c::jsonb))),
  'refers to a secret of a vault', 'a reference to a vault is refused: ' || c)
from unnest(array['{"api_key_vault_id": "x"}', '{"secretId": "x"}', '{"directory": "vault:key"}']) c;
select matches(pg_temp.as_user('ann', $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example",
  "configuration": {"vault_id": "x"}}') ->> 'message'$$), 'refers to a secret of a vault',
  'a remote server''s reference to a vault is refused with the same text');

select * from finish();
rollback;
