-- Calls of names that their agent does not have: the audit log has the server and the true reason if the organization knows the name.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- The gateway's request for a name that is not among the agent's tools: no instance, and the name as the agent sent it. Returns the
-- caller's reason, and the row of the audit log.
create function pg_temp.call_unknown(p_item text, p_kind text default 'tool_execution', p_endpoint text default null,
  p_key text default 'robokey000000001', out heard text, out recorded text) language plpgsql as $$
declare
  v_id constant uuid := weir.uuid_v7();
begin
  select a.failures[1] into heard
  from unnest(weir.admit(
    '01900000-0000-7000-8000-000000000001', array[v_id], array[clock_timestamp()], array[p_key],
    array[sha256(convert_to(repeat(left(p_key, 1), 43), 'UTF8'))], array[null::uuid], array[null::uuid], array[p_kind], array[null::uuid],
    array[p_item], array['{}'], array['1'], array[1], array[100::bigint], array[sha256('request')], array['{}'], array[null::uuid],
    null, array[p_endpoint])) a;
  select concat_ws(' ', l.reason, l.instance_name, l.item, case when l.grant_id is not null then 'by a grant' end) into recorded
  from mcp_interaction_logs l where l.id = v_id and l.phase = 'denied';
end;
$$;
create function pg_temp.recorded(p_item text, p_kind text default 'tool_execution', p_endpoint text default null,
  p_key text default 'robokey000000001') returns text language sql as $$
  select recorded from pg_temp.call_unknown(p_item, p_kind, p_endpoint, p_key);
$$;
-- The name that the gateway makes if it cannot show the original.
create function pg_temp.made_name(p_instance text, p_tool text) returns text language sql as $$
  select p_instance || '__odd_'
         || left(encode(sha256(uuid_send(pg_temp.id_of(p_instance)) || '\x00' || convert_to(p_tool, 'UTF8')), 'hex'), 8);
$$;
insert into mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced, approved_at)
values (pg_temp.id_of('a'), pg_temp.id_of('files'), 'tool', 'an odd näme', sha256('odd'), '{}', 'approved', true, now());

-- There is a grant, without the item
select is(pg_temp.recorded('files__write_file'), 'definition_not_approved files write_file by a grant',
  'a granted tool that waits for approval is recorded with that reason');
select is(pg_temp.recorded(pg_temp.made_name('files', 'an odd näme')), 'item_not_granted files an odd näme by a grant',
  'a tool under a name that the gateway made is recorded by its own name');
select is(pg_temp.recorded('write_file', p_endpoint => 'files'), 'definition_not_approved files write_file by a grant',
  'at the endpoint of one server the server''s own name is recorded');

-- No grant, or an expired one
select pg_temp.as_user('ann', 'select revoke_mcp_access({robo}, {files})') \g /dev/null
select is(r.heard || ': ' || r.recorded, 'no_grant: no_grant files read_file',
  'a tool of a server without a grant is recorded with its server')
  from pg_temp.call_unknown('files__read_file') r;
select is(pg_temp.recorded('read_file', p_endpoint => 'files'), 'no_grant files read_file',
  'a tool at the endpoint of a server without a grant is recorded with its server');
select is(pg_temp.recorded('files__greet', 'prompt_get'), 'no_grant files greet', 'so is a prompt');
select is(pg_temp.recorded(u, 'resource_read'), r, 'so is a resource: ' || u)
from (values ('weir://files/file:///data/x', 'no_grant files file:///data/x'), ('ui://files/app', 'no_grant files ui://app'),
  ('UI://files/app/1', 'no_grant files UI://app/1'), ('http://files/x', 'unknown http://files/x'), ('weir://', 'unknown weir://')) t(u, r);
select is(pg_temp.recorded('file:///data/x', 'resource_read', 'files'), 'no_grant files file:///data/x',
  'a resource at the endpoint of one server is recorded with its server');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"read_file": {"args": {"path": {}}}}}',
  now() + interval '1 day')$$) \g /dev/null
alter table agent_mcp_permissions disable trigger user;
update agent_mcp_permissions set granted_at = now() - interval '2 days', expires_at = clock_timestamp() - interval '1 second'
where agent_id = pg_temp.id_of('robo') and revoked_at is null;
alter table agent_mcp_permissions enable trigger user;
select is(pg_temp.recorded('files__read_file'), 'grant_expired files read_file by a grant',
  'a tool of an expired grant is recorded with the grant');

-- What nobody may learn: nothing of another organization; and no name makes a call allowed
select is(pg_temp.recorded(n), 'unknown ' || n, 'a name that means nothing to the organization stays unknown: ' || left(n, 30))
from unnest(array['files__nothing', 'nobody__read_file', 'spy__anything', 'read_file', '__', 'files__', '', 'files__x_00000000']) n;
select is(pg_temp.recorded('read_file', p_endpoint => 'spy'), 'unknown read_file',
  'T3_another_organization_s_server_is_not_known_by_its_name');
select is(pg_temp.recorded('files__read_file', p_key => 'botkey0000000001'), 'unknown files__read_file',
  'T3_a_name_of_another_organization_s_server_stays_unknown');
select pg_temp.as_user('ann',
  $$select grant_mcp_access({robo}, {files}, '{"tools": {"read_file": {"args": {"path": {}}}, "list_*": {}}}')$$)
\g /dev/null
select is(r.heard, 'unknown', 'a call that names no server is never allowed, and its arguments are not checked: ' || n)
from unnest(array['files__list_directory', 'files__read_file']) n, pg_temp.call_unknown(n) r;
update mcp_server_instances set status = 'stopping' where id = pg_temp.id_of('files');
select is(r.heard, 'unknown', 'a call that names no server does not learn that the server does not run')
  from pg_temp.call_unknown('files__list_directory') r;

-- A part of a batch
select is((select string_agg(a.failures[1] || coalesce(' ' || a.instance_name, ''), ', ' order by a.ordinal) from unnest(weir.admit(
  '01900000-0000-7000-8000-000000000001', array[weir.uuid_v7(), weir.uuid_v7(), weir.uuid_v7()], array_fill(clock_timestamp(), array[3]),
  array['robokey000000001', 'nokey00000000001', 'robokey000000001'], array_fill(sha256(convert_to(repeat('r', 43), 'UTF8')), array[3]),
  array_fill(null::uuid, array[3]), array_fill(null::uuid, array[3]), array_fill('tool_execution'::text, array[3]),
  array_fill(null::uuid, array[3]), array['nothing', 'files__read_file', 'files__an odd näme'], array_fill('{}'::text, array[3]),
  array_fill('1'::text, array[3]), array_fill(1, array[3]), array_fill(1::bigint, array[3]), array_fill(sha256('x'), array[3]),
  array_fill('{}'::text, array[3]), array_fill(null::uuid, array[3]))) a), 'unknown, key_unknown, item_not_granted files',
  'in a batch each call keeps its own reason');
select is((select string_agg(coalesce(a.instance_name, '-'), ' ' order by a.ordinal) from unnest(weir.admit(
  '01900000-0000-7000-8000-000000000001', array(select weir.uuid_v7() from generate_series(1, 7)), array_fill(clock_timestamp(), array[7]),
  array_fill('robokey000000001'::text, array[7]), array_fill(sha256(convert_to(repeat('r', 43), 'UTF8')), array[7]),
  array_fill(null::uuid, array[7]), array_fill(null::uuid, array[7]), array_fill('tool_execution'::text, array[7]),
  array_fill(null::uuid, array[7]), array_fill(pg_temp.made_name('files', 'an odd näme'), array[6]) || 'files__write_file'::text,
  array_fill('{}'::text, array[7]), array_fill('1'::text, array[7]), array_fill(1, array[7]), array_fill(1::bigint, array[7]),
  array_fill(sha256('x'), array[7]), array_fill('{}'::text, array[7]), array_fill(null::uuid, array[7]))) a),
  'files files files files - - files', 'four of the names that need a search are looked up in a batch');
select * from finish();
rollback;
