-- The audit log is append-only and complete, and only the engine writes it.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(71);

-- One call from its request to its outcome
create temporary table call as select weir.uuid_v7() as id, clock_timestamp() as at;
select is((select a.failures = '{}' from call, unnest(weir.admit('01900000-0000-7000-8000-000000000001', array[id], array[at],
  array['robokey000000001'], array[sha256(convert_to(repeat('r', 43), 'UTF8'))],
  array[null::uuid], array[null::uuid], array['tool_execution'], array[pg_temp.id_of('files')], array['list_directory'], array['{}'],
  array['"7"'], array[1], array[120::bigint],
  array[sha256('request')], array['{"a":1}'], array[pg_temp.id_of('a')])) a), true, 'a granted call is admitted into the audit log');
create function pg_temp.complete_call(p_outcome text default 'ok', p_copy text default 'answer') returns integer language sql as $$
  select weir.complete('01900000-0000-7000-8000-000000000001', array[id], array[at], array[p_outcome], array[null::text],
  array[1500::bigint], array[300::bigint], array[sha256('response')], array[p_copy]) from call;
$$;
select is(pg_temp.complete_call(), 1, 'T16_an_admitted_call_is_completed');
select is(pg_temp.complete_call('timeout'), 0, 'a completed call is not completed again');
select is((select string_agg(phase || ':' || coalesce(outcome, '-'),
  ' ' order by recorded_at) from mcp_interaction_logs l join call using (id)), 'requested:- completed:ok',
    'T16_a_completed_call_is_two_rows_with_one_id');
select is((select count(distinct (l.created_at, l.tableoid)) from mcp_interaction_logs l join call using (id)), 1::bigint,
  'the two rows of a call are in one partition');
select is((select count(*) from mcp_interaction_logs l join call using (id) where agent_name = 'Robo' and instance_name = 'files'
  and item = 'list_directory' and grant_id = pg_temp.id_of('grant')
  and request_id = '"7"' and key_id = 'robokey000000001' and organization_id = pg_temp.id_of('a') and replica_id is not null), 2::bigint,
  'T16_both_rows_of_a_call_say_who_called_what_by_which_grant');
select is((select count(*) from mcp_interaction_logs l join call using (id) where xid = pg_current_xact_id() and epoch = 1
  and canon_version = 1), 2::bigint, 'both rows of a call have the transaction, epoch and canon version');
select is(weir.complete('01900000-0000-7000-8000-000000000001', array[weir.uuid_v7()], array[clock_timestamp()], array['ok'],
  array[null], array[1], array[1], array[null::bytea], array[null]), 0, 'a call that was never requested is not completed');
select is(pg_temp.admit_call('nope'), 'item_not_granted', 'a call to a tool that is not granted is denied');
select is((select weir.complete('01900000-0000-7000-8000-000000000001', array[id], array[created_at], array['ok'], array[null],
  array[1], array[1], array[null::bytea], array[null]) from mcp_interaction_logs where item = 'nope'), 0, 'a denied call is not completed');

-- Nobody changes it. Triggers refuse a superuser; row-level security hides the rows from the migrator.
create function pg_temp.try_change(p_sql text) returns text language plpgsql as $$
declare
  v_rows integer;
begin
  execute p_sql;
  get diagnostics v_rows = row_count;
  return case when v_rows = 0 and not (select rolsuper from pg_roles where rolname = current_user) then 'WR003' else v_rows || ' rows' end;
exception when others then
  return sqlstate;
end;
$$;
select tableoid::regclass as month from mcp_interaction_logs limit 1 \gset
select is(pg_temp.try_change($$update mcp_interaction_logs set item = 'x'$$), 'WR003', 'T12_a_row_of_the_audit_log_is_not_updated');
select is(pg_temp.try_change($$delete from mcp_interaction_logs$$), 'WR003', 'T12_a_row_of_the_audit_log_is_not_deleted');
select throws_ok($$truncate mcp_interaction_logs$$, 'WR003', null, 'T12_the_audit_log_is_not_truncated');
select throws_ok('truncate ' || :'month', 'WR003', null, 'T12_a_partition_of_the_audit_log_is_not_truncated');
select is_empty($$select relid from pg_partition_tree('mcp_interaction_logs') where not exists (
  select from pg_trigger g where g.tgrelid = relid and g.tgtype & 32 = 32)$$,
    'T12_every_partition_of_the_audit_log_has_a_trigger_against_truncate');
select is(pg_temp.try_change('delete from ' || :'month'), 'WR003', 'T12_a_row_of_the_audit_log_is_not_deleted_through_its_partition');
select is(pg_temp.try_change('update ' || :'month' || ' set item = null'), 'WR003',
  'T12_a_row_of_the_audit_log_is_not_updated_through_its_partition');
select throws_ok($$update mcp_interaction_logs set leaf = sha256('x')$$, '428C9', null, 'T12_the_generated_leaf_of_a_row_is_not_written');
select is(pg_temp.as_user(who, $$select count(*) from mcp_interaction_logs$$), '42501',
  'T11_the_audit_log_is_not_read_directly_by ' || who) from unnest(array['ann', 'mia', 'bob', 'anon', 'service', 'gateway', 'engine']) who;
select is(pg_temp.as_user('service', format('%s mcp_interaction_logs', c)), '42501',
  'T12_a_service_token_cannot ' || c) from unnest(array['truncate', 'delete from']) c;
select is(pg_temp.as_user(who, $$select public.audit_mcp_interactions('[{"interaction_type": "chat", "organization_id": "x"}]')$$), '42501',
  'T13_the_engine_s_function_for_events_is_not_executed_by ' || who) from unnest(array['ann', 'anon', 'service', 'gateway']) who;
select is(pg_temp.as_user('ann', $$select weir.record_event('grant', {a})$$), '42501',
  'T13_the_writer_s_function_for_events_is_not_executed_by_a_person');

-- Events of the engine and of functions name an organization; their rows contain nothing of another organization
select is(pg_temp.as_user('engine', format('select public.audit_mcp_interactions(%L) ->> ''written''', jsonb_build_array(
  jsonb_build_object('interaction_type', 'error', 'organization_id', pg_temp.id_of('a'), 'agent_id', pg_temp.id_of('bot'),
    'mcp_server_instance_id', pg_temp.id_of('spy'), 'duration_ms', 1.5, 'outcome', 'failed', 'error_details',
    '{"code": "WR012", "detail": "late"}'::jsonb),
  jsonb_build_object('interaction_type', 'error', 'organization_id', weir.uuid_v7(), 'agent_id', pg_temp.id_of('bot'))))), '1',
  'T16_of_two_events_the_one_for_an_organization_that_does_not_exist_is_not_written');
select is((select concat_ws(' ', l.organization_id = pg_temp.id_of('a'), l.agent_name, l.instance_name) from mcp_interaction_logs l
  where l.kind = 'error' and l.agent_id = pg_temp.id_of('bot')), 't', 'T16_an_event_of_the_engine_has_no_names_of_another_organization');
select is((select concat_ws(' ', l.instance_id = pg_temp.id_of('spy'), l.duration_us, l.outcome, l.error_code, l.detail)
  from mcp_interaction_logs l where l.kind = 'error' and l.agent_id = pg_temp.id_of('bot')), 't 1500 failed WR012 late',
  'an event of the engine is written in the format of read_audit');
select is(pg_temp.as_user('engine', format('select public.audit_mcp_interactions(%L) ->> ''written''', jsonb_build_array(
  jsonb_build_object('interaction_type', 'oauth', 'organization_id', pg_temp.id_of('a'), 'error_details',
    '{"reason": "forbidden"}'::jsonb)))), '1', 'an event with a reason is written');
select is((select concat_ws(' ', l.phase, l.decision, l.reason, l.outcome) from mcp_interaction_logs l where l.kind = 'oauth'
  and l.organization_id = pg_temp.id_of('a')), 'denied denied forbidden', 'an event with a reason is a denial');
select is(pg_temp.as_user('writer:ann',
  $$select weir.record_event('lifecycle', {a}, p_agent_id => {bot}, p_instance_id => {spy}, p_item => 'foreign')$$),
  '', 'the writer records an event that names ids of another organization');
select is((select concat_ws(' ', l.organization_id = pg_temp.id_of('a'), l.agent_name, l.instance_name) from mcp_interaction_logs l
  where l.item = 'foreign'), 't', 'T16_an_event_of_the_writer_has_no_names_of_another_organization');
select is(pg_temp.error_as('bob', $$select create_agent({a}, 'x')$$) || (select count(*) from mcp_interaction_logs l
  where l.organization_id = pg_temp.id_of('a') and l.user_id = pg_temp.id_of('bob')), 'WR0040',
    'T16_an_outsider_s_denied_call_is_not_in_the_audit_log_of_the_organization_that_they_named');

-- The values that a row may have
create function pg_temp.insert_row_sql(p_columns text, p_values text) returns text language sql as $$
  select format('insert into mcp_interaction_logs (created_at, id, organization_id, epoch, actor_kind, phase, kind, decision%s)
  values (now(), weir.uuid_v7(), %L, 1, ''system'', %s)', p_columns, pg_temp.id_of('a'), p_values);
$$;
select lives_ok(pg_temp.insert_row_sql('', $$'requested', 'tool_execution', 'allowed'$$), 'a row with valid values is inserted');
select throws_ok(pg_temp.insert_row_sql('', $$'requested', 'banana', 'allowed'$$), '23514', null, 'T14_kinds_are_a_closed_list');
select throws_ok(pg_temp.insert_row_sql('', $$'thought', 'chat', 'allowed'$$), '23514', null, 'T14_phases_are_a_closed_list');
select throws_ok(pg_temp.insert_row_sql(', reason', $$'denied', 'chat', 'denied', 'because'$$), '23514', null,
  'T14_reasons_are_a_closed_list');
select throws_ok(pg_temp.insert_row_sql(', outcome', $$'completed', 'chat', 'allowed', 'fine'$$), '23514', null,
  'T14_outcomes_are_a_closed_list');
select throws_ok(pg_temp.insert_row_sql('', $$'denied', 'chat', 'denied'$$), '23514', null, 'T16_a_denied_row_without_a_reason_is_refused');
select throws_ok(pg_temp.insert_row_sql('', $$'denied', 'chat', 'allowed'$$), '23514', null,
  'T16_a_denied_row_with_the_decision_allowed_is_refused');
select throws_ok(pg_temp.insert_row_sql('', $$'completed', 'chat', 'allowed'$$), '23514', null,
  'T16_a_completed_row_without_an_outcome_is_refused');
select throws_ok(pg_temp.insert_row_sql(', request_copy', $$'requested', 'chat', 'allowed', repeat('x', 4097)$$), '23514', null,
  'T15_a_copy_of_more_than_4_kib_is_refused');
select throws_ok(pg_temp.insert_row_sql(', request_hash', $$'requested', 'chat', 'allowed', '\x00'$$), '23514', null,
  'T15_a_digest_that_is_no_sha256_is_refused');
select throws_ok(pg_temp.insert_row_sql(', organization_id', $$'requested', 'chat', 'allowed', null$$), '42701', null,
  'a row that names two organizations is refused');
select throws_ok($$insert into mcp_interaction_logs (created_at, id, epoch, actor_kind, phase, kind, decision)
  values (now(), weir.uuid_v7(), 1, 'system', 'requested', 'chat', 'allowed')$$, '23502', null,
    'T16_a_row_without_an_organization_is_refused');
select throws_ok($$insert into mcp_interaction_logs (created_at, id, organization_id, epoch, actor_kind, phase, kind, decision)
  values (now(), weir.uuid_v7(), weir.uuid_v7(), 1, 'agent', 'requested', 'chat', 'allowed')$$, '23514', null,
    'T16_a_row_without_the_id_of_its_actor_is_refused');
select is(pg_temp.complete_call('ok', repeat('é', 5000)), 0, 'completing a completed call with a long copy raises nothing');
select is(weir.cut(repeat('é', 3000), 4096), repeat('é', 1024), 'T15_a_long_copy_is_cut_between_characters');

-- The leaf of a row. C# computes the same for these values.
select is(encode(weir.log_leaf(1, 1, '7', '01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.000006+00',
  '01900000-0000-7000-8000-000000000002', 'requested', 'tool_execution', 'allowed',
  '2026-01-02 03:04:05.000007+00', null, 'agent', null, '01900000-0000-7000-8000-000000000003', 'Zoë', 'robokey000000001', null, null,
  'read\file', null, null, 1, null, null, null, null, null, 10, null, '\x00', null, '', null, 1), 'hex'),
  '0adde823a2712278e08dd1e6b7e8157f564ee17ff603c39f2d33256786c58207', 'known values have the known leaf of canon_version 1');
select ok((select bool_and(octet_length(leaf) = 32) and count(distinct leaf) = count(*) from mcp_interaction_logs),
  'every row of the audit log has its own leaf');

-- Denials that admission did not decide
select is(weir.record_denials('01900000-0000-7000-8000-000000000001', array[weir.uuid_v7(), weir.uuid_v7(), weir.uuid_v7()],
  array_fill(now(), array[3]), array['robokey000000001', 'robokey000000001', null],
  array[sha256(convert_to(repeat('r', 43), 'UTF8')), sha256('wrong'), null], array[null, null, pg_temp.id_of('mia')], array[null, null,
  pg_temp.id_of('robo')], array_fill('tool_execution'::text, array[3]),
  array['bad', 'bad', 'bad'], array['invalid_request', 'invalid_request', 'error'], array_fill(null::text, array[3]),
  array_fill(1::bigint, array[3]), array_fill(null::bytea, array[3])), 2,
  'a malformed request is recorded for a known actor and not for an unknown one');
select throws_ok($$select weir.record_denials(null, array[weir.uuid_v7()], array[now()], array['x'], array[sha256('x')], array[null::uuid],
  array[null::uuid], array['chat'], array['x'], array['no_grant'], array['x'], array[1::bigint],
  array[null::bytea])$$,
  'WR001', null, 'a denial without a decision cannot have a reason that admission decides');

-- Unknown callers
-- counted_5 and counted_6 are the counts after the first requests and after all of them.
delete from weir.security_events;
select pg_temp.within_one_minute($$
  select weir.record_security_events(array['key_unknown', 'key_unknown'], array['abcdefghijk', 'abcdefgh'],
    array['10.0.0.1', '10.0.0.1']::inet[], array[2, 3]);
  create temporary table counted_5 as select * from weir.security_events;
  insert into weir.security_events (minute, reason, key_prefix, occurrences)
  select date_trunc('minute', clock_timestamp()), 'x' || n, '', 1 from generate_series(1, 90) n;
  select weir.record_security_events(array_fill('key_unknown'::text, array[500]), array_fill('zzzzzzzz'::text, array[500]),
    array(select format('2001:db8:%s::%s', to_hex(n / 2), n)::inet from generate_series(2, 501) n), array_fill(1, array[500]));
  select weir.record_security_events(array['key_unknown', 'key_unknown'], array['abcdefgh', 'zzzzzzzz'],
    array['10.0.0.1', '10.0.0.2']::inet[], array[1, 1]);
  create temporary table counted_6 as select * from weir.security_events$$) \g /dev/null
select is((select occurrences || ' ' || key_prefix from counted_5 where address = '10.0.0.1'), '5 abcdefgh',
  'requests with unknown keys are counted by minute, address and prefix');
select is((select string_agg(distinct masklen(address) || ' ' || occurrences, ',') from counted_6 where family(address) = 6), '64 2',
  'F08_requests_with_unknown_keys_are_counted_by_the_ipv6_network');
select is((select array[count(*), sum(occurrences)]::text from counted_6 where reason = 'key_unknown' and family(address) = 6), '{9,18}',
  'F08_requests_with_unknown_keys_make_at_most_a_hundred_rows_in_a_minute');
-- the one of 10.0.0.2 is among them
select is((select occurrences from counted_6 where reason = 'key_unknown' and address = '0.0.0.0' and key_prefix = ''), 483::bigint,
  'F08_requests_beyond_a_hundred_rows_in_a_minute_are_counted_in_one_row_for_each_reason');
select is((select occurrences || ' ' || (select count(*) from counted_6 where address = '10.0.0.2') from counted_6
  where address = '10.0.0.1'),
  '6 0', 'F08_beyond_a_hundred_rows_an_address_with_a_row_is_counted_there_and_a_new_one_gets_none');

-- Months ahead
-- A month may have begun since the database was migrated.
select weir.ensure_log_partitions() \g /dev/null
select is(weir.ensure_log_partitions(), 0, 'the partitions of the audit log are made once');
select cmp_ok((select count(*) from pg_inherits where inhparent = 'mcp_interaction_logs'::regclass), '>=', 14::bigint,
  'T15_there_are_partitions_for_at_least_fourteen_months');
select lives_ok(format('insert into mcp_interaction_logs (created_at, id, organization_id, epoch, actor_kind, phase, kind, decision)
  values (now() + interval ''11 months'', weir.uuid_v7(), %L, 1, ''system'', ''requested'', ''chat'',
  ''allowed'')', pg_temp.id_of('a')), 'a row of eleven months from now can be inserted');
select to_char((now() at time zone 'UTC') + interval '12 months', '"weir.mcp_interaction_logs_"YYYY_MM') as last \gset
create temporary table columns_before as
  select a.attname, a.atttypid, a.attnotnull, a.attgenerated from pg_attribute a where a.attrelid = :'last'::regclass and a.attnum > 0;
drop table :last;
select is(pg_temp.as_user('engine', 'select weir.ensure_log_partitions()'), '1', 'the engine makes a month that is missing');
select set_eq(format('select a.attname, a.atttypid, a.attnotnull, a.attgenerated from pg_attribute a where a.attrelid = %L::regclass
  and a.attnum > 0', :'last'),
  'select * from columns_before', 'a partition that was created again has the columns of the former one');
select is((select relrowsecurity and relforcerowsecurity from pg_class where oid = :'last'::regclass), true,
  'T17_a_partition_that_was_created_again_has_forced_row_level_security');
select throws_ok('truncate ' || :'last', 'WR003', null, 'T12_a_partition_that_was_created_again_is_not_truncated');
select * from finish();
rollback;
