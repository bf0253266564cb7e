-- Requests for access: by actor, and what the table itself refuses.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null

create function pg_temp.request_access(p_actor text, p_agent text default 'robo', p_server text default 'files',
  p_permissions text default '{"tools": {"*": {}}}')
returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select request_mcp_access({%s}, {%s}, %L, ''please'')', p_agent, p_server, p_permissions));
$$;

-- The agent's owner makes requests
select is(pg_temp.request_access(w), r, format('T1_%s_requests_nothing_for_an_agent_of_another', w))
from (values ('ann', 'WR003'), ('adam', 'WR003'), ('vic', 'WR003'), ('mel', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'),
  ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select request_mcp_access({robo}, {files}, '{}')$$), '42501',
  format('%s does not execute request_mcp_access', w))
from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.request_access('mia', s, t), 'WR004', format('T3_a_request_across_organizations_is_refused: %s for %s', s, t))
from (values ('robo', 'spy'), ('bot', 'files'), ('bot', 'spy'), ('robo', 'robo')) t(s, t);
select is(pg_temp.error_as('mia', format('select request_mcp_access(%s)', a)), r,
  format('a request with bad arguments is refused: %s', left(a, 50)))
from (values ('null, {files}, ''{}''', 'WR004'), ('{robo}, null, ''{}''', 'WR004'), ('{robo}, {files}, ''null''', 'WR001'),
  ('{robo}, {files}, ''[1]''', 'WR001'),
             ('{robo}, {files}, ''{"tools": 1}''', 'WR001'), ('{robo}, {files}, ''{}'', repeat(''x'', 1001)', 'WR001')) t(a, r);
select matches(pg_temp.as_user('mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"x": {"args": 1}}}') ->> 'message'$$),
  '^permissions \$\.tools\.x\.args',
  'V9_a_refusal_of_a_request_says_at_which_path');
select is(pg_temp.as_user('owner', 'select count(*) from permission_requests'), '0', 'refused requests write nothing');
select pg_temp.create_as('request', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"*": {}}}', 'for the report')$$)
  \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'no_grant', 'T1_an_open_request_permits_no_call');
select is(pg_temp.request_access('mia'), 'WR005', 'a second open request for an agent and a server is a conflict');
select is(pg_temp.as_user(w, 'select count(*) from permission_requests'), n, format('T5_%s_sees_%s_requests', w, n))
from (values ('mia', '1'), ('ann', '1'), ('adam', '1'), ('mel', '0'), ('vic', '0'), ('sam', '0'), ('bob', '0')) t(w, n);

-- Who decides
select is(pg_temp.error_as(w, 'select decide_permission_request({request}, true)'), r, format('T1_%s_decides_no_request', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('mel', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('mia', 'select decide_permission_request({request}, false)'), 'WR003',
  'T1_a_member_does_not_refuse_their_own_request');
select is(pg_temp.error_as(w, 'select withdraw_permission_request({request})'), r, format('%s withdraws no request of another', w))
from (values ('ann', 'WR003'), ('mel', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('adam', format('select decide_permission_request(%s)', a)), r,
  format('a decision with bad arguments is refused: %s', a))
from (values ('null, true', 'WR004'), ('{nobody}, true', 'WR004'), ('{request}, null', 'WR001'),
  ('{request}, true, now() - interval ''1 second''', 'WR001'),
  ('{request}, true, permissions => ''[1]''', 'WR001'),
    ('{request}, true, now() + interval ''1 hour'', now() + interval ''2 hours''', 'WR001')) t(a, r);
select is(pg_temp.as_user('owner', 'select status from permission_requests where id = {request}'), 'open',
  'refused decisions leave the request open');
select is(pg_temp.as_user('owner', 'select count(*) from agent_mcp_permissions where revoked_at is null'), '0',
  'refused decisions make no grant');
select is(pg_temp.error_as('adam',
  $$select decide_permission_request({request}, true, now() + interval '1 hour', null, '{"tools": {"list_*": {}}}')$$), 'ok',
  'an admin decides a request by granting less than was requested');
select is(pg_temp.admit_call('list_directory') || ' ' || pg_temp.admit_call('read_file', '{"path": "/data/x"}'),
  'admitted item_not_granted', 'T1_an_agent_has_what_was_granted_and_not_what_was_requested');
select is(pg_temp.as_user('owner',
  $$select concat_ws(' ', r.status, r.decided_by = {adam}, g.granted_by = {adam}, g.expires_at > now(), g.permissions)
  from permission_requests r join agent_mcp_permissions g on g.id = r.grant_id where r.id = {request}$$),
    'granted t t t {"tools": {"list_*": {}}}',
  'T2_a_grant_by_a_request_is_in_the_admin_s_name_and_the_request_names_it');
select is(pg_temp.error_as('adam', 'select decide_permission_request({request}, false)'), 'WR005',
  'a decided request is not decided again');
select is(pg_temp.error_as('mia', 'select withdraw_permission_request({request})'), 'WR005', 'a decided request is not withdrawn');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where kind = 'grant' and item = 'decide_permission_request' and user_id = {adam}
  and decision = 'allowed' and grant_id is not null$$), '1', 'M14_a_decision_is_in_the_audit_log_with_its_grant');

-- Refused, withdrawn, and granted as requested
select pg_temp.create_as('second', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"read_file": {}}}')$$) \g /dev/null
select is(pg_temp.error_as('ann', 'select decide_permission_request({second}, false)'), 'ok', 'an owner refuses a request');
select is(pg_temp.admit_call('read_file', '{"path": "/data/x"}'), 'item_not_granted', 'a refused request permits no call');
select pg_temp.create_as('third', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"read_file": {}}}')$$) \g /dev/null
select is(pg_temp.error_as('mia', 'select withdraw_permission_request({third})'), 'ok', 'a member withdraws their own request');
select is(pg_temp.error_as('ann', 'select decide_permission_request({third}, true)'), 'WR005', 'a withdrawn request is not decided');
select pg_temp.create_as('fourth', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"read_file": {}}}')$$) \g /dev/null
select is(pg_temp.error_as('ann', $$select decide_permission_request({fourth}, true, not_before => now() + interval '1 hour')$$), 'ok',
  'an owner grants what was requested from a later time on');
select is(pg_temp.admit_call('read_file', '{"path": "/data/x"}'), 'no_grant', 'V3_a_grant_by_a_request_permits_no_call_before_it_starts');

-- An admin of b has no more rights in a than any member
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select pg_temp.create_as('melbot', 'mel', $$select create_agent({a}, 'Of Mel')$$),
       pg_temp.create_as('of_mel', 'mel', $$select request_mcp_access({melbot}, {files}, '{"tools": {"*": {}}}')$$) \g /dev/null
select is(pg_temp.error_as('mel', format('select decide_permission_request({of_mel}, %s)', g)), 'WR003',
  'T1_an_admin_of_b_who_is_a_member_of_a_does_not_decide_their_request_in_a: ' || g)
from unnest(array['true', 'false']) g;
select is(pg_temp.request_access('mel', 'robo', 'spy'), 'WR004', 'T3_an_admin_of_b_requests_no_server_of_b_for_an_agent_of_a');
rollback to s;

-- The table, for every writer
select throws_ok(pg_temp.with_ids($$update permission_requests set $$ || c || $$ where id = {second}$$), 'WR005', null,
  'T4_a_request_is_not_changed_by_direct_sql: ' || c)
from unnest(array['status = ''open'', decided_at = null', 'permissions = ''{"tools": {"*": {}}}''', 'requested_by = {ann}',
  'message = ''x''']) c;
select is(pg_temp.as_user('writer:' || w,
  $$insert into public.permission_requests (organization_id, agent_id, mcp_server_instance_id, permissions, requested_by)
  values ({a}, {robo}, {files}, '{}', $$ || b || $$) returning 1$$), '42501', format('T2_the_writer_inserts_no_request_for %s by %s', w, b))
from (values ('mel', '{mel}'), ('ann', '{ann}'), ('mia', '{ann}'), ('bob', '{bob}')) t(w, b);
select pg_temp.create_as('fifth', 'mia', $$select request_mcp_access({robo}, {files}, '{}')$$) \g /dev/null
select is(pg_temp.as_user('writer:' || w,
  $$update public.permission_requests set status = 'refused', decided_at = now(), decided_by = {$$ || b || $$}
  where id = {fifth} returning 1$$), r, format('T2_the_writer_decides_no_request_for %s as %s', w, b))
from (values ('mia', 'mia', '42501'), ('adam', 'ann', '42501'), ('bob', 'bob', null), ('mel', 'mel', null)) t(w, b, r);

-- The number of a person's requests is limited
select case when (select rolsuper from pg_roles where rolname = current_user) then lives_ok(pg_temp.with_ids($$
  set local session_replication_role = replica;
  insert into permission_requests (organization_id, agent_id, mcp_server_instance_id, permissions, requested_by)
  select {a}, weir.uuid_v7(), {files}, '{}', {mia} from generate_series(1, 99);
  set local session_replication_role = origin$$), 'a person has a hundred open requests')
    else pass('only a superuser can make a hundred open requests') end;
select pg_temp.create_as('robo3', 'mia', $$select create_agent({a}, 'Robo 3')$$) \g /dev/null
select is(pg_temp.request_access('mia', 'robo3'),
  case when (select rolsuper from pg_roles where rolname = current_user) then 'WR006' else 'ok' end,
  'M12_a_person_s_request_beyond_a_hundred_open_ones_is_refused');
insert into organization_members (organization_id, user_id, role, status)
  values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member', 'active');
select pg_temp.create_as('robob', 'mia', $$select create_agent({b}, 'Robo B')$$) \g /dev/null
select is(pg_temp.request_access('mia', 'robob', 'spy'), 'ok', 'M12_a_person_s_open_requests_are_bounded_in_each_organization_by_itself');
-- A person who shares a workspace with an agent may use it, so nobody adds another's agent
select pg_temp.create_as('lair', 'mel', $$select create_workspace({a}, 'Lair')$$) \g /dev/null
select is(pg_temp.error_as('mel', $$select add_workspace_member({lair}, agent_id => {robo})$$), 'WR003',
  'V6_a_member_adds_no_agent_of_another_to_their_workspace');
select is(pg_temp.as_user('writer:mel',
  $$insert into public.workspace_members (organization_id, workspace_id, agent_id) values ({a}, {lair}, {robo})
  returning 1$$), '42501', 'V6_the_writer_adds_no_agent_of_another_to_a_member_s_workspace');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, agent_id => {robo3})$$), 'ok',
  'an agent''s owner adds it to a workspace');

-- The cost of one grant for everybody's admission is limited
select is(pg_temp.error_as('ann', format('select grant_mcp_access({robo}, {files}, %L)',
  (select jsonb_build_object('tools', jsonb_object_agg(repeat('a', n) || '*', '{}'::jsonb)) from generate_series(1, k) n))), r,
    format('a grant with %s globs that match together is limited', k))
from (values (16, 'ok'), (17, 'WR001')) t(k, r);
select is(weir.argument_failure(array['{"args": {"x": {"each": {"each": {"type": "number"}}}}}'::jsonb],
  '{"x": [[' || array_to_string(array_fill(0, array[k]), ',') || ']]}'), r, format('an argument with %s values is limited', k))
from (values (250, null), (1100, '$')) t(k, r);

-- A list, and permissions that are left out
select pg_temp.create_as('robo9', 'adam', $$select create_agent({a}, 'Robo 9')$$),
       pg_temp.create_as('listed', 'adam', $$select request_mcp_access({robo9}, {files}, '["read_file", "drop_all"]')$$) \g /dev/null
select is(pg_temp.as_user('owner', 'select permissions from permission_requests where id = {listed}')::jsonb,
  '{"tools": {"read_file": {}, "drop_all": {}}}', 'a requested list of tools is stored as an object');
select is(pg_temp.as_user('adam', 'select decide_permission_request({listed}, true) -> ''warnings''')::jsonb,
  '["the server does not announce the tool drop_all"]', 'a decision returns the warnings of its grant');
select pg_temp.create_as('listed', 'adam', $$select request_mcp_access({robo9}, {files}, message => 'later')$$) \g /dev/null
select is(pg_temp.as_user('owner', 'select permissions from permission_requests where id = {listed}'), '{}',
  'a request without permissions requests nothing');
select is(pg_temp.error_as('adam', $$select decide_permission_request({listed}, true, permissions => '["list_*"]')$$), 'ok',
  'a request is granted with a list of tools');
select is(pg_temp.as_user('owner', 'select permissions from agent_mcp_permissions where agent_id = {robo9} and revoked_at is null')::jsonb,
  '{"tools": {"list_*": {}}}', 'the list of a decision is stored as an object');
select pg_temp.create_as('listed', 'adam', $$select request_mcp_access({robo9}, {files}, '["*"]')$$) \g /dev/null
select is(pg_temp.error_as('adam', $$select decide_permission_request({listed}, true, permissions => '[]')$$), 'ok',
  'a request is granted with an empty list');
select is(pg_temp.as_user('owner', 'select permissions from agent_mcp_permissions where agent_id = {robo9} and revoked_at is null'), '{}',
  'an empty list of a decision grants nothing, and not the requested permissions');
select * from finish();
rollback;
