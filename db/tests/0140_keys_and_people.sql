-- Organization keys, identities of other issuers, profiles, data keys and SSH keys: by actor.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- Organization keys
create function pg_temp.create_organization_key(p_actor text, p_id text default 'orgkey0000000001',
  p_scopes text default '{audit.read,servers.read}',
  p_expires text default 'null', p_organization text default 'a') returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select create_organization_api_key({%s}, ''nightly'', %L, repeat(''k'', 43), %L, %s)',
                                         p_organization, p_id, p_scopes, p_expires));
$$;
create function pg_temp.organization_key(p_id text default 'orgkey0000000001',
  p_letter text default 'k') returns text language plpgsql as $$
begin
  return coalesce((select concat_ws(' ', k.organization_id = pg_temp.id_of('a'), k.name, k.scopes)
                   from weir.authenticate_organization_key(p_id, sha256(convert_to(repeat(p_letter, 43), 'UTF8'))) k), 'none');
end;
$$;
select is(pg_temp.create_organization_key(w), r, format('%s creates no organization key', w))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select create_organization_api_key({a}, 'k', 'orgkey0000000001', repeat('k', 43), '{audit.read}')$$),
  '42501', format('%s does not execute create_organization_api_key', w))
from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.create_organization_key('adam', 'orgkey0000000001', s), 'WR001',
  'an organization key is refused with the scopes ' || coalesce(s, 'null'))
from unnest(array[null, '{}', '{NULL}', '{audit.read,NULL}', '{Root}', '{audit.read,servers.write}', '{{audit.read}}', '{*}',
  '{audit.read,audit.read,audit.read,audit.read}']) s;
select is(pg_temp.create_organization_key('adam', 'orgkey0000000001', '{audit.read}', e), 'WR001',
  'an organization key is refused that expires at ' || e)
from unnest(array['now() - interval ''1 second''', '''infinity''', '''-infinity''', 'now() + interval ''2 years''']) e;
select is(pg_temp.as_user('owner', 'select count(*) from organization_api_keys'), '0', 'refused organization keys write nothing');
select is(pg_temp.organization_key(), 'none', 'an organization key that does not exist does not authenticate');
select is(pg_temp.create_organization_key('adam'), 'ok', 'an admin creates an organization key');
select is(pg_temp.create_organization_key('bob', p_organization => 'b'), 'WR005',
  'the id of an organization key of another organization is a conflict');
select is(pg_temp.organization_key(), 't nightly {audit.read,servers.read}',
  'an organization key authenticates with its organization, name and scopes');
select is(pg_temp.organization_key(p_letter => 'x'), 'none', 'an organization key with a wrong secret does not authenticate');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs l where to_jsonb(l)::text like '%kkkkkkkk%'$$), '0',
  'no row of the audit log has the secret of an organization key');
select is(pg_temp.as_user('ann', 'select scopes from organization_api_keys'), '{audit.read,servers.read}',
  'an owner lists the organization keys');
select is(pg_temp.as_user(w, 'select count(*) from organization_api_keys'), '0', format('%s lists no organization keys', w))
  from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user(w, 'select secret_hash from organization_api_keys'), '42501',
  format('%s cannot read the hash of an organization key', w)) from unnest(array['ann', 'writer:ann', 'engine']) w;
select is(pg_temp.as_user(w, 'select authenticate_organization_key(''x'', null)'), '42883',
  format('%s finds no published function to authenticate an organization key', w)) from unnest(array['ann']) w;
select is(pg_temp.as_user('ann', $$select weir.authenticate_organization_key('x', null)$$), '42501',
  'a person does not execute authenticate_organization_key');
select is(pg_temp.as_user('engine', $$select weir.authenticate_organization_key('x', null)$$), null,
  'F08_the_engine_gets_no_row_for_an_unknown_organization_key');
select is(weir.read_with_key('x', null, 'read_audit', '{}') ->> 'error', 'WR002',
  'F08_reading_with_an_unknown_organization_key_is_refused_and_nothing_raises');
savepoint s;
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.create_organization_key('mel', '', '{}'), 'WR003',
  'V8_an_owner_of_b_creates_no_key_for_a_and_is_not_told_what_else_is_wrong');
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mel');
insert into organization_api_keys (organization_id, name, key_id, secret_hash, scopes, expires_at)
select pg_temp.id_of('a'), 'k', 'manykeys' || lpad(n::text, 8, '0'), sha256('x'), '{audit.read}',
  now() + interval '1 day' from generate_series(1, 100) n;
select is(pg_temp.create_organization_key('mel', 'orgkey0000000002'), 'WR006', 'M12_an_organization_key_beyond_a_hundred_is_refused');
select is(pg_temp.create_organization_key('mel', 'orgkey0000000002', p_organization => 'b'), 'ok',
  'M12_a_second_organization_has_its_own_limit_of_a_hundred_keys');
rollback to s;
select case when (select rolsuper from pg_roles where rolname = current_user) then lives_ok($$
  set local session_replication_role = replica;
  update organization_api_keys set expires_at = now();
  set local session_replication_role = origin$$, 'an organization key''s time is over')
    else pass('the migrator cannot end an organization key''s time') end;
select is(pg_temp.organization_key(),
  case when (select rolsuper from pg_roles where rolname = current_user) then 'none' else pg_temp.organization_key() end,
  'V11_an_expired_organization_key_does_not_authenticate');
rollback to s;
update organizations set is_active = false where id = pg_temp.id_of('a');
select is(pg_temp.organization_key(), 'none', 'M3_a_key_of_an_inactive_organization_does_not_authenticate');
rollback to s;
select is(pg_temp.as_user('writer:' || w,
  format($$insert into public.organization_api_keys (organization_id, name, key_id, secret_hash, scopes, created_by, expires_at)
  values ({%s}, 'k', 'orgkey0000000009', sha256('x'), '{audit.read}', {%s}, now() + interval '1 day') returning 1$$, o, b)), '42501',
  format('the writer inserts no organization key for %s created by %s in %s', w, b, o))
from (values ('mia', 'a', 'mia'), ('ann', 'a', 'adam'), ('ann', 'b', 'ann'), ('sam', 'a', 'sam')) t(w, o, b);
select throws_ok($$update organization_api_keys set $$ || c, 'WR005', null, 'T4_an_organization_key_is_not_changed_by_direct_sql: ' || c)
from unnest(array['scopes = ''{usage.read}''', 'expires_at = ''infinity''', 'secret_hash = sha256(''y'')', 'name = ''x''']) c;
select throws_ok($$insert into organization_api_keys (organization_id, name, key_id, secret_hash, scopes, expires_at)
  select id, 'k', 'orgkey0000000008', sha256('x'), s, now() from organizations,
    (values ('{}'::text[]), ('{servers.write}')) v(s) where id = $$
  || quote_literal(pg_temp.id_of('a')), '23514', null, 'T8_scopes_are_a_closed_list_by_direct_sql_too');
select is(pg_temp.error_as(w, $$select revoke_organization_api_key('orgkey0000000001')$$), 'WR004',
  format('%s revokes no organization key', w))
from unnest(array['mia', 'vic', 'sam', 'bob', 'otto']) w;
select is(pg_temp.error_as('ann', $$select revoke_organization_api_key('orgkey0000000001')$$), 'ok',
  'an owner revokes an organization key that an admin created');
select is(pg_temp.error_as('ann', $$select revoke_organization_api_key('orgkey0000000001')$$), 'ok',
  'revoking a revoked organization key changes nothing');
select is(pg_temp.organization_key(), 'none', 'V11_a_revoked_organization_key_does_not_authenticate');
select throws_ok($$update organization_api_keys set revoked_at = null, revoked_by = null$$, 'WR005', null,
  'T4_a_revoked_organization_key_cannot_be_made_active_again_by_direct_sql');
select is(pg_temp.error_as('ann', $$select revoke_organization_api_key(null)$$), 'WR004', 'null is no organization key to revoke');

-- An identity is an issuer and a subject together
create function pg_temp.resolve_identity(p_issuer text, p_subject text, p_email text default null,
  p_verified boolean default true) returns text language plpgsql as $$
begin
  return weir.resolve_identity(p_issuer, p_subject, p_email, p_verified);
exception when others then
  return sqlstate;
end;
$$;
select is(pg_temp.resolve_identity('https://idp.example', 'x'), null, 'an issuer that nobody allowed makes no user');
select weir.set_setting('identity_issuers', '["https://idp.example", "https://second.example"]') \g /dev/null
create temporary table people as select email, id from auth.users;
select case when (select embedded_issuer from weir.installation) then
  isnt(pg_temp.resolve_identity('https://idp.example', pg_temp.id_of('ann')::text,
    (select email from people where id = pg_temp.id_of('ann'))), pg_temp.id_of('ann')::text,
  'an identity with the id and address of a user is not that user')
    else pass('the users are another issuer''s, so an equal subject proves nothing here') end;
select case when (select embedded_issuer from weir.installation) then set_eq($$
  select pg_temp.resolve_identity('https://idp.example', 'x') = pg_temp.resolve_identity('https://idp.example', 'x') as again,
         pg_temp.resolve_identity('https://idp.example', 'x') = pg_temp.resolve_identity('https://second.example', 'x') as elsewhere,
         pg_temp.resolve_identity('https://idp.example', 'x') = pg_temp.resolve_identity('https://idp.example', 'X') as alike$$,
           $$values (true, false, false)$$,
  'a subject is the same person at one issuer and another at a second')
    else pass('the users are another issuer''s, so no identity makes a user here') end;
select is(pg_temp.resolve_identity('https://evil.example', 'x'), null, 'a token of an issuer that nobody allowed makes no user');
select is(pg_temp.resolve_identity('https://idp.example.evil.example', 'x'), null,
  'an issuer that begins like an allowed one makes no user');
select is(pg_temp.resolve_identity(i, s), 'WR001',
  format('an identity with a bad issuer or subject is refused: %s, %s', coalesce(left(i, 30), 'null'),
  case s when '' then 'an empty subject' else coalesce(left(s, 30), 'null') end))
from (values (null, 'x'), ('', 'x'), ('idp', 'x'), ('https://idp.example', null), ('https://idp.example', ''),
  ('https://idp.example', repeat('x', 256)),
             ('https://' || repeat('x', 100000), 'x')) t(i, s);
select is(pg_temp.as_user(w, $$select weir.resolve_identity('https://idp.example', 'y', null, false)$$), '42501',
  format('%s does not execute resolve_identity', w))
from unnest(array['ann', 'anon', 'service', 'gateway']) w;
select is(pg_temp.as_user(w, 'select count(*) from weir.identities'), '42501', format('%s cannot read identities', w))
  from unnest(array['ann', 'writer:ann', 'engine', 'anon']) w;
select is(pg_temp.as_user(w, 'select weir.confirmed_email({ann})'), '42501', format('%s does not execute confirmed_email', w))
  from unnest(array['bob', 'writer:bob', 'engine', 'anon']) w;
-- A token of the Supabase project names a user by its subject, but only where the users are the project's.
create function pg_temp.user_of_token(p_issuer text, p_subject text) returns text language plpgsql as $$
begin
  return weir.user_of_token(p_issuer, p_subject, null, false);
exception when others then
  return sqlstate;
end;
$$;
select is(pg_temp.user_of_token('https://project.example/auth/v1', pg_temp.id_of('ann')::text) is not distinct
  from pg_temp.id_of('ann')::text,
  (select not embedded_issuer from weir.installation),
    'a subject of the project''s issuer is a user only where the users are the project''s');
select isnt(pg_temp.user_of_token(i, pg_temp.id_of('ann')::text), pg_temp.id_of('ann')::text,
  format('a subject of %s is no user of the project', i))
from unnest(array['https://idp.example', 'https://idp.example/auth/v1/x', 'http://project.example/auth/v1',
  'https://project.example/auth/v1?']) i;
-- A person of another issuer is invited by the address that the issuer has verified.
select pg_temp.keep_id('ida', case when (select embedded_issuer from weir.installation)
  then pg_temp.resolve_identity('https://idp.example', 'ida', 'Ida@Example.org', false)::uuid
                                else pg_temp.id_of('otto') end),
       pg_temp.as_user('ann', $$select invite_member({a}, 'ida@example.org', 'member', repeat('i', 43))$$) \g /dev/null
select is(pg_temp.error_as('ida', $$select accept_invitation(repeat('i', 43))$$), 'WR004',
  'a person whose issuer has not verified the address does not accept an invitation');
select pg_temp.resolve_identity('https://idp.example', 'ida', 'ida@example.org', true) \g /dev/null
select is(pg_temp.error_as('ida', $$select accept_invitation(repeat('i', 43))$$),
  case when (select embedded_issuer from weir.installation) then 'ok' else 'WR004' end,
  'a person whose issuer has verified the address accepts an invitation');
update auth.users set banned_until = now() + interval '1 day' where id = pg_temp.id_of('ida');
select is(pg_temp.resolve_identity('https://idp.example', 'ida'), null, 'a banned person resolves to no user');

-- Profiles
select is(pg_temp.error_as('mia', $$select set_user_profile(' Mia M. ')$$), 'ok', 'a person sets their name');
select is(pg_temp.error_as('mia', $$select set_user_profile('Mia')$$), 'ok', 'a person changes their name');
select is(pg_temp.as_user(w, $$select string_agg(display_name, ',') from user_profiles$$), n,
  format('%s sees these names: %s', w, coalesce(n, 'none')))
from (values ('mia', 'Mia'), ('ann', 'Mia'), ('vic', 'Mia'), ('sam', null), ('bob', null), ('otto', null)) t(w, n);
select is(pg_temp.as_user('writer:ann', $$update public.user_profiles set display_name = 'x' returning 1$$), null,
  'the writer changes no profile of another person');
select is(pg_temp.as_user('writer:ann', $$insert into public.user_profiles (user_id, display_name) values ({vic}, 'x') returning 1$$),
  '42501', 'the writer inserts no profile of another person');
select is(pg_temp.error_as('mia', format('select set_user_profile(%s)', n)), 'WR001', 'this is refused as a name: ' || left(n, 20))
from unnest(array['null', '''''', 'repeat(''x'', 101)', 'e''a\nb''', 'repeat(''x'', 1000000)']) n;
select is(pg_temp.as_user('anon', $$select set_user_profile('x')$$), '42501', 'anon does not execute set_user_profile');

-- Data keys: the ciphertext is the engine's
select is((select wrapped_key from weir.user_data_key(pg_temp.id_of('mia'), decode(repeat('ab', 61), 'hex'))),
  decode(repeat('ab', 61), 'hex'), 'the first wrapped key of a person is kept');
select is((select wrapped_key from weir.user_data_key(pg_temp.id_of('mia'), decode(repeat('cd', 61), 'hex'))),
  decode(repeat('ab', 61), 'hex'), 'a second wrapped key does not replace the first');
select throws_ok(pg_temp.with_ids($$select weir.user_data_key({vic}, decode(repeat('ab', 32), 'hex'))$$), 'WR001', null,
  'a data key that is not wrapped is refused');
select throws_ok(pg_temp.with_ids($$select weir.user_data_key({nobody}, decode(repeat('ab', 61), 'hex'))$$), 'WR004', null,
  'a data key of a person who does not exist is refused');
select is(weir.rewrap_user_data_key(pg_temp.id_of('mia'), 2, decode(repeat('ef', 61), 'hex')), false,
  'a data key is not wrapped anew from another version than its own');
select is(weir.rewrap_user_data_key(pg_temp.id_of('mia'), 1, decode(repeat('ef', 61), 'hex')), true,
  'a data key is wrapped anew from its own version');
select is(pg_temp.as_user('mia', 'select version from user_secrets'), '2', 'a person sees the version of their data key');
select is(pg_temp.as_user(w, 'select wrapped_key from user_secrets'), '42501', format('%s cannot read a wrapped data key', w))
  from unnest(array['mia', 'writer:mia', 'engine', 'anon', 'ann']) w;
select is(pg_temp.as_user('ann', 'select count(*) from user_secrets'), '0', 'another person does not see that there is a data key');
select is(pg_temp.as_user('mia', $$select weir.user_data_key({mia}, null)$$), '42501', 'a person does not execute user_data_key');

-- SSH keys, compared with what ssh-keygen says
\set key 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw'
select is(pg_temp.as_user('mia',
  format('select create_user_ssh_key(''laptop'', %L) ->> ''fingerprint''', :'key' || ' ann@laptop' || e'\n')),
  'SHA256:cgmzsyHAfTQ/5g7grUUgy9OVfk3ADXSDiSW+YdlLBrE', 'the fingerprint of an SSH key is the one of ssh-keygen');
select is(pg_temp.as_user('mia',
  $$select create_user_ssh_key('desk',
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC1JJy3+jrgPmmLonEP+PlUJNIZ+lArTpL8uMq/5ASj5') ->> 'fingerprint'$$),
  'SHA256:SQ0CO9a2vKzPK86F65Li/xdut2lnMxkDIpMQa8qle/s', 'the fingerprint of a second SSH key is the one of ssh-keygen');
select is(pg_temp.as_user('mia', 'select public_key from user_ssh_keys where name = ''laptop'''), :'key',
  'an SSH key is kept without its comment');
select is(pg_temp.error_as('mia', format('select create_user_ssh_key(''again'', %L)', :'key')), 'WR005',
  'an SSH key that the person has is a conflict');
select is(pg_temp.error_as('mia',
  $$select create_user_ssh_key('LAPTOP', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC1JJy3+jrgPmmLonEP+PlUJNIZ+lArTpL8uMq/5ASj6')$$), 'WR005',
  'the name of an SSH key that the person has is a conflict in another case');
select is(pg_temp.error_as('vic', format('select create_user_ssh_key(''laptop'', %L)', :'key')), 'ok',
  'another person may have the same SSH key, so nobody learns who has it');
select is(pg_temp.error_as('mia', $$select create_user_ssh_key('made')$$), 'WR010',
  'a pair of SSH keys is not made, for it would need the vault');
select is(pg_temp.error_as('mia', format('select create_user_ssh_key(''bad'', %L)', k)), 'WR001',
  format('this is refused as an SSH key of %s characters: %s', length(k), left(k, 60)))
from unnest(array['', 'x', 'ssh-ed25519', 'ssh-ed25519 ', 'ssh-ed25519 AAAA', 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7',
  -- another type, another inner type, another length, one byte more, a line more, an option before it
  'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB'
  'BDNiWSfE7dUIWEErMqkcrUrKvduM9d/LAP8qjtWbPn1bsLqV8VKBS3rk/Ontl53cO6/qUe/VKcjQKc2ki8k4K7E=',
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE4AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAH9b9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw',
  :'key' || 'AA==', :'key' || e' a\n' || :'key', 'command="sh" ' || :'key', repeat('x', 1000000), :'key' || ' ' || repeat('x', 2000)]) k;
select is(pg_temp.as_user(w, 'select count(*) from user_ssh_keys'), n, format('%s sees %s SSH keys', w, n))
  from (values ('mia', '2'), ('vic', '1'), ('ann', '0'), ('bob', '0')) t(w, n);
select is(pg_temp.as_user('mia', 'select private_key_secret_id from user_ssh_keys'), '42501',
  'a person cannot read where the private part of an SSH key is');
select pg_temp.keep_id('laptop', (select id from user_ssh_keys where name = 'laptop' and user_id = pg_temp.id_of('mia'))) \g /dev/null
select is(pg_temp.error_as(w, 'select delete_user_ssh_key({laptop})'), r, format('%s deletes an SSH key: %s', w, r))
from (values ('vic', 'WR004'), ('ann', 'WR004'), ('mia', 'ok'), ('mia', 'WR004')) t(w, r);
select is(pg_temp.error_as('mia', 'select delete_user_ssh_key(null)'), 'WR004', 'null is no SSH key to delete');
select is(pg_temp.as_user('anon', 'select delete_user_ssh_key({laptop})'), '42501', 'anon does not execute delete_user_ssh_key');

-- Platform admins
select lives_ok(pg_temp.with_ids('select weir.add_platform_admin({ann})'), 'the operator adds a platform admin');
select lives_ok(pg_temp.with_ids('select weir.add_platform_admin({ann})'), 'adding a platform admin again changes nothing');
select throws_ok(pg_temp.with_ids('select weir.add_platform_admin({nobody})'), 'WR004', null,
  'a user who does not exist is not added as a platform admin');
select throws_ok('select weir.add_platform_admin(null)', 'WR004', null, 'null is not added as a platform admin');
select is(pg_temp.as_user(w, 'select weir.add_platform_admin({bob})'), '42501', format('%s adds no platform admin', w))
  from unnest(array['ann', 'writer:ann', 'engine', 'gateway', 'anon', 'service']) w;

-- The pages of a channel have each message once, in one order, whatever their size
select pg_temp.as_user('ann', format('select post_chat_message({chat}, %L)', 'm' || n)) from generate_series(1, 25) n \g /dev/null
create function pg_temp.read_all_pages(p_limit integer) returns text language plpgsql as $$
declare
  v_before text := 'null';
  v_page text[];
  v_all text[] := '{}';
begin
  loop
    v_page := pg_temp.as_user('mia',
      format('select array_agg(id) from get_chat_messages_with_details({chat}, %s, %s)', v_before, p_limit))::text[];
    exit when v_page is null;
    v_all := v_all || v_page;
    v_before := quote_literal(v_page[cardinality(v_page)]);
  end loop;
  return v_all::text;
end;
$$;
select is(pg_temp.read_all_pages(n),
  (select array_agg(id order by id desc)::text from chat_messages where channel_id = pg_temp.id_of('chat')),
  format('pages of %s have each message once and the newest first', n))
from unnest(array[1, 7, 25, 200]) n;
select is(pg_temp.as_user('mia', format('select count(*) from get_chat_messages_with_details({chat}, null, %s)', n)), 'WR001',
  format('a page of %s messages is refused', n))
from unnest(array[-1, 0, 201, 2147483647]) n;
select * from finish();
rollback;
