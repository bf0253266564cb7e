-- Admission: each check alone, each recorded.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(78);

-- Admitted
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'admitted', 'a granted tool with permitted arguments');
select is(pg_temp.admit_call('list_directory', null), 'admitted', 'a tool by a glob');
select is(pg_temp.admit_call('greet', null, 'files', 'prompt_get'), 'admitted', 'a prompt by a glob');
select is(pg_temp.admit_call('file:///data/a', null, 'files', 'resource_read'), 'admitted', 'a resource by a glob');
select is(pg_temp.admit_call(null, null, 'files', 'context_request'), 'admitted', 'the context of a granted server');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where phase = 'requested' and agent_id = {robo} and instance_name = 'files'
  and agent_name = 'Robo'$$),
  '5', 'T13_each_admitted_call_has_its_row');

-- Denied: what
select is(pg_temp.admit_call('read_file', '{"path": "/etc/passwd"}'), 'argument_rule', 'V9_arguments_decide');
select is(pg_temp.admit_call('delete_file'), 'item_not_granted', 'V9_a_tool_that_is_not_granted');
select is(pg_temp.admit_call('nope', '{}', null), 'unknown', 'a name that was not resolved is recorded as unknown');
select is(pg_temp.admit_call('write_file'), 'definition_not_approved', 'A26_a_tool_that_waits_for_an_admin');
select is(pg_temp.admit_call('list_ghosts'), 'definition_not_approved', 'a tool that was never announced');
select is(pg_temp.admit_call('read_file', '{}', 'spy'), 'instance_unknown', 'T3_a_server_of_another_organization_does_not_exist');
select is(pg_temp.admit_call('file:///etc/passwd', null, 'files', 'resource_read'), 'item_not_granted', 'a resource outside the grant');
select is(pg_temp.admit_call('other', null, 'files', 'prompt_get'), 'item_not_granted', 'a prompt outside the grant');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}', 'files', 'prompt_get'), 'item_not_granted', 'a tool is no prompt');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where phase = 'denied' and kind in ('tool_execution', 'prompt_get', 'resource_read')
  and reason is not null and agent_id = {robo}$$),
  '9', 'T13_each_denial_has_its_row_and_reason');

-- Denied: who, by key
select is(pg_temp.admit_call('read_file', p_secret => repeat('x', 43)), 'key_unknown', 'a wrong secret is an unknown key');
select is(pg_temp.admit_call('read_file', p_key => 'nokey00000000000'), 'key_unknown', 'an unknown key');
select is(pg_temp.admit_call('read_file', p_key => null), 'key_unknown', 'nobody');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where reason = 'key_unknown'$$), '0',
  'a key that nobody has writes in nobody''s record');
select is(pg_temp.admit_call('read_file', '{}', 'files', p_key => 'botkey0000000001', p_secret => repeat('b', 43)), 'instance_unknown',
  'another tenant''s key reaches nothing here');
select is(pg_temp.admit_call('list_directory', null, p_agent => 'bot'), 'user_forbidden', 'a key speaks for its own agent only');
select is(pg_temp.admit_call('list_directory', null, p_agent => 'robo'), 'admitted', 'and may name it');
savepoint s;
insert into agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, expires_at)
values (pg_temp.id_of('a'), pg_temp.id_of('robo'), 'old', 'oldkey0000000001', sha256('old'), now() - interval '1 second');
select is(pg_temp.admit_call('list_directory', p_key => 'oldkey0000000001', p_secret => 'old'), 'key_expired', 'an expired key');
select pg_temp.as_user('ann', $$select revoke_agent_key('robokey000000001')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'key_revoked', 'A16_a_revoked_key_ends_with_the_next_call');
rollback to s;
update agents set is_active = false where id = pg_temp.id_of('robo');
select is(pg_temp.admit_call('list_directory'), 'agent_inactive', 'V12_an_inactive_agent_executes_nothing');
rollback to s;
update organizations set is_active = false where id = pg_temp.id_of('a');
select is(pg_temp.admit_call('list_directory'), 'organization_inactive', 'V7_an_inactive_organization_executes_nothing');
rollback to s;
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'member_inactive', 'V7_an_agent_stops_with_its_owner');
rollback to s;
update organization_members set role = 'viewer' where user_id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'user_forbidden', 'V12_an_agent_may_no_more_than_its_owner');
rollback to s;
delete from auth.users where id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'member_inactive', 'an agent without an owner executes nothing');
rollback to s;

-- Denied: who, a person through an agent
select is(pg_temp.admit_call_as('mia', 'list_directory'), 'admitted', 'V6_the_agent_s_owner');
select is(pg_temp.admit_call_as('ann', 'list_directory'), 'admitted', 'V6_who_shares_a_workspace_with_it');
select is(pg_temp.admit_call_as('adam', 'list_directory'), 'user_forbidden', 'V6_another_member_may_not');
select is(pg_temp.admit_call_as('mel', 'list_directory'), 'user_forbidden', 'V8_a_member_of_two_organizations_may_not_either');
select is(pg_temp.admit_call_as('bob', 'list_directory'), 'member_inactive', 'an outsider is no active member');
select is(pg_temp.admit_call_as('ann', 'list_directory', 'bot', 'files'), 'member_inactive', 'V8_nor_through_a_foreign_agent');
select is(pg_temp.admit_call_as('mel', 'list_directory', 'bot', 'files'), 'user_forbidden', 'V8_an_agent_of_b_carries_nothing_of_a');
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic')),
  (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('sam'));
select is(pg_temp.admit_call_as('vic', 'list_directory'), 'user_forbidden', 'V12_a_viewer_executes_nothing');
select is(pg_temp.admit_call_as('sam', 'list_directory'), 'member_inactive', 'V7_a_suspended_member_executes_nothing');
savepoint two;
insert into organization_members (organization_id, user_id, role, status) values (pg_temp.id_of('b'), pg_temp.id_of('sam'), 'member', 'active'),
  (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member', 'active');
select is(pg_temp.admit_call_as('sam', 'list_directory'), 'member_inactive', 'V7_nor_do_they_though_active_in_b');
update organization_members set status = 'suspended' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'member_inactive', 'V7_nor_does_an_agent_whose_owner_is_so');
rollback to two;
select is((select a.failures[1] from unnest(weir.admit('01900000-0000-7000-8000-000000000001', array[weir.uuid_v7()], array[clock_timestamp()],
  array['robokey000000001'], array[sha256(convert_to(repeat('r', 43), 'UTF8'))], array[null::uuid], array[null::uuid], array['tool_execution'],
  array[pg_temp.id_of('files')], array['list_directory'], array['{}'], array['1'], array[1], array[100::bigint], array[sha256('request')],
  array['{}'], array[pg_temp.id_of('b')])) a), 'changing', 'A16_without_its_own_organization_s_lock_nothing_is_admitted');
select is(pg_temp.admit_call('list_directory', p_key => null, p_user => 'mia'), 'key_unknown', 'V5_a_person_names_an_agent');
select is(pg_temp.admit_call('list_directory', p_key => null, p_agent => 'robo'), 'key_unknown', 'V5_an_agent_s_id_alone_is_no_proof');
select is(pg_temp.admit_call('list_directory', p_user => 'bob'), 'member_inactive', 'a key and a person: both must hold');
rollback to s;

-- Denied: by which grant, and when
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'no_grant', 'V11_a_revoked_grant_ends_with_the_next_call');
rollback to s;
select pg_temp.as_user('ann',
  $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}}', expires_at => clock_timestamp() + interval '1 second')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'admitted', 'V3_a_grant_holds_until_it_expires');
select pg_sleep(1.1) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'grant_expired', 'V11_and_not_a_moment_longer_though_the_transaction_is_older');
rollback to s;
select pg_temp.as_user('ann',
  $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}}', not_before => now() + interval '1 hour')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'no_grant', 'V3_a_grant_does_not_hold_before_it_starts');
rollback to s;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'instance_unknown', 'V12_a_withdrawn_server_is_not_there');
rollback to s;
update mcp_server_tools set status = 'rejected' where name = 'list_directory' and instance_id = pg_temp.id_of('files');
select is(pg_temp.admit_call('list_directory'), 'definition_not_approved', 'a definition that an admin rejected');
rollback to s;
select weir.record_definitions(pg_temp.id_of('files'), 2, array['tool'], array['list_directory'], array[sha256('list 2')], array['{}'],
  null) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'definition_not_approved', 'A26_a_changed_definition_waits_for_an_admin');
rollback to s;

-- Not there now: no permission, so after everything else
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'unavailable', 'V10_a_server_that_is_down_is_unavailable');
select is(pg_temp.admit_call('delete_file'), 'item_not_granted', 'V10_and_denied_looks_denied_though_it_is_down');
rollback to s;

-- Limits
select pg_temp.as_user('ann',
  $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_minute": 2, "per_day": 3}}')$$) \g /dev/null
select is((select string_agg(format('%s %s', period, used), ', ' order by period) from weir.grant_usage), 'per_day 0, per_minute 0',
  'a limited grant is made with its counters');
savepoint counters;
delete from weir.grant_usage where period = 'per_day';
select is(pg_temp.admit_call('list_directory'), 'limit', 'S16_without_one_of_its_counters_nothing_is_admitted');
delete from weir.grant_usage;
select is(pg_temp.admit_call('list_directory'), 'limit', 'S16_nor_without_all');
rollback to counters;
select is(string_agg(pg_temp.admit_call('list_directory'), ' '), 'admitted admitted limit', 'S16_a_limit_per_minute') from generate_series(1, 3);
update weir.grant_usage set window_start = window_start - interval '1 minute' where period = 'per_minute';
select is(string_agg(pg_temp.admit_call('list_directory'), ' '), 'admitted limit', 'S16_a_limit_per_day_beside_it') from generate_series(1, 2);
select is((select string_agg(format('%s %s', period, used), ', ' order by period) from weir.grant_usage), 'per_day 3, per_minute 1',
  'denied calls are not counted');
select is((select count(*) from mcp_interaction_logs where reason = 'limit' and detail::integer between 1 and 86400), 2::bigint,
  'a limit says when to come again');
rollback to s;
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_hour": 0}}')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'limit', 'S6_a_limit_of_zero_is_a_limit');
select ok((select max(detail)::integer between extract(epoch from date_trunc('hour',
  clock_timestamp()) + interval '1 hour' - clock_timestamp())
                                          and extract(epoch from date_trunc('hour',
                                          clock_timestamp()) + interval '1 hour' - clock_timestamp()) + 60
           from mcp_interaction_logs where reason = 'limit'), 'and the wait is until its hour ends');
rollback to s;

-- What the organization has open is counted by the replica: it says which calls are too many, and that only denies
create function pg_temp.admit_calls_at_limit(p_items text[], p_at_limit boolean[]) returns text language sql as $$
  select string_agg(case when a.failures = '{}' then 'admitted' else a.failures[1] || coalesce(' ' || a.detail, '') end, ', '
                    order by a.ordinal)
  from (select count(*)::integer as n from unnest(p_items)) c,
       unnest(weir.admit('01900000-0000-7000-8000-000000000001', array(select weir.uuid_v7() from unnest(p_items)),
         array_fill(clock_timestamp(), array[n]), array_fill('robokey000000001'::text, array[n]),
         array_fill(sha256(convert_to(repeat('r', 43), 'UTF8')), array[n]), array_fill(null::uuid, array[n]),
         array_fill(null::uuid, array[n]), array_fill('tool_execution'::text, array[n]), array_fill(pg_temp.id_of('files'), array[n]),
         p_items, array_fill('{}'::text, array[n]), array_fill('1'::text, array[n]), array_fill(1, array[n]),
         array_fill(1::bigint, array[n]), array_fill(sha256('r'), array[n]), array_fill('{}'::text, array[n]),
         array_fill(null::uuid, array[n]), p_at_limit)) a;
$$;
select is(pg_temp.admit_calls_at_limit(array['list_directory', 'list_directory', 'delete_file', 'read_file'], array[true, false, true, null]),
  'limit connections, admitted, item_not_granted, argument_rule $.path',
  'M12_a_call_too_many_is_denied_and_of_those_only_who_would_be_served_learns_it');
select is((select reason || ' ' || detail || ' ' || instance_name || ' ' || (grant_id is not null)
           from mcp_interaction_logs where detail = 'connections'), 'limit connections files true', 'M12_and_recorded');
select throws_ok($$select pg_temp.admit_calls_at_limit(array['list_directory'], array[true, false])$$, 'WR001', null, 'one answer for each call');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_minute": 1}}')$$) \g /dev/null
select matches(pg_temp.admit_calls_at_limit(array['list_directory', 'list_directory', 'list_directory'], array[true, false, false]),
  '^limit connections, admitted, limit \d+$',
  'M12_a_call_too_many_uses_up_no_grant_s_limit');
update organizations set max_concurrent_connections = 7 where id = pg_temp.id_of('a');
select is((select c.max_concurrent_connections from weir.agent_catalog('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')),
  null, null, null) c where c.kind = 'agent'), 7, 'M12_the_limit_comes_with_the_agent_s_catalog');
rollback to s;

-- A batch
create function pg_temp.admit_batch(p_items text[], p_arguments text[], p_ids uuid[] default null) returns text language sql as $$
  select string_agg(case when a.failures = '{}' then 'admitted' else a.failures[1] end, ' ' order by a.ordinal)
  from (select count(*)::integer as n from unnest(p_items)) c,
       unnest(weir.admit('01900000-0000-7000-8000-000000000001', coalesce(p_ids, array(select weir.uuid_v7() from unnest(p_items))),
       array_fill(clock_timestamp(), array[n]),
         array_fill('robokey000000001'::text, array[n]), array_fill(sha256(convert_to(repeat('r', 43), 'UTF8')), array[n]),
         array_fill(null::uuid, array[n]),
         array_fill(null::uuid, array[n]), array_fill('tool_execution'::text, array[n]), array_fill(pg_temp.id_of('files'), array[n]),
         p_items, p_arguments,
         array_fill('1'::text, array[n]), array_fill(1, array[n]), array_fill(1::bigint, array[n]), array_fill(sha256('r'), array[n]),
         array_fill('{}'::text, array[n]), array_fill(null::uuid, array[n]))) a;
$$;
select is(pg_temp.admit_batch(array['list_directory', 'read_file', 'read_file', 'nope'], array['{}', '{"path": "/data/a"}', '{broken', null]),
  'admitted admitted argument_rule item_not_granted', 'A20_bad_input_denies_its_own_call_only');
select is(pg_temp.admit_batch(array['list_directory', repeat('long name ', 1000), E'a\nb'], array['{}', repeat('[', 60000), '{}']),
  'admitted item_not_granted item_not_granted',
  'A20_no_input_of_a_client_raises');
select is(pg_temp.as_user('owner', $$select max(octet_length(item)) from mcp_interaction_logs$$), '4096',
  'T15_a_long_name_is_cut_in_the_record');
select throws_ok($$select pg_temp.admit_batch(array['list_directory', 'list_directory'], array[null, null],
  array_fill(weir.uuid_v7(), array[2]))$$, '23505', null, 'an id is recorded once: the batch is undone');
select throws_ok($$select pg_temp.admit_batch(array['list_directory'], array['{}', '{}'])$$, 'WR001', null,
  'arrays of another length are a replica''s fault');
select throws_ok($$select pg_temp.admit_batch(array['list_directory'], array['{}'], array[null::uuid])$$, 'WR001', null, 'as are missing ids');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_minute": 2}}')$$) \g /dev/null
select is(pg_temp.admit_batch(array['list_directory', 'list_directory', 'nope', 'list_directory'], array['{}', '{}', '{}', '{}']),
  'admitted admitted definition_not_approved limit',
  'S16_a_batch_counts_its_calls_in_order_and_only_the_admitted');

-- Only the engine
select is(pg_temp.as_user('mia',
  $$select weir.admit(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)$$), '42501',
  'D1_no_person_executes_admission');
select is(pg_temp.as_user('gateway',
  $$select weir.admit(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)$$), '42501',
  'nor the gateway''s login');
select is(pg_temp.as_user('engine',
  $$select weir.admit(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)$$), 'WR001',
  'the engine does');
select * from finish();
rollback;
