-- The cost of a grant's rules for each call is limited when the grant is made.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- A grant of one tool with these rules of its arguments.
create function pg_temp.grant_with_rules(p_rules jsonb, p_tool text default 'read_file') returns jsonb language sql as $$
  select jsonb_build_object('tools', jsonb_build_object(p_tool, jsonb_build_object('args', p_rules)));
$$;
create function pg_temp.grant_with_pattern(p_pattern text) returns jsonb language sql as $$
  select pg_temp.grant_with_rules(jsonb_build_object('a', jsonb_build_object('matches', p_pattern)));
$$;
-- The same rule for n arguments.
create function pg_temp.grant_with_rule_for_each(p_n integer, p_rule text) returns jsonb language sql as $$
  select pg_temp.grant_with_rules((select jsonb_object_agg('a' || n, replace(p_rule, '%', n::text)::jsonb) from generate_series(1, p_n) n));
$$;
create function pg_temp.grant_with_globs(p_kind text, p_n integer, p_glob text) returns jsonb language sql as $$
  select jsonb_build_object(p_kind, (select jsonb_agg(replace(p_glob, '%', n::text)) from generate_series(1, p_n) n));
$$;
-- n names that all match read_file, each with this rule
create function pg_temp.grant_with_names(p_n integer, p_rule text) returns jsonb language sql as $$
  select jsonb_build_object('tools',
    (select jsonb_object_agg(left('read_file', n) || '*', jsonb_build_object('args', jsonb_build_object('a', p_rule::jsonb)))
                                      from generate_series(1, p_n) n));
$$;

-- Each construct, just below and just above the maximum
create temporary table bounds (name text, below jsonb, above jsonb);
insert into bounds values
  ('repetition of a set', pg_temp.grant_with_pattern('[ab]*a[ab]{34}x'), pg_temp.grant_with_pattern('[ab]*a[ab]{60}x')),
  ('repetitions of a class', pg_temp.grant_with_pattern('\w{60}\w{60}\w{60}'), pg_temp.grant_with_pattern(repeat('\w{99}', 8))),
  ('optional repetitions', pg_temp.grant_with_pattern(repeat('a{0,9}', 8)), pg_temp.grant_with_pattern(repeat('a{0,99}', 8))),
  ('parts that may be empty, in a row', pg_temp.grant_with_pattern(repeat('a*', 15)), pg_temp.grant_with_pattern(repeat('a*', 60))),
  ('optional groups in a row', pg_temp.grant_with_pattern(repeat('(a|b)?', 10)), pg_temp.grant_with_pattern(repeat('(a|b)?', 33))),
  ('groups in groups, repeated', pg_temp.grant_with_pattern(repeat('(a|', 3) || 'b' || repeat(')+', 3)),
    pg_temp.grant_with_pattern(repeat('(a|', 12) || 'b' || repeat(')+', 12))),
  ('a loop over loops', pg_temp.grant_with_pattern('(' || repeat('a?', 10) || ')*'),
    pg_temp.grant_with_pattern('(' || repeat('a?', 90) || ')*')),
  ('classes besides many characters', pg_temp.grant_with_pattern('\w{9}abcdefghijklmnopqrstuvwxyz'),
    pg_temp.grant_with_pattern('\w{0,99}abcdefghijklmnopqrstuvwxyz')),
  ('patterns of several arguments', pg_temp.grant_with_rule_for_each(8, '{"matches": "x%[a-z]+"}'),
    pg_temp.grant_with_rule_for_each(16, '{"matches": "x%[a-z]+"}')),
  ('patterns of elements', pg_temp.grant_with_rules('{"l": {"each": {"matches": "[^@]+@example\\.org"}}}'),
     pg_temp.grant_with_rules('{"l": {"each": {"matches": "[^@]+@example\\.org"}}, "m": {"each": {"matches": "[^@]+@example\\.org"}}}')),
  ('places of elements', pg_temp.grant_with_rules('{"l": {"each": {"type": "string", "under": "/d"}}}'),
     pg_temp.grant_with_rules('{"l": {"each": {"type": "string", "under": "/d"}}, "m": {"each": {"type": "string", "under": "/d"}}}')),
  ('elements of elements', pg_temp.grant_with_rules('{"l": {"each": {"each": {"type": "string"}}}}'),
     pg_temp.grant_with_rules('{"l": {"each": {"each": {"type": "string", "min": 1, "in": ["a"]}}}}')),
  ('values', pg_temp.grant_with_rules(jsonb_build_object('a',
    jsonb_build_object('in', (select jsonb_agg(repeat('v', 600) || n) from generate_series(1, 100) n)))),
     pg_temp.grant_with_rules(jsonb_build_object('a',
       jsonb_build_object('each', jsonb_build_object('in', (select jsonb_agg(repeat('v', 60) || n) from generate_series(1, 100) n)))))),
  ('a large value', pg_temp.grant_with_rules(jsonb_build_object('a', jsonb_build_object('equals', repeat('v', 60000)))),
     pg_temp.grant_with_rules(jsonb_build_object('a', jsonb_build_object('each', jsonb_build_object('equals', repeat('v', 6000)))))),
  ('objects that elements are compared with', pg_temp.grant_with_rules('{"a": {"in": [{"b": 1}]}}'),
    pg_temp.grant_with_rules('{"a": {"each": {"in": [{"b": 1}]}}}')),
  ('arguments', pg_temp.grant_with_rule_for_each(50, '{"type": "number"}'), pg_temp.grant_with_rule_for_each(400, '{"type": "number"}')),
  ('places', pg_temp.grant_with_rule_for_each(12, '{"under": "/d"}'), pg_temp.grant_with_rule_for_each(30, '{"under": "/d"}')),
  ('names with * that match together', pg_temp.grant_with_names(4, '{"matches": "[a-z ]+[0-9]+"}'),
    pg_temp.grant_with_names(9, '{"matches": "[a-z ]+[0-9]+"}')),
  ('names', jsonb_build_object('tools', (select jsonb_object_agg('tool' || n, '{}'::jsonb) from generate_series(1, 1200) n)),
     jsonb_build_object('tools', (select jsonb_object_agg('tool' || n, '{}'::jsonb) from generate_series(1, 2000) n))),
  ('resources below places', pg_temp.grant_with_globs('resources', 450, 'file:///data/%/*'),
    pg_temp.grant_with_globs('resources', 700, 'file:///data/%/*')),
  ('resources with text after a *', pg_temp.grant_with_globs('resources', 15, 'file:///*/README.%'),
    pg_temp.grant_with_globs('resources', 40, 'file:///*/README.%')),
  ('exact resources', pg_temp.grant_with_globs('resources', 1200, 'file:///data/%'),
    pg_temp.grant_with_globs('resources', 2000, 'file:///data/%')),
  ('prompts', pg_temp.grant_with_globs('prompts', 50, '*a%*'), pg_temp.grant_with_globs('prompts', 900, '*a%*'));
select is(weir.permissions_error(below), null, 'F04_permissions_below_the_maximum_cost_are_accepted: ' || name) from bounds;
select matches(weir.permissions_error(above), '^\$.*(costs .* limit is 100000|at most)',
  'F04_permissions_above_the_maximum_cost_are_refused: ' || name) from bounds;
select matches(weir.permissions_error(pg_temp.grant_with_rules('{"l": {"each": {"in": [{"b": 1}]}}}')),
  '^\$\.tools\.read_file: costs each call up to [0-9]+ steps, and the limit is 100000: use ',
    'F04_a_refusal_for_the_cost_says_the_cost_the_maximum_and_what_to_do');
select matches(weir.permissions_error(jsonb_build_object('tools',
  (select jsonb_object_agg('t' || n, '{"args": {"a": {"matches": "a"}}}'::jsonb)
                                                                   from generate_series(1, 101) n))), 'at most 100 rules',
                                                                     'F04_permissions_with_101_patterns_are_refused');

-- What people usually grant is far below the maximum
select is(weir.permissions_error(pg_temp.grant_with_rules(r::jsonb)), null, 'F04_usual_rules_are_below_the_maximum_cost: ' || r)
from unnest(array['{"path": {"type": "string", "under": "/srv/data"}, "head": {"type": "integer", "min": 0, "max": 1000}}',
  '{"paths": {"type": "array", "each": {"type": "string", "under": "file:///srv/data"}}}',
  '{"to": {"type": "array", "each": {"type": "string", "matches": "[^@]+@example\\.org"}}, "subject": {"type": "string"}}',
  '{"query": {"type": "string", "matches": "(SELECT|select) [^;]*"}, "database": {"in": ["a", "b", "c"]}}',
  '{"mail": {"matches": "[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\\.[a-z]{2,6}"}}',
    '{"at": {"matches": "\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z"}}',
  '{"file": {"matches": "^[^/]{1,60}\\.(txt|md)$"}}', '{"tags": {"each": {"in": ["red", "green", "blue"]}}}',
  '{"cells": {"each": {"each": {"type": "number"}}}}']) r;

-- The grant of the attack: 200 patterns under 64 KiB. Every way of writing a grant refuses it.
create temporary table attack as
select pg_temp.grant_with_rules((select jsonb_object_agg('a' || n,
  jsonb_build_object('matches', '\w{99}\w{99}' || n || '\w{0,99}\w{0,99}x'))
                      from generate_series(1, 200) n)) as permissions;
select cmp_ok(octet_length(permissions::text), '<', 65536, 'the attack''s grant is under 64 KiB') from attack;
select matches(weir.permissions_error(permissions), 'at most 100', 'F04_the_attacks_grant_is_refused_for_its_number_of_rules') from attack;
select is(pg_temp.error_as('ann', format('select grant_mcp_access({robo}, {files}, %L)', permissions)), 'WR001',
  'F04_the_attacks_grant_is_refused_by_grant_mcp_access') from attack;
select throws_ok(format('insert into agent_mcp_permissions
    (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id, revoked_at)
    values (%L, %L, %L, %L, %L, now())',
  pg_temp.id_of('a'), pg_temp.id_of('robo'), pg_temp.id_of('files'), permissions, pg_temp.id_of('ann')),
  '23514', null, 'F04_the_attacks_grant_is_refused_by_the_table_whoever_writes') from attack;
select throws_ok(format('update agent_mcp_permissions set permissions = %L where id = %L', permissions, pg_temp.id_of('grant')),
  null, null, 'F04_the_attacks_grant_is_refused_in_place_of_another') from attack;
select is(pg_temp.error_as('mia', format('select request_mcp_access({robo}, {files}, %L)', permissions)), 'WR001',
  'F04_the_attacks_grant_is_refused_as_a_request') from attack;
select pg_temp.create_as('request', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"read_file": {}}}')$$) \g /dev/null
select is(pg_temp.error_as('ann', format('select decide_permission_request({request}, true, permissions => %L)', permissions)), 'WR001',
  'F04_the_attacks_grant_is_refused_as_the_answer_to_a_request') from attack;
select throws_ok(format('insert into permission_requests (organization_id, agent_id, mcp_server_instance_id, permissions, requested_by)
    values (%L, %L, %L, %L, %L)',
  pg_temp.id_of('a'), pg_temp.id_of('robo'), pg_temp.id_of('files'), permissions, pg_temp.id_of('mia')),
  '23514', null, 'F04_the_attacks_grant_is_refused_by_the_table_of_requests') from attack;

-- Its cost is computed without running it: PostgreSQL takes seconds to refuse these.
select matches(weir.pattern_error(repeat('(a|', 33) || 'b' || repeat(')+', 33)), 'costs',
  'F04_a_pattern_that_is_too_costly_is_refused_before_it_is_compiled');
select is(weir.pattern_error(p), 'has a construct that is not supported',
  'F04_a_pattern_with_an_unsupported_construct_is_refused: ' || left(p, 40))
from unnest(array[repeat('(^|$|a)', 28), 'a^', '$a', 'a]', '[[]', '[a', '[]', '[]a]', '(', ')', 'a**', 'a{1}{1}', '(a){2}', '|*', '^*',
  '\y', '[[.a.]]', '\_\']) p;
select is(weir.pattern_error(p), null, 'F04_a_pattern_of_supported_constructs_is_accepted: ' || p)
from unnest(array['^a$', '^a|b$', '[a-z\]\\]', '[^\d\s]+', '[[:alpha:]_]+', '(a|)', '()', 'a{0}', 'a{2,}', 'a{2,3}?', '(a+?b*?)??',
  '\.\*\(', 'ä[ö-ü]', '}']) p;

-- Random patterns below the maximum compile and match quickly, whatever they are matched with. Without the limit one in some dozens takes
-- seconds, and all of them take longer than the timeout.
create function pg_temp.random_pattern(p_depth integer) returns text language plpgsql as $$
declare
  v_text text := '';
  v_atoms constant text[] := array['a', 'b', '.', '\w', '\d', '[ab]', '[^a]', '[a-z]', '\s', '[[:alpha:]]'];
  v_ways constant text[] := array['', '', '*', '+', '?', '*?', '+?'];
begin
  for v_n in 1 .. 1 + (random() * 4)::integer loop
    if p_depth > 0 and random() < 0.5 then
      v_text := v_text || '(' || pg_temp.random_pattern(p_depth - 1) || case when random() < 0.4 then '|'
        || pg_temp.random_pattern(p_depth - 1) else '' end || ')'
        || v_ways[1 + (random() * 6)::integer];
    else
      v_text := v_text || v_atoms[1 + (random() * 9)::integer]
        || case when random() < 0.2 then '{' || (random() * 9)::integer || ',' || 9 + (random() * 80)::integer || '}'
          else v_ways[1 + (random() * 6)::integer] end;
    end if;
  end loop;
  return v_text;
end;
$$;
select setseed(0.25) \g /dev/null
create temporary table chance as select n, pg_temp.random_pattern(n % 6) as pattern from generate_series(1, 400) n;
create temporary table sized as
select c.pattern, weir.pattern_cost(c.pattern, 1, 4096) as cost from chance c where (weir.pattern_size(c.pattern)).error is null;
select cmp_ok((select count(*) from sized where cost <= 100000), '>', 50::bigint,
  'more than fifty random patterns are below the maximum cost');
select cmp_ok((select count(*) from sized where cost > 100000), '>', 20::bigint,
  'more than twenty random patterns are above the maximum cost');
set local statement_timeout = '60s';
select is((select count(*) from sized s cross
  join lateral (select translate(repeat(md5(s.pattern), 128), '0123456789cdef', 'abababababbabb')) t(text)
           where s.cost <= 100000 and (repeat('a', 4096) ~ ('^(?:' || s.pattern || ')$') or true)
             and (t.text ~ ('^(?:' || s.pattern || ')$')) is null), 0::bigint,
  'F04_random_patterns_below_the_maximum_cost_are_matched_within_the_timeout');
reset statement_timeout;

-- The cost counts with limits on lengths and numbers: rules are evaluated within these limits
create function pg_temp.check_arguments(p_rules text, p_arguments jsonb) returns text language sql as $$
  select coalesce(weir.argument_failure(array[jsonb_build_object('args', p_rules::jsonb)], p_arguments::text), 'holds');
$$;
create function pg_temp.list_argument(p_n integer, p_text text) returns jsonb language sql as $$
  select jsonb_build_object('l', (select jsonb_agg(p_text) from generate_series(1, p_n)));
$$;
select is(pg_temp.check_arguments('{"l": {"each": {"under": "/d"}}}', pg_temp.list_argument(100, '/d/' || repeat('x', 60))), 'holds',
  'a hundred paths of less than 8 KiB are checked');
select is(pg_temp.check_arguments('{"l": {"each": {"under": "/d"}}}', pg_temp.list_argument(100, '/d/' || repeat('x', 100))), '$.l',
  'F04_a_hundred_paths_of_more_than_8_KiB_are_denied');
select is(pg_temp.check_arguments('{"l": {"each": {"matches": "x+"}}}', pg_temp.list_argument(100, repeat('x', 100))), '$.l',
  'F04_a_hundred_texts_of_more_than_8_KiB_are_denied_where_a_pattern_applies');
select is(pg_temp.check_arguments('{"l": {"each": {"type": "string"}}}', pg_temp.list_argument(200, repeat('x', 200))), 'holds',
  'texts of more than 8 KiB pass if only their type is checked');
select is(pg_temp.check_arguments('{"l": {"each": {}}}', pg_temp.list_argument(257, 'x')), '$.l', 'F04_more_than_256_elements_are_denied');
select is(pg_temp.check_arguments('{"l": {"each": {"each": {"type": "number"}}}}',
  (select jsonb_build_object('l', jsonb_agg('[1, 2]'::jsonb)) from generate_series(1, 100))), 'holds',
  'two hundred elements of elements are checked');
select is(pg_temp.check_arguments('{"l": {"each": {"each": {"type": "number"}}}}',
  (select jsonb_build_object('l', jsonb_agg('[1, 2]'::jsonb)) from generate_series(1, 200))), '$',
  'F04_more_than_256_elements_of_elements_are_denied');
select is(pg_temp.check_arguments('{"p": {"under": "/d"}}', jsonb_build_object('p', '/d/' || repeat('x', 4093))), 'holds',
  'a path of 4096 characters is checked');
select is(pg_temp.check_arguments('{"p": {"under": "/d"}}', jsonb_build_object('p', '/d/' || repeat('x', 4094))), '$.p',
  'F04_a_path_of_more_than_4096_characters_is_denied');
select is(pg_temp.check_arguments('{"o": {"in": [{"a": 1}, [2]]}}', jsonb_build_object('o', v::jsonb)), r,
  format('among values that are compared as a whole, %s: %s', v, r))
from (values ('{"a": 1}', 'holds'), ('[2]', 'holds'), ('{}', '$.o'), ('[]', '$.o'), ('{"a": 1, "b": 2}', '$.o'), ('2', '$.o')) t(v, r);
select is(pg_temp.check_arguments('{"n": {"type": "integer", "min": 1, "max": 5}}', jsonb_build_object('n', n)), r,
  'a number from 1 to 5 is checked without printing it: ' || left(n::text, 20))
from (values (1e1000::numeric, '$.n'), (-1e1000::numeric, '$.n'), (1e-10000::numeric, '$.n'), (5, 'holds'), (5.5, '$.n')) t(n, r);
select isnt(weir.permissions_error(pg_temp.grant_with_rules(format('{"n": {"max": %s}}', n)::jsonb)), null,
  'F04_a_bound_of_hundreds_of_digits_is_refused: ' || n)
from unnest(array['1e100000', '-1e301', '1e-1000']) n;
select is(coalesce(weir.argument_failure(array[e::jsonb], a::text), 'holds'), r,
  format('F04_twenty_arguments_checked_by_twenty_rules, variant %s: %s', t.n, r))
from (select jsonb_object_agg('a' || n, '{}'::jsonb) from generate_series(1, 20) n) rules(rules),
  lateral (select jsonb_object_agg('a' || n, 1) from generate_series(1, 20) n) arguments(arguments),
  lateral (values ('all given', jsonb_build_object('args', rules), arguments, 'holds'),
                  ('one more', jsonb_build_object('args', rules), arguments || '{"b": 1}', '$.b'),
                  ('one missing', jsonb_build_object('args', rules), arguments - 'a7', '$.a7'),
                  ('none allowed', '{"other": "deny"}', arguments, '$.a1'),
                  ('others allowed', jsonb_build_object('args', rules, 'other', 'allow'), arguments || '{"b": 1}', 'holds')) t(n, e, a, r);
-- Resources, decided as each glob alone decides
select is(weir.granted_entries(jsonb_build_object('resources', g.globs), 'resource_read', u) is not null,
  exists (select from jsonb_array_elements_text(g.globs) x where weir.matches_uri_glob(u, x)),
    format('the globs %s decide the same together and one by one for %s', g.globs, u))
from (values ('["file:///a/*"]'::jsonb), ('["file:///a/b", "x*"]'), ('["*"]'), ('[]'), ('["file:///a/../b"]')) g(globs),
  unnest(array['file:///a/b', 'file:///a/../b', 'file:///a/%2e%2e/b', 'x', 'x/..', '*']) u;
-- Lists and reads agree
select is(coalesce(u like any(weir.granted_patterns(p, 'resources')), false)
            and (not weir.climbs(u) or weir.granted_entries(p, 'resource_read', u) is not null),
          weir.granted_entries(p, 'resource_read', u) is not null, format('a list and a read under %s agree on %s', p, u))
from (values ('{"resources": ["file:///a/*"]}'::jsonb), ('{"resources": ["file:///a/b", "x*"]}'), ('{"resources": ["*"]}'), ('{}'),
             ('{"resources": ["file:///a/../b", "a_%*"]}')) g(p),
  unnest(array['file:///a/b', 'file:///a/../b', 'file:///a/%2e%2e/b', 'x', 'x/..', '*', 'a_%b', 'axxb']) u;
select * from finish();
rollback;
