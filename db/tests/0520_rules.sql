-- The closed grammar: what it accepts, and what its rules permit. Functions only; no rows.
begin;
\ir ../testing/helpers.sql
select no_plan();

-- Accepted permissions
select is(weir.permissions_error(p::jsonb), null, 'the grammar accepts ' || p)
from unnest(array[
  '{}', '{"tools": {}}', '{"tools": {"a": {}}}', '{"tools": {"a": {"args": {}, "other": "deny"}}}',
  '{"tools": {"a": {"args": {"p": {"type": "string", "equals": "x", "in": ["x"], "prefix": "x", "under": "/x", "matches": "[a-z]+"}}}}}',
  '{"tools": {"a": {"args": {"n": {"type": "integer", "min": 0, "max": 10}}, "other": "allow"}}}',
  '{"tools": {"a": {"args": {"l": {"type": "array", "each": {"type": "string", "under": "file:///x"}}}}}}',
  '{"resources": ["file:///data/*", "*"], "prompts": []}', '{"limits": {"per_minute": 0, "per_hour": 1, "per_day": 1000000000}}']) p;
-- Refused permissions
select isnt(weir.permissions_error(p::jsonb), null, 'the grammar refuses ' || left(p, 100))
from unnest(array[
  'null', '[]', '"*"', '{"tool": {}}', '{"tools": []}', '{"tools": {"a": true}}', '{"tools": {"a": null}}', '{"tools": {"": {}}}',
  '{"tools": {"*****": {}}}', '{"tools": {"a": {"arg": {}}}}', '{"tools": {"a": {"args": []}}}', '{"tools": {"a": {"other": "maybe"}}}',
  '{"tools": {"a": {"args": {"p": {"under": "data"}}}}}', '{"tools": {"a": {"args": {"p": {"under": "/data/../etc"}}}}}',
  '{"tools": {"a": {"args": {"p": {"under": "/da%74a"}}}}}', '{"tools": {"a": {"args": {"p": {"under": 1}}}}}',
  '{"tools": {"a": {"args": {"p": {"type": "text"}}}}}', '{"tools": {"a": {"args": {"p": {"type": ["string"]}}}}}',
  '{"tools": {"a": {"args": {"p": {"min": "1"}}}}}', '{"tools": {"a": {"args": {"p": {"in": []}}}}}',
  '{"tools": {"a": {"args": {"p": {"prefix": ""}}}}}',
  '{"tools": {"a": {"args": {"p": {"not": {}}}}}}', '{"tools": {"a": {"args": {"p": null}}}}',
  '{"tools": {"a": {"args": {"p": {"each": {"each": {"each": {"each": {"each": {}}}}}}}}}}',
  '{"resources": "file:///*"}', '{"resources": [1]}', '{"resources": [null]}', '{"prompts": {"a": {}}}', '{"prompts": ["********"]}',
  '{"limits": {"per_minute": -1}}', '{"limits": {"per_minute": "60"}}', '{"limits": {"per_minute": 1.5}}', '{"limits": {"per_second": 1}}',
  '{"limits": {"per_minute": null}}', '{"limits": []}', '{"limits": {"per_day": 1000000001}}']) p;
select isnt(weir.permissions_error(jsonb_build_object('prompts', (select jsonb_agg(repeat('x', 1000)) from generate_series(1, 70)))),
  null, 'the grammar refuses permissions of more than 64 KiB');

-- Patterns are bounded in cost and anchored at both ends
select is(weir.pattern_error(p), null, 'a pattern is accepted: ' || p)
from unnest(array['[a-z]+', 'a|b', '(ab)+c?', '\d{1,4}', '[^/]{1,60}\.txt', '\w+@example\.org', '']) p where p <> '';
select isnt(weir.pattern_error(p), null, 'A32_a_pattern_is_refused: ' || left(p, 60))
from unnest(array['', repeat('a', 201), '(', 'a)|(b', '[', '*', '(a)\1', '(?=a)', '(?i)a', '***:a', '(a{1,50}){1,50}', '(a+){9}',
  'a{100}', 'a{1,999}',
                  '\mword', '\x41', 'a\', '[[.a.]]', '[[=a=]]', 'a{2}{2}', 'a+{2}', repeat('a{9}', 9), 'a{', 'a{x}']) p;
select ok(not 'xb' ~ ('^(?:' || 'a|b' || ')$'), 'a pattern is anchored at both ends of all its alternatives');

-- Paths and URIs under a base
select is(weir.is_under(v, '/data'), true, 'this path is under /data: ' || v)
  from unnest(array['/data', '/data/', '/data/a', '/data/a/b.txt',
  '/data/a/', '/data/a b', '/data/..a', '/data/a..']) v;
select is(weir.is_under(v, '/data'), false, 'A05_this_path_is_not_under /data: ' || to_json(v))
from unnest(array['/database', '/dat', 'data/a', '/', '', '/data/..', '/data/../etc/passwd', '/data/./a', '/data/a/../../etc',
  '/data//etc', '//data/a',
                  '/data\..\etc', '/data/%2e%2e/etc', '/data/a%00', E'/data/a\n', E'/data/\u0085', '/DATA/a', ' /data/a', '/data/.',
                  '/data/a/..', 'file:///data/a']) v;
select is(weir.is_under(v, 'file:///data'), true, 'this URI is under file:///data: ' || v)
  from unnest(array['file:///data', 'file:///data/a']) v;
select is(weir.is_under(v, 'file:///data'), false, 'A05_this_URI_is_not_under file:///data: ' || v)
from unnest(array['file:///database', 'file:///data/../etc', 'file://data/a', 'FILE:///data/a', '/data/a', 'file:///data//a',
  'file:////data/a', 'http:///data/a']) v;
select is(weir.is_under(v, '/data/'), r, format('with the base /data/, %s is under it: %s', v, r))
  from (values ('/data/a', true), ('/data', true),
  ('/database', false)) t(v, r);
select is(weir.is_under(v, '/'), r, format('with the base /, %s is under it: %s', v, r))
  from (values ('/a', true), ('/', true), ('a', false), ('/../a',
  false)) t(v, r);

-- URIs of resources
select is(weir.matches_uri_glob(v, 'file:///data/*'), true, 'this URI matches file:///data/*: ' || v)
  from unnest(array['file:///data/a', 'file:///data/a%20b',
  'file:///data/a/b?c']) v;
select is(weir.matches_uri_glob(v, 'file:///data/*'), false, 'A05_this_URI_does_not_match file:///data/*: ' || v)
from unnest(array['file:///data', 'file:///database/a', 'file:///data/../etc', 'file:///data/%2e%2e/etc', 'file:///data/a%2F..%2Fb',
  'file:///data/..', 'file:///data/a\b',
                  'file:///data/%252e', 'FILE:///data/a', 'file:///data/a%00']) v;
select is(weir.matches_glob(v, g), r, format('the glob "%s" matches "%s": %s', g, v, r))
from (values ('read_file', 'read_*', true), ('readXfile', 'read_*', false), ('a%b', 'a%b', true), ('axb', 'a%b', false), ('a\b', 'a\b',
  true), ('', '*', true),
             ('list', 'list_*', false), ('a.b', 'a?b', false)) t(v, g, r);

-- Arguments
create function pg_temp.check_arguments(p_entry jsonb, p_arguments text) returns text language sql as $$
  select coalesce(weir.argument_failure(array[p_entry], p_arguments), 'holds');
$$;
select is(pg_temp.check_arguments(e::jsonb, a), r, left(format('the rule %s with the arguments %s: %s', e, a, r), 160))
from (values
  ('{"args": {"path": {"under": "/data"}}}', '{"path": "/data/a"}', 'holds'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": "/data/../etc"}', '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": ["/data/a"]}', '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": ["/etc/shadow", "/data/x"]}', '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": {"a": "/data/x"}}', '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": null}', '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', '{}', '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', null, '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', '{"Path": "/data/a"}', '$.path'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": "/data/a", "head": 1}', '$.head'),
  ('{"args": {"path": {"under": "/data"}}, "other": "allow"}', '{"path": "/data/a", "head": 1}', 'holds'),
  ('{"args": {"path": {"under": "/data"}}}', '["/data/a"]', '$'),
  ('{"args": {"path": {"under": "/data"}}}', '"/data/a"', '$'),
  ('{"args": {"path": {"under": "/data"}}}', '{not json', '$'),
  ('{"args": {"path": {"under": "/data"}}}', '', '$'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": "\ud800"}', '$'),
  ('{"args": {"path": {"under": "/data"}}}', '{"path": "\u0000"}', '$'),
  ('{"args": {"n": {"max": 5}}}', '{"n": 1e999999}', '$'),
  ('{"args": {"path": {}}}', '{"path": {"anything": 1}}', 'holds'),
  ('{"args": {}}', '{}', 'holds'), ('{"args": {}}', '{"a": 1}', '$.a'), ('{"other": "deny"}', '{"a": 1}', '$.a'), ('{"other": "deny"}',
  null, 'holds'),
  ('{"other": "allow"}', '{"a": 1}', 'holds'), ('{}', '{"a": 1}', 'holds'),
  ('{"args": {"p": {"type": "string"}}}', '{"p": 1}', '$.p'), ('{"args": {"p": {"type": "integer"}}}', '{"p": 1.0}', 'holds'),
  ('{"args": {"p": {"type": "integer"}}}', '{"p": 1.5}', '$.p'), ('{"args": {"p": {"type": "integer"}}}', '{"p": "1"}', '$.p'),
  ('{"args": {"p": {"type": "null"}}}', '{"p": null}', 'holds'), ('{"args": {"p": {"type": "boolean"}}}', '{"p": "true"}', '$.p'),
  ('{"args": {"p": {"equals": "a"}}}', '{"p": "a"}', 'holds'), ('{"args": {"p": {"equals": "a"}}}', '{"p": "A"}', '$.p'),
  ('{"args": {"p": {"equals": 1}}}', '{"p": 1.0}', 'holds'), ('{"args": {"p": {"equals": 1}}}', '{"p": "1"}', '$.p'),
  ('{"args": {"p": {"in": ["a", "b"]}}}', '{"p": "b"}', 'holds'), ('{"args": {"p": {"in": ["a", "b"]}}}', '{"p": ["a"]}', '$.p'),
  ('{"args": {"p": {"in": [{"a": 1, "b": 2}]}}}', '{"p": {"a": 1}}', '$.p'),
  ('{"args": {"p": {"min": 1, "max": 5}}}', '{"p": 5}', 'holds'), ('{"args": {"p": {"min": 1, "max": 5}}}', '{"p": 5.1}', '$.p'),
  ('{"args": {"p": {"min": 1}}}', '{"p": "9"}', '$.p'), ('{"args": {"p": {"prefix": "a"}}}', '{"p": "ab"}', 'holds'),
  ('{"args": {"p": {"prefix": "a"}}}', '{"p": ["ab"]}', '$.p'), ('{"args": {"p": {"matches": "a|b"}}}', '{"p": "b"}', 'holds'),
  ('{"args": {"p": {"matches": "a|b"}}}', '{"p": "ab"}', '$.p'), ('{"args": {"p": {"matches": "a"}}}', '{"p": "a\n"}', '$.p'),
  ('{"args": {"p": {"type": "array", "each": {"under": "/d"}}}}', '{"p": ["/d/a", "/d/b"]}', 'holds'),
  ('{"args": {"p": {"type": "array", "each": {"under": "/d"}}}}', '{"p": ["/d/a", "/e/b"]}', '$.p[1]'),
  ('{"args": {"p": {"each": {"under": "/d"}}}}', '{"p": "/d/a"}', '$.p'), ('{"args": {"p": {"each": {"under": "/d"}}}}', '{"p": []}',
  'holds'),
  ('{"args": {"p": {"each": {"each": {"max": 1}}}}}', '{"p": [[1], [2]]}', '$.p[1][0]'),
  ('{"args": {"p": {"unknown": 1}}}', '{"p": 1}', '$.p')) t(e, a, r);
select is(pg_temp.check_arguments('{"args": {"p": {"matches": "a*"}}}', jsonb_build_object('p', repeat('a', 4097))::text), '$.p',
  'A32_a_value_of_more_than_4096_characters_matches_no_pattern');
select is(pg_temp.check_arguments('{"args": {"p": {}}}', jsonb_build_object('p', repeat('a', 65536))::text), '$',
  'arguments of more than 64 KiB are denied where a rule applies');
select is(pg_temp.check_arguments('{"args": {"p": {}}}', '{"p": ' || repeat('[', 20000) || repeat(']', 20000) || '}'), '$',
  'A20_arguments_too_deep_to_read_are_denied');

-- Names and globs
select is(weir.granted_entries('{"tools": {"read_*": {"args": {}}, "read_file": {}}}', 'tool_execution', 'read_file'),
  array['{}'::jsonb], 'a rule for the exact name is used instead of a glob that matches too');
select is(cardinality(weir.granted_entries('{"tools": {"read_*": {"args": {}}, "*": {}}}', 'tool_execution', 'read_file')), 2,
  'the rules of all globs that match a name apply');
select is(weir.granted_entries('{"tools": {"read_*": {}}}', 'tool_execution', 'write_file'), null,
  'V9_a_tool_that_no_entry_names_is_denied');
select is(weir.granted_entries('{"prompts": ["a"]}', 'prompt_get', 'b'), null, 'V9_a_prompt_that_no_entry_names_is_denied');

-- The detail that a denied caller gets
create function pg_temp.detail_of(p_rules text, p_arguments text, p_full boolean) returns text language sql as $$
  select weir.argument_detail(array[p_rules::jsonb], weir.argument_failure(array[p_rules::jsonb], p_arguments), p_full);
$$;
select is(pg_temp.detail_of(r, a, f), d, format('the detail of a denied argument: %s', d))
from (values
  ('{"args": {"path": {"type": "string", "under": "/data"}}}', '{"path": "/etc"}', false,
   '$.path: must be of type string and be under /data'),
  ('{"args": {"path": {"under": "/data"}}}', '{}', false, '$.path: must be under /data'),
  ('{"args": {"n": {"min": 1, "max": 5}}}', '{"n": 9}', false, '$.n: must be at least 1 and be at most 5'),
  ('{"args": {"n": {}}}', '{}', false, '$.n: must be given'),
  ('{"args": {"n": {}}}', '{"n": 1, "m": 2}', false, '$.m: must be left out: the grant has no rule for it'),
  ('{"other": "deny"}', '{"m": 2}', false, '$.m: must be left out: the grant has no rule for it'),
  ('{"args": {"p": {"each": {"under": "/data"}}}}', '{"p": ["/data/x", "/etc"]}', false, '$.p[1]: must be under /data'),
  ('{"args": {"c": {"in": ["red-1"]}}}', '{"c": "x"}', false, '$.c: must be one of the values in the grant'),
  ('{"args": {"c": {"in": ["red-1"]}}}', '{"c": "x"}', true, '$.c: must be one of ["red-1"]'),
  ('{"args": {"c": {"equals": "red-1"}}}', '{"c": "x"}', false, '$.c: must be the value in the grant'),
  ('{"args": {"c": {"equals": "red-1"}}}', '{"c": "x"}', true, '$.c: must be red-1'),
  ('{"args": {"c": {"matches": "red-[0-9]"}}}', '{"c": "x"}', false, '$.c: must match the pattern in the grant'),
  ('{"args": {"c": {"matches": "red-[0-9]"}}}', '{"c": "x"}', true, '$.c: must match red-[0-9]'),
  ('{"args": {"c": {"prefix": "red-1"}}}', '{"c": "x"}', false, '$.c: must begin with the prefix in the grant'),
  ('{"args": {"c": {"prefix": "red-1"}}}', '{"c": "x"}', true, '$.c: must begin with red-1'),
  ('{"args": {"a.b": {"type": "string"}}}', '{"a.b": 1}', false, '$.a.b: must be of type string')) t(r, a, f, d);
select ok(pg_temp.detail_of('{"args": {"n": {}}}', '[]', false) like '$: the arguments must be a JSON object%',
  'arguments that are not an object have that detail');
select is_empty($$select r from (values ('{"in": ["red-1"]}'), ('{"equals": "red-1"}'), ('{"matches": "red-1"}'), ('{"prefix": "red-1"}'),
  ('{"each": {"in": ["red-1"]}}'), ('{"each": {"each": {"equals": "red-1"}}}')) t(r), unnest(array['"x"', '["x"]', '[["x"]]', '1']) v
  where pg_temp.detail_of(format('{"args": {"c": %s}}', r), format('{"c": %s}', v), false) like '%red-1%'$$,
  'V9_only_readers_of_the_grant_get_its_values');
select is(length(pg_temp.detail_of(jsonb_build_object('args', jsonb_build_object(repeat('k', 150), jsonb_build_object('in',
  (select jsonb_agg(repeat('v', 50) || n) from generate_series(1, 90) n), 'under', '/' || repeat('u', 1000), 'matches', repeat('m', 200),
  'prefix', repeat('p', 900))))::text, '{}', true)) <= 500, true, 'the detail of a denied argument is at most 500 characters');
select * from finish();
rollback;
