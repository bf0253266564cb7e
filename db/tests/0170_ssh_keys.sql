-- Public SSH keys of people: which are accepted, and who sees and deletes them.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- SSH keys, compared with the output of ssh-keygen
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
  'no pair of SSH keys is generated, because that needs the vault');
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
  'a person cannot read the reference to the private part of an SSH key');
select pg_temp.keep_id('laptop', (select id from user_ssh_keys where name = 'laptop' and user_id = pg_temp.id_of('mia'))) \g /dev/null
select is(pg_temp.error_as(w, 'select delete_user_ssh_key({laptop})'), r, format('%s deletes an SSH key: %s', w, r))
from (values ('vic', 'WR004'), ('ann', 'WR004'), ('mia', 'ok'), ('mia', 'WR004')) t(w, r);
select is(pg_temp.error_as('mia', 'select delete_user_ssh_key(null)'), 'WR004', 'null is refused as an SSH key to delete');
select is(pg_temp.as_user('anon', 'select delete_user_ssh_key({laptop})'), '42501', 'anon does not execute delete_user_ssh_key');
select * from finish();
rollback;
