-- Reading the record: who, which rows, in pages, and that it is recorded.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
select pg_temp.admit_call('list_directory'), pg_temp.admit_call('nothing'), pg_temp.admit_call_as('mia', 'list_directory') \g /dev/null

-- The rows that an actor reads.
create function pg_temp.audit_rows_of(p_actor text, p_organization text default 'a',
  p_rest text default '') returns jsonb language sql as $$
  select pg_temp.as_user(p_actor, format('select read_audit({%s}%s) -> ''rows''', p_organization, p_rest))::jsonb;
$$;
select is(pg_temp.error_as(w, 'select read_audit({a})'), r, format('T11_read_audit_of_a_by_%s: %s', w, r))
from (values ('ann', 'ok'), ('adam', 'ok'), ('mia', 'ok'), ('vic', 'ok'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, 'select read_audit({a})'), '42501', format('T11_%s_does_not_execute_read_audit', w))
  from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('adam', 'a', ', "limit" => 1000')) r
  where r ->> 'kind' = 'tool_execution'),
  (select count(*) from mcp_interaction_logs where organization_id = pg_temp.id_of('a') and kind = 'tool_execution'),
    'T11_an_admin_reads_all_rows_of_the_organization_s_audit_log');
select is((select array_agg(distinct r ->> 'user_id') from jsonb_array_elements(pg_temp.audit_rows_of('mia')) r),
  array[pg_temp.id_of('mia')::text],
  'T11_a_member_reads_no_rows_of_others_in_the_audit_log');
select isnt((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('mia')) r where r ->> 'kind' = 'tool_execution'), 0::bigint,
  'T11_a_member_reads_their_own_rows_in_the_audit_log');
select is(pg_temp.as_user('adam',
  $$select count(*) from jsonb_array_elements(read_audit({a}, format('{"user_id": "%s"}', {bob})::jsonb) -> 'rows')$$), '0',
  'T11_an_admin_reads_no_rows_of_another_organization_s_people');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel') and organization_id = pg_temp.id_of('a');
select is(pg_temp.as_user('mel',
  $$select count(*) from jsonb_array_elements(read_audit({b}) -> 'rows') r where r ->> 'user_id' <> {mel}::text$$), '0',
  'T11_an_admin_of_a_who_is_a_member_of_b_reads_only_their_own_rows_in_b');
update organization_members set status = 'removed' where user_id = pg_temp.id_of('mel') and organization_id = pg_temp.id_of('b');
select is(pg_temp.error_as('mel', 'select read_audit({b})'), 'WR004', 'T11_a_removed_member_does_not_read_the_audit_log');

-- Reading is recorded before it is done
select is((select r ->> 'kind' from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', ', "limit" => 1')) r), 'admin_read',
  'T11_the_first_row_that_is_read_is_the_reading_itself');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where kind = 'admin_read' and phase = 'denied' and organization_id = {a}$$), '1',
  'M14_a_suspended_admin_s_attempt_to_read_is_in_the_audit_log');

-- Pages: each row once, in one order, though every page adds a row
create function pg_temp.read_all_pages(p_limit integer) returns bigint[] language plpgsql as $$
declare
  v_before text := 'null';
  v_until constant text := jsonb_build_object('until', clock_timestamp())::text;
  v_page jsonb;
  v_all text[] := '{}';
begin
  loop
    v_page := pg_temp.as_user('adam', format('select read_audit({a}, %L, %s, %s)', v_until, v_before, p_limit))::jsonb;
    v_all := v_all || array(select concat(r ->> 'created_at', r ->> 'id', r ->> 'phase') from jsonb_array_elements(v_page -> 'rows') r);
    exit when v_page ->> 'next' is null;
    v_before := quote_literal(v_page -> 'next');
  end loop;
  return array[cardinality(v_all), (select count(distinct x) from unnest(v_all) x),
               (select count(*) from unnest(v_all[1:cardinality(v_all) - 1], v_all[2:]) t(a, b) where a < b)];
end;
$$;
select is(w[1] = w[2] and w[3] = 0 and w[1] > 20, true,
  format('pages of %s rows of the audit log have each row once and the newest first', n)) from unnest(array[1, 7, 1000]) n,
  pg_temp.read_all_pages(n) w;

-- Filters
select is((select array_agg(distinct r ->> 'kind')
  from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', ', ''{"kind": "tool_execution", "phase": "denied"}''')) r),
  array['tool_execution'], 'the audit log is filtered by kind and phase');
select is((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', ', ''{"until": "2020-01-01T00:00:00Z"}'''))),
  0::bigint, 'the audit log is filtered by time');
select is(pg_temp.error_as('ann', format('select read_audit({a}, %L)', f)), 'WR001',
  'this is refused as a filter of the audit log: ' || left(f, 60))
from unnest(array['null', '[]', '"x"', '{"x": 1}', '{"kind": null}', '{"agent_id": "x"}', '{"agent_id": 1}', '{"since": "now"}',
  '{"since": "2026-02-31T00:00:00Z"}',
  '{"since": "2026-99-99T99:99:99Z"}', '{"until": {"a": 1}}']) f;
select is(pg_temp.error_as('ann', format('select read_audit({a}, null, %L)', f)), 'WR001',
  'this is refused as the place before which a page ends: ' || left(f, 60))
from unnest(array['null', '[]', '{}', '{"id": "x", "created_at": "now", "phase": "denied"}',
  '{"id": "01900000-0000-7000-8000-00000000dead", "created_at": "2026-01-01T00:00:00Z", "phase": "x"}']) f;
select is(pg_temp.error_as('ann', format('select read_audit({a}, null, null, %s)', n)), 'WR001',
  format('a page of %s rows of the audit log is refused', n)) from unnest(array[-1, 0, 1001]) n;
select * from finish();
rollback;
