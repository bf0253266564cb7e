-- Old rows are deleted, a limited number at a time. New rows and turns that are being answered stay.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
insert into weir.idempotency_keys (organization_id, key, request_hash, answer, created_at)
select pg_temp.id_of(o), 'k' || n, sha256('x'), '{}', now() - make_interval(days => n) from unnest(array['a', 'b']) o,
  generate_series(1, 40) n;
create function pg_temp.add_turn(p_days integer, p_leased_until timestamptz) returns void language sql as $$
  with m as (insert into chat_messages (organization_id, workspace_id, channel_id, sender, user_id, content, created_at)
             values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('chat'), 'user', pg_temp.id_of('mia'), 'x',
               now() - make_interval(days => p_days)) returning id)
  insert into weir.chat_turns (organization_id, message_id, agent_id, replica_id, leased_until, calls) select pg_temp.id_of('a'), m.id,
    pg_temp.id_of('robo'), weir.uuid_v7(), p_leased_until, '{"1": {}}' from m;
$$;
select pg_temp.add_turn(31, '-infinity'), pg_temp.add_turn(31, now() - interval '1 day'), pg_temp.add_turn(29, '-infinity'),
  pg_temp.add_turn(31, now() + interval '1 minute') \g /dev/null
delete from weir.security_events;
insert into weir.security_events (minute, reason, occurrences) values (now() - interval '91 days', 'x', 1),
  (now() - interval '89 days', 'x', 1);
select is(weir.purge('30 days', '30 days', '90 days', 7), 7 + 2 + 1,
  'a purge with a limit of seven deletes at most seven rows of each table');
select is((select string_agg(k.key, ',' order by k.created_at) from weir.idempotency_keys k where k.created_at < now() - interval '30 days'
  and k.organization_id = pg_temp.id_of('a')
  and k.key = 'k40'), null, 'a purge with a limit deletes the oldest rows first');
select is((select sum(weir.purge('30 days', '30 days', '90 days', 1000)) from generate_series(1, 2)), 15::bigint,
  'purges without a small limit delete the other old rows and then none');
select is((select count(*) from weir.idempotency_keys where created_at < now() - interval '30 days'), 0::bigint,
  'no idempotency key of more than 30 days is left after a purge');
select is((select count(*) from weir.idempotency_keys where key in ('k1', 'k29')), 4::bigint,
  'idempotency keys of less than 30 days are left after a purge');
select is((select string_agg(case when t.leased_until > now() then 'answered' else 'young' end, ',' order by t.leased_until)
  from weir.chat_turns t), 'young,answered',
  'a turn that is new or being answered is left after a purge');
select is((select count(*) from weir.security_events), 1::bigint, 'a security event of less than 90 days is left after a purge');
select throws_ok(format('select weir.purge(%s)', a), 'WR001', null, 'a purge is refused with ' || a)
from unnest(array['null, ''1 day'', ''1 day'', 1', '''1 day'', null, ''1 day'', 1', '''0'', ''1 day'', ''1 day'', 1',
  '''1 day'', ''1 day'', ''-1 day'', 1']) a;
select is(pg_temp.as_user(w, 'select weir.purge(''1 day'', ''1 day'', ''1 day'', 1)'), '42501', w || ' purges nothing')
  from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w;
select isnt(pg_temp.as_user('engine', 'select weir.purge(''1 day'', ''1 day'', ''1 day'', 1)'), '42501', 'the engine purges');
select * from finish();
rollback;
