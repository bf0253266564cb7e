-- People of the embedded issuer: joining by an invitation, recoveries, passwords, the acts of a platform admin; and lists of members.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
select embedded_issuer as ours from weir.installation \gset

create function pg_temp.token(p_seed text) returns text language sql as $$ select left(encode(sha256(p_seed::bytea), 'hex'), 43) $$;
create function pg_temp.invite(p_email text, p_seed text, p_who text default 'ann', p_role text default 'member') returns text language sql
as $$
  select pg_temp.error_as(p_who, format('select invite_member({a}, %L, %L, %L)', p_email, p_role, pg_temp.token(p_seed)));
$$;
-- The problem, or the name under which the new user was kept.
create function pg_temp.verify(p_type text, p_seed text, p_keep text default null) returns text language plpgsql as $$
declare
  v record;
  v_token constant text := pg_temp.token(p_seed);
begin
  set local role weir_engine;
  execute format('select * from weir.verify_%s(sha256(%L::bytea), ''192.0.2.1'')', p_type, v_token) into v;
  reset role;
  perform set_config('request.jwt.claims', '', true);
  if v.problem is not null then
    return case when v.user_id is null and v.sign_in_id is null then v.problem else 'a problem with a user' end;
  end if;
  perform pg_temp.keep_id(p_keep, v.user_id), pg_temp.keep_id(p_keep || '_sign_in', v.sign_in_id);
  return 'ok';
end;
$$;
create function pg_temp.set_password(p_who text, p_sign_in text, p_hash text default 'new hash') returns text language plpgsql as $$
declare
  v_problem text;
  v_user constant uuid := pg_temp.id_of(p_who);
  v_sign_in constant uuid := pg_temp.id_of(p_sign_in);
begin
  set local role weir_engine;
  v_problem := weir.set_password(v_user, v_sign_in, p_hash);
  reset role;
  perform set_config('request.jwt.claims', '', true);
  return coalesce(v_problem, 'ok');
end;
$$;
select weir.add_platform_admin(pg_temp.create_user('pia')) \g /dev/null

-- Members
select set_eq(pg_temp.with_ids($$select unnest(array[{ann}, {adam}, {mia}, {vic}, {sam}, {mel}])$$),
  array(select unnest(string_to_array(pg_temp.as_user(w, $$select string_agg(user_id::text, ',') from list_members({a})$$), ','))::uuid),
  format('%s sees who belongs to the organization, suspended members too', w)) from unnest(array['ann', 'adam', 'mia', 'vic']) w;
select is(pg_temp.as_user(w, $$select count(email)::text || ' ' || count(email_confirmed) from list_members({a})$$), n,
  format('%s sees this number of members'' addresses: %s', w, n))
from (values ('ann', '6 6'), ('adam', '6 6'), ('mia', '0 0'), ('vic', '0 0')) t(w, n);
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user('mel', 'select count(email) from list_members({a})'), '0',
  'an admin of another organization sees none in this one');
update organization_members set role = 'member' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user(w, $$select count(*) from list_members({a})$$), r, format('%s who is not an active member gets %s', w, r))
from (values ('bob', 'WR004'), ('otto', 'WR004'), ('sam', 'WR004'), ('pia', 'WR004'), ('anon', '42501')) t(w, r);
select is(pg_temp.as_user('adam', $$select email from list_members({a}) where user_id = {mia}$$),
  (select email::text from auth.users where id = pg_temp.id_of('mia')), 'an admin reads the address of a member');
select pg_temp.as_user('mia', $$select set_user_profile('Mia')$$) \g /dev/null
select is(pg_temp.as_user('vic', $$select display_name from list_members({a}) where user_id = {mia}$$), 'Mia', 'a viewer reads names');
select is(pg_temp.as_user('vic', $$select string_agg(p.user_id::text, ',') from (select * from list_members({a}, null, 2)
    union all select * from list_members({a}, (select max(user_id::text)::uuid from list_members({a}, null, 2)), 500)) p$$),
  pg_temp.as_user('vic', $$select string_agg(user_id::text, ',') from list_members({a})$$), 'members are read page by page');
select is(pg_temp.as_user('ann', format('select count(*) from list_members({a}, null, %s)', n)), 'WR001',
  format('%s is refused as a limit of members', n))
from unnest(array[0, 501, -1]) n;
select pg_temp.as_user('ann', $$select set_member_status({a}, {vic}, 'removed')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select count(*) from list_members({a}) where user_id = {vic}$$), '0', 'a removed member is not listed');
select pg_temp.as_user('ann', $$select set_member_role({a}, {mia}, 'viewer')$$) \g /dev/null

-- Who may do the platform's acts
create temporary table acts (name text, sql text);
insert into acts values
  ('create_user', $$select create_user('made@example.org', repeat('m', 43))$$),
  ('create_recovery', $$select create_recovery({ann}, repeat('n', 43))$$),
  ('confirm_user_email', $$select confirm_user_email({ann})$$),
  ('list_users', $$select list_users()$$);
select is(pg_temp.error_as('recent:' || w, a.sql), 'WR003', format('%s is not a platform admin and does not %s', w, a.name))
from acts a, unnest(array['ann', 'bob', 'otto']) w;
select is(pg_temp.as_user(w, a.sql), '42501', format('%s does not execute %s', w, a.name))
from acts a, unnest(array['anon', 'service', 'engine', 'gateway']) w;
select is(pg_temp.as_user(w, format($$select weir.%s(sha256('x'), '192.0.2.1')$$, f)), '42501', format('%s does not execute %s', w, f))
from unnest(array['anon', 'service', 'gateway', 'ann', 'pia']) w, unnest(array['verify_invitation', 'verify_recovery']) f;
select is(pg_temp.as_user(w, $$select weir.set_password({ann}, {ann}, 'x')$$), '42501', format('%s does not execute set_password', w))
from unnest(array['anon', 'service', 'gateway', 'ann', 'pia']) w;
select is(pg_temp.as_user(w, 'select count(*) from weir.recoveries'), '42501', format('%s reads no recovery', w))
from unnest(array['anon', 'service', 'gateway', 'engine', 'ann', 'pia', 'writer:pia']) w;

\if :ours
select is(pg_temp.error_as('pia', a.sql), case a.name when 'list_users' then 'ok' else 'WR003' end,
  format('a platform admin who signed in long ago does not %s, but lists users', a.name)) from acts a;

-- Joining by an invitation
select is(pg_temp.invite('new@example.org', 'new'), 'ok', 'an address without an account is invited');
select is(pg_temp.verify('invitation', 'another'), 'otp_expired', 'an unknown token opens nothing');
select is(pg_temp.verify('recovery', 'new'), 'otp_expired', 'the token of an invitation is not that of a recovery');
savepoint s;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.verify('invitation', 'new'), 'otp_expired', 'no person joins an inactive organization by a token');
rollback to s;
select pg_temp.invite('of-adam@example.org', 'of adam', 'adam') \g /dev/null
update organization_members set role = 'member' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('adam');
select is(pg_temp.verify('invitation', 'of adam'), 'otp_expired', 'the token of an inviter who lost the role opens nothing');
rollback to s;
select pg_temp.invite('of-adam@example.org', 'of adam', 'adam') \g /dev/null
update organization_members set status = 'suspended' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('adam');
select is(pg_temp.verify('invitation', 'of adam'), 'otp_expired', 'the token of an inviter who is suspended opens nothing');
rollback to s;
select pg_temp.as_user('ann', format('select revoke_invitation(%L)',
  (select id from organization_invitations where email = 'new@example.org')))
\g /dev/null
select is(pg_temp.verify('invitation', 'new'), 'otp_expired', 'the token of a revoked invitation opens nothing');
rollback to s;
select case when (select rolsuper from pg_roles where rolname = current_user) then lives_ok($$
  set local session_replication_role = replica;
  update organization_invitations set expires_at = now() where email = 'new@example.org';
  set local session_replication_role = origin$$, 'an invitation''s time is over') else pass('the migrator cannot end an invitation''s time')
    end;
select is(pg_temp.verify('invitation', 'new', 'expired'),
  case when (select rolsuper from pg_roles where rolname = current_user) then 'otp_expired' else 'ok' end,
  'the token of an expired invitation opens nothing');
rollback to s;
update organizations o set max_members = 3 where id = pg_temp.id_of('a');
select is(pg_temp.verify('invitation', 'new'), 'quota_exceeded', 'no person joins beyond a lowered quota by a token');
select is((select count(*) from auth.users where email = 'new@example.org'), 0::bigint, 'a refused token makes no account');
rollback to s;
select weir.sign_up('New@example.org', 'hash of the first') \g /dev/null
select is(pg_temp.verify('invitation', 'new'), 'user_exists',
  'an invitation opens no sign-in of an account that signed up with its address');
rollback to s;
select is(pg_temp.verify('invitation', 'new', 'newcomer'), 'ok', 'a token of an invitation makes an account and signs in');
select is((select concat_ws(' ', u.email, u.email_confirmed_at is null, u.encrypted_password is null) from auth.users u
           where u.id = pg_temp.id_of('newcomer')), 'new@example.org t t',
  'the account has the invited address, unconfirmed, and no password');
select is((select concat_ws(' ', m.role, m.status) from organization_members m where m.user_id = pg_temp.id_of('newcomer')),
  'member active',
  'a person who joined by a token has the role of the invitation');
select is((select count(*) from weir.sign_ins s where s.id = pg_temp.id_of('newcomer_sign_in') and s.user_id = pg_temp.id_of('newcomer')),
  1::bigint, 'a person who joined by a token is signed in');
select is((select concat_ws(' ', l.kind, l.decision, l.actor_kind, l.user_id = pg_temp.id_of('newcomer')) from mcp_interaction_logs l
           where l.organization_id = pg_temp.id_of('a') and l.item = 'accept_invitation' order by l.created_at desc limit 1),
  'lifecycle allowed user t', 'the audit log has the new user who joined by a token');
select is(pg_temp.verify('invitation', 'new'), 'otp_expired', 'a token of an invitation opens one sign-in');
select is((select count(*) from weir.sign_ins s where s.user_id = pg_temp.id_of('newcomer')), 1::bigint,
  'a token that is sent again opens no second sign-in');
select is(pg_temp.invite((select email from auth.users where id = pg_temp.id_of('bob')), 'bob', 'ann', 'owner'), 'ok',
  'the address of an account is invited');
select is(pg_temp.verify('invitation', 'bob'), 'user_exists', 'an invitation opens no sign-in of an account that exists');
select is(pg_temp.error_as('bob', format('select accept_invitation(%L)', pg_temp.token('bob'))), 'ok',
  'a token that opened no sign-in is still accepted by the account''s owner');

-- An invitation of a second organization requires a confirmed address
select is(pg_temp.error_as('bob', format('select invite_member({b}, ''new@example.org'', ''member'', %L)', pg_temp.token('second'))), 'ok',
  'a second organization invites the address');
select is(pg_temp.verify('invitation', 'second'), 'user_exists', 'the second invitation opens no sign-in');
select is(pg_temp.error_as('newcomer', format('select accept_invitation(%L)', pg_temp.token('second'))), 'WR004',
  'an address that a first token made is not confirmed for a second invitation');
select matches(pg_temp.as_user('newcomer', format('select accept_invitation(%L) ->> ''hint''', pg_temp.token('second'))),
  'confirm_user_email',
  'a person with the invited but unconfirmed address learns who confirms it');
select doesnt_match(pg_temp.as_user('otto', format('select accept_invitation(%L) ->> ''hint''', pg_temp.token('second'))),
  'confirm_user_email',
  'a person with another address learns nothing about it');
select is(pg_temp.error_as('recent:pia', 'select confirm_user_email({newcomer})'), 'ok', 'a platform admin confirms an address');
select is(pg_temp.error_as('recent:pia', 'select confirm_user_email({newcomer})'), 'ok', 'confirming an address again changes nothing');
select is(pg_temp.error_as('recent:pia', 'select confirm_user_email({nobody})'), 'WR004',
  'the address of an unknown user is not confirmed');
select is(pg_temp.error_as('newcomer', format('select accept_invitation(%L)', pg_temp.token('second'))), 'ok',
  'a second invitation is accepted once the address is confirmed');

-- Passwords
select is(pg_temp.set_password('newcomer', 'newcomer_sign_in', null), 'ok', 'the check whether a password may be set sets none');
update weir.sign_ins set created_at = created_at - interval '1 day' where id = pg_temp.id_of('newcomer_sign_in');
select is(pg_temp.set_password('newcomer', 'newcomer_sign_in'), 'ok',
  'a sign-in that a token opened sets a password, however old the sign-in is');
select is((select encrypted_password from auth.users where id = pg_temp.id_of('newcomer')), 'new hash', 'the password is set');
select is(pg_temp.set_password('newcomer', 'newcomer_sign_in'), 'reauthentication_needed', 'such a sign-in sets a password once');
select pg_temp.keep_id('one', weir.open_sign_in(pg_temp.id_of('bob'), '192.0.2.1')),
       pg_temp.keep_id('two', weir.open_sign_in(pg_temp.id_of('bob'), '192.0.2.1')) \g /dev/null
select is(pg_temp.set_password('newcomer', 'one'), 'session_not_found', 'a person sets no password by another person''s sign-in');
savepoint s;
update auth.users set banned_until = now() + interval '1 hour' where id = pg_temp.id_of('bob');
select is(pg_temp.set_password('bob', 'one'), 'session_not_found', 'a banned user sets no password');
rollback to s;
update weir.sign_ins set created_at = created_at - interval '16 minutes' where id = pg_temp.id_of('one');
select is(pg_temp.set_password('bob', 'one'), 'reauthentication_needed', 'an old sign-in sets no password');
select is(pg_temp.set_password('bob', 'two', 'bobs new hash'), 'ok', 'a sign-in of the last 15 minutes sets a password');
select is(pg_temp.set_password('bob', 'one'), 'session_not_found', 'a new password ends all other sign-ins');
select is((select count(*) from weir.signed_in_user(pg_temp.id_of('bob'), pg_temp.id_of('two'))), 1::bigint,
  'the sign-in that set the password stays open');
select is(weir.open_sign_in(pg_temp.id_of('bob'), '192.0.2.1', 'not a hash'), null,
  'an old password that was verified before the new one was set opens no sign-in');
select isnt(weir.open_sign_in(pg_temp.id_of('bob'), '192.0.2.1', 'bobs new hash'), null, 'the new password opens a sign-in');

-- Recoveries
select is(pg_temp.error_as('recent:pia', format('select create_recovery({bob}, %L)', pg_temp.token('old'))), 'ok',
  'a platform admin makes a recovery');
select is(pg_temp.error_as('recent:pia', format('select create_recovery({bob}, %L)', pg_temp.token('forgot'))), 'ok', 'and another one');
select is(pg_temp.verify('recovery', 'old'), 'otp_expired', 'a newer recovery replaces an older one');
select is((select r.token_hash from weir.recoveries r where r.user_id = pg_temp.id_of('bob')), sha256(pg_temp.token('forgot')::bytea),
  'only the hash of a recovery''s token is stored');
select is(pg_temp.verify('invitation', 'forgot'), 'otp_expired', 'the token of a recovery is not that of an invitation');
savepoint s;
update auth.users set banned_until = now() + interval '1 hour' where id = pg_temp.id_of('bob');
select is(pg_temp.verify('recovery', 'forgot'), 'otp_expired', 'a banned user is not signed in by a recovery');
rollback to s;
update weir.recoveries set created_at = now() - interval '31 minutes', expires_at = now() - interval '1 minute';
select is(pg_temp.verify('recovery', 'forgot'), 'otp_expired', 'a recovery ends after 30 minutes');
rollback to s;
select throws_ok($$update weir.recoveries set expires_at = created_at + interval '31 minutes'$$, '23514', null,
  'no recovery is longer than 30 minutes, even by direct SQL');
select weir.open_sign_in(pg_temp.id_of('bob'), null) \g /dev/null
update auth.users set encrypted_password = 'of somebody else' where id = pg_temp.id_of('bob');
select is(pg_temp.verify('recovery', 'forgot', 'bob'), 'ok', 'a recovery signs its person in');
select is((select concat_ws(' ', count(*), bool_and(s.id = pg_temp.id_of('bob_sign_in'))) from weir.sign_ins s
           where s.user_id = pg_temp.id_of('bob') and s.revoked_at is null), '1 t', 'a recovery ends all other sign-ins');
select is((select u.encrypted_password from auth.users u where u.id = pg_temp.id_of('bob')), null,
  'a recovery ends the password, which somebody else may have set');
select is(pg_temp.verify('recovery', 'forgot'), 'otp_expired', 'a recovery signs in once');
select pg_temp.error_as('recent:pia', format('select create_recovery({bob}, %L)', pg_temp.token('open'))) \g /dev/null
select is(pg_temp.set_password('bob', 'bob_sign_in'), 'ok', 'a sign-in by a recovery sets a password');
select is(pg_temp.verify('recovery', 'open'), 'otp_expired', 'a new password ends an open recovery');
select is(pg_temp.error_as('recent:pia', format('select create_recovery(%s)', a)), r, format('create_recovery(%s) answers %s', left(a,
  40), r))
from (values ('{nobody}, repeat(''x'', 43)', 'WR004'), ('null, repeat(''x'', 43)', 'WR004'), ('{bob}, null', 'WR001'), ('{bob}, ''''',
  'WR001'),
  ('{bob}, repeat(''x'', 44)', 'WR001'), ('{bob}, repeat(''-'', 43)', 'WR001')) t(a, r);
select pg_temp.error_as('recent:pia', $$select create_recovery({ann}, repeat('q', 43))$$) \g /dev/null
select is(pg_temp.error_as('recent:pia', $$select create_recovery({bob}, repeat('q', 43))$$), 'WR005',
  'two people cannot have the same token');

-- Users
select is(pg_temp.error_as('recent:pia', format('select create_user(%s)', a)), r, format('create_user(%s) returns %s', left(a, 40), r))
from (values ('''Made@Example.org '', repeat(''m'', 43)', 'ok'), ('''made@example.org'', repeat(''o'', 43)', 'WR005'),
  ('''other@example.org'', repeat(''m'', 43)', 'WR005'), ('null, repeat(''x'', 43)', 'WR001'), ('''x'', repeat(''x'', 43)', 'WR001'),
  ('''a@b@c'', repeat(''x'', 43)', 'WR001'), ('repeat(''x'', 1000000) || ''@x'', repeat(''x'', 43)', 'WR001'),
  ('''x@example.org'', ''short''', 'WR001')) t(a, r);
select is((select count(*) from auth.users where email in ('other@example.org', 'x@example.org')), 0::bigint,
  'a refused user is not created');
select is((select concat_ws(' ', email_confirmed_at is not null,
  encrypted_password is null) from auth.users where email = 'made@example.org'), 't t',
  'the address of a user whom a platform admin made is confirmed, and there is no password');
select is(pg_temp.as_user('pia', $$select jsonb_array_length(list_users('MADE@example.org') -> 'rows')$$), '1',
  'a user is found by the address');
select is(pg_temp.as_user('pia', $$select jsonb_array_length(list_users("limit" => 2) -> 'rows')$$), '2', 'users are listed page by page');
select isnt(pg_temp.as_user('pia',
  $$select list_users(before => (list_users("limit" => 2) ->> 'next')::uuid, "limit" => 2) -> 'rows' -> 0 ->> 'id'$$),
  pg_temp.as_user('pia', $$select list_users("limit" => 2) -> 'rows' -> 0 ->> 'id'$$), 'the next page continues where the page ended');
select is(pg_temp.error_as('pia', format('select list_users("limit" => %s)', n)), 'WR001', format('%s is refused as a limit of users', n))
from unnest(array[0, 201, -1]) n;
select is(pg_temp.error_as('pia', $$select list_users(repeat('x', 1000000))$$), 'WR001', 'a huge address is refused and not searched for');
select is(pg_temp.as_user('pia', $$select list_users()::text ~ 'hash'$$), 'false', 'a list of users has no hash of a password');
select results_eq($$select item::text, count(*) > 0 from mcp_interaction_logs where organization_id = weir.platform_id()
    and decision = 'allowed' and item in ('create_user', 'create_recovery', 'confirm_user_email', 'list_users', 'use_recovery',
  'set_password')
    group by item order by item::text collate "C"$$,
  $$values ('confirm_user_email', true), ('create_recovery', true), ('create_user', true), ('list_users', true), ('set_password', true),
           ('use_recovery', true)$$, 'acts for people are in the audit log of the platform');
select is_empty(format($$select detail from mcp_interaction_logs where organization_id = weir.platform_id()
  and (detail ~ %L or detail ~ repeat('m', 43) or item ~ repeat('m', 43))$$, pg_temp.token('forgot')), 'no token is in the audit log');
select isnt_empty($$select
    from mcp_interaction_logs where organization_id = weir.platform_id() and decision = 'denied' and item = 'create_user'$$,
  'a platform admin''s refusal is in the audit log of the platform');
select is_empty(pg_temp.with_ids($$select from mcp_interaction_logs where organization_id = weir.platform_id() and user_id = {otto}$$),
  'nobody but a platform admin writes into the audit log of the platform');
select is(pg_temp.as_user('recent:pia', $$select create_recovery({ann}, repeat('u', 43)) ->> 'link'$$), null,
  'without public_url a recovery has no link');
select weir.set_setting('public_url', '"https://weir.example"') \g /dev/null
select is(pg_temp.as_user('recent:pia', $$select create_recovery({ann}, repeat('u', 43)) ->> 'link'$$),
  'https://weir.example/#recovery=' || repeat('u', 43), 'a recovery has a link');
select is(pg_temp.as_user('ann', $$select invite_member({a}, 'linked@example.org', 'viewer', repeat('l', 43)) ->> 'link'$$),
  'https://weir.example/#invitation=' || repeat('l', 43), 'an invitation has a link');
\else
select is(pg_temp.error_as('recent:pia', a.sql), 'WR010', format('%s is not supported where the users are Supabase''s',
  a.name)) from acts a;
select is(pg_temp.as_user('engine', format($$select weir.%s(sha256('x'), '192.0.2.1')$$, f)), 'WR010',
  format('%s is not supported where the users are Supabase''s', f)) from unnest(array['verify_invitation', 'verify_recovery']) f;
select is(pg_temp.as_user('engine', $$select weir.set_password({ann}, {ann}, 'x')$$), 'WR010',
  'no password is set where the users are Supabase''s');
\endif
select * from finish();
rollback;
