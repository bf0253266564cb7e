-- Admission: each check alone, and each decision recorded.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(84);

-- Admitted
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'admitted', 'a granted tool with permitted arguments is admitted');
select is(pg_temp.admit_call('list_directory', null), 'admitted', 'a tool that a glob grants is admitted');
select is(pg_temp.admit_call('greet', null, 'files', 'prompt_get'), 'admitted', 'a prompt that a glob grants is admitted');
select is(pg_temp.admit_call('file:///data/a', null, 'files', 'resource_read'), 'admitted', 'a resource that a glob grants is admitted');
select is(pg_temp.admit_call(null, null, 'files', 'context_request'), 'admitted', 'the context of a granted server is admitted');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where phase = 'requested' and agent_id = {robo} and instance_name = 'files'
  and agent_name = 'Robo'$$),
  '5', 'T13_each_admitted_call_has_its_row_in_the_audit_log');

-- Denied for the tool, prompt or resource
select is(pg_temp.admit_call('read_file', '{"path": "/etc/passwd"}'), 'argument_rule',
  'V9_a_granted_tool_with_forbidden_arguments_is_denied');
select is(pg_temp.admit_call('delete_file'), 'item_not_granted', 'V9_a_tool_that_is_not_granted_is_denied');
select is(pg_temp.admit_call('nope', '{}', null), 'unknown', 'a call without a server is denied as unknown');
select is(pg_temp.admit_call('write_file'), 'definition_not_approved', 'A26_a_tool_that_waits_for_an_admin_is_denied');
select is(pg_temp.admit_call('list_ghosts'), 'definition_not_approved', 'a granted tool that was never announced is denied');
select is(pg_temp.admit_call('read_file', '{}', 'spy'), 'instance_unknown', 'T3_a_server_of_another_organization_is_unknown_to_admission');
select is(pg_temp.admit_call('file:///etc/passwd', null, 'files', 'resource_read'), 'item_not_granted',
  'a resource outside the grant is denied');
select is(pg_temp.admit_call('other', null, 'files', 'prompt_get'), 'item_not_granted', 'a prompt outside the grant is denied');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}', 'files', 'prompt_get'), 'item_not_granted',
  'a granted tool that is requested as a prompt is denied');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where phase = 'denied' and kind in ('tool_execution', 'prompt_get', 'resource_read')
  and reason is not null and agent_id = {robo}$$),
  '9', 'T13_each_denial_has_its_row_and_reason_in_the_audit_log');

-- Denied for the key
select is(pg_temp.admit_call('read_file', p_secret => repeat('x', 43)), 'key_unknown', 'a key with a wrong secret is an unknown key');
select is(pg_temp.admit_call('read_file', p_key => 'nokey00000000000'), 'key_unknown', 'a key that does not exist is an unknown key');
select is(pg_temp.admit_call('read_file', p_key => null), 'key_unknown', 'a call without a key or a person is denied as an unknown key');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where reason = 'key_unknown'$$), '0',
  'a call with an unknown key is in no organization''s audit log');
select is(pg_temp.admit_call('read_file', '{}', 'files', p_key => 'botkey0000000001', p_secret => repeat('b', 43)), 'instance_unknown',
  'a key of another organization does not reach a server of this one');
select is(pg_temp.admit_call('list_directory', null, p_agent => 'bot'), 'user_forbidden', 'a key that names another agent is denied');
select is(pg_temp.admit_call('list_directory', null, p_agent => 'robo'), 'admitted', 'a key that names its own agent is admitted');
savepoint s;
insert into agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, expires_at)
values (pg_temp.id_of('a'), pg_temp.id_of('robo'), 'old', 'oldkey0000000001', sha256('old'), now() - interval '1 second');
select is(pg_temp.admit_call('list_directory', p_key => 'oldkey0000000001', p_secret => 'old'), 'key_expired', 'an expired key is denied');
select pg_temp.as_user('ann', $$select revoke_agent_key('robokey000000001')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'key_revoked', 'A16_the_next_call_with_a_revoked_key_is_denied');
rollback to s;
update agents set stopped_at = now() where id = pg_temp.id_of('robo');
select is(pg_temp.admit_call('list_directory'), 'agent_stopped', 'V12_an_inactive_agent_executes_nothing');
rollback to s;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.admit_call('list_directory'), 'organization_stopped', 'V7_an_inactive_organization_executes_nothing');
rollback to s;
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'member_inactive', 'V7_an_agent_whose_owner_is_suspended_executes_nothing');
rollback to s;
update organization_members set role = 'viewer' where user_id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'user_forbidden', 'V12_an_agent_whose_owner_is_a_viewer_executes_nothing');
rollback to s;
delete from auth.users where id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'member_inactive', 'an agent whose owner was deleted executes nothing');
rollback to s;

-- Denied for the person who calls through an agent
select is(pg_temp.admit_call_as('mia', 'list_directory'), 'admitted', 'V6_an_agent_s_owner_uses_it');
select is(pg_temp.admit_call_as('ann', 'list_directory'), 'admitted', 'V6_a_person_who_shares_a_workspace_with_an_agent_uses_it');
select is(pg_temp.admit_call_as('adam', 'list_directory'), 'user_forbidden',
  'V6_an_admin_who_shares_no_workspace_with_an_agent_does_not_use_it');
select is(pg_temp.admit_call_as('mel', 'list_directory'), 'user_forbidden',
  'V8_a_member_of_two_organizations_who_shares_no_workspace_with_an_agent_does_not_use_it');
select is(pg_temp.admit_call_as('bob', 'list_directory'), 'member_inactive',
  'an owner of another organization is not an active member for admission');
select is(pg_temp.admit_call_as('ann', 'list_directory', 'bot', 'files'), 'member_inactive',
  'V8_a_person_calls_nothing_through_an_agent_of_another_organization');
select is(pg_temp.admit_call_as('mel', 'list_directory', 'bot', 'files'), 'user_forbidden',
  'V8_a_member_of_both_calls_no_server_of_a_through_an_agent_of_b');
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic')),
  (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('sam'));
select is(pg_temp.admit_call_as('vic', 'list_directory'), 'user_forbidden',
  'V12_a_viewer_who_shares_a_workspace_with_an_agent_executes_nothing');
select is(pg_temp.admit_call_as('sam', 'list_directory'), 'member_inactive',
  'V7_a_suspended_member_who_shares_a_workspace_with_an_agent_executes_nothing');
savepoint two;
insert into organization_members (organization_id, user_id, role, status)
  values (pg_temp.id_of('b'), pg_temp.id_of('sam'), 'member', 'active'),
  (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member', 'active');
select is(pg_temp.admit_call_as('sam', 'list_directory'), 'member_inactive',
  'V7_a_member_suspended_in_a_and_active_in_b_executes_nothing_in_a');
update organization_members set status = 'suspended' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.admit_call('list_directory'), 'member_inactive',
  'V7_an_agent_whose_owner_is_suspended_in_a_and_active_in_b_executes_nothing');
rollback to two;
select is((select a.failures[1]
  from unnest(weir.admit('01900000-0000-7000-8000-000000000001', array[weir.uuid_v7()], array[clock_timestamp()],
  array['robokey000000001'], array[sha256(convert_to(repeat('r', 43), 'UTF8'))], array[null::uuid], array[null::uuid],
    array['tool_execution'],
  array[pg_temp.id_of('files')], array['list_directory'], array['{}'], array['1'], array[1], array[100::bigint], array[sha256('request')],
  array['{}'], array[pg_temp.id_of('b')])) a), 'changing', 'A16_a_call_is_not_admitted_without_the_lock_of_its_own_organization');
select is(pg_temp.admit_call('list_directory', p_key => null, p_user => 'mia'), 'key_unknown', 'V5_a_person_without_an_agent_is_denied');
select is(pg_temp.admit_call('list_directory', p_key => null, p_agent => 'robo'), 'key_unknown',
  'V5_an_agent_s_id_without_a_key_or_a_person_is_denied');
select is(pg_temp.admit_call('list_directory', p_user => 'bob'), 'member_inactive', 'a key with a person who is not a member is denied');
rollback to s;

-- Denied for the grant
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'no_grant', 'V11_the_next_call_after_a_revoked_grant_is_denied');
rollback to s;
select pg_temp.as_user('ann',
  $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}}', expires_at => now() + interval '1 hour')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'admitted', 'V3_a_grant_permits_calls_until_it_expires');
-- It expires now, which is after this transaction began. Not even a superuser could change it while the triggers are on.
set local session_replication_role = replica;
update agent_mcp_permissions set expires_at = clock_timestamp() where agent_id = pg_temp.id_of('robo') and revoked_at is null;
set local session_replication_role = origin;
select is(pg_temp.admit_call('list_directory'), 'grant_expired', 'V11_a_grant_that_expired_after_the_transaction_began_permits_no_call');
rollback to s;
select pg_temp.as_user('ann',
  $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}}', not_before => now() + interval '1 hour')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'no_grant', 'V3_a_grant_permits_no_call_before_it_starts');
rollback to s;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a server whose catalog entry was withdrawn is still called');
rollback to s;
select weir.block_catalog_server('test-files', null, 'It leaks.') \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'catalog_blocked', 'V12_a_server_whose_catalog_entry_was_blocked_is_not_called');
select is(pg_temp.admit_call('read_file', '{"path": "/etc"}'), 'catalog_blocked',
  'the rules of a grant are not evaluated for a server whose catalog entry was blocked');
select is(pg_temp.admit_call('delete_file'), 'item_not_granted',
  'a caller without a grant does not learn that a catalog entry was blocked');
select results_eq($$select reason::text, detail::text, instance_id = pg_temp.id_of('files') from mcp_interaction_logs
    where reason = 'catalog_blocked' order by created_at, id limit 1$$, $$values ('catalog_blocked', null::text, true)$$,
  'the denial of a call to a blocked server has its own reason in the audit log');
select weir.unblock_catalog_server('test-files') \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a server whose catalog entry is no longer blocked is called again');
rollback to s;
update mcp_server_tools set status = 'rejected' where name = 'list_directory' and instance_id = pg_temp.id_of('files');
select is(pg_temp.admit_call('list_directory'), 'definition_not_approved', 'a tool whose definition an admin rejected is denied');
rollback to s;
select weir.record_definitions(pg_temp.id_of('files'), 2, array['tool'], array['list_directory'], array[sha256('list 2')], array['{}'],
  null) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'definition_not_approved', 'A26_a_tool_whose_definition_has_changed_is_denied');
rollback to s;

-- Availability is not a permission, so it is decided last
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'unavailable', 'V10_a_permitted_call_to_a_server_that_is_down_is_unavailable');
select is(pg_temp.admit_call('delete_file'), 'item_not_granted', 'V10_a_forbidden_call_to_a_server_that_is_down_is_denied');
rollback to s;

-- Limits
select pg_temp.as_user('ann',
  $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_minute": 2, "per_day": 3}}')$$) \g /dev/null
select is((select string_agg(format('%s %s', period, used), ', ' order by period) from weir.grant_usage), 'per_day 0, per_minute 0',
  'a grant with limits is made with a counter for each');
savepoint counters;
delete from weir.grant_usage where period = 'per_day';
select is(pg_temp.admit_call('list_directory'), 'limit', 'S16_a_grant_without_one_of_its_counters_admits_nothing');
delete from weir.grant_usage;
select is(pg_temp.admit_call('list_directory'), 'limit', 'S16_a_grant_without_any_of_its_counters_admits_nothing');
rollback to counters;
-- A window that begins later than now is the current one, so no window ends between two calls.
update weir.grant_usage set window_start = 'infinity';
select is(string_agg(pg_temp.admit_call('list_directory'), ' '), 'admitted admitted limit',
  'S16_a_limit_per_minute_denies_the_call_above_it') from generate_series(1, 3);
update weir.grant_usage set window_start = clock_timestamp() - interval '1 minute' where period = 'per_minute';
select is(pg_temp.admit_call('list_directory'), 'admitted', 'S16_a_limit_per_minute_admits_a_call_in_the_next_minute');
update weir.grant_usage set window_start = 'infinity' where period = 'per_minute';
select is(pg_temp.admit_call('list_directory'), 'limit', 'S16_a_limit_per_day_denies_a_call_that_the_limit_per_minute_would_admit');
select is((select string_agg(format('%s %s', period, used), ', ' order by period) from weir.grant_usage), 'per_day 3, per_minute 1',
  'denied calls do not count toward a limit');
select is((select count(*) from mcp_interaction_logs where reason = 'limit' and detail::integer between 1 and 86400), 2::bigint,
  'a denial by a limit has the seconds to wait');
rollback to s;
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_hour": 0}}')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'limit', 'S6_a_limit_of_zero_denies_every_call');
-- It was decided between the times of its row. If an hour ended between these, both ends are right.
select ok((select bool_or(l.detail::integer between greatest(floor(extract(epoch from ends - l.recorded_at)), 1)
                                            and ceil(extract(epoch from ends - l.created_at)))
           from mcp_interaction_logs l, unnest(array[l.created_at, l.recorded_at]) t(at),
                lateral (select date_trunc('hour', t.at, 'UTC') + interval '1 hour') e(ends)
           where l.reason = 'limit'), 'a denial by a limit per hour says to wait until the hour ends');
rollback to s;

-- A replica counts an organization's open calls and streams, and says which calls exceed the limit. That can only deny a call.
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
select is(pg_temp.admit_calls_at_limit(array['list_directory', 'list_directory', 'delete_file', 'read_file'],
  array[true, false, true, null]),
  'limit connections, admitted, item_not_granted, argument_rule $.path: must be of type string and be under /data',
  'M12_a_call_beyond_the_connections_is_denied_for_its_own_reason_where_it_has_one');
select is((select reason || ' ' || detail || ' ' || instance_name || ' ' || (grant_id is not null)
           from mcp_interaction_logs where detail = 'connections'), 'limit connections files true',
             'M12_a_call_beyond_the_connections_is_in_the_audit_log_with_its_grant');
select throws_ok($$select pg_temp.admit_calls_at_limit(array['list_directory'], array[true, false])$$, 'WR001', null,
  'an array p_at_limit of another length is refused');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_minute": 1}}')$$)
  \g /dev/null
select matches(pg_temp.admit_calls_at_limit(array['list_directory', 'list_directory', 'list_directory'], array[true, false, false]),
  '^limit connections, admitted, limit \d+$',
  'M12_a_call_beyond_the_connections_does_not_count_toward_a_grant_s_limit');
update organizations set max_concurrent_connections = 7 where id = pg_temp.id_of('a');
select is((select c.max_concurrent_connections from weir.agent_catalog('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')),
  null, null, null) c where c.kind = 'agent'), 7, 'M12_the_list_of_agent_tools_has_the_organization_s_limit_of_connections');
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
select is(pg_temp.admit_batch(array['list_directory', 'read_file', 'read_file', 'nope'],
  array['{}', '{"path": "/data/a"}', '{broken', null]),
  'admitted admitted argument_rule item_not_granted', 'A20_bad_input_in_a_batch_denies_its_own_call_only');
select is(pg_temp.admit_batch(array['list_directory', repeat('long name ', 1000), E'a\nb'], array['{}', repeat('[', 60000), '{}']),
  'admitted item_not_granted item_not_granted',
  'A20_a_long_name_deep_arguments_or_a_line_break_in_a_batch_raise_nothing');
select is(pg_temp.as_user('owner', $$select max(octet_length(item)) from mcp_interaction_logs$$), '4096',
  'T15_a_long_name_is_cut_to_4096_bytes_in_the_audit_log');
select throws_ok($$select pg_temp.admit_batch(array['list_directory', 'list_directory'], array[null, null],
  array_fill(weir.uuid_v7(), array[2]))$$, '23505', null, 'a batch that has one id twice is refused');
select throws_ok($$select pg_temp.admit_batch(array['list_directory'], array['{}', '{}'])$$, 'WR001', null,
  'a batch whose arrays differ in length is refused');
select throws_ok($$select pg_temp.admit_batch(array['list_directory'], array['{}'], array[null::uuid])$$, 'WR001', null,
  'a batch with a null id is refused');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_minute": 2}}')$$)
  \g /dev/null
select is(pg_temp.admit_batch(array['list_directory', 'list_directory', 'nope', 'list_directory'], array['{}', '{}', '{}', '{}']),
  'admitted admitted definition_not_approved limit',
  'S16_a_batch_counts_its_admitted_calls_toward_a_limit_in_order');

-- Only the engine
select is(pg_temp.as_user('mia',
  $$select weir.admit(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)$$), '42501',
  'D1_no_person_executes_admission');
select is(pg_temp.as_user('gateway',
  $$select weir.admit(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)$$), '42501',
  'the gateway''s login does not execute admission');
select is(pg_temp.as_user('engine',
  $$select weir.admit(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)$$), 'WR001',
  'the engine executes admission');
select * from finish();
rollback;
