-- Denials that repeat: none is lost, few are rows, what is allowed is always one.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
-- So that no minute begins while this runs, all of it is in one that has been.
create function pg_temp.age_counters() returns void language sql as $$
  update weir.denial_counts set minute = minute - interval '1 hour' where minute >= date_trunc('minute', now());
$$;
create function pg_temp.denial_rows(p_reason text default 'item_not_granted') returns text language sql as $$
  select concat_ws(' ', count(*), sum(occurrences), max(occurrences)) from mcp_interaction_logs where phase = 'denied' and reason = p_reason;
$$;
create function pg_temp.denial_counters(p_reason text default 'item_not_granted') returns text language sql as $$
  select concat_ws(' ', count(*), sum(occurrences)) from weir.denial_counts where reason = p_reason;
$$;
delete from weir.denial_counts;

-- An agent that asks for what it may not: whatever names it makes up
select is((select string_agg(distinct pg_temp.admit_call('made-up-' || n), ',') from generate_series(1, 25) n), 'item_not_granted', 'each is denied and hears why');
select is(pg_temp.denial_rows(), '10 10 1', 'ten are rows');
select is(pg_temp.denial_counters(), '1 25', 'and all are counted');
select is((select count(distinct item) from mcp_interaction_logs where reason = 'item_not_granted'), 10::bigint, 'the rows say what was asked');
select is(weir.close_denial_counts(100), 0, 'while the minute runs');
select pg_temp.age_counters() \g /dev/null
select is(weir.close_denial_counts(100), 1, 'when it is over');
select is(pg_temp.denial_rows(), '11 25 15', 'the others are one row');
select is((select concat_ws(' ', agent_name, instance_name, key_id, kind, decision, item) from mcp_interaction_logs where occurrences = 15), 'Robo files robokey000000001 tool_execution denied',
  'which says who, and where');
select is(pg_temp.denial_counters(), '0', 'the counter is gone');
select is(weir.close_denial_counts(100), 0, 'and is not closed twice');

-- What is allowed
select is((select count(*) filter (where pg_temp.admit_call('list_directory') = 'admitted') from generate_series(1, 15)), 15::bigint, 'calls that are allowed');
select is((select count(*) from mcp_interaction_logs where phase = 'requested' and item = 'list_directory'), 15::bigint, 'T16_are_a_row_each');
select is((select count(*) from weir.denial_counts), 0::bigint, 'and no count');

-- Unequal ones are counted apart
select pg_temp.admit_call('x'), pg_temp.admit_call_as('mia', 'x'), pg_temp.admit_call_as('mia', 'x') \g /dev/null
select is((select string_agg(occurrences::text, ',' order by occurrences) from weir.denial_counts), '1,2', 'by actor');

-- A person, a suspended one too, whose functions refuse, whatever ids they think of
select pg_temp.age_counters(), weir.close_denial_counts(100) \g /dev/null
select is((select count(*) from generate_series(1, 30) n where pg_temp.error_as('sam', format('select manage_mcp_servers(''stop'', {a}, null, %L)', weir.uuid_v7())) like 'WR00%'), 30::bigint, 'A33_thirty_refusals_of_a_suspended_admin');
select is((select count(*) from mcp_interaction_logs where user_id = pg_temp.id_of('sam') and phase = 'denied'), 10::bigint, 'A33_are_ten_rows');
select pg_temp.age_counters(), weir.close_denial_counts(100) \g /dev/null
select is((select concat_ws(' ', count(*), sum(occurrences)) from mcp_interaction_logs where user_id = pg_temp.id_of('sam') and phase = 'denied'), '11 30', 'and one that counts twenty');

-- Ids of another organization make no denial unequal, though they are there
select pg_temp.as_user('writer:sam', format($$select weir.record_event('lifecycle', {a}, 'conflict', {%s}, {%s})$$, g, i)) from (values ('bot', 'spy'), ('robo', 'files')) t(g, i) \g /dev/null
select set_eq($$select agent_id, instance_id from weir.denial_counts where reason = 'conflict'$$,
  format($$values (null, null), (%L::uuid, %L::uuid)$$, pg_temp.id_of('robo'), pg_temp.id_of('files')), 'A33_what_is_of_another_organization_is_not_counted_apart');

-- Requests that nobody understands
select weir.record_denials('01900000-0000-7000-8000-000000000001', array(select weir.uuid_v7() from generate_series(1, 40)), array_fill(now(), array[40]), array_fill('robokey000000001'::text, array[40]),
  array_fill(sha256(convert_to(repeat('r', 43), 'UTF8')), array[40]), array_fill(null::uuid, array[40]), array_fill(null::uuid, array[40]), array_fill('error'::text, array[40]),
  array_fill('x'::text, array[40]), array_fill('invalid_request'::text, array[40]), array_fill(null::text, array[40]), array_fill(1::bigint, array[40]), array_fill(null::bytea, array[40])) as written \gset
select is(:written, 40, 'forty at once are recorded');
select is(pg_temp.denial_rows('invalid_request'), '10 10 1', 'as ten rows');
select is(pg_temp.denial_counters('invalid_request'), '1 40', 'and a count');

-- The operator's number; a counter keeps the one that it began with
select weir.set_setting('equal_denials', '2') \g /dev/null
select pg_temp.age_counters(), weir.close_denial_counts(100) \g /dev/null
select pg_temp.admit_call('y' || n) from generate_series(1, 5) n \g /dev/null
select is((select concat_ws(' ', occurrences, own_rows) from weir.denial_counts where reason = 'item_not_granted'), '5 2', 'two are rows');
select throws_ok(format('select weir.set_setting(''equal_denials'', %L)', v), '23514', null, 'not ' || v) from unnest(array['0', '1001', '"x"', 'null', '[]']) v;

-- Two organizations in one batch, equal in all else
select set_eq(format($$select unnest(weir.count_denials(array(select (row_number() over (), o, 'lifecycle', 'unknown', 'system', null, null, null, null)::weir.denial
  from unnest(array_fill(%L::uuid, array[5]) || %L::uuid) o)))$$, pg_temp.id_of('a'), pg_temp.id_of('b')), '{3,4,5}'::integer[], 'T3_the_denials_of_one_do_not_count_for_another');

-- What a denial names may be another organization's: anybody may think of an id
delete from weir.denial_counts;
insert into weir.denial_counts (organization_id, minute, kind, reason, actor_kind, user_id, agent_id, instance_id, occurrences, own_rows, last_at)
select pg_temp.id_of('a'), now() - interval '1 hour', kind, 'no_grant', 'user', pg_temp.id_of('ann'), pg_temp.id_of(agent), pg_temp.id_of(instance), 9, 2, clock_timestamp()
from (values ('tool_execution', 'bot', 'spy'), ('context_request', 'robo', 'files')) d(kind, agent, instance);
select weir.close_denial_counts(100) \g /dev/null
select set_eq($$select kind, agent_name, instance_name from mcp_interaction_logs where occurrences = 7$$,
  $$values ('tool_execution', null, null), ('context_request', 'Robo', 'files')$$, 'T3_its_name_is_not_in_the_record');

-- Who
select is(pg_temp.as_user(w, f), '42501', format('%s: %s', w, f)) from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w,
  unnest(array['select * from weir.denial_counts', 'select weir.close_denial_counts(1)', 'select weir.count_denials(null)']) f;
select is(pg_temp.as_user('engine', f), '42501', 'engine: ' || f) from unnest(array['select * from weir.denial_counts', 'select weir.count_denials(null)', 'delete from weir.denial_counts']) f;
select * from finish();
rollback;
