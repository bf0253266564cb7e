-- What a valid catalog entry is: each member, its bounds, and what cannot be published.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- A valid entry with the given members instead of its own.
create function pg_temp.entry(p_members jsonb default '{}') returns jsonb language sql as $$
  select '{"slug": "tried", "version": "1.0.0", "display_name": "Tried", "transport": "stdio", "package": "tried", "bin": "tried"}'::jsonb
         || p_members;
$$;
create function pg_temp.error_of(p_members jsonb) returns text language sql as $$
  select weir.catalog_entry_error(pg_temp.entry(p_members));
$$;

-- Members
select is(pg_temp.error_of('{}'), null, 'an entry with all required members is accepted');
select lives_ok(format('select weir.publish_catalog_server(%L)', pg_temp.entry()), 'the owner publishes an entry');
select is((select to_jsonb(r)::text from (
    select c.name, c.display_name, c.description, c.runtime, c.args, c.env, c.capabilities, c.docker_image, c.configuration_schema,
           c.default_share, c.calls_at_once from mcp_server_catalog c where c.slug = 'tried') r)::jsonb,
  '{"name": "tried", "display_name": "Tried", "description": "", "runtime": "process", "args": [], "env": {}, "capabilities": {},
    "docker_image": null, "configuration_schema": {"type": "object", "properties": {}}, "default_share": "instance",
    "calls_at_once": null}'::jsonb, 'what an entry leaves out has its default, and the name is the slug');
select is(pg_temp.error_of(jsonb_object_agg(n, null)), null, 'null means that an optional member is left out')
from unnest(array['name', 'description', 'runtime', 'args', 'env', 'capabilities', 'docker_image', 'configuration_schema', 'default_share',
                  'calls_at_once']) n;
select is(pg_temp.error_of(jsonb_build_object(n, null)), format('entry.%s: is missing', n), format('an entry without %s is refused', n))
from unnest(array['slug', 'version', 'display_name', 'transport', 'package', 'bin']) n;
select is(pg_temp.error_of(jsonb_build_object(n, v)), format('entry.%s: is not known', n), format('an entry with %s is refused', n || v))
from unnest(array['id', 'image', 'is_published', 'withdrawn_at', 'blocked_at']) n, unnest(array['null', '1']::jsonb[]) v;
select is(weir.catalog_entry_error(v::jsonb), 'entry: must be an object',
  'a value that is not an object is refused as an entry: ' || coalesce(v, 'null'))
from unnest(array[null, 'null', '[]', '"text"', '1']) v;
select is(pg_temp.error_of(jsonb_build_object('description', repeat('x', 1048577))), 'entry: is larger than 1024 KiB',
  'an entry of more than 1 MiB is refused before it is read');
select throws_ok(format('select weir.publish_catalog_server(%L)', pg_temp.entry('{"slug": "Tried"}')), 'WR001',
  'entry.slug: must be 1 to 63 of a-z, 0-9 and -, not beginning with -', 'the owner gets the error of an entry');

-- One member at a time: values that are permitted, and values that are refused with the member's name
select is(pg_temp.error_of(jsonb_build_object(m, v)), null, format('entry.%s may be %s', m, left(v::text, 40)))
from (values
  ('slug', '"a"'), ('name', '"tried"'), ('name', '"io.github.owner/server"'), ('name', '"com.example/a.b_c-1"'),
  ('display_name', '"Ä server, that is tried"'), ('description', '"Two\nlines"'), ('capabilities', '{"tools": {"listChanged": true}}'),
  ('args', '["stdio", ""]'), ('env', '{"TOKEN": "x", "_x1": "", "path": "x", "HOMES": "x", "LC_ALL": "C", "NODE_ENV": "x", "NPM": "x",
    "XLD_A": "x", "MY_PYTHONPATH": "x", "weir_x": "x", "ENVIRONMENT": "x"}'),
  ('calls_at_once', '1024'), ('version', '"2026.8.31"'), ('package', '"@scope/name"')) t(m, v0), lateral (select v0::jsonb) l(v);
select matches(pg_temp.error_of(jsonb_build_object(m, v)), format('^entry\.%s(: |[.[])', m),
  format('entry.%s may not be %s', m, left(v::text, 40)))
from (values
  ('slug', '""'), ('slug', '"-a"'), ('slug', '1'), ('slug', to_jsonb(repeat('a', 64))::text), ('slug', '"a\nb"'), ('slug', '"a\n"'),
  ('version', '"latest"'), ('version', '"^1.0.0"'), ('version', '1'),
  ('name', '"other"'), ('name', '"a/b/c"'), ('name', '"/b"'), ('name', '"a/"'), ('name', '"a/b c"'), ('name', '["a/b"]'), ('name', '""'),
  ('name', to_jsonb('a/' || repeat('b', 100))::text),
  ('display_name', '""'), ('display_name', '"a\nb"'), ('display_name', '1'), ('display_name', to_jsonb(repeat('x', 101))::text),
  ('description', '1'), ('description', to_jsonb(repeat('x', 4001))::text),
  ('transport', '"sse"'), ('transport', '1'), ('runtime', '"docker"'), ('runtime', '{}'),
  ('package', '"--help"'), ('package', '"a b"'), ('package', '"https://example.org/x.tgz"'), ('package', '"../x"'), ('package', '{}'),
  ('bin', '"../x"'), ('bin', '"-x"'), ('bin', '""'),
  ('args', '{}'), ('args', '"x"'), ('args', '[1]'), ('args', '[null]'), ('args', '[["x"]]'),
  ('args', to_jsonb(array[repeat('x', 32769)])::text),
  ('args', to_jsonb(array_fill('x'::text, array[257]))::text),
  ('capabilities', '[]'), ('capabilities', '"tools"'), ('capabilities', jsonb_build_object('x', repeat('x', 16385))::text),
  ('docker_image', '"node:22"'), ('docker_image', '""'), ('docker_image', '1'),
  ('default_share', '"all"'), ('configuration_schema', '[]'), ('configuration_schema', '"x"')) t(m, v0), lateral (select v0::jsonb) l(v);

-- env: names that would run or load something else, and names that are reserved for Weir or the node
select matches(pg_temp.error_of(jsonb_build_object('env', jsonb_build_object(n, 'x'))), format('^entry\.env\.%s: is not permitted', n),
  format('a variable %s is refused', n))
from unnest(array['PATH', 'HOME', 'TMPDIR', 'LANG', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_', 'NODE_OPTIONS', 'NODE_PATH',
                  'npm_config_registry', 'NPM_CONFIG_REGISTRY', 'Npm_Config_userconfig', 'PYTHONPATH', 'PYTHONSTARTUP', 'PYTHON',
                  'BASH_ENV', 'ENV', 'IFS', 'WEIR_DTMA_TOKEN', 'WEIR_', '__weir_x']) n;
select matches(pg_temp.error_of(jsonb_build_object('env', jsonb_build_object(n, 'x'))),
  '^entry\.env\..*: is not a valid name of a variable',
  'an invalid name of a variable is refused: ' || left(to_jsonb(n)::text, 40))
from unnest(array['', '1A', 'A B', 'A=B', 'A-B', E'A\n', E'PATH\n', 'Ä', repeat('A', 129)]) n;
select matches(pg_temp.error_of(jsonb_build_object('env', v0::jsonb)), e, 'the values of env are strings: ' || left(v0, 40))
from (values ('{"A": 1}', '^entry\.env\.A: must be a string'), ('{"A": null}', '^entry\.env\.A: must be a string'),
             ('{"A": {"B": "x"}}', '^entry\.env\.A: must be a string'), ('[]', '^entry\.env: must be an object of strings'),
             ('"A=B"', '^entry\.env: must be an object of strings'),
             (jsonb_build_object('A', repeat('ä', 16385))::text, '^entry\.env\.A: may have 32 KiB')) t(v0, e);
select is(pg_temp.error_of(jsonb_build_object('env', jsonb_object_agg('A' || n, ''))), 'entry.env: may have 256',
  'env has at most 256 variables')
from generate_series(1, 257) n;
select is(pg_temp.error_of(jsonb_build_object('env', jsonb_object_agg('A' || n, ''))), null, 'env may have 256 variables')
from generate_series(1, 256) n;
select throws_ok(format('select weir.publish_catalog_server(%L)', pg_temp.entry('{"env": {"NODE_OPTIONS": "-r /tmp/x"}}')), 'WR001',
  'entry.env.NODE_OPTIONS: is not permitted, because it changes what is executed or is reserved for Weir',
  'the owner publishes no entry whose env would load something else');

-- configuration_schema: only keywords that are checked, none of Weir's own settings, and writeOnly
select is(pg_temp.error_of(jsonb_build_object('configuration_schema',
            jsonb_build_object('properties', jsonb_build_object(n, '{}'::jsonb)))),
  format('entry.configuration_schema.properties.%s: is a setting that Weir has for every server; give the property another name', n),
  format('an entry cannot declare the property %s', n))
from unnest(array['timeout_ms', 'max_retries', 'retry_backoff_ms', 'priority']) n;
select is(pg_temp.error_of(jsonb_build_object('configuration_schema', s::jsonb)), null, 'a configuration_schema may be ' || s)
from unnest(array[
  '{}', '{"type": "object", "properties": {"token": {"type": "string", "writeOnly": true}, "open": {"writeOnly": false}}}',
  '{"properties": {"limits": {"type": "object", "properties": {"priority": {"type": "integer"}}}}}',
  '{"properties": {"names": {"type": "array", "items": {"type": "string", "pattern": "[a-z]{1,9}"}, "maxItems": 3}}}']) s;
select is(pg_temp.error_of(jsonb_build_object('configuration_schema', s::jsonb)), 'entry.configuration_schema' || e,
  'a configuration_schema may not be ' || s)
from (values
  ('{"properties": {"a": {"oneOf": []}}}', '.properties.a.oneOf: is not supported'),
  ('{"properties": {"a": {"items": {"format": "uri"}}}}', '.properties.a.items.format: is not supported'),
  ('{"additionalProperties": true}', '.additionalProperties: is not supported'),
  ('{"properties": []}', '.properties: is not supported'), ('{"properties": {"a": 1}}', '.properties.a: must be an object'),
  ('{"properties": {"a": {"pattern": "("}}}', '.properties.a.pattern: is not supported'),
  ('{"writeOnly": true}', '.writeOnly: must be true or false, on a property of the configuration itself'),
  ('{"properties": {"a": {"writeOnly": "yes"}}}',
   '.properties.a.writeOnly: must be true or false, on a property of the configuration itself'),
  ('{"properties": {"a": {"properties": {"b": {"writeOnly": true}}}}}',
   '.properties.a.properties.b.writeOnly: must be true or false, on a property of the configuration itself'),
  ('{"properties": {"a": {"items": {"writeOnly": true}}}}',
   '.properties.a.items.writeOnly: must be true or false, on a property of the configuration itself'),
  ('{"items": {"properties": {"a": {"writeOnly": true}}}}',
   '.items.properties.a.writeOnly: must be true or false, on a property of the configuration itself')) t(s, e);
select is(weir.schema_error('{"properties": {"token": {"type": "string", "writeOnly": true}}}', '{"token": "x"}', 'c'), null,
  'a value of a property that is writeOnly is checked as any other');
select is(weir.schema_error('{"properties": {"token": {"type": "string", "writeOnly": true}}}', '{"token": 1}', 'c'),
  'c.token: must be of type string', 'a wrong value of a property that is writeOnly is refused');

select * from finish();
rollback;
