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

-- The public address
select is(weir.public_url(), null, 'without the setting there is no public address');
select lives_ok($$select weir.set_setting('public_url', '"https://weir.example/below"')$$, 'the operator sets the public address');
select is(weir.public_url(), 'https://weir.example/below', 'the public address is what the operator set');
select throws_ok(format('select weir.set_setting(%L, %L)', 'public_url', v), '23514', null, format('%s is refused as a public address', v))
  from unnest(array['"https://weir.example/"', '"ftp://weir.example"', '"https://u@weir.example"',
    '"https://weir.example?a"', '1', '{}', '""']) v;
select lives_ok($$select weir.set_setting('public_url', 'null')$$, 'the operator removes the public address');
select is(weir.public_url(), null, 'there is no public address after it was removed');
select is(pg_temp.as_user(w, $$select weir.set_setting('public_url', '"https://evil.example"')$$), '42501',
          format('%s sets no public address', w))
  from unnest(array['ann', 'writer:ann', 'engine', 'gateway', 'anon', 'service']) w;

select * from finish();
rollback;
