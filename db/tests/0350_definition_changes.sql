-- Who sees definitions that wait for approval, and who decides.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- files announces another read_file, a new tool that hides text, and its unchanged prompt.
create function pg_temp.announce_read_file(p_read text) returns text language sql as $$
  select format('%s %s %s', new_pins, changed_pins, quarantined)
  from weir.record_definitions(pg_temp.id_of('files'), 2, array['tool', 'tool', 'prompt', 'resource'],
    array['read_file', 'odd', 'greet', 'file:///data/a'],
    array[sha256(convert_to(p_read, 'UTF8')), sha256('odd 1'), sha256('greet 1'), sha256('a')],
    array[format('{"name":"read_file","description":"%s","inputSchema":{"type":"object"}}', p_read), '{"name":"odd"}', '{"name":"greet"}',
      '{"uri":"file:///data/a"}'], null,
    array[null, 'bidi at description', null, null]);
$$;
create function pg_temp.sha256_hex(p_text text) returns text language sql as $$select encode(sha256(convert_to(p_text, 'UTF8')), 'hex')$$;
create function pg_temp.pin_status(p_name text, p_hash text) returns text language sql as $$
  select concat_ws(' ', t.status, (select i.name from ids i where i.id = t.approved_by), case when t.approved_at is null then 'never' end)
  from mcp_server_tools t where t.instance_id = pg_temp.id_of('files') and t.name = p_name
    and t.definition_hash = sha256(convert_to(p_hash, 'UTF8'));
$$;
create function pg_temp.decide_change(p_actor text, p_act text, p_name text, p_hash text, p_kind text default 'tool',
  p_server text default '{files}') returns text language sql as $$
  select pg_temp.error_as(p_actor,
    format('select %s_mcp_tool_change(%s, %L, %L, %L)', p_act, p_server, p_kind, p_name, pg_temp.sha256_hex(p_hash)));
$$;
select is(pg_temp.announce_read_file('read 2'), '1 1 2', 'an announcement with a changed and a hidden definition quarantines both');

-- Who sees it
create function pg_temp.waiting_changes(p_actor text,
  p_columns text default 'kind || '':'' || name || '':'' || change') returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select string_agg(concat(%s), '','') from get_mcp_tool_changes({files})', p_columns));
$$;
select is(pg_temp.waiting_changes(w), 'tool:odd:new,tool:read_file:changed,tool:write_file:new',
  'definitions that wait for approval are seen by ' || w) from unnest(array['ann', 'adam', 'mia', 'vic']) w;
select is(pg_temp.waiting_changes(w), 'WR004', 'A01_definitions_that_wait_for_approval_are_not_seen_by_' || w)
  from unnest(array['bob', 'otto', 'sam']) w;
select is(pg_temp.waiting_changes(w), '42501', 'M5_get_mcp_tool_changes_is_not_executed_by_' || w)
  from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.as_user('ann', 'select count(*) from get_mcp_tool_changes({nobody})'), 'WR004',
  'changes of a server that does not exist are not found');
select is(pg_temp.as_user('ann', 'select count(*) from get_mcp_tool_changes({spy})'), 'WR004',
  'A01_changes_of_another_organization_s_server_are_not_found');
select is(pg_temp.waiting_changes('ann', 'warning, announced'), 'bidi at descriptiont,t,f',
  'A25_a_waiting_definition_has_its_warning_and_whether_it_is_announced');
select is(pg_temp.as_user('ann',
  $$select array[definition, approved_definition, diff::jsonb::text, definition_hash, approved_hash]::text
  from get_mcp_tool_changes({files}) where name = 'read_file'$$),
  array['{"name":"read_file","description":"read 2","inputSchema":{"type":"object"}}', '{"name":"read_file"}',
        '{"description": {"new": "read 2"}, "inputSchema": {"new": {"type": "object"}}}', pg_temp.sha256_hex('read 2'),
          pg_temp.sha256_hex('read 1')]::text,
  'A26_a_changed_definition_has_the_approved_one_beside_it_and_their_difference');
select is(weir.definition_diff(o, n)::jsonb::text, wanted,
  format('the difference of %s and %s is: %s', coalesce(o, 'null'), n, left(coalesce(wanted, 'none'), 60))) from (values
  ('{"a":1,"b":{"c":1},"d":2}', '{"b":{"c":2},"a":1.0,"e":null}',
    '{"b": {"new": {"c": 2}, "old": {"c": 1}}, "d": {"old": 2}, "e": {"new": null}}'),
  ('{"a":[1,2]}', '{"a":[2,1]}', '{"a": {"new": [2, 1], "old": [1, 2]}}'), ('{"a":1}', '{"a":1}', '{}'),
  ('{"a":1}', 'no JSON', null), ('{"a":"\u0000"}', '{}', null), ('[1]', '{}', null), (null, '{}', null), ('{"a":1,"a":2}', '{"a":2}', '{}'),
  ('{"a":1,"a":3}', '{"a":2}', '{"a": {"new": 2, "old": 3}}'),
    ('{"a":1e400}', '{"a":1}', '{"a": {"new": 1, "old": ' || '1' || repeat('0', 400) || '}}')) t(o, n, wanted);

-- Who decides
select is(pg_temp.decide_change(w, act, 'read_file', 'read 2'), e, format('A26_%s_does_not_%s_a_definition: %s', w, act, e))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('mel', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('anon', '42501'),
  ('service', '42501'),
             ('gateway', '42501'), ('engine', '42501')) t(w, e), unnest(array['approve', 'reject']) act;
savepoint elsewhere;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel') and organization_id = pg_temp.id_of('b');
select is(pg_temp.decide_change('mel', act, 'read_file', 'read 2'), 'WR003',
  'V8_an_admin_of_b_who_is_a_member_of_a_decides_no_definition_in_a: ' || act) from unnest(array['approve', 'reject']) act;
select pg_temp.when_lock_is_taken($$raise 'the lock was taken' using errcode = '55P03'$$) \g /dev/null
select is(pg_temp.decide_change('mel', 'approve', 'read_file', 'read 2'), 'WR003',
  'A16_an_admin_of_b_who_is_a_member_of_a_does_not_take_a_s_lock');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.decide_change('mel', 'approve', 'read_file', 'read 2'), '55P03', 'an admin of a takes a''s lock to decide a definition');
select pg_temp.when_lock_is_taken($$update public.organization_members set role = 'member' where organization_id = {a}
  and user_id = {mel}$$) \g /dev/null
select is(pg_temp.decide_change('mel', 'approve', 'nothing', 'read 2'), 'WR003',
  'A16_an_admin_who_lost_the_role_while_waiting_for_the_lock_decides_no_definition');
rollback to elsewhere;
select is(pg_temp.pin_status('read_file', 'read 2'), 'quarantined never',
  'A26_a_definition_stays_quarantined_after_all_who_may_not_have_tried');
select is((select string_agg(distinct concat_ws(' ', (select i.name from ids i where i.id = l.user_id), l.item, l.reason),
  ',' order by concat_ws(' ', (select i.name from ids i where i.id = l.user_id), l.item, l.reason))
  from mcp_interaction_logs l where l.instance_id = pg_temp.id_of('files') and l.item like '%_change' and l.phase = 'denied'),
  'mel approve_mcp_tool_change forbidden,mel reject_mcp_tool_change forbidden,'
  'mia approve_mcp_tool_change forbidden,mia reject_mcp_tool_change forbidden,'
  || 'vic approve_mcp_tool_change forbidden,vic reject_mcp_tool_change forbidden', 'M14_each_refused_decision_is_in_the_audit_log');
select is(pg_temp.error_as('adam', format('select approve_mcp_tool_change({files}, ''tool'', ''read_file'', %s)', h)), 'WR001',
  'this is refused as a hash: ' || h)
from unnest(array['null', '''x''', '''' || repeat('a', 63) || '''', '''' || repeat('g', 64) || '''']) h;
select is(pg_temp.decide_change('adam', 'approve', n, h, k, s), 'WR004',
  format('there is no such definition to approve: %s', concat_ws(' ', k, n, h, s))) from (values
  ('tool', 'read_file', 'read 3', '{files}'), ('prompt', 'read_file', 'read 2', '{files}'), ('tool', 'other', 'read 2', '{files}'),
    ('sword', 'read_file', 'read 2', '{files}'),
  ('resource', 'file:///data/a', 'a', '{files}'), ('tool', 'read_file', 'read 2', '{nobody}'),
    ('tool', 'read_file', 'read 2', '{spy}')) t(k, n, h, s);
select is(pg_temp.error_as('adam', format('select approve_mcp_tool_change({files}, null, null, %L)', pg_temp.sha256_hex('read 2'))),
  'WR004', 'a definition without a name is not found');

-- What a decision changes
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'definition_not_approved',
  'A26_a_tool_whose_definition_is_quarantined_is_not_called');
select is(pg_temp.as_user('adam',
  format('select approve_mcp_tool_change({files}, ''tool'', ''read_file'', %L) - ''server_id''', pg_temp.sha256_hex('read 2')))::jsonb,
  jsonb_build_object('kind', 'tool', 'name', 'read_file', 'definition_hash', pg_temp.sha256_hex('read 2'), 'status', 'approved', 'changed',
    true, 'announced', true, 'warning', null),
  'A26_an_admin_approves_a_definition');
select is(pg_temp.pin_status('read_file', 'read 2'), 'approved adam', 'A26_an_approved_definition_says_who_approved_it');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'admitted', 'A26_a_tool_whose_definition_was_approved_is_called');
select is(pg_temp.as_user('ann',
  format('select approve_mcp_tool_change({files}, ''tool'', ''read_file'', %L) ->> ''changed''',
  '\x' || upper(pg_temp.sha256_hex('read 2')))), 'false',
  'approving again by the hash as PostgreSQL writes it changes nothing');
select is(pg_temp.pin_status('read_file', 'read 2'), 'approved adam', 'a definition that was approved twice names its first approver');
select is((select count(*) from mcp_interaction_logs where user_id = pg_temp.id_of('adam') and item = 'approve_mcp_tool_change'
  and phase = 'completed'
  and detail = 'tool ' || pg_temp.sha256_hex('read 2') || ': read_file'), 1::bigint, 'M18_an_approval_is_in_the_audit_log_once');
select is(pg_temp.waiting_changes('ann'), 'tool:odd:new,tool:write_file:new', 'an approved definition does not wait for approval');
select is(pg_temp.decide_change('ann', 'approve', 'odd', 'odd 1'), 'ok', 'A25_a_definition_that_hides_text_is_approved_by_an_owner');
select is(pg_temp.decide_change('ann', 'reject', 'odd', 'odd 1'), 'ok', 'an approved definition is rejected');
select is(pg_temp.pin_status('odd', 'odd 1'), 'rejected never', 'a rejected definition has no approver');
select is(pg_temp.waiting_changes('ann'), 'tool:write_file:new', 'a rejected definition does not wait for approval');

-- The server changes: two approved hashes of one name, and a hash that is no longer announced
select is(pg_temp.announce_read_file('read 1'), '0 0 0', 'an approved definition that is announced again is not quarantined');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'admitted', 'a tool is called with either of two approved definitions');
select is(pg_temp.announce_read_file('read 3'), '0 1 1', 'A26_a_third_definition_of_a_tool_is_quarantined');
select is(pg_temp.announce_read_file('read 4'), '0 1 1', 'A26_a_fourth_definition_of_a_tool_is_quarantined');
select is(pg_temp.as_user('ann',
  format('select approve_mcp_tool_change({files}, ''tool'', ''read_file'', %L) ->> ''announced''', pg_temp.sha256_hex('read 3'))), 'false',
  'A26_approving_a_definition_that_is_not_announced_any_more_says_so');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'definition_not_approved',
  'A26_a_tool_is_not_called_after_a_definition_was_approved_that_it_does_not_announce');
select is(pg_temp.announce_read_file('read 3'), '0 0 0',
  'a definition that was approved while it was not announced is not quarantined later');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'admitted',
  'a tool is called when it announces a definition that was approved before');
select is(pg_temp.decide_change('adam', 'reject', 'read_file', 'read 3'), 'ok', 'an admin rejects a definition that was approved');
select is(pg_temp.admit_call('read_file', '{"path": "/data/a"}'), 'definition_not_approved',
  'A16_the_next_call_after_an_approval_was_reversed_is_denied');

-- Row-level security decides the same for the writer
create function pg_temp.as_writer(p_actor text,
  p_sql text) returns text language sql as $$select pg_temp.as_user('writer:' || p_actor, p_sql)$$;
select is(pg_temp.as_writer(w,
  $$update public.mcp_server_tools set status = 'rejected', approved_by = null, approved_at = null where name = 'write_file' returning 1$$),
  n, format('the writer rejects a definition for %s: %s', w, coalesce(n, 'no')))
from (values ('ann', '1'), ('adam', '1'), ('mia', null), ('vic', null), ('mel', null), ('sam', null), ('bob', null)) t(w, n);
select is(pg_temp.as_writer('ann',
  $$update public.mcp_server_tools set status = 'approved', approved_at = now(), approved_by = {adam} where name = 'write_file'$$), '42501',
  'T2_the_writer_approves_no_definition_in_another_s_name');
select is(pg_temp.as_writer('ann',
  $$update public.mcp_server_tools set status = 'rejected', approved_by = {ann} where name = 'write_file'$$), '42501',
  'the writer rejects no definition with an approver''s name');
select is(pg_temp.as_writer('ann', $$update public.mcp_server_tools set status = 'quarantined' where name = 'write_file'$$), '42501',
  'the writer does not put a definition back into quarantine');
select is(pg_temp.as_writer('ann', $$update public.mcp_server_tools set announced = false$$), '42501',
  'the writer does not change what a server announces');
select is(pg_temp.as_writer('ann', $$delete from public.mcp_server_tools$$), '42501', 'the writer deletes no definition');

-- A server that is being deleted
select pg_temp.as_user('ann', $$select manage_mcp_servers('delete', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.waiting_changes('ann'), 'WR004', 'no definition of a server that is being deleted waits for approval');
select is(pg_temp.decide_change('ann', 'approve', 'read_file', 'read 4'), 'WR004',
  'no definition of a server that is being deleted is approved');
select * from finish();
rollback;
