-- Definitions that instances announce, and which of them agents see.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.announce_tools(p_names text[], p_version text, p_generation bigint default 2,
  p_instance text default 'files') returns text language sql as $$
  select format('%s %s %s', new_pins, changed_pins, quarantined)
  from weir.record_definitions(pg_temp.id_of(p_instance), p_generation, array_fill('tool'::text, array[cardinality(p_names)]), p_names,
    array(select sha256(convert_to(n || p_version, 'UTF8')) from unnest(p_names) n), array(select format('{"name":"%s","v":"%s"}', n,
    p_version) from unnest(p_names) n), '{"name": "s"}');
$$;
create function pg_temp.announced_pins() returns text language sql as $$
  select string_agg(format('%s:%s', name, status), ' ' order by name,
  first_seen_at) from mcp_server_tools where instance_id = pg_temp.id_of('files') and announced;
$$;
-- files has run for an hour: see world.sql
select is(pg_temp.announce_tools(array['new_tool'], '1'), '1 0 1', 'A26_a_new_name_ten_minutes_after_the_first_start_is_quarantined');
select is(pg_temp.announced_pins(), 'new_tool:quarantined', 'A26_names_that_a_server_does_not_announce_any_more_are_not_announced');
select is(pg_temp.announce_tools(array['new_tool'], '1'), '0 0 0', 'the same announcement again records no definition');
select is(pg_temp.announce_tools(array['read_file'], ' 2'), '0 1 1', 'A26_a_changed_definition_is_quarantined');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'definition_not_approved',
  'A26_a_tool_whose_changed_definition_is_quarantined_is_not_called');
select is(weir.record_definitions(pg_temp.id_of('files'), 2, array['tool'], array['read_file'], array[sha256('read 1')], array['{}'],
  null)::text, '(0,0,0)', 'the approved definition announced again records no definition');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'admitted',
  'a tool whose approved definition is announced again is called');
select is(pg_temp.announce_tools(array['x'], '1', 1), '0 0 0', 'M13_an_announcement_of_an_older_generation_is_ignored');
select is(pg_temp.announce_tools(array['x'], '1', 9), '0 0 0', 'an announcement of a later generation is ignored');
select is((select count(*) from mcp_server_tools where name = 'x'), 0::bigint, 'an ignored announcement records no definition');
select is(pg_temp.announce_tools(array['dup', 'dup'], '1'), '1 0 1', 'A27_a_name_that_is_announced_twice_is_one_definition');

-- Trust on first use
update mcp_server_instances set first_running_at = clock_timestamp() - interval '9 minutes' where id = pg_temp.id_of('files');
select is(pg_temp.announce_tools(array['early', 'read_file'], '3'), '1 1 1',
  'trust_first approves new names for ten minutes, and no changes');
select is(pg_temp.announced_pins(), 'early:approved read_file:quarantined', 'A26_a_known_name_is_not_new');
update mcp_server_instances set pin_policy = 'manual' where id = pg_temp.id_of('files');
select is(pg_temp.announce_tools(array['later'], '1'), '1 0 1', 'manual approves nothing automatically');
select throws_ok(pg_temp.with_ids($$update mcp_server_tools set definition = 'x' where instance_id = {files}$$), 'WR005', null,
  'a recorded definition is not changed');

-- A list matches by patterns what a call matches name by name: each name here is tried against each grant
create temporary table names (name text);
insert into names select n from unnest(array['read_file', 'readXfile', 'read_', 'READ_FILE', 'list', 'list_', 'list_x', 'a*b', 'ab', 'a%b',
  'a\b', 'a\\b', 'a', '*', '%', '_', 'é', '']) n;
create temporary table grants (permissions jsonb);
insert into grants select jsonb_build_object('tools', jsonb_build_object(n, '{}'::jsonb), 'prompts', jsonb_build_array(n))
from (select name as n from names union select name || '*' from names union select '*' || name from names union select 'l*_*'
  union select '*a*b*') n(n);
insert into grants select p from unnest(array[
  '{"tools": {"read_file": {}, "list*": {}, "a%": {}}, "prompts": ["read_file", "list*", "a%"]}', '{}', '{"tools": {}, "prompts": []}',
  '{"tools": {"read_file": {"args": {"x": {}}, "other": "deny"}}}', '{"resources": ["*"]}', '{"prompts": ["*"]}', 'null', '[]',
    '{"tools": ["a"], "prompts": {"a": 1}}', '{"tools": "a", "prompts": null}', '{"tools": {"*": {}}}']::jsonb[]) p;
select is_empty($$
  select g.permissions, n.name, k.member from grants g, names n,
    (values ('tools', 'tool_execution'), ('prompts', 'prompt_get')) k(member, kind)
  where (weir.granted_entries(g.permissions, k.kind, n.name) is not null) is distinct
    from coalesce(n.name like any(weir.granted_patterns(g.permissions, k.member)), false)$$,
  'A04_a_list_shows_exactly_what_a_call_is_granted');
select cmp_ok((select count(*) from grants), '>', 40::bigint, 'more than forty grants are tried');

-- Agent tools
select is(pg_temp.announce_tools(array['x'], '1'), '1 0 1', 'a name that is announced after trials is a new definition');
select weir.record_definitions(pg_temp.id_of('files'), 2, array['tool', 'tool', 'tool', 'prompt'],
  array['read_file', 'list_directory', 'write_file', 'greet'], array[sha256('read 1'), sha256('list 1'), sha256('write 1'),
  sha256('greet 1')], array['{}', '{}', '{}', '{}'], null) \g /dev/null
create function pg_temp.catalog_items(p_key text default 'robokey000000001', p_secret text default repeat('r', 43),
  p_user text default null,
  p_agent text default null, p_instance text default null)
returns text language sql as $$
  select string_agg(concat_ws(':', kind, instance_name, item, case when chat_offline then 'offline' end), ' ' order by n)
  from weir.agent_catalog(p_key, case when p_key is not null then sha256(convert_to(p_secret, 'UTF8')) end,
  case when p_user is not null then pg_temp.id_of(p_user) end,
                          case when p_agent is not null then pg_temp.id_of(p_agent) end, p_instance)
       with ordinality as c(kind, organization_id, agent_id, agent_name, instance_id, instance_name, status, share, priority, item,
       definition_hash, chat_offline, n);
$$;
select is(pg_temp.catalog_items(), 'agent instance:files prompt:files:greet tool:files:list_directory:offline tool:files:read_file',
  'A04_a_catalog_has_what_is_granted_announced_and_approved');
select is(pg_temp.catalog_items(p_instance => 'files'), pg_temp.catalog_items(),
  'the list for the agent''s only instance is the whole list');
select is(pg_temp.catalog_items(p_instance => 'nope'), 'agent', 'the list for an instance that does not exist has only the agent');
select is(pg_temp.catalog_items(null, null, 'mia', 'robo'), pg_temp.catalog_items(), 'a person who may use the agent gets its tools');
select is(pg_temp.catalog_items(p_secret => 'x'), null, 'a key with a wrong secret gets no tools');
select is(pg_temp.catalog_items(p_agent => 'bot'), null, 'a key that names another agent gets no tools');
select is(pg_temp.catalog_items(null, null, 'bob', 'robo'), null, 'an outsider gets no tools of the agent');
select is(pg_temp.catalog_items(null, null, 'adam', 'robo'), null, 'V6_a_member_who_may_not_use_an_agent_gets_no_tools_of_it');
select is(pg_temp.catalog_items(null, null, null, 'robo'), null, 'an agent''s id without a key or a person gets no tools');
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic')),
  (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('sam'));
select is(pg_temp.catalog_items(null, null, 'vic', 'robo'), pg_temp.catalog_items(),
  'V12_a_viewer_who_shares_a_workspace_with_an_agent_gets_its_tools');
select is(pg_temp.catalog_items(null, null, 'sam', 'robo'), null, 'V7_a_suspended_member_gets_no_tools');
savepoint inactive;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.catalog_items(null, null, 'mia', 'robo'), 'stopped', 'M3_a_member_of_an_inactive_organization_gets_no_tools');
rollback to inactive;
select is((select string_agg(definition, ',') from weir.definitions(array[pg_temp.id_of('files'), pg_temp.id_of('spy')], array['tool',
  'tool'], array['read_file', 'read_file'], array[sha256('read 1'), sha256('read 1')])),
  '{"name":"read_file"}', 'definitions are read by the name and hash in the list of agent tools');
savepoint s;
create temporary table listed as select pg_temp.catalog_items() as items;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.catalog_items(), (select items from listed), 'a withdrawn server stays in the list of agent tools');
select weir.block_catalog_server('test-files', null, 'It leaks.') \g /dev/null
select results_eq($$select c.kind, c.status, c.eras from weir.agent_catalog('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')),
    null, null, null) c where c.kind <> 'agent' and c.item is distinct from 'read_file' and c.kind <> 'prompt'$$,
  $$values ('instance', 'blocked', null::text[]), ('tool', 'blocked', '{}'::text[])$$,
  'V12_a_blocked_server_is_in_no_list_and_its_names_resolve');
select is_empty($$select * from weir.find_tools('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')), null, null, 'list', 10)$$,
  'V12_a_search_finds_no_tool_of_a_blocked_server');
rollback to s;
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.catalog_items(), 'agent', 'V11_the_tools_of_a_revoked_grant_are_not_listed');
select is((select agent_name from weir.authenticate_key('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')))), 'Robo',
  'an active key authenticates its agent');
savepoint s;
insert into organization_members (organization_id, user_id, role, status)
  values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member', 'active'),
  (pg_temp.id_of('b'), pg_temp.id_of('sam'), 'member', 'active');
select is(pg_temp.catalog_items(null, null, 'sam', 'robo'), null,
  'V7_a_member_suspended_in_a_and_active_in_b_gets_no_tools_of_an_agent_of_a');
select is(weir.record_denials('01900000-0000-7000-8000-000000000001', array[weir.uuid_v7()], array[now()], array[null], array[null::bytea],
  array[pg_temp.id_of('sam')], array[pg_temp.id_of('robo')], array['tool_execution'], array['bad'], array['invalid_request'],
    array[null::text], array[1::bigint],
  array[null::bytea]), 0, 'V7_a_member_suspended_in_a_and_active_in_b_writes_no_denial_into_a_s_audit_log');
update organization_members set status = 'suspended' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is_empty($$select weir.authenticate_key('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')))$$,
  'V7_a_key_of_an_agent_whose_owner_is_suspended_in_a_and_active_in_b_does_not_authenticate');
select is(pg_temp.catalog_items(null, null, 'ann', 'robo'), null, 'V7_nobody_gets_the_tools_of_an_agent_whose_owner_is_suspended');
rollback to s;
update agents set stopped_at = now() where id = pg_temp.id_of('robo');
select is((select is_stopped from weir.authenticate_key('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')))), true,
  'V12_a_key_of_an_inactive_agent_is_valid_and_marked_as_stopped');
update agents set deleted_at = now() where id = pg_temp.id_of('robo');
select is_empty($$select weir.authenticate_key('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')))$$,
  'V12_a_key_of_a_deleted_agent_does_not_authenticate');
select is_empty($$select weir.authenticate_key(null, null)$$, 'F08_a_null_key_does_not_authenticate_and_nothing_raises');
select is_empty($$select weir.agent_catalog('robokey000000001', sha256('x'), null, null, null)$$,
  'F08_a_wrong_secret_has_an_empty_catalog_and_nothing_raises');
select is_empty($$select weir.find_tools('robokey000000001', sha256('x'), null, null, 'read', 10)$$,
  'F08_a_wrong_secret_finds_no_tools_and_nothing_raises');
select is(weir.principal_organization('robokey000000001', sha256('x'), null, null), null,
  'F08_a_wrong_secret_is_of_no_organization_and_nothing_raises');
select is_empty($$select weir.agent_catalog(null, null, null, null, null)$$,
  'F08_a_caller_without_a_key_or_a_person_gets_no_tools_and_nothing_raises');
select * from finish();
rollback;
