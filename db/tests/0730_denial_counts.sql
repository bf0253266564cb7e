-- Repeated denials are all counted, and few of them get rows. Each admitted call gets a row.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
-- Equal denials are counted by the minute: those of one section are made within one minute, which is over when the section ends.
create function pg_temp.age_counters() returns void language sql as $$
  update weir.denial_counts set minute = minute - interval '1 hour' where minute >= date_trunc('minute', now(), 'UTC');
$$;
create function pg_temp.denial_rows(p_reason text default 'item_not_granted') returns text language sql as $$
  select concat_ws(' ', count(*), sum(occurrences), max(occurrences)) from mcp_interaction_logs where phase = 'denied'
    and reason = p_reason;
$$;
create function pg_temp.denial_counters(p_reason text default 'item_not_granted') returns text language sql as $$
  select concat_ws(' ', count(*), sum(occurrences)) from weir.denial_counts where reason = p_reason;
$$;
delete from weir.denial_counts;

-- Denied calls of an agent, each with another name
select pg_temp.within_one_minute($$
  create temporary table answers as select pg_temp.admit_call('made-up-' || n) as reason from generate_series(1, 25) n;
  create temporary table closed as select weir.close_denial_counts(100) as number$$) \g /dev/null
select is((select string_agg(distinct reason, ',') from answers), 'item_not_granted',
  'each of 25 equal denials gives its reason to the caller');
select is(pg_temp.denial_rows(), '10 10 1', 'the first ten of 25 equal denials are rows of the audit log');
select is(pg_temp.denial_counters(), '1 25', 'all of 25 equal denials are counted');
select is((select count(distinct item) from mcp_interaction_logs where reason = 'item_not_granted'), 10::bigint,
  'the rows of equal denials have the called items');
select is((select number from closed), 0, 'a counter of the current minute is not closed');
select pg_temp.age_counters() \g /dev/null
select is(weir.close_denial_counts(100), 1, 'a counter of a past minute is closed');
select is(pg_temp.denial_rows(), '11 25 15', 'a closed counter adds one row for the denials that have no row of their own');
select is((select concat_ws(' ', agent_name, instance_name, key_id, kind, decision, item) from mcp_interaction_logs where occurrences = 15),
  'Robo files robokey000000001 tool_execution denied',
  'the row of a closed counter has the caller and the server');
select is(pg_temp.denial_counters(), '0', 'a closed counter is deleted');
select is(weir.close_denial_counts(100), 0, 'a closed counter is not closed again');

-- Admitted calls
select is((select count(*) filter (where pg_temp.admit_call('list_directory') = 'admitted') from generate_series(1, 15)), 15::bigint,
  'fifteen equal permitted calls are admitted');
select is((select count(*) from mcp_interaction_logs where phase = 'requested' and item = 'list_directory'), 15::bigint,
  'T16_each_of_fifteen_equal_admitted_calls_is_a_row');
select is((select count(*) from weir.denial_counts), 0::bigint, 'admitted calls are not counted');

-- Unequal denials are counted separately
select pg_temp.within_one_minute($$
  select pg_temp.admit_call('x'), pg_temp.admit_call_as('mia', 'x'), pg_temp.admit_call_as('mia', 'x')$$) \g /dev/null
select is((select string_agg(occurrences::text, ',' order by occurrences) from weir.denial_counts), '1,2',
  'equal denials of a key and of a person are counted separately');

-- Refused functions of a suspended person, each with another id
select pg_temp.age_counters(), weir.close_denial_counts(100) \g /dev/null
select pg_temp.within_one_minute($$
  create temporary table refusals as
  select pg_temp.error_as('sam', format('select manage_mcp_servers(''stop'', %L, null, %L)', {a}, weir.uuid_v7())) as error
  from generate_series(1, 30)$$) \g /dev/null
select is((select count(*) from refusals where error like 'WR00%'), 30::bigint,
  'A33_thirty_calls_of_functions_by_a_suspended_admin_are_refused');
select is((select count(*) from mcp_interaction_logs where user_id = pg_temp.id_of('sam') and phase = 'denied'), 10::bigint,
  'A33_the_first_ten_of_thirty_refusals_of_a_suspended_admin_are_rows');
select pg_temp.age_counters(), weir.close_denial_counts(100) \g /dev/null
select is((select concat_ws(' ', count(*), sum(occurrences)) from mcp_interaction_logs where user_id = pg_temp.id_of('sam')
  and phase = 'denied'), '11 30', 'the other twenty of thirty refusals are one row when their minute is over');

-- Ids of another organization do not make denials unequal, even if they exist
select pg_temp.as_user('writer:sam', format($$select weir.record_event('lifecycle', {a}, 'conflict', {%s}, {%s})$$, g, i))
  from (values ('bot', 'spy'), ('robo', 'files')) t(g, i) \g /dev/null
select set_eq($$select agent_id, instance_id from weir.denial_counts where reason = 'conflict'$$,
  format($$values (null, null), (%L::uuid, %L::uuid)$$, pg_temp.id_of('robo'), pg_temp.id_of('files')),
    'A33_denials_that_name_ids_of_another_organization_are_not_counted_separately');

-- Malformed requests
select weir.record_denials('01900000-0000-7000-8000-000000000001', array(select weir.uuid_v7() from generate_series(1, 40)),
  array_fill(now(), array[40]), array_fill('robokey000000001'::text, array[40]),
  array_fill(sha256(convert_to(repeat('r', 43), 'UTF8')), array[40]), array_fill(null::uuid, array[40]), array_fill(null::uuid, array[40]),
    array_fill('error'::text, array[40]),
  array_fill('x'::text, array[40]), array_fill('invalid_request'::text, array[40]), array_fill(null::text, array[40]),
    array_fill(1::bigint, array[40]), array_fill(null::bytea, array[40])) as written \gset
select is(:written, 40, 'forty equal malformed requests are recorded at once');
select is(pg_temp.denial_rows('invalid_request'), '10 10 1', 'forty equal malformed requests make ten rows');
select is(pg_temp.denial_counters('invalid_request'), '1 40', 'forty equal malformed requests are counted');

-- The operator's number; a counter keeps the number that it began with
select weir.set_setting('equal_denials', '2') \g /dev/null
select pg_temp.age_counters(), weir.close_denial_counts(100) \g /dev/null
select pg_temp.within_one_minute($$select pg_temp.admit_call('y' || n) from generate_series(1, 5) n$$) \g /dev/null
select is((select concat_ws(' ', occurrences, own_rows) from weir.denial_counts where reason = 'item_not_granted'), '5 2',
  'only two of five equal denials are rows after the operator has set two');
select throws_ok(format('select weir.set_setting(''equal_denials'', %L)', v), '23514', null,
  'the operator cannot set the number of rows for equal denials to ' || v) from unnest(array['0', '1001', '"x"', 'null', '[]']) v;

-- Two organizations in one batch, equal in everything else
select set_eq(format($$select unnest(weir.count_denials(array(select (row_number() over (), o, 'lifecycle', 'unknown', 'system', null, null,
  null, null)::weir.denial
  from unnest(array_fill(%L::uuid, array[5]) || %L::uuid) o)))$$, pg_temp.id_of('a'), pg_temp.id_of('b')), '{3,4,5}'::integer[],
    'T3_denials_of_two_organizations_in_one_batch_are_counted_separately');

-- The ids that a denial names may be another organization's: a caller may send any id
delete from weir.denial_counts;
insert into weir.denial_counts (organization_id, minute, kind, reason, actor_kind, user_id, agent_id, instance_id, occurrences, own_rows,
  last_at)
select pg_temp.id_of('a'), now() - interval '1 hour', kind, 'no_grant', 'user', pg_temp.id_of('ann'), pg_temp.id_of(agent),
  pg_temp.id_of(instance), 9, 2, clock_timestamp()
from (values ('tool_execution', 'bot', 'spy'), ('context_request', 'robo', 'files')) d(kind, agent, instance);
select weir.close_denial_counts(100) \g /dev/null
select set_eq($$select kind, agent_name, instance_name from mcp_interaction_logs where occurrences = 7$$,
  $$values ('tool_execution', null, null), ('context_request', 'Robo', 'files')$$,
    'T3_a_closed_counter_writes_no_name_of_another_organization_s_agent_and_server');

-- Permissions
select is(pg_temp.as_user(w, f), '42501', format('%s may not: %s', w, f))
  from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w,
  unnest(array['select * from weir.denial_counts', 'select weir.close_denial_counts(1)', 'select weir.count_denials(null)']) f;
select is(pg_temp.as_user('engine', f), '42501', 'the engine may not: ' || f)
  from unnest(array['select * from weir.denial_counts', 'select weir.count_denials(null)', 'delete from weir.denial_counts']) f;
select * from finish();
rollback;
