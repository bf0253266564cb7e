-- Questions about access: validate_mcp_access, explain_mcp_access, get_organization_mcp_configs.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(84);

-- validate
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user('mel', 'select validate_mcp_access({robo}, {files}, {mia})'), 'false',
  'V4_an_admin_of_b_who_is_a_member_of_a_does_not_ask_for_another_person_of_a');
rollback to s;
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true',
  'V1_an_agent_s_owner_has_access_to_a_granted_server');
select is(pg_temp.as_user('ann', $$select validate_mcp_access({robo}, {files})$$), 'true',
  'V6_a_person_who_shares_a_workspace_with_the_agent_has_access');
select is(pg_temp.as_user('adam', $$select validate_mcp_access({robo}, {files})$$), 'false',
  'V6_an_admin_who_shares_no_workspace_with_the_agent_has_no_access_as_themselves');
select is(pg_temp.as_user('adam', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'true',
  'V4_an_admin_asks_for_another_person_of_the_organization');
select is(pg_temp.as_user('mel', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'false',
  'V4_a_member_does_not_ask_for_another_person');
select is(pg_temp.as_user('bob', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'false',
  'V4_an_outsider_does_not_ask_for_another_person');
select is(pg_temp.as_user('bob', $$select validate_mcp_access({robo}, {files})$$), 'false',
  'V2_a_person_has_no_access_through_another_organization_s_agent_to_its_server');
select is(pg_temp.as_user('bob', $$select validate_mcp_access({bot}, {files})$$), 'false',
  'V2_a_person_s_own_agent_has_no_access_to_another_organization_s_server');
select is(pg_temp.as_user('mel', $$select validate_mcp_access({bot}, {files})$$), 'false',
  'V8_a_member_of_both_has_no_access_through_b_s_agent_to_a_s_server');
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {spy})$$), 'false', 'V8_an_agent_of_a_has_no_access_to_b_s_server');
select is(pg_temp.as_user('mia', $$select validate_mcp_access(null, null)$$), 'false', 'V1_null_as_agent_and_server_is_no_access');
select is(pg_temp.as_user('anon', $$select validate_mcp_access({robo}, {files})$$), '42501',
  'M5_anon_does_not_execute_validate_mcp_access');
savepoint s;
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{}', expires_at => now() + interval '1 day')$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V3_a_grant_that_expires_later_is_access');
update agent_mcp_permissions set revoked_at = now() where revoked_at is null;
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V11_a_revoked_grant_is_no_access');
rollback to s;
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{}', not_before => now() + interval '1 day')$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V3_a_grant_that_starts_later_is_no_access');
rollback to s;
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia');
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V7_a_suspended_member_has_no_access');
rollback to s;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.as_user('ann', $$select validate_mcp_access({robo}, {files})$$), 'false',
  'V7_a_member_of_an_inactive_organization_has_no_access');
rollback to s;
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic'));
select is(pg_temp.as_user('vic', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_a_viewer_has_no_access');
rollback to s;
update agents set stopped_at = now() where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_an_inactive_agent_has_no_access');
rollback to s;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true',
  'a server whose catalog entry was withdrawn is still accessible');
rollback to s;
select weir.block_catalog_server('test-files', null, 'It leaks.') \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false',
  'V12_a_server_whose_catalog_entry_was_blocked_is_not_accessible');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'catalog_blocked',
  'explain names the block of a catalog entry as the reason');
rollback to s;
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true',
  'V10_access_to_a_server_that_is_down_is_still_allowed');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'allowed'$$), 'true',
  'V10_explain_says_of_a_server_that_is_down_that_it_is_allowed');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'available'$$), 'false',
  'V10_explain_says_of_a_server_that_is_down_that_it_is_not_available');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'unavailable',
  'V10_explain_says_of_a_server_that_is_down_that_the_reason_is_unavailable');
rollback to s;
-- There is one decision: validate, explain, the list and admission agree, whatever has happened.
create function pg_temp.answers_after(p_actor text, p_situation text) returns text language plpgsql as $$
declare
  v_answers text;
begin
  begin
    perform pg_temp.as_user(p_actor, p_situation);
    v_answers := concat_ws(', ',
      pg_temp.as_user('mia', 'select validate_mcp_access({robo}, {files})') = 'true',
      pg_temp.as_user('mia', 'select explain_mcp_access({robo}, {files}) ->> ''allowed''') = 'true',
      pg_temp.as_user('mia', 'select count(*) from get_organization_mcp_configs({a}, {robo})
                         where id = {files} and has_agent_access') = '1',
      pg_temp.admit_call(null, null, 'files', 'context_request', null, null, 'mia', 'robo') = 'admitted');
    raise exception 'undo' using errcode = 'ZZ000';
  exception when sqlstate 'ZZ000' then
    return v_answers;
  end;
end;
$$;
select is(pg_temp.answers_after('owner', 'select 1'), 't, t, t, t', 'S9_validate_explain_list_and_admission_permit_together');
select is(pg_temp.answers_after(actor, situation), 'f, f, f, f', 'S9_validate_explain_list_and_admission_deny_together: ' || situation)
from (values
  ('ann', $$select revoke_mcp_access({robo}, {files})$$),
  ('ann', $$select grant_mcp_access({robo}, {files}, '{}', not_before => now() + interval '1 day')$$),
  ('owner', $$update organization_members set status = 'suspended' where user_id = {mia} returning 1$$),
  ('owner', $$update organization_members set role = 'viewer' where user_id = {mia} returning 1$$),
  ('owner', $$update organizations set platform_stopped_at = now() where id = {a} returning 1$$),
  ('owner', $$update agents set stopped_at = now() where id = {robo} returning 1$$),
  ('owner', $$update mcp_server_instances set status = 'deleting' where id = {files} returning 1$$),
  ('owner', $$select weir.block_catalog_server('test-files', null, 'It leaks.')$$)) s(actor, situation);
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'S9_validate_permits_what_is_revoked_next');
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.admit_call_as('mia', 'list_directory'), 'no_grant', 'S9_an_answer_of_validate_does_not_admit_a_call_after_a_revoke');
rollback to s;
-- Only weir.decide decides. agent_catalog and a turn's settings only choose what to show; the writing functions make and revoke grants; the
-- list adds a grant's expiry, and the export shows grants. may_read decides about subscriptions, and known_denials decides denied calls
-- again. authorities and revoke_again belong to a restore.
select results_eq($$
  select p.proname::text collate "C", p.prosrc ~ 'weir\.decide\(' from pg_proc p
  where p.pronamespace in ('weir'::regnamespace, 'public'::regnamespace) and p.prosrc ~ 'agent_mcp_permissions|weir\.decide\('
    and p.proname <> 'decide' and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  order by 1$$, $$values ('admit' collate "C", true), ('agent_catalog', false), ('authorities', false), ('chat_turn_settings', false),
    ('delete_agent', false),
    ('delete_mcp_server', false), ('explain_mcp_access', true), ('export_page', false),
  ('get_organization_mcp_configs', true), ('grant_mcp_access', false), ('known_denials', true), ('may_read', true), ('revoke_again', false),
    ('revoke_mcp_access', false), ('validate_mcp_access', true)$$,
  'S9_every_function_that_decides_calls_weir_decide');

-- explain: the same answers as admission
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/data/a"}') ->> 'reason'$$), null,
  'V9_explain_gives_no_reason_for_a_call_that_would_be_admitted');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/data/a"}') ->> 'grant_id'$$),
  pg_temp.id_of('grant')::text, 'explain names the grant by which a call would be admitted');
select is(pg_temp.as_user('mia', format('select explain_mcp_access({robo}, {files}, %L, %L) ->> ''reason''', t.tool, t.arguments)),
  pg_temp.admit_call(t.tool, t.arguments), 'V9_explain_and_admission_agree: ' || t.tool)
from (values ('read_file', '{"path": "/etc"}'), ('delete_file', '{}'), ('write_file', '{}'), ('list_ghosts', '{}')) t(tool, arguments);
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/etc"}') ->> 'detail'$$),
  '$.path: must be of type string and be under /data',
  'explain has the path at which an argument breaks a rule');
select is(pg_temp.as_user('mia',
  $$select string_agg(c ->> 'check', ' ')
  from jsonb_array_elements(explain_mcp_access({robo}, {files}, 'delete_file') -> 'checks') c where c -> 'passed' = 'false'$$),
  'item_not_granted definition_not_approved', 'explain has the result of every check');
select is(pg_temp.as_user('mia',
  $$select c ->> 'passed' from jsonb_array_elements(explain_mcp_access({robo}, {files}, 'delete_file') -> 'checks') c
  where c ->> 'check' = 'argument_rule'$$),
  null, 'explain has no result of a check that was not made');
select is(pg_temp.as_user('adam', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'allowed'$$), 'true',
  'explain decides for an admin as for the agent itself');
select is(pg_temp.as_user('mel', $$select explain_mcp_access({robo}, {files})$$), 'WR004',
  'V4_explain_finds_no_agent_for_a_member_who_may_not_use_it');
select is(pg_temp.as_user('bob', $$select explain_mcp_access({robo}, {files})$$), 'WR004', 'V4_explain_finds_no_agent_for_an_outsider');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {spy})$$), 'WR004', 'explain finds no server of another organization');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_day": 1}}')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a call within a limit of one per day is admitted');
-- The day of that call must not end before the next call.
update weir.grant_usage set window_start = 'infinity';
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'limit',
  'explain says that a limit is reached');
select is((select max(used) from weir.grant_usage), 1::bigint, 'explain does not count toward a limit');
rollback to s;

update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files})$$), 'WR004',
  'V7_explain_finds_no_agent_for_its_suspended_owner');
rollback to s;

-- configs
select is(pg_temp.as_user('mia', $$select instance_name from get_organization_mcp_configs({a}, {robo})$$), 'files',
  'G1_a_person_who_may_use_an_agent_gets_its_servers');
select is(pg_temp.as_user('ann', $$select has_agent_access from get_organization_mcp_configs({a}, {robo})$$), 'true',
  'G7_the_access_of_an_agent_to_its_server_is_true');
select is(pg_temp.as_user('bob', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G1_an_outsider_gets_no_servers_of_an_agent');
select is(pg_temp.as_user('bob', $$select count(*) from get_organization_mcp_configs({a})$$), 'WR004',
  'G1_an_outsider_gets_no_servers_of_an_organization');
select is(pg_temp.as_user('anon', $$select count(*) from get_organization_mcp_configs({a})$$), '42501',
  'G1_anon_does_not_execute_get_organization_mcp_configs');
select is(pg_temp.as_user('sam', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G8_a_suspended_member_gets_no_servers');
select is(pg_temp.as_user('mia', $$select count(*) from get_organization_mcp_configs({a})$$), 'WR003',
  'G3_a_member_gets_no_list_of_all_servers');
select is(pg_temp.as_user('mel', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G1_a_member_who_may_not_use_an_agent_gets_no_servers_of_it');
select is(pg_temp.as_user('mel', $$select count(*) from get_organization_mcp_configs({a}, {bot})$$), 'WR004',
  'V8_a_member_of_both_gets_no_servers_of_b_s_agent_in_a');
select pg_temp.create_as('remote', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "remote", "url": "https://x.example/mcp", "priority": 5}')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(instance_name || ' ' || status, ', ') from get_organization_mcp_configs({a})$$),
  'remote pending, files running', 'G4_G5_G6_an_owner_gets_servers_in_all_states_and_custom_ones_by_priority');
select is(pg_temp.as_user('ann', $$select note from get_organization_mcp_configs({a}) where instance_name = 'files'$$),
  'tools that this server has only for clients with elicitation, sampling or roots are not known, '
  'because share is instance; set share to session to list them',
  'R16_an_admin_sees_why_a_shared_process_may_have_more_tools_than_are_listed');
select is(pg_temp.as_user('ann', $$select note from get_organization_mcp_configs({a}, {robo})$$), null,
  'the list for a chat turn has no note about a shared process');
select is(pg_temp.as_user('ann', $$select string_agg(instance_name, ', ') from get_organization_mcp_configs({a}, {robo})$$), 'files',
  'G4_the_list_for_an_agent_has_only_servers_that_it_can_use');
select is(pg_temp.as_user('ann',
  $$select to_jsonb(c) ?| array['url', 'env', 'args', 'package', 'server_info', 'node_id']
  from get_organization_mcp_configs({a}) c limit 1$$), 'false', 'G2_the_list_of_servers_has_no_address_of_the_server_itself');
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), '0',
  'G7_a_server_that_is_not_granted_is_not_in_the_list_for_an_agent');
select is(pg_temp.as_user('adam', $$select access_reason from get_organization_mcp_configs({a}, {robo})$$), 'no_grant',
  'G7_an_admin_sees_why_an_agent_has_no_access');

savepoint g;
-- An admin of b who is a member of a
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user('mel', 'select explain_mcp_access({robo}, {files})'), 'WR004',
  'V6_explain_finds_no_agent_of_a_for_an_admin_of_b_who_may_not_use_it');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a})'), 'WR003',
  'G3_an_admin_of_b_who_is_a_member_of_a_gets_no_list_of_a_s_servers');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a}, {robo})'), 'WR004',
  'V6_an_admin_of_b_who_may_not_use_an_agent_of_a_gets_no_servers_of_it');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a}, {bot})'), 'WR004',
  'V8_an_admin_of_both_gets_no_servers_of_b_s_agent_in_a');
rollback to s;

-- A member of an inactive organization and an active one
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a})'), 'WR004',
  'M3_a_member_of_an_inactive_organization_and_another_gets_no_list_of_its_servers');
rollback to s;

-- A server of the organization's own, without a catalog entry
insert into mcp_server_instances (id, organization_id, instance_name, url, status)
values (pg_temp.keep_id('custom', weir.uuid_v7()), pg_temp.id_of('a'), 'custom', 'https://x.example/custom', 'running');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {custom}, '{"tools": {"*": {}}}')$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select concat_ws(' ', instance_name, catalog_server ->> 'transport', has_agent_access,
  coalesce(catalog_server ->> 'slug', 'none'))
  from get_organization_mcp_configs({a}, {robo})$$), 'custom http t none',
    'G5_a_server_without_a_catalog_entry_is_in_the_list_for_its_agent');
select is(pg_temp.as_user('ann', $$select count(*) from get_organization_mcp_configs({a}) where id = {custom}$$), '1',
  'G5_a_server_without_a_catalog_entry_is_in_the_list_for_an_owner');
rollback to g;
-- Rows whose order on disk is not the order of their ids
insert into mcp_server_instances (id, organization_id, instance_name, url, status, priority)
select md5('order ' || n)::uuid, pg_temp.id_of('a'), 'order-' || n, 'https://x.example/' || n, 'running',
  n % 3 from generate_series(1, 30) n;
insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
select organization_id, pg_temp.id_of('robo'), id, '{}', pg_temp.id_of('ann') from mcp_server_instances where instance_name like 'order-%';
select is(pg_temp.as_user('mia', $$select string_agg(instance_name, ' ') from get_organization_mcp_configs({a}, {robo})$$),
  (select string_agg(instance_name, ' ' order by priority, id) from mcp_server_instances where instance_name like 'order-%'),
  'G6_an_agent_s_servers_are_ordered_by_priority_and_then_by_id');
select is(pg_temp.as_user('ann', $$select string_agg(instance_name, ' ') from get_organization_mcp_configs({a})$$),
  (select string_agg(instance_name, ' ' order by priority, id) from mcp_server_instances where organization_id = pg_temp.id_of('a')),
  'G6_all_servers_are_ordered_by_priority_and_then_by_id');
insert into mcp_server_instances (id, organization_id, instance_name, url)
select weir.uuid_v7(), pg_temp.id_of('a'), 'over-' || n, 'https://x.example/' || n from generate_series(1, 1000) n;
select is(pg_temp.as_user('ann', $$select count(*) from get_organization_mcp_configs({a})$$), '1000',
  'G6_the_list_of_all_servers_has_at_most_a_thousand');
rollback to g;

-- Many servers, one call
insert into mcp_server_instances (id, organization_id, instance_name, url, status)
select weir.uuid_v7(), pg_temp.id_of('a'), 'many-' || n, 'https://x.example/' || n, 'running' from generate_series(1, 500) n;
insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
select organization_id, pg_temp.id_of('robo'), id, '{}', pg_temp.id_of('ann') from mcp_server_instances where instance_name like 'many-%';
select is(pg_temp.as_user('mia', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), '500',
  'V13_an_agent_gets_its_five_hundred_servers');
select performs_ok($$select pg_temp.as_user('mia', 'select count(*) from get_organization_mcp_configs({a}, {robo})')$$, 2000,
  'V13_five_hundred_servers_are_listed_within_two_seconds');

select * from finish();
rollback;
