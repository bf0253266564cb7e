-- The catalog by login: who publishes, withdraws, blocks and unblocks, with which sign-in, what a published version keeps, and what is
-- recorded in which audit log.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- pat is a platform admin and belongs to no organization; ann is one too, and owns one.
select weir.add_platform_admin(pg_temp.create_user('pat')) \g /dev/null
create function pg_temp.entry(p_members jsonb default '{}') returns text language sql as $$
  select ('{"slug": "tried", "version": "1.0.0", "display_name": "Tried", "transport": "stdio", "package": "tried", "bin": "tried",
            "env": {"TOKEN": "hunter2"}}'::jsonb || p_members)::text;
$$;
create function pg_temp.publish(p_actor text, p_members jsonb default '{}') returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select publish_catalog_server(%L)', pg_temp.entry(p_members)));
$$;
-- The four acts on the world's entry, and on a new one.
create temporary table acts (name text, sql text);
insert into acts values
  ('publishes', format('select publish_catalog_server(%L)', pg_temp.entry())),
  ('withdraws', $$select withdraw_catalog_server('test-files')$$),
  ('blocks', $$select block_catalog_server('test-files', reason => 'It leaks.')$$),
  ('unblocks', $$select unblock_catalog_server('test-files')$$);
create function pg_temp.states() returns text language sql as $$
  select string_agg(concat_ws(' ', c.slug, c.version, c.state), ', ' order by c.slug, c.version) from mcp_server_catalog c;
$$;
-- Runs an act with exactly these claims, and returns its answer.
create function pg_temp.act_with_claims(p_claims jsonb, p_sql text) returns text language plpgsql as $$
declare
  v_answer jsonb;
begin
  perform set_config('request.jwt.claims', p_claims::text, true), set_config('role', 'authenticated', true);
  execute p_sql into v_answer;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return coalesce(v_answer ->> 'error', 'ok');
end;
$$;
create function pg_temp.ago(p_time interval) returns bigint language sql as $$
  select floor(extract(epoch from now() - p_time))::bigint;
$$;

-- Permissions
savepoint s;
select is(pg_temp.error_as(w, a.sql), r, format('M2_%s %s nothing in the catalog', w, a.name))
from acts a,
  (values ('recent:ann', 'WR003'), ('recent:adam', 'WR003'), ('recent:mia', 'WR003'), ('recent:vic', 'WR003'), ('recent:sam', 'WR003'),
                     ('recent:bob', 'WR003'), ('recent:otto', 'WR003'), ('anon', '42501'), ('service', '42501'), ('gateway', '42501'),
                     ('engine', '42501')) t(w, r);
select is(pg_temp.as_user(w, format('select weir.%s', f)), '42501', format('%s does not execute weir.%s', w, f))
from unnest(array['recent:pat', 'writer:pat', 'engine', 'gateway', 'anon', 'service']) w,
     unnest(array['publish_catalog_server(''{}'')', 'withdraw_catalog_server(''x'')', 'block_catalog_server(''x'', null, ''x'')',
                  'unblock_catalog_server(''x'')']) f;
select is(pg_temp.states(), 'test-files 1.0.0 published', 'the catalog is unchanged after refused acts');
select is((select count(*) from mcp_interaction_logs l where l.organization_id = weir.platform_id() and l.decision = 'denied'), 0::bigint,
  'a person who is not a platform admin writes nothing into the platform''s audit log');
rollback to s;

-- With which sign-in
select is(pg_temp.act_with_claims(jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id_of('pat')) || c.claims, a.sql), 'WR003',
  format('a platform admin %s nothing with %s', a.name, c.what))
from acts a, (values
  ('a token without a time of sign-in', '{}'::jsonb),
  ('a sign-in of sixteen minutes ago', jsonb_build_object('auth_time', pg_temp.ago('16 minutes'))),
  ('a sign-in of tomorrow', jsonb_build_object('auth_time', pg_temp.ago('-1 day'))),
  ('a time that is not a number', jsonb_build_object('auth_time', pg_temp.ago('1 minute')::text)),
  ('an old sign-in whose token is refreshed', jsonb_build_object('amr', jsonb_build_array(
     jsonb_build_object('method', 'password', 'timestamp', pg_temp.ago('1 hour')),
     jsonb_build_object('method', 'token_refresh', 'timestamp', pg_temp.ago('1 minute'))))),
  ('an old auth_time beside a new amr', jsonb_build_object('auth_time', pg_temp.ago('1 hour'), 'amr', jsonb_build_array(
     jsonb_build_object('method', 'password', 'timestamp', pg_temp.ago('1 minute'))))),
  ('a token that was issued just now', jsonb_build_object('iat', pg_temp.ago('1 second')))) c(what, claims);
select is(pg_temp.as_user('pat', format('select publish_catalog_server(%L) ->> ''hint''', pg_temp.entry())),
  'Sign in again, then repeat the request.', 'a platform admin with an old sign-in is asked to sign in again');
select results_eq($$select distinct l.reason::text, l.user_id from mcp_interaction_logs l
    where l.organization_id = weir.platform_id() and l.decision = 'denied'$$,
  $$values ('forbidden', pg_temp.id_of('pat'))$$, 'an old sign-in of a platform admin is in the platform''s audit log');
select is(pg_temp.states(), 'test-files 1.0.0 published', 'the catalog is unchanged after acts with an old sign-in');
select is(pg_temp.act_with_claims(jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id_of('pat'), 'amr',
    jsonb_build_array(jsonb_build_object('method', 'password', 'timestamp', pg_temp.ago('14 minutes')))), a.sql), 'ok',
  format('a platform admin %s with a recent sign-in of another issuer', a.name))
from acts a;
rollback to s;

-- Row-level security checks again where the row is written
select is(pg_temp.as_user(w, s.sql), '42501', format('the policies let %s write no entry: %s', w, left(s.sql, 30)))
from unnest(array['writer:ann', 'writer:bob', 'writer:otto', 'writer:pat']) w,
     (values ($$insert into mcp_server_catalog (slug, version, name, display_name, transport, package, bin)
               values ('sly', '1.0.0', 'sly', 'Sly', 'stdio', 'sly', 'sly')$$)) s(sql);
select is(pg_temp.as_user(w, $$update mcp_server_catalog set description = 'x' returning 1$$), null,
  format('the policies let %s change no entry', w))
from unnest(array['writer:ann', 'writer:bob', 'writer:otto', 'writer:pat']) w;
select is(pg_temp.as_user(w, s.sql), '42501', format('%s writes no entry directly: %s', w, left(s.sql, 24)))
from unnest(array['recent:pat', 'engine', 'gateway', 'anon']) w,
     (values ($$insert into public.mcp_server_catalog (slug) values ('x')$$), ($$update public.mcp_server_catalog set description = 'x'$$),
             ($$delete from public.mcp_server_catalog$$)) s(sql);

-- What is published
select is(pg_temp.as_user('recent:pat', format('select publish_catalog_server(%L) - ''id''', pg_temp.entry()))::jsonb,
  '{"slug": "tried", "version": "1.0.0", "state": "published"}'::jsonb, 'a platform admin publishes');
select is(pg_temp.as_user('recent:pat',
  format('select publish_catalog_server(%L) ->> ''message''', pg_temp.entry('{"env": {"LD_PRELOAD": "x"}}'))),
  'entry.env.LD_PRELOAD: is not permitted, because it changes what is executed or is reserved for Weir',
  'a platform admin gets the error of an entry');
select is(pg_temp.publish('recent:pat', m::jsonb), 'WR001', 'a platform admin publishes no invalid entry: ' || m)
from unnest(array['{"slug": null}', '{"docker_image": "x"}', '{"runtime": "docker"}', '{"more": 1}', '{"package": "--x"}']) m;
select is(pg_temp.error_as('recent:pat', 'select publish_catalog_server(null)'), 'WR001', 'null is refused as an entry');

-- A published version does not change
create temporary table row_before as select c.ctid as place from mcp_server_catalog c where c.slug = 'tried';
select is(pg_temp.publish('recent:pat'), 'ok', 'publishing the same entry again is harmless');
select is(pg_temp.publish('recent:pat', '{"args": [], "name": "tried", "calls_at_once": null, "description": ""}'), 'ok',
  'publishing the same entry with its defaults written out is harmless');
select is((select c.ctid from mcp_server_catalog c where c.slug = 'tried'), (select place from row_before),
  'publishing the same entry again writes nothing, so that no call waits');
select is(pg_temp.publish('recent:pat', '{"description": "Better words."}'), 'ok', 'a description is changed');
select is((select c.description from mcp_server_catalog c where c.slug = 'tried'), 'Better words.', 'a changed description is stored');
select results_eq(format($q$select r ->> 'error', r ->> 'message' from (select pg_temp.as_user('recent:pat', %L)::jsonb as r) a$q$,
    format('select publish_catalog_server(%L)', pg_temp.entry(jsonb_build_object(t.m, t.v::jsonb)))),
  format($q$values ('WR005', 'entry.%s: only the description of a published version can change, and tried 1.0.0 has another value; '
                             'publish another version')$q$, t.m),
  'a published version keeps its ' || t.m)
from (values
  ('name', '"io.github.x/tried"'), ('display_name', '"Other"'), ('transport', '"http"'), ('package', '"other"'), ('bin', '"other"'),
  ('args', '["--more"]'), ('env', '{"TOKEN": "other"}'), ('env', '{}'), ('capabilities', '{"tools": {}}'), ('default_share', '"session"'),
  ('calls_at_once', '1'), ('configuration_schema', '{"type": "object", "properties": {"a": {}}}')) t(m, v);
select matches(pg_temp.as_user('recent:pat', format('select publish_catalog_server(%L) ->> ''message''',
    pg_temp.entry('{"args": ["x"], "bin": "y", "description": "z"}'))), '^entry\.args, entry\.bin: ', 'every member that differs is named');
select is((select c.description from mcp_server_catalog c where c.slug = 'tried'), 'Better words.',
  'a refused entry changes no description either');
select throws_ok(format('select weir.publish_catalog_server(%L)', pg_temp.entry('{"bin": "other"}')), 'WR005', null,
  'the owner''s connection changes no published version either');
select throws_ok(format('update mcp_server_catalog set %s where slug = ''tried''', s), 'WR005',
  'only the description of a published version can change: publish a new version',
  'no role changes a published version by direct SQL: ' || s)
from unnest(array[$$package = 'other'$$, $$version = '1.0.1'$$, $$slug = 'other'$$, $$bin = 'other'$$, $$args = '["x"]'$$,
  $$env = '{"A": "x"}'$$,
                  $$configuration_schema = '{}'$$, $$display_name = 'Other'$$, $$name = 'other'$$, $$capabilities = '{"a": 1}'$$,
                  $$transport = 'http'$$, $$default_share = 'session'$$, $$calls_at_once = 7$$, $$id = gen_random_uuid()$$]) s
where (select rolsuper from pg_roles where rolname = current_user);
select throws_ok($$delete from mcp_server_catalog where slug = 'tried'$$, 'WR005', null, 'no role deletes an entry')
where (select rolsuper from pg_roles where rolname = current_user);

-- Withdrawn, and published again
select is(pg_temp.as_user('recent:pat', $$select withdraw_catalog_server('tried')$$)::jsonb,
  '{"slug": "tried", "versions": ["1.0.0"]}'::jsonb,
  'a platform admin withdraws');
select is(pg_temp.as_user('recent:pat', $$select withdraw_catalog_server('tried') -> 'versions'$$), '[]',
  'withdrawing again changes nothing');
select is(pg_temp.states(), 'test-files 1.0.0 published, tried 1.0.0 withdrawn', 'a withdrawn version has the state withdrawn');
select is(pg_temp.publish('recent:pat', '{"bin": "other"}'), 'WR005', 'a withdrawn version does not change either');
select is(pg_temp.publish('recent:pat'), 'ok', 'a withdrawn version is published again');
select is(pg_temp.states(), 'test-files 1.0.0 published, tried 1.0.0 published', 'publishing again ends withdrawn');
select is(pg_temp.error_as('recent:pat', $$select withdraw_catalog_server('nothing')$$), 'WR004', 'an unknown slug is not withdrawn');
select is(pg_temp.error_as('recent:pat', $$select withdraw_catalog_server('tried', '9.9.9')$$), 'WR004',
  'an unknown version is not withdrawn');
select is(pg_temp.error_as('recent:pat', $$select unblock_catalog_server(null)$$), 'WR004', 'null is refused as a slug');

-- Blocked, until it is unblocked
select is(pg_temp.error_as('recent:pat', format('select block_catalog_server(''tried'', reason => %L)', r)), 'WR001',
  'a block has a reason: ' || coalesce(left(r, 10), 'null'))
from unnest(array[null, '', E'two\nlines', repeat('x', 501)]) r;
select is(pg_temp.as_user('recent:pat', $$select block_catalog_server('test-files', '1.0.0', 'It leaks.')$$)::jsonb,
  '{"slug": "test-files", "versions": ["1.0.0"]}'::jsonb, 'a platform admin blocks');
select is(pg_temp.admit_call('list_directory'), 'catalog_blocked', 'V12_a_call_after_the_block_is_denied');
select is(weir.switched_off(array[pg_temp.id_of('robo')], array[pg_temp.id_of('files')]), '{t}', 'V12_a_block_ends_open_calls');
select is(pg_temp.as_user('recent:pat', $$select block_catalog_server('test-files', '1.0.0', 'It leaks.') -> 'versions'$$), '[]',
  'blocking again for the same reason changes nothing');
select is(pg_temp.as_user('recent:pat', $$select block_catalog_server('test-files', '1.0.0', 'It steals.') -> 'versions'$$), '["1.0.0"]',
  'the reason of a block is changed');
select is(pg_temp.error_as('recent:pat', format('select publish_catalog_server(%L)', jsonb_build_object(
    'slug', c.slug, 'version', c.version, 'display_name', c.display_name, 'transport', c.transport, 'package', c.package, 'bin', c.bin,
    'args', c.args, 'configuration_schema', c.configuration_schema))), 'ok', 'a blocked version may be published again')
from mcp_server_catalog c where c.slug = 'test-files';
select is(pg_temp.admit_call('list_directory'), 'catalog_blocked', 'V12_publishing_again_does_not_end_a_block');
select pg_temp.as_user('recent:pat', $$select withdraw_catalog_server('test-files')$$) \g /dev/null
select is(pg_temp.states(), 'test-files 1.0.0 blocked, tried 1.0.0 published', 'V12_withdrawing_does_not_end_a_block');
select is(pg_temp.error_as('recent:pat', $$select unblock_catalog_server('test-files')$$), 'ok', 'a platform admin unblocks');
select is(weir.switched_off(array[pg_temp.id_of('robo')], array[pg_temp.id_of('files')]), '{f}', 'calls of an unblocked server do not end');
select is(pg_temp.states(), 'test-files 1.0.0 withdrawn, tried 1.0.0 published',
  'a version that was withdrawn while it was blocked stays withdrawn');
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a server of an unblocked version is called again');
select is(weir.withdraw_catalog_server('tried') + weir.block_catalog_server('tried', '1.0.0', 'x')
    + weir.unblock_catalog_server('tried', '1.0.0'),
  3, 'the owner withdraws, blocks and unblocks with a connection that has no person');

-- Audit logs: each act under the platform's id, and acts that end or permit calls in each organization too
select results_eq($$select l.item::text, l.detail::text, l.actor_kind::text, l.user_id from mcp_interaction_logs l
    where l.organization_id = weir.platform_id() and l.decision = 'allowed' and l.created_at >= now()
      and l.detail like 'test-files%' order by l.created_at, l.id$$,
  $$values ('publish_catalog_server', 'test-files 1.0.0', 'system', null::uuid),
           ('block_catalog_server', 'test-files 1.0.0: It leaks.', 'user', pg_temp.id_of('pat')),
           ('block_catalog_server', 'test-files 1.0.0: It steals.', 'user', pg_temp.id_of('pat')),
           ('withdraw_catalog_server', 'test-files 1.0.0', 'user', pg_temp.id_of('pat')),
           ('unblock_catalog_server', 'test-files 1.0.0', 'user', pg_temp.id_of('pat'))$$,
  'every act is recorded under the platform''s id, with who did it');
select results_eq($$select l.item::text, l.detail::text, l.user_id, l.instance_id from mcp_interaction_logs l
    where l.organization_id = pg_temp.id_of('a') and l.item like '%catalog_server' order by l.created_at, l.id$$,
  $$values ('block_catalog_server', 'test-files 1.0.0: It leaks.', pg_temp.id_of('pat'), pg_temp.id_of('files')),
           ('block_catalog_server', 'test-files 1.0.0: It steals.', pg_temp.id_of('pat'), pg_temp.id_of('files')),
           ('unblock_catalog_server', 'test-files 1.0.0', pg_temp.id_of('pat'), pg_temp.id_of('files'))$$,
  'a block and its end are recorded in each organization that has a server of it');
select is_empty($$select from mcp_interaction_logs l where l.organization_id = pg_temp.id_of('b') and l.item like '%catalog_server'$$,
  'an organization without a server of it has no row of a block');
select is_empty($$select from mcp_interaction_logs l where l::text like '%hunter2%'$$, 'no value of env is in the audit log');

select * from finish();
rollback;
