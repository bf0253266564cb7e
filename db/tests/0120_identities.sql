-- Identities of other issuers: which user a token identifies, and which address an invitation is for.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- An identity is an issuer and a subject together
create function pg_temp.resolve_identity(p_issuer text, p_subject text, p_email text default null,
  p_verified boolean default true) returns text language plpgsql as $$
begin
  return weir.resolve_identity(p_issuer, p_subject, p_email, p_verified);
exception when others then
  return sqlstate;
end;
$$;
select is(pg_temp.resolve_identity('https://idp.example', 'x'), null, 'an issuer that is not in identity_issuers makes no user');
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
select is(pg_temp.resolve_identity('https://evil.example', 'x'), null,
  'a token of another issuer that is not in identity_issuers makes no user');
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
-- A token of the Supabase project identifies a user by its subject, but only if the users are the project's.
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
select * from finish();
rollback;
