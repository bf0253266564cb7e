-- Sign-ins: attempts, families of refresh tokens, signing out.
begin;
\ir ../testing/helpers.sql
select embedded_issuer as ours from weir.installation \gset
select plan(case when :'ours' then 78 else 41 end);
select pg_temp.create_user('ann'), pg_temp.create_user('bob') \g /dev/null
create function pg_temp.email_of(p_name text) returns text language sql as $$ select email from auth.users
  where id = pg_temp.id_of(p_name); $$;
create function pg_temp.try_sign_in(p_email text, p_address text default '192.0.2.1') returns text language sql as $$
  select concat_ws(' ', allowed, user_id = pg_temp.id_of('ann'), password_hash, disabled) from weir.begin_sign_in(p_email, p_address::inet);
$$;
create function pg_temp.refresh_sign_in(p_id uuid, p_counter integer) returns text language sql as $$
  select coalesce(problem, counter::text) from weir.refresh_sign_in(p_id, p_counter);
$$;

-- Permissions
select is(pg_temp.as_user(a, format($$select count(*) from weir.%I$$, t)), '42501', a || ' reads nothing of ' || t)
from unnest(array['anon', 'ann', 'service', 'engine', 'gateway']) a, unnest(array['sign_ins', 'sign_in_attempts']) t;
select is(pg_temp.as_user(a, format('select weir.open_sign_in({ann}, null)')), '42501', a || ' opens no sign-in')
from unnest(array['anon', 'ann', 'service', 'gateway']) a;
select isnt(pg_temp.as_user('engine', 'select weir.open_sign_in({bob}, ''192.0.2.1'')'), '42501', 'the engine may execute open_sign_in');

\if :ours
-- Attempts
select is(pg_temp.try_sign_in(pg_temp.email_of('ann')), 't t not a hash f', 'a user is found by their address');
select is(pg_temp.try_sign_in(upper(pg_temp.email_of('ann'))), 't t not a hash f', 'a user is found by their address in another case');
select is(pg_temp.try_sign_in('nobody@example.org'), 't', 'an unknown address is allowed an attempt');
select is((select string_agg(pg_temp.try_sign_in('nobody@example.org', '192.0.2.2'), '') from generate_series(1, 11)), 'ttttttttttf',
  'ten attempts at one login are allowed from one address');
select is(pg_temp.try_sign_in('nobody@example.org', '192.0.2.3'), 't',
  'ten attempts at one login from one address do not stop attempts from another');
select pg_temp.keep_id('k', weir.open_sign_in(pg_temp.id_of('ann'), '192.0.2.77')) \g /dev/null
select is((select count(*) filter (where pg_temp.try_sign_in(pg_temp.email_of('ann'), format('10.1.%s.1', i)) like 't%')
  from generate_series(1, 120) i), 98::bigint,
  'a hundred attempts at one login are allowed from all addresses together');
select is(pg_temp.try_sign_in(pg_temp.email_of('ann'), '203.0.113.99'), 'f',
  'the attempt after a hundred at one login is not allowed from a new address');
select is(left(pg_temp.try_sign_in(pg_temp.email_of('ann'), '192.0.2.77'), 1), 't',
  'the attempt after a hundred at one login is allowed from where the person signed in');
select is(pg_temp.try_sign_in(pg_temp.email_of('bob'), '192.0.2.11'), 't f not a hash f',
  'a hundred attempts at one login do not stop attempts at another');
select is((select count(*) filter (where pg_temp.try_sign_in('n' || i || '@example.org', '198.51.100.1') = 't')
  from generate_series(1, 40) i), 30::bigint,
  'thirty attempts are allowed from one address at all logins together');
select is(pg_temp.try_sign_in(null, '198.51.100.1'), 'f', 'signing up counts toward the attempts of an address');
select is((select count(*) from weir.sign_in_attempts where subject = sha256('n35@example.org')), 0::bigint,
  'an attempt from an address over its limit does not count toward the login');
select is((select attempts from weir.sign_in_attempts where kind = 'address' and subject = sha256('198.51.100.1')), 31,
  'the attempts of an address are counted to one above the limit');
select is((select count(*) filter (where pg_temp.try_sign_in(null, ('2001:db8::' || i)::text) = 't') from generate_series(1, 40) i),
  30::bigint,
  'a network of IPv6 has the attempts of one address');
select is(pg_temp.try_sign_in(null, '2001:db8:0:1::1'), 't', 'the next network of IPv6 has its own attempts');
update weir.sign_in_attempts set window_ends = clock_timestamp() - interval '1 second'
  where subject in (sha256('198.51.100.1'), sha256('nobody@example.org'));
select is(pg_temp.try_sign_in('nobody@example.org', '198.51.100.1'), 't', 'an attempt is allowed after the window has ended');
update weir.sign_in_attempts set window_ends = clock_timestamp() - interval '1 hour';
select is((select string_agg(pg_temp.try_sign_in(null, '203.0.113.7'), '') from generate_series(1, 5)), 'ttttt',
  'attempts are allowed after windows have ended');
select is((select count(*) from weir.sign_in_attempts), 1::bigint, 'windows that ended an hour ago are deleted by later attempts');
select is((select string_agg(left(pg_temp.try_sign_in(pg_temp.email_of('ann'), '203.0.113.8'), 1), '') from generate_series(1, 11)),
  'ttttttttttf', 'the eleventh attempt at one login from one address is not allowed');
select pg_temp.keep_id('s', weir.open_sign_in(pg_temp.id_of('ann'), '203.0.113.8')) \g /dev/null
select is(left(pg_temp.try_sign_in(pg_temp.email_of('ann'), '203.0.113.8'), 1), 't',
  'an attempt is allowed after signing in from that address');

-- Families of refresh tokens
select is(pg_temp.refresh_sign_in(pg_temp.id_of('s'), 0), '1', 'the first refresh token makes the second');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('s'), 0), '1', 'the first refresh token makes the same second again within ten seconds');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('s'), 1), '2', 'the second refresh token makes the third');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('s'), 9), 'refresh_token_not_found', 'a refresh token that was never made is not found');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('s'), 0), 'refresh_token_already_used',
  'the first refresh token is refused after the second was used');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('s'), 2), 'session_not_found', 'a refresh token that was used again ends its family');
select pg_temp.keep_id('t', weir.open_sign_in(pg_temp.id_of('ann'), '203.0.113.8')),
  pg_temp.refresh_sign_in(pg_temp.id_of('t'), 0) \g /dev/null
update weir.sign_ins set used_at = clock_timestamp() - interval '11 seconds' where id = pg_temp.id_of('t');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('t'), 0) || ' ' || pg_temp.refresh_sign_in(pg_temp.id_of('t'), 1),
  'refresh_token_already_used session_not_found',
  'a used refresh token ends its family after ten seconds');
select pg_temp.keep_id('u', weir.open_sign_in(pg_temp.id_of('ann'), '203.0.113.8')) \g /dev/null
update auth.users set banned_until = now() + interval '1 hour' where id = pg_temp.id_of('ann');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('u'), 0), 'user_banned', 'a banned user refreshes nothing');
update auth.users set banned_until = null where id = pg_temp.id_of('ann');
update weir.sign_ins set expires_at = clock_timestamp() where id = pg_temp.id_of('u');
select is(pg_temp.refresh_sign_in(pg_temp.id_of('u'), 0), 'session_expired', 'a refresh token of an expired family is refused');

-- Signing out
select pg_temp.keep_id('x', weir.open_sign_in(pg_temp.id_of('ann'), '203.0.113.8')),
  pg_temp.keep_id('y', weir.open_sign_in(pg_temp.id_of('ann'), '203.0.113.8')),
       pg_temp.keep_id('z', weir.open_sign_in(pg_temp.id_of('bob'), '203.0.113.8')) \g /dev/null
select is(weir.close_sign_ins(pg_temp.id_of('bob'), pg_temp.id_of('x'), 'local'), 0, 'a person does not sign another person out');
select is(weir.close_sign_ins(pg_temp.id_of('ann'), pg_temp.id_of('x'), 'nonsense'), 0, 'a person is not signed out by an unknown scope');
select is((select count(*) from weir.signed_in_user(pg_temp.id_of('ann'), pg_temp.id_of('x'))), 1::bigint,
  'a sign-in that was not ended has a user');
select is(weir.close_sign_ins(pg_temp.id_of('ann'), pg_temp.id_of('x'), 'local'), 1, 'a person signs out of one sign-in');
select is((select count(*) from weir.signed_in_user(pg_temp.id_of('ann'), pg_temp.id_of('x'))), 0::bigint,
  'a sign-in that was ended has no user');
-- The sign-in that a recent time belongs to
select pg_temp.keep_id('fresh', weir.open_sign_in(pg_temp.id_of('ann'), '203.0.113.8')) \g /dev/null
create function pg_temp.is_recent_of(p_who text, p_session text) returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id_of(p_who),
            'auth_time', floor(extract(epoch from now())), 'session_id', p_session)::text, true),
          set_config('role', 'weir_writer', true);
  v_answer := weir.signed_in_recently();
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return v_answer;
end;
$$;
select is(pg_temp.is_recent_of('ann', pg_temp.id_of('fresh')::text), 'true', 'an open sign-in is recent');
select is(pg_temp.is_recent_of('bob', pg_temp.id_of('fresh')::text), 'false', 'the sign-in of another person is not the caller''s');
select is(pg_temp.is_recent_of('ann', s), 'false', format('%L names no sign-in', s)) from unnest(array['', 'x',
  gen_random_uuid()::text]) s;
select weir.close_sign_ins(pg_temp.id_of('ann'), pg_temp.id_of('fresh'), 'local') \g /dev/null
select is(pg_temp.is_recent_of('ann', pg_temp.id_of('fresh')::text), 'false', 'a sign-in that was ended is not recent');
-- Signing up
select pg_temp.keep_id('newcomer', weir.sign_up('New@Example.org', 'hash')) \g /dev/null
select is((select u.email_confirmed_at from auth.users u where u.id = pg_temp.id_of('newcomer')), null,
  'the address of a user who signed up is not confirmed');
select is(weir.sign_up('new@example.org', 'hash'), null, 'F08_an_address_signs_up_once_and_nothing_raises');
\else
-- Where people sign in at a Supabase project, nobody signs in here, and no function reveals anything about them.
select is(pg_temp.as_user('engine', 'select weir.open_sign_in({ann}, null)'), 'WR010',
  'no sign-in is opened where people sign in at a project');
select is(pg_temp.as_user('engine', 'select weir.refresh_sign_in({ann}, 0)'), 'WR010',
  'no sign-in is refreshed where people sign in at a project');
select is(pg_temp.as_user('engine', $$select weir.sign_up('new@example.org', 'hash')$$), 'WR010',
  'no person signs up where people sign in at a project');
select is(pg_temp.try_sign_in(pg_temp.email_of('ann')), 't', 'an address has no user and no password where people sign in at a project');
select is((select count(*) from weir.sign_ins), 0::bigint, 'no sign-in is kept where people sign in at a project');
\endif
-- A recent sign-in
create function pg_temp.is_recent(p_claims jsonb, p_who text default 'ann') returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform set_config('request.jwt.claims', (jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id_of(p_who)) || p_claims)::text,
  true),
          set_config('role', 'weir_writer', true);
  v_answer := weir.signed_in_recently();
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return v_answer;
end;
$$;
create function pg_temp.seconds(p_ago interval) returns numeric language sql stable as $$
  select floor(extract(epoch from now() - p_ago));
$$;
select is(pg_temp.is_recent(claims), expected, format('a sign-in is recent or not by the claims: %s', name))
from (values
  ('nothing', '{}'::jsonb, 'false'),
  ('now', jsonb_build_object('auth_time', pg_temp.seconds('0')), 'true'),
  ('14 minutes ago', jsonb_build_object('auth_time', pg_temp.seconds('14 minutes')), 'true'),
  ('16 minutes ago', jsonb_build_object('auth_time', pg_temp.seconds('16 minutes')), 'false'),
  ('a clock that is half a minute ahead', jsonb_build_object('auth_time', pg_temp.seconds('-30 seconds')), 'true'),
  ('tomorrow', jsonb_build_object('auth_time', pg_temp.seconds('-1 day')), 'false'),
  ('a text', jsonb_build_object('auth_time', pg_temp.seconds('0')::text), 'false'),
  ('null', '{"auth_time": null}', 'false'),
  ('a huge number', '{"auth_time": 1e300}', 'false'),
  ('only the time of issue', jsonb_build_object('iat', pg_temp.seconds('0')), 'false'),
  ('amr of names', '{"amr": ["pwd", "otp"]}', 'false'),
  ('amr that is not an array', '{"amr": {"timestamp": 1}}', 'false'),
  ('amr with an old and a new method', jsonb_build_object('amr', jsonb_build_array(
     jsonb_build_object('method', 'password', 'timestamp', pg_temp.seconds('1 hour')),
     jsonb_build_object('method', 'totp', 'timestamp', pg_temp.seconds('1 minute')))), 'true'),
  ('amr with an old method', jsonb_build_object('amr', jsonb_build_array(
     jsonb_build_object('method', 'password', 'timestamp', pg_temp.seconds('1 hour')))), 'false'),
  ('amr with a refresh', jsonb_build_object('amr', jsonb_build_array(
     jsonb_build_object('method', 'token_refresh', 'timestamp', pg_temp.seconds('0')))), 'false'),
  ('an old auth_time beside a new amr', jsonb_build_object('auth_time', pg_temp.seconds('1 hour'), 'amr', jsonb_build_array(
     jsonb_build_object('method', 'password', 'timestamp', pg_temp.seconds('0')))), 'false'))
  t(name, claims, expected);
select is(pg_temp.as_user(w, 'select weir.signed_in_recently()'), '42501', format('%s does not execute signed_in_recently', w))
from unnest(array['anon', 'service', 'gateway', 'engine', 'ann']) w;
select * from finish();
rollback;
