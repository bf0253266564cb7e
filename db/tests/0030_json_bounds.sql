-- A jsonb value is checked against its bounds before it is turned into text. ValueBoundsTests.cs calls all published functions and measures
-- the backend's memory.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- Each bound, with a value just within it and one just beyond it.
select is(weir.bounds_error(v, pg_column_size(v)), null, 'F02_a_value_of_exactly_the_maximum_size_is_within_the_bounds')
from (select jsonb_build_object('x', repeat('y', 5000)) as v offset 0) t;
select is(weir.bounds_error(v, pg_column_size(v) - 1), 'is larger than 4 KiB', 'F02_a_value_one_byte_above_the_maximum_size_is_too_large')
from (select jsonb_build_object('x', repeat('y', 5000)) as v offset 0) t;
select is(weir.bounds_error((repeat('[', 257) || repeat(']', 257))::jsonb, 65536), null,
  'F02_an_array_of_256_levels_below_the_outermost_is_within_the_bounds');
select is(weir.bounds_error((repeat('[', 258) || repeat(']', 258))::jsonb, 65536), 'is nested deeper than 256 levels',
  'F02_an_array_of_257_levels_below_the_outermost_is_too_deep');
select is(weir.bounds_error((repeat('{"a":', 256) || '1' || repeat('}', 256))::jsonb, 65536), null,
  'an object of 256 levels is within the bounds');
select is(weir.bounds_error((repeat('{"a":', 257) || '1' || repeat('}', 257))::jsonb, 65536), 'is nested deeper than 256 levels',
  'an object of 257 levels is too deep');
select is(weir.bounds_error((repeat('[', 4000) || repeat(']', 4000))::jsonb, 65536), 'is nested deeper than 256 levels',
  'an array of 4000 levels is refused as too deep');
select is(weir.bounds_error(jsonb_build_object('x', jsonb_build_array(v::numeric)), 65536),
          case when is_within then null else 'has a number of more than 800 digits before or after the decimal point' end,
            format('F02_the_number_%s_of_%s_characters_is_bounded', left(v, 20), length(v)))
from (values ('9e799', true), ('1e800', false), ('-9e799', true), ('-1e800', false), ('1e-800', true), ('1e-801', false), ('0e-800', true),
  ('0e-801', false),
             ('1e131000', false), ('-1e131000', false), ('1e-16383', false), ('0', true), ('-0.5', true), ('1' || repeat('0', 799), true),
             ('1' || repeat('0', 800), false), ('0.' || repeat('1', 800), true), ('0.' || repeat('1', 801), false)) t(v, is_within);
select is(weir.bounds_error('"1e131000"', 65536), null, 'a string with the digits of a huge number is within the bounds');
select is(weir.bounds_error(v, 65536), null, format('%s is within the bounds', v))
  from unnest(array['null', '{}', '[]', '1', '"x"', 'true', '{"a": [1, null, {"b": false}]}']::jsonb[]) v;
select is(weir.bounds_error(null, 0), null, 'an SQL null is within the bounds');

-- A value that a table stores compressed is measured by its full size.
create temporary table kept as select jsonb_build_object('x', repeat('y', 100000)) as v;
select cmp_ok((select pg_column_size(v) from kept), '<', 10000, 'the value of this test is stored compressed');
select is((select weir.bounds_error(v, 65536) from kept), 'is larger than 64 KiB', 'F02_a_compressed_value_is_measured_by_its_full_size');

-- A DECLARE block must not compute anything from a parameter: it runs before the function has checked its caller.
select is_empty($$
  select p.oid::regprocedure
  from pg_proc p join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
  where p.pronamespace = 'weir'::regnamespace and has_function_privilege('authenticated', p.oid, 'EXECUTE')
    and substring(p.prosrc from '^\s*(?:#\S+ \S+\s+)?declare(.*?)\mbegin\M') ~ '\mp_[a-z]'$$,
  'F02_no_published_function_computes_from_a_parameter_before_it_asks_who_calls');
-- If the pattern found no DECLARE block, the test above would prove nothing.
select cmp_ok((select count(*) from pg_proc p where p.pronamespace = 'weir'::regnamespace
  and has_function_privilege('authenticated', p.oid, 'EXECUTE')
                 and substring(p.prosrc from '^\s*(?:#\S+ \S+\s+)?declare(.*?)\mbegin\M') ~ 'v_'), '>', 20::bigint,
                   'the DECLARE blocks of published functions are found by the pattern');

-- Check constraints apply to every writer. They refuse a value that would be megabytes of text, without producing that text.
create temporary table bomb as select ('{"x": [' || repeat('1e131000,', 50) || '0]}')::jsonb as v;
grant select on bomb to public;
create function pg_temp.violated_constraint(p_sql text) returns text language plpgsql as $$
declare
  v_constraint text;
begin
  execute p_sql;
  return 'ok';
exception
  when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    return v_constraint;
end;
$$;
set local session_replication_role = replica;
select is(pg_temp.violated_constraint($$update mcp_server_instances set configuration = (select v from bomb)$$),
  'mcp_server_instances_configuration_is_at_most_64_kib',
  'F02_a_configuration_is_bounded_whoever_writes_it');
select is(pg_temp.violated_constraint($$update agent_mcp_permissions
  set permissions = jsonb_build_object('tools', jsonb_build_object('x', jsonb_build_object('args',
  jsonb_build_object('y', jsonb_build_object('equals', (select v from bomb))))))$$), 'agent_mcp_permissions_follow_the_grammar',
    'F02_permissions_are_bounded_for_every_writer');
set local session_replication_role = origin;

-- What a server announces becomes text too: words for the search, and the difference that an admin reads.
select is(weir.tool_terms('tool', 'read_file', '{"title": [1e131000], "description": "words"}'), weir.tool_terms('tool', 'read_file', '{}'),
  'F02_a_tool_whose_definition_is_beyond_the_bounds_is_found_by_its_name');
select is(weir.definition_diff('{"a": 1}', '{"a": [1e131000]}')::text, null, 'F02_no_difference_is_shown_that_is_beyond_the_bounds');
select is(weir.definition_diff('{"a": 1}', '{"a": 2}')::jsonb, '{"a": {"old": 1, "new": 2}}',
  'the difference of two definitions within the bounds is shown');
select cmp_ok(octet_length(weir.definition_diff('{"a": 1}', format('{"a": [%s1]}', repeat('1e400,', 40000)))::text), '<', 262144,
  'F02_the_difference_of_two_definitions_is_no_longer_than_the_definitions');

-- Admission compares numbers without printing them, even if nothing has bounded them.
select is(weir.argument_failure(array['{"args": {"n": {"type": "integer"}}}']::jsonb[], '{"n": 1e131000}'), null,
  'F02_a_huge_number_passes_the_type_integer_without_being_printed');
select is(weir.argument_failure(array['{"args": {"n": {"type": "integer"}}}']::jsonb[], '{"n": 1.5}'), '$.n',
  'a fraction fails the type integer');
select is(weir.argument_failure(array['{"args": {"n": {"type": "integer"}}}']::jsonb[], '{"n": 10.0}'), null,
  'the number 10.0 passes the type integer');
select is(weir.argument_failure(array['{"args": {"n": {"min": 1, "max": 9}}}']::jsonb[], '{"n": 1e131000}'), '$.n',
  'F02_a_huge_number_fails_the_maximum');
select is(weir.argument_failure(array['{"args": {"n": {"min": -1}}}']::jsonb[], '{"n": -1e131000}'), '$.n',
  'a huge negative number fails the minimum');
select is(weir.argument_failure(array['{"args": {"n": {"min": 0}}}']::jsonb[], '{"n": 0}'), null, 'the minimum itself passes the minimum');

-- The engine's functions bound their values too.
select is(pg_temp.as_user('engine', $$select audit_mcp_interactions(jsonb_build_array((select v from bomb))) ->> 'error'$$), 'WR001',
  'F02_the_audit_log_refuses_an_event_beyond_the_bounds');
select is(pg_temp.as_user('engine', $$select weir.record_model_usage({robo}, (select v from bomb))$$), 'WR001',
  'F02_the_usage_of_models_refuses_a_value_beyond_the_bounds');
select is(pg_temp.as_user('engine', $$select weir.record_chat_call({nobody}, {robo}, {nobody}, 1, (select v from bomb))$$), 'WR001',
  'F02_a_chat_turn_refuses_a_call_beyond_the_bounds');
select is(pg_temp.as_user('engine',
  $$select * from weir.record_chat_answer({ann}, {robo}, {chat}, {nobody}, '', (select v from bomb), '{}', '[]', '{}')$$), 'WR001',
  'F02_a_chat_turn_refuses_an_answer_beyond_the_bounds');
select * from finish();
rollback;
