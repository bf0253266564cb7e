-- Profiles and data keys of people: by actor.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

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

-- Data keys: only the engine reads the ciphertext
select is((select wrapped_key from weir.user_data_key(pg_temp.id_of('mia'), decode(repeat('ab', 61), 'hex'))),
  decode(repeat('ab', 61), 'hex'), 'the first wrapped key of a person is kept');
select is((select wrapped_key from weir.user_data_key(pg_temp.id_of('mia'), decode(repeat('cd', 61), 'hex'))),
  decode(repeat('ab', 61), 'hex'), 'a second wrapped key does not replace the first');
select throws_ok(pg_temp.with_ids($$select weir.user_data_key({vic}, decode(repeat('ab', 32), 'hex'))$$), 'WR001', null,
  'a data key that is not wrapped is refused');
select throws_ok(pg_temp.with_ids($$select weir.user_data_key({nobody}, decode(repeat('ab', 61), 'hex'))$$), 'WR004', null,
  'a data key of a person who does not exist is refused');
select is(weir.rewrap_user_data_key(pg_temp.id_of('mia'), 2, decode(repeat('ef', 61), 'hex')), false,
  'a data key is not wrapped again from another version than its own');
select is(weir.rewrap_user_data_key(pg_temp.id_of('mia'), 1, decode(repeat('ef', 61), 'hex')), true,
  'a data key is wrapped again from its own version');
select is(pg_temp.as_user('mia', 'select version from user_secrets'), '2', 'a person sees the version of their data key');
select is(pg_temp.as_user(w, 'select wrapped_key from user_secrets'), '42501', format('%s cannot read a wrapped data key', w))
  from unnest(array['mia', 'writer:mia', 'engine', 'anon', 'ann']) w;
select is(pg_temp.as_user('ann', 'select count(*) from user_secrets'), '0', 'another person does not see that there is a data key');
select is(pg_temp.as_user('mia', $$select weir.user_data_key({mia}, null)$$), '42501', 'a person does not execute user_data_key');
select * from finish();
rollback;
