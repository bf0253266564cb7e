-- What a key of an organization may read by its scopes, that nobody else may read it, and that the reading is in the audit log.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
create function pg_temp.create_organization_key(p_actor text, p_id text, p_scopes text,
  p_organization text default 'a') returns text language sql as $$
  select pg_temp.error_as(p_actor,
    format('select create_organization_api_key({%s}, ''nightly'', %L, repeat(''k'', 43), %L)', p_organization, p_id, p_scopes));
$$;
-- The error, or the members of the answer.
create function pg_temp.read_with_key(p_id text, p_function text, p_arguments text default '{}',
  p_letter text default 'k') returns text language plpgsql as $$
declare
  v_answer jsonb;
begin
  v_answer := weir.read_with_key(p_id, sha256(convert_to(repeat(p_letter, 43), 'UTF8')), p_function, p_arguments::jsonb);
  return coalesce(v_answer ->> 'error', (select string_agg(k, ',' order by k) from jsonb_object_keys(v_answer) k));
exception when others then
  return sqlstate;
end;
$$;
select is(pg_temp.create_organization_key('adam', 'keyofall00000001', '{audit.read,servers.read,usage.read}'), 'ok',
  'an admin creates an organization key with all scopes');
select is(pg_temp.create_organization_key('bob', 'keyofb0000000001', '{audit.read,servers.read,usage.read}', 'b'), 'ok',
  'an owner of another organization creates an organization key with all scopes');
insert into usage_hourly (organization_id, hour, agent_id, instance_id, calls)
select pg_temp.id_of(o), '2026-01-02 03:00+00', pg_temp.id_of('robo'), pg_temp.id_of('files'), n from (values ('a', 7), ('b', 8)) t(o, n);

-- Scopes: each permits one function and no other
select pg_temp.create_organization_key('adam', 'key' || rpad(split_part(s, '.', 1), 13, '0'), array[s]::text)
  from unnest(array['audit.read', 'servers.read', 'usage.read']) s \g /dev/null
select is(pg_temp.read_with_key('key' || rpad(split_part(s, '.', 1), 13, '0'), f), case when s = weir.key_scope(f) then r else 'WR003' end,
  format('an organization key with the scope %s may execute %s: %s', s, f, s = weir.key_scope(f)))
from unnest(array['audit.read', 'servers.read', 'usage.read']) s,
  (values ('read_audit', 'next,rows'), ('read_servers', 'rows'), ('read_usage', 'rows')) t(f, r);
select is(pg_temp.read_with_key('keyofall00000001', f), 'WR010',
  format('an organization key does not execute: %s', coalesce(nullif(f, ''), case when f is null then 'null' else 'an empty name' end)))
  from unnest(array['create_agent', 'read_secrets', '', null]) f;
select is((select count(*) from mcp_interaction_logs where actor_kind = 'key' and phase = 'denied' and reason = 'forbidden'
  and key_id like 'key%0'), 6::bigint,
  'each refused reading with a key is in the audit log');

-- A key reads its own organization only
select is((select string_agg(r ->> 'calls', ' ')
  from jsonb_array_elements(weir.read_with_key('keyofall00000001', sha256(convert_to(repeat('k', 43), 'UTF8')), 'read_usage',
  '{"since": "2026-01-02T00:00:00Z", "until": "2026-01-03T00:00:00Z"}') -> 'rows') r), '7',
    'V1_an_organization_key_reads_its_own_organization_s_usage_only');
select is((select count(*) from jsonb_array_elements(weir.read_with_key('keyofall00000001', sha256(convert_to(repeat('k', 43), 'UTF8')),
  'read_servers', '{}') -> 'rows') r
  where r ->> 'name' = 'spy' or r ? 'url' or r ? 'configuration'), 0::bigint,
    'V1_an_organization_key_reads_servers_without_address_and_none_of_another_organization');
select is((select count(*) from jsonb_array_elements(weir.read_with_key('keyofall00000001', sha256(convert_to(repeat('k', 43), 'UTF8')),
  'read_audit', '{"limit": 1000}') -> 'rows') r
  join mcp_interaction_logs l on l.id = (r ->> 'id')::uuid where l.organization_id <> pg_temp.id_of('a')), 0::bigint,
    'T11_an_organization_key_reads_no_row_of_another_organization_s_audit_log');
select is(pg_temp.read_with_key('keyofall00000001', f, jsonb_build_object('organization_id', o)::text), r,
  format('%s with a key is refused for %s', f, n))
from unnest(array['read_audit', 'read_servers', 'read_usage']) f, (values (pg_temp.id_of('b'), 'another organization', 'WR004'),
  ('01900000-0000-7000-8000-00000000dead'::uuid, 'an organization that does not exist', 'WR004')) t(o, n, r);

-- Keys that do not authenticate
select is(pg_temp.read_with_key('keyofall00000001', 'read_servers', p_letter => 'x'), 'WR002',
  'A16_an_organization_key_with_a_wrong_secret_reads_nothing');
select is(pg_temp.read_with_key('nosuchkey0000001', 'read_servers'), 'WR002', 'A16_an_organization_key_that_does_not_exist_reads_nothing');
select is(pg_temp.read_with_key(null, 'read_servers'), 'WR002', 'A16_a_null_organization_key_reads_nothing');
select is(pg_temp.as_user(w, $$select weir.read_with_key('keyofall00000001', '\x00', 'read_servers', '{}')$$), '42501',
  format('M4_%s_does_not_execute_read_with_key', w))
from unnest(array['anon', 'ann', 'adam', 'service', 'gateway', 'writer:ann']) w;
select is(pg_temp.as_user('engine', format('select weir.%s', f)), '42501',
  'the engine reads an organization only with a key, and is refused: ' || f)
from unnest(array['servers_of({a})', 'usage_of({a}, null, null)', 'audit_page({a}, null, null, null, 10)']) f;

-- Reading the audit log is recorded before it is done, and wrong arguments are refused
select is((select r -> 0 ->> 'item' || ' ' || (r -> 0 ->> 'key_id')
  from (select weir.read_with_key('keyofall00000001', sha256(convert_to(repeat('k', 43), 'UTF8')), 'read_audit',
  '{"limit": 1}') -> 'rows' as r) t),
  'read_audit keyofall00000001', 'T11_the_first_row_that_a_key_reads_is_the_reading_itself');
select is(pg_temp.read_with_key('keyofall00000001', 'read_audit', a), r, format('read_audit with a key and %s: %s', a, r))
from (values ('{"limit": 0}', 'WR001'), ('{"limit": null, "filter": null, "before": null}', 'next,rows'), ('{"limit": 1001}', 'WR001'),
  ('{"filter": {"x": 1}}', 'WR001'), ('{"before": []}', 'WR001'),
             ('{"limit": "x"}', '22P02')) t(a, r);
select is(pg_temp.read_with_key('keyofall00000001', 'read_usage', a), r, format('read_usage with a key and %s: %s', a, r))
from (values ('{"since": "2026-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"}', 'WR001'), ('{"since": "-infinity"}', 'WR001'),
  ('{"until": "infinity"}', 'WR001'),
             ('{"since": "2020-01-01T00:00:00Z"}', 'WR001'), ('{"since": "x"}', '22007'), ('{"since": null}', 'rows')) t(a, r);
insert into usage_hourly (organization_id, hour, agent_id, instance_id)
select pg_temp.id_of('b'), '2026-02-01 00:00+00', weir.uuid_v7(), pg_temp.id_of('spy') from generate_series(1, 10001);
select is(pg_temp.read_with_key('keyofb0000000001', 'read_usage', '{"since": "2026-02-01T00:00:00Z", "until": "2026-02-02T00:00:00Z"}'),
  'WR001', 'usage of more rows than are returned at once is refused and not cut off');
select * from finish();
rollback;
