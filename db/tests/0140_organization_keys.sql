-- Keys of an organization: who makes, lists and revokes them, and what they permit.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

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
  'V8_an_owner_of_b_creates_no_key_for_a_and_does_not_learn_what_else_is_wrong');
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
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
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
select is(pg_temp.error_as('ann', $$select revoke_organization_api_key(null)$$), 'WR004',
  'null is refused as an organization key to revoke');
select * from finish();
rollback;
