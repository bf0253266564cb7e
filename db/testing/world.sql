-- Two organizations, as most tests need them. Include after helpers.sql. Created by the published functions if there is one.
--
-- organization a: ann (owner), adam (admin), mia (member, owns the agent robo), vic (viewer), sam (admin, suspended)
-- organization b: bob (owner), with the agent bot and the server spy
-- otto belongs to neither organization. mel is a member of both.
-- home is a workspace of a, with ann, mia, robo and the channel chat; den is a workspace of b.
-- files is a server of a. It runs. Its tools read_file and list_directory and its prompt greet are approved, its tool write_file is
-- quarantined. robo may call read_file below /data, call list_* and get gr*.
select pg_temp.create_user(n) from unnest(array['ann', 'adam', 'mia', 'vic', 'sam', 'mel', 'bob', 'otto']) n \g /dev/null

select pg_temp.create_as('a', 'ann', $$select create_organization('Organization A')$$),
       pg_temp.create_as('b', 'bob', $$select create_organization('Organization B')$$) \g /dev/null
insert into public.organization_members (organization_id, user_id, role, status)
select pg_temp.id_of(m.organization), pg_temp.id_of(m.name), m.role, m.status
from (values ('a', 'adam', 'admin', 'active'), ('a', 'mia', 'member', 'active'), ('a', 'vic', 'viewer', 'active'),
             ('a', 'sam', 'admin', 'suspended'), ('a', 'mel', 'member', 'active'), ('b', 'mel', 'member', 'active'))
     m(organization, name, role, status);

select pg_temp.create_as('home', 'ann', $$select create_workspace({a}, 'Home')$$),
       pg_temp.create_as('den', 'bob', $$select create_workspace({b}, 'Den')$$),
       pg_temp.create_as('chat', 'ann', $$select create_channel({home}, 'chat')$$),
       pg_temp.create_as('denchat', 'bob', $$select create_channel({den}, 'chat')$$),
       pg_temp.create_as('robo', 'mia', $$select create_agent({a}, 'Robo')$$),
       pg_temp.create_as('bot', 'bob', $$select create_agent({b}, 'Bot')$$),
       pg_temp.as_user('ann', $$select add_workspace_member({home}, user_id => {mia})$$),
       pg_temp.as_user('ann', $$select add_workspace_member({home}, agent_id => {robo})$$) \g /dev/null

select weir.publish_catalog_server(jsonb_build_object(
  'slug', 'test-files', 'display_name', 'Files', 'transport', 'stdio', 'package', '@example/files', 'version', '1.0.0', 'bin', 'files',
  'args', '["${config.directory}"]'::jsonb,
  'configuration_schema', '{"type": "object", "required": ["directory"],
     "properties": {"directory": {"type": "string", "pattern": "/[a-z/]{0,99}"}, "depth": {"type": "integer", "minimum": 1}}}'::jsonb))
\g /dev/null
select pg_temp.create_as('files', 'ann', $$select manage_mcp_servers('create', {a},
         '{"instance_name": "files", "catalog": "test-files", "configuration": {"directory": "/data"},
           "chat": {"offline": ["list_*"]}}')$$),
       pg_temp.create_as('spy', 'bob', $$select manage_mcp_servers('create', {b},
         '{"instance_name": "spy", "url": "https://spy.example/mcp"}')$$),
       pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$) \g /dev/null
select pg_temp.keep_id('node', weir.issue_node_token('node-of-the-test', 'test', sha256('token'), now() + interval '1 hour')),
       weir.register_node(sha256('token'), sha256('node key'), 'http://127.0.0.1:9', '\x00', 1, 'user', array['process']) \g /dev/null
select operation_id from weir.claim_operations(gen_random_uuid(), 100, '1 minute') \g /dev/null
select weir.record_instance_state(pg_temp.id_of('files'), 2, 'running', null, null) \g /dev/null
select * from weir.record_definitions(pg_temp.id_of('files'), 2, array['tool', 'tool', 'prompt'], array['read_file', 'list_directory',
  'greet'],
  array[sha256('read 1'), sha256('list 1'), sha256('greet 1')], array['{"name":"read_file"}', '{"name":"list_directory"}',
  '{"name":"greet"}'], '{}')
\g /dev/null
update public.mcp_server_instances set first_running_at = now() - interval '1 hour' where id = pg_temp.id_of('files');
select * from weir.record_definitions(pg_temp.id_of('files'), 2, array['tool', 'tool', 'tool', 'prompt'],
  array['read_file', 'list_directory', 'write_file', 'greet'], array[sha256('read 1'), sha256('list 1'), sha256('write 1'),
  sha256('greet 1')],
  array['{"name":"read_file"}', '{"name":"list_directory"}', '{"name":"write_file"}', '{"name":"greet"}'], '{}')
\g /dev/null
select pg_temp.create_as('grant', 'ann', $$select grant_mcp_access({robo}, {files}, '{
  "tools": {"read_file": {"args": {"path": {"type": "string", "under": "/data"}}}, "list_*": {}, "write_file": {}},
  "prompts": ["gr*"], "resources": ["file:///data/*"]}')$$),
  pg_temp.as_user('mia', $$select create_agent_key({robo}, 'key', 'robokey000000001', repeat('r', 43))$$),
  pg_temp.as_user('bob', $$select create_agent_key({bot}, 'key', 'botkey0000000001', repeat('b', 43))$$) \g /dev/null

-- Lets admission decide one call, as the engine does. Returns `admitted`, or the reason of the denial.
create function pg_temp.admit_call(
  p_item text, p_arguments text default '{}', p_instance text default 'files', p_kind text default 'tool_execution',
  p_key text default 'robokey000000001', p_secret text default repeat('r', 43), p_user text default null, p_agent text default null)
returns text language plpgsql as $$
declare
  v_reason text;
begin
  select case when a.failures = '{}' then 'admitted' else a.failures[1] end into v_reason
  from unnest(weir.admit(
    '01900000-0000-7000-8000-000000000001', array[weir.uuid_v7()], array[clock_timestamp()], array[p_key],
    array[case when p_key is not null then sha256(convert_to(p_secret, 'UTF8')) end],
    array[case when p_user is not null then pg_temp.id_of(p_user) end],
      array[case when p_agent is not null then pg_temp.id_of(p_agent) end],
    array[p_kind], array[case when p_instance is not null then pg_temp.id_of(p_instance) end], array[p_item], array[p_arguments],
    array['1'], array[1], array[100::bigint], array[sha256('request')], array['{}'], array[null::uuid])) a;
  return v_reason;
end;
$$;

-- Lets admission decide a person's call through an agent.
create function pg_temp.admit_call_as(p_user text, p_item text, p_agent text default 'robo', p_instance text default 'files') returns text
language sql as $$
  select pg_temp.admit_call(p_item, '{}', p_instance, 'tool_execution', null, null, p_user, p_agent);
$$;
