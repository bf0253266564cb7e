-- Platform admins: only the operator adds them.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- Platform admins
select lives_ok(pg_temp.with_ids('select weir.add_platform_admin({ann})'), 'the operator adds a platform admin');
select lives_ok(pg_temp.with_ids('select weir.add_platform_admin({ann})'), 'adding a platform admin again changes nothing');
select throws_ok(pg_temp.with_ids('select weir.add_platform_admin({nobody})'), 'WR004', null,
  'a user who does not exist is not added as a platform admin');
select throws_ok('select weir.add_platform_admin(null)', 'WR004', null, 'null is not added as a platform admin');
select is(pg_temp.as_user(w, 'select weir.add_platform_admin({bob})'), '42501', format('%s adds no platform admin', w))
  from unnest(array['ann', 'writer:ann', 'engine', 'gateway', 'anon', 'service']) w;
select * from finish();
rollback;
