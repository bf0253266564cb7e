-- Reading the audit log: who reads which rows, in pages, and that the reading is recorded.
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
  where r ->> 'interaction_type' = 'tool_execution'),
  (select count(*) from mcp_interaction_logs where organization_id = pg_temp.id_of('a') and kind = 'tool_execution'),
    'T11_an_admin_reads_all_rows_of_the_organization_s_audit_log');
select is((select array_agg(distinct r ->> 'user_id') from jsonb_array_elements(pg_temp.audit_rows_of('mia')) r),
  array[pg_temp.id_of('mia')::text],
  'T11_a_member_reads_no_rows_of_others_in_the_audit_log');
select isnt((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('mia')) r
  where r ->> 'interaction_type' = 'tool_execution'), 0::bigint,
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
select is((select r ->> 'interaction_type' from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', ', "limit" => 1')) r), 'admin_read',
  'T11_the_first_row_that_is_read_is_the_reading_itself');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where kind = 'admin_read' and phase = 'denied' and organization_id = {a}$$), '1',
  'M14_a_suspended_admin_s_attempt_to_read_is_in_the_audit_log');

-- Pages: each row once, in one order, although every page adds a row
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
select is((select array_agg(distinct r ->> 'interaction_type')
  from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', ', ''{"interaction_type": "tool_execution", "phase": "denied"}''')) r),
  array['tool_execution'], 'the audit log is filtered by interaction type and phase');
select is((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', ', ''{"until": "2020-01-01T00:00:00Z"}'''))),
  0::bigint, 'the audit log is filtered by time');
select is(pg_temp.error_as('ann', format('select read_audit({a}, %L)', f)), 'WR001',
  'this is refused as a filter of the audit log: ' || left(f, 60))
from unnest(array['null', '[]', '"x"', '{"x": 1}', '{"kind": "grant"}', '{"interaction_type": null}', '{"interaction_type": "x"}',
  '{"phase": "x"}', '{"reason": "x"}', '{"reason": 1}', '{"outcome": "x"}', '{"tool": ""}', '{"tool": null}', '{"merged": "true"}',
  '{"merged": null}', '{"instance_id": "01900000-0000-7000-8000-00000000dead"}', '{"agent_id": "x"}', '{"agent_id": 1}',
  '{"since": "now"}',
  '{"since": "2026-02-31T00:00:00Z"}',
  '{"since": "2026-99-99T99:99:99Z"}', '{"until": {"a": 1}}']) f;
select is(pg_temp.error_as('ann', format('select read_audit({a}, null, %L)', f)), 'WR001',
  'this is refused as the cursor of a page: ' || left(f, 60))
from unnest(array['null', '[]', '{}', '{"id": "x", "created_at": "now", "phase": "denied"}',
  '{"id": "01900000-0000-7000-8000-00000000dead", "created_at": "2026-01-01T00:00:00Z", "phase": "x"}']) f;
select is(pg_temp.error_as('ann', format('select read_audit({a}, null, null, %s)', n)), 'WR001',
  format('a page of %s rows of the audit log is refused', n)) from unnest(array[-1, 0, 1001]) n;
select is(pg_temp.as_user('ann', $$select read_audit({a}, '{"kind": "grant"}') ->> 'message'$$),
  'filter.kind is not known: a filter has ' || weir.audit_filter_names(),
    'the error about an unknown member of a filter lists the known ones');

-- Rows and their names. Each call has its own id, so that its rows can be found.
create function pg_temp.call(p_name text, p_item text, p_copy text default '{}') returns text language sql as $$
  select concat(pg_temp.keep_id(p_name, weir.uuid_v7())::text, ((weir.admit(
    '01900000-0000-7000-8000-000000000001', array[pg_temp.id_of(p_name)], array[clock_timestamp()], array['robokey000000001'],
    array[sha256(convert_to(repeat('r', 43), 'UTF8'))], array[null::uuid], array[null::uuid], array['tool_execution'],
    array[pg_temp.id_of('files')], array[p_item], array['{}'], array['1'], array[1], array[100::bigint], array[sha256('request')],
    array[p_copy], array[null::uuid]))[1]).failures[1]);
$$;
create function pg_temp.complete(p_name text, p_outcome text, p_code text, p_copy text) returns integer language sql as $$
  select weir.complete('01900000-0000-7000-8000-000000000001', array[l.id], array[l.created_at], array[p_outcome], array[p_code],
    array[12345::bigint], array[50::bigint], array[sha256('answer')], array[p_copy])
  from mcp_interaction_logs l where l.id = pg_temp.id_of(p_name) and l.phase = 'requested';
$$;
-- The rows of one call, as an admin reads them.
create function pg_temp.rows_of(p_name text, p_filter text default '{}') returns setof jsonb language sql as $$
  select r from jsonb_array_elements(pg_temp.audit_rows_of('adam', 'a', format(', %L, null, 1000', p_filter))) r
  where r ->> 'id' = pg_temp.id_of(p_name)::text;
$$;
select pg_temp.call('good', 'list_directory', '{"arguments": {"path": "/data", "é": "it''s <b>"}}') \g /dev/null
select pg_temp.complete('good', 'ok', null, '{"result": {"content": [1.5, "x"]}}') \g /dev/null
select pg_temp.call('failed', 'list_directory', '{"arguments": "so much… [cut]') \g /dev/null
select pg_temp.complete('failed', 'timeout', 'WR012', null), pg_temp.call('waiting', 'list_directory'), pg_temp.call('refused', 'drop_all')
\g /dev/null
select set_eq($$select distinct k from pg_temp.rows_of('good') r, jsonb_object_keys(r) k$$,
  array['created_at', 'id', 'phase', 'organization_id', 'interaction_type', 'decision', 'actor_kind', 'user_id', 'agent_id', 'agent_name',
    'key_id', 'mcp_server_instance_id', 'instance_name', 'item', 'grant_id', 'request_id', 'attempt', 'outcome', 'error_details', 'detail',
    'duration_ms', 'request_bytes', 'response_bytes', 'request_data', 'response_data', 'occurrences'],
  'a row of the audit log has these members');
select is((select array_agg(r ->> 'phase' order by r ->> 'phase') from pg_temp.rows_of('good') r), array['completed', 'requested'],
  'an interaction has a row for its request and one for its outcome');
select is((select r ->> 'organization_id' from pg_temp.rows_of('good') r limit 1), pg_temp.id_of('a')::text,
  'a row of the audit log names its organization');
select is((select r #>> '{request_data,arguments,é}' from pg_temp.rows_of('good') r where r ->> 'phase' = 'requested'), 'it''s <b>',
  'the copy of a request is read as JSON');
select is((select jsonb_typeof(r -> 'request_data') from pg_temp.rows_of('failed') r where r ->> 'phase' = 'requested'), 'string',
  'a copy that was cut is read as a string');
select is(jsonb_typeof(weir.copy_data(c)), t, format('a copy is read as %s: %s', t, left(c, 30)))
from (values ('{"a": 1e39}', 'object'), ('{"a": 1e41}', 'string'), ('[1e-50]', 'string'), ('[{"a": [1e100000]}]', 'string'),
  ('1e999999999', 'string'), ('', 'string'), ('{"a": "\u0000"}', 'string'), ('{"a": "1e100000"}', 'object'), ('[1e2, "x"]', 'array'),
  (repeat('[', 4096), 'string'), ('null', 'null')) t(c, t);

-- Merged: one row for each interaction, in every page
select is((select r from pg_temp.rows_of('good', '{"merged": true}') r)
  - '{created_at,id,organization_id,agent_id,mcp_server_instance_id,grant_id}'::text[], jsonb_build_object(
  'phase', 'completed', 'interaction_type', 'tool_execution', 'decision', 'allowed', 'actor_kind', 'agent', 'user_id', null,
  'agent_name', 'Robo', 'key_id', 'robokey000000001', 'instance_name', 'files', 'item', 'list_directory', 'request_id', '1', 'attempt', 1,
  'outcome', 'ok', 'error_details', null, 'detail', null, 'duration_ms', 12.345, 'request_bytes', 100, 'response_bytes', 50,
  'request_data', '{"arguments": {"path": "/data", "é": "it''s <b>"}}'::jsonb,
  'response_data', '{"result": {"content": [1.5, "x"]}}'::jsonb, 'occurrences', 1), 'a merged row has the request and its outcome');
select is((select count(*) from pg_temp.rows_of(n, '{"merged": true}')), 1::bigint, 'an interaction is one merged row: ' || n)
  from unnest(array['good', 'failed', 'waiting', 'refused']) n;
select is((select r ->> 'phase' from pg_temp.rows_of('waiting', '{"merged": true}') r), 'requested',
  'a merged row of a call without an outcome has the phase requested');
select is((select r -> 'error_details' from pg_temp.rows_of('failed', '{"merged": true}') r),
  '{"reason": "timeout", "code": "WR012", "detail": null}', 'a call that failed has error details');
select is((select r -> 'error_details' from pg_temp.rows_of('refused', '{"merged": true}') r),
  '{"reason": "item_not_granted", "code": "WR004", "detail": null}', 'a denial has error details');
select is((select array[r ->> 'detail', r ->> 'error_details'] from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a',
  ', ''{"interaction_type": "admin_read", "outcome": "ok"}'', null, 1')) r),
  array['{"outcome": "ok", "interaction_type": "admin_read"}', null], 'an act that succeeded has its detail and no error details');
select is((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('adam', 'a', ', ''{"merged": true}'', null, 1000')) r
  where r ->> 'interaction_type' <> 'admin_read'),
  (select count(*) from mcp_interaction_logs l
   where l.organization_id = pg_temp.id_of('a') and l.kind <> 'admin_read' and not (l.phase = 'completed' and exists (
     select from mcp_interaction_logs q where q.created_at = l.created_at and q.id = l.id and q.phase = 'requested'))),
  'every interaction of the organization is one merged row');
select is(pg_temp.as_user('mia', $$select count(*) from jsonb_array_elements(read_audit({a}, '{"merged": true}', null, 1000) -> 'rows') r
  where r ->> 'user_id' is distinct from {mia}::text$$), '0', 'T11_a_member_reads_no_merged_rows_of_others');

-- The pages of a filter, one after the other: the ids of all their rows.
create function pg_temp.pages_of(p_filter jsonb, p_limit integer) returns text[] language plpgsql as $$
declare
  v_filter constant text := (p_filter || jsonb_build_object('until', now() + interval '1 hour', 'since', now() - interval '1 day'))::text;
  v_before text := 'null';
  v_page jsonb;
  v_all text[] := '{}';
begin
  for v_n in 1 .. 2000 loop
    v_page := pg_temp.as_user('adam', format('select read_audit({a}, %L, %s, %s)', v_filter, v_before, p_limit))::jsonb;
    v_all := v_all || array(select concat(r ->> 'id', ' ', r ->> 'phase') from jsonb_array_elements(v_page -> 'rows') r
                            where r ->> 'interaction_type' <> 'admin_read');
    exit when v_page ->> 'next' is null;
    v_before := quote_literal(v_page -> 'next');
  end loop;
  return v_all;
end;
$$;
select is(p.small, p.large, format('pages of %s have the rows of one page, filtered by %s', n, f))
from unnest(array['{"merged": true}', '{"merged": true, "outcome": "ok"}', '{"merged": true, "phase": "denied"}',
            '{"tool": "list_directory"}']) f,
     unnest(array[1, 3]) n,
     lateral (select pg_temp.pages_of(f::jsonb, n) as small, pg_temp.pages_of(f::jsonb, 1000) as large) p;

-- Tool, reason, outcome
select is((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', format(', %L, null, 1000', f))) r), w.n,
  'the audit log is filtered by ' || f)
from unnest(array['{"tool": "list_directory"}', '{"reason": "item_not_granted"}', '{"outcome": "timeout"}',
  '{"tool": "list_directory", "outcome": "ok"}']) f,
lateral (select count(*) as n from mcp_interaction_logs l where l.organization_id = pg_temp.id_of('a')
  and case f::jsonb ->> 'tool' when 'list_directory' then l.kind = 'tool_execution' and l.item = 'list_directory' else true end
  and (f::jsonb ->> 'reason' is null or l.reason = f::jsonb ->> 'reason')
  and (f::jsonb ->> 'outcome' is null or l.outcome = f::jsonb ->> 'outcome')) w;
select isnt_empty($$select from mcp_interaction_logs where reason = 'item_not_granted' and organization_id = pg_temp.id_of('a')$$,
  'there are denials to filter');
select is((select count(*) from jsonb_array_elements(pg_temp.audit_rows_of('ann', 'a', ', ''{"tool": "read_audit"}'' '))), 0::bigint,
  'the filter by tool finds no act');
select is((select count(*) from pg_temp.rows_of('good', format('{"merged": true, "outcome": "%s"}', o))), n,
  format('a merged row is found by the outcome of its call: %s of %s', n, o))
from (values ('ok', 1::bigint), ('timeout', 0)) t(o, n);

-- The codes of denials
select is_empty($$select m.value[1] from pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([a-z_]+)''', 'g') m(value)
  where c.conname = 'reason_is_known' and weir.reason_code(m.value[1]) is null$$,
  'every reason of a denial has the code that its caller gets');

create temporary table refused as
select pg_temp.error_as(w, c) as heard, item
from (values ('mia', 'select create_workspace({a}, '''')', 'create_workspace'),
  ('vic', 'select create_workspace({a}, ''x'')', 'create_workspace'),
  ('adam', 'select revoke_mcp_access({robo}, {spy})', 'revoke_mcp_access'), ('adam', 'select create_agent({a}, ''Robo'')', 'create_agent'))
  t(w, c, item);
select is((select array_agg(distinct r #>> '{error_details,code}' order by r #>> '{error_details,code}')
  from jsonb_array_elements(pg_temp.audit_rows_of('adam', 'a', ', ''{"phase": "denied"}'', null, 1000')) r where r ->> 'item' = f.item),
  f.heard, 'the code of a refusal in the audit log is the one that the caller got: ' || f.item)
from (select item, array_agg(distinct heard order by heard) as heard from refused where heard <> 'WR004' group by item) f;

-- A filter that matches few rows reads 20,000 rows, and says where to continue
insert into mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, outcome, item)
select now() - n * interval '1 millisecond', weir.uuid_v7(), 'completed', pg_temp.id_of('a'), 'lifecycle', 'allowed', 1,
       'system', 'ok', 'many'
from generate_series(1, 20100) n;
insert into mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, outcome, item)
values (now() - interval '1 minute', pg_temp.keep_id('oldest', weir.uuid_v7()), 'completed', pg_temp.id_of('a'), 'oauth', 'allowed', 1,
        'system', 'ok', 'old');
create temporary table pages as
select pg_temp.as_user('adam', $$select read_audit({a}, '{"interaction_type": "oauth"}')$$)::jsonb as page;
select is(page -> 'rows', '[]', 'a page is empty if none of the rows that it read matches') from pages;
select is(page -> 'next' ->> 'phase', 'completed', 'a page that ended before the audit log did says where to continue') from pages;
select is(pg_temp.as_user('adam', format($$select read_audit({a}, '{"interaction_type": "oauth"}', %L)$$, page -> 'next'))::jsonb
  #>> '{rows,0,id}', pg_temp.id_of('oldest')::text, 'the next page finds the rows after that') from pages;
select is(pg_temp.pages_of('{"interaction_type": "oauth"}', 1), array[pg_temp.id_of('oldest') || ' completed'],
  'a row after many that do not match is found once');
select is(cardinality(pg_temp.pages_of('{"interaction_type": "lifecycle", "merged": true, "outcome": "ok"}', 1000)) >= 20100, true,
  'pages that read many rows leave none out');
select * from finish();
rollback;
