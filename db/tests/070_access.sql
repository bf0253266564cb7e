-- Asking about access: validate_mcp_access, explain_mcp_access, get_organization_mcp_configs.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(82);

-- validate
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user('mel', 'select validate_mcp_access({robo}, {files}, {mia})'), 'false', 'V4_and_an_admin_of_b_who_is_a_member_of_a_does_not');
rollback to s;
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V1_the_agent_s_owner');
select is(pg_temp.as_user('ann', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V6_who_shares_a_workspace_with_the_agent');
select is(pg_temp.as_user('adam', $$select validate_mcp_access({robo}, {files})$$), 'false',
  'V6_another_member_not_even_an_admin_as_themselves');
select is(pg_temp.as_user('adam', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'true', 'V4_an_admin_asks_for_another_person');
select is(pg_temp.as_user('mel', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'false', 'V4_a_member_does_not');
select is(pg_temp.as_user('bob', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'false', 'V4_an_outsider_does_not');
select is(pg_temp.as_user('bob', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V2_a_stranger_s_agent_and_server_are_not_mine');
select is(pg_temp.as_user('bob', $$select validate_mcp_access({bot}, {files})$$), 'false', 'V2_my_agent_does_not_get_a_stranger_s_server');
select is(pg_temp.as_user('mel', $$select validate_mcp_access({bot}, {files})$$), 'false', 'V8_nor_does_a_member_of_both');
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {spy})$$), 'false', 'V8_nor_the_other_way');
select is(pg_temp.as_user('mia', $$select validate_mcp_access(null, null)$$), 'false', 'V1_null_is_no_access');
select is(pg_temp.as_user('anon', $$select validate_mcp_access({robo}, {files})$$), '42501', 'M5_anon_does_not_ask');
savepoint s;
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{}', expires_at => now() + interval '1 day')$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V3_a_grant_that_ends_later');
update agent_mcp_permissions set revoked_at = now() where revoked_at is null;
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V11_a_revoked_grant');
rollback to s;
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{}', not_before => now() + interval '1 day')$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V3_a_grant_that_starts_later');
rollback to s;
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia');
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V7_a_suspended_member');
rollback to s;
update organizations set is_active = false where id = pg_temp.id_of('a');
select is(pg_temp.as_user('ann', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V7_an_inactive_organization');
rollback to s;
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic'));
select is(pg_temp.as_user('vic', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_a_viewer_executes_nothing');
rollback to s;
update agents set is_active = false where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_an_inactive_agent');
rollback to s;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_a_withdrawn_server');
rollback to s;
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V10_a_server_that_is_down_is_still_allowed');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'allowed'$$), 'true',
  'V10_explain_says_allowed');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'available'$$), 'false',
  'V10_and_not_available');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'unavailable', 'V10_and_why');
rollback to s;
-- One decision: whoever asks, whatever has happened, the four answers are the same.
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
                         where instance_id = {files} and has_agent_access') = '1',
      pg_temp.admit_call(null, null, 'files', 'context_request', null, null, 'mia', 'robo') = 'admitted');
    raise exception 'undo' using errcode = 'ZZ000';
  exception when sqlstate 'ZZ000' then
    return v_answers;
  end;
end;
$$;
select is(pg_temp.answers_after('owner', 'select 1'), 't, t, t, t', 'S9_validate_explain_list_and_admission_permit_together');
select is(pg_temp.answers_after(actor, situation), 'f, f, f, f', 'S9_and_deny_together: ' || situation)
from (values
  ('ann', $$select revoke_mcp_access({robo}, {files})$$),
  ('ann', $$select grant_mcp_access({robo}, {files}, '{}', not_before => now() + interval '1 day')$$),
  ('owner', $$update organization_members set status = 'suspended' where user_id = {mia} returning 1$$),
  ('owner', $$update organization_members set role = 'viewer' where user_id = {mia} returning 1$$),
  ('owner', $$update organizations set is_active = false where id = {a} returning 1$$),
  ('owner', $$update agents set is_active = false where id = {robo} returning 1$$),
  ('owner', $$update mcp_server_instances set status = 'deleting' where id = {files} returning 1$$),
  ('owner', $$select weir.withdraw_catalog_server('test-files')$$)) s(actor, situation);
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'S9_an_answer');
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.admit_call_as('mia', 'list_directory'), 'no_grant', 'S9_is_no_ticket_each_call_is_decided_again');
rollback to s;
-- Whoever wants to know asks decide. The catalog and a turn's settings only choose what is worth showing or asking for; the writing functions make and revoke grants, and
-- the list adds a grant's expiry. may_read asks of subscriptions. authorities and revoke_again are a restore's.
select results_eq($$
  select p.proname::text collate "C", p.prosrc ~ 'weir\.decide\(' from pg_proc p
  where p.pronamespace in ('weir'::regnamespace, 'public'::regnamespace) and p.prosrc ~ 'agent_mcp_permissions|weir\.decide\('
    and p.proname <> 'decide' and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  order by 1$$, $$values ('admit' collate "C", true), ('agent_catalog', false), ('authorities', false), ('chat_turn_settings', false), ('delete_mcp_server', false), ('explain_mcp_access', true),
  ('get_organization_mcp_configs', true), ('grant_mcp_access', false), ('may_read', true), ('revoke_again', false), ('revoke_mcp_access', false), ('validate_mcp_access', true)$$,
  'S9_nothing_but_decide_decides');

-- explain: the same answers as admission
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/data/a"}') ->> 'reason'$$), null,
  'V9_what_would_be_admitted_has_no_reason');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/data/a"}') ->> 'grant_id'$$),
  pg_temp.id_of('grant')::text, 'and names its grant');
select is(pg_temp.as_user('mia', format('select explain_mcp_access({robo}, {files}, %L, %L) ->> ''reason''', t.tool, t.arguments)),
  pg_temp.admit_call(t.tool, t.arguments), 'V9_explain_and_admission_agree: ' || t.tool)
from (values ('read_file', '{"path": "/etc"}'), ('delete_file', '{}'), ('write_file', '{}'), ('list_ghosts', '{}')) t(tool, arguments);
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/etc"}') ->> 'detail'$$), '$.path',
  'explain says where');
select is(pg_temp.as_user('mia',
  $$select string_agg(c ->> 'check', ' ')
  from jsonb_array_elements(explain_mcp_access({robo}, {files}, 'delete_file') -> 'checks') c where c -> 'passed' = 'false'$$),
  'item_not_granted definition_not_approved', 'every check has its result');
select is(pg_temp.as_user('mia',
  $$select c ->> 'passed' from jsonb_array_elements(explain_mcp_access({robo}, {files}, 'delete_file') -> 'checks') c
  where c ->> 'check' = 'argument_rule'$$),
  null, 'and what was not looked at has none');
select is(pg_temp.as_user('adam', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'allowed'$$), 'true',
  'an admin asks for the agent itself');
select is(pg_temp.as_user('mel', $$select explain_mcp_access({robo}, {files})$$), 'WR004', 'V4_who_may_not_use_the_agent_does_not_find_it');
select is(pg_temp.as_user('bob', $$select explain_mcp_access({robo}, {files})$$), 'WR004', 'V4_nor_does_an_outsider');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {spy})$$), 'WR004', 'a foreign server is not found');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_day": 1}}')$$) \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a limit of one');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'limit',
  'explain knows the limit');
select is((select max(used) from weir.grant_usage), 1::bigint, 'and does not use it up');
rollback to s;

update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia');
select is(pg_temp.as_user('mia', $$select explain_mcp_access({robo}, {files})$$), 'WR004', 'V7_a_suspended_owner_finds_nothing');
rollback to s;

-- configs
select is(pg_temp.as_user('mia', $$select instance_name from get_organization_mcp_configs({a}, {robo})$$), 'files',
  'G1_the_agent_s_servers_for_who_may_use_it');
select is(pg_temp.as_user('ann', $$select has_agent_access from get_organization_mcp_configs({a}, {robo})$$), 'true',
  'G7_access_is_true_or_false');
select is(pg_temp.as_user('bob', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G1_an_outsider_finds_no_organization');
select is(pg_temp.as_user('bob', $$select count(*) from get_organization_mcp_configs({a})$$), 'WR004', 'G1_nor_its_list_of_servers');
select is(pg_temp.as_user('anon', $$select count(*) from get_organization_mcp_configs({a})$$), '42501', 'G1_anon_does_not_ask');
select is(pg_temp.as_user('sam', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G8_a_suspended_member_finds_no_organization');
select is(pg_temp.as_user('mia', $$select count(*) from get_organization_mcp_configs({a})$$), 'WR003',
  'G3_without_an_agent_the_list_is_for_admins');
select is(pg_temp.as_user('mel', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G1_who_may_not_use_the_agent_does_not_find_it');
select is(pg_temp.as_user('mel', $$select count(*) from get_organization_mcp_configs({a}, {bot})$$), 'WR004',
  'V8_an_agent_of_another_organization_is_not_found');
select pg_temp.create_as('remote', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"name": "remote", "url": "https://x.example/mcp", "priority": 5}')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(instance_name || ' ' || status, ', ') from get_organization_mcp_configs({a})$$),
  'remote pending, files running', 'G4_G5_G6_management_sees_all_states_custom_servers_too_by_priority');
select is(pg_temp.as_user('ann', $$select note from get_organization_mcp_configs({a}) where instance_name = 'files'$$),
  'tools that this server has only for clients with elicitation, sampling or roots are not known, because share is instance; set share to session to list them',
  'R16_an_admin_sees_why_a_shared_process_may_have_more_tools_than_are_listed');
select is(pg_temp.as_user('ann', $$select note from get_organization_mcp_configs({a}, {robo})$$), null, 'but not for each chat turn');
select is(pg_temp.as_user('ann', $$select string_agg(instance_name, ', ') from get_organization_mcp_configs({a}, {robo})$$), 'files',
  'G4_for_an_agent_only_what_can_be_used');
select is(pg_temp.as_user('ann',
  $$select to_jsonb(c) ?| array['configuration', 'url', 'endpoint_url', 'env', 'args', 'package']
  from get_organization_mcp_configs({a}) c limit 1$$), 'false', 'G2_no_configuration_and_no_address');
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), '0',
  'G7_what_is_not_granted_is_not_there');
select is(pg_temp.as_user('adam', $$select access_reason from get_organization_mcp_configs({a}, {robo})$$), 'no_grant', 'G7_an_admin_sees_why');

savepoint g;
-- Somebody who administers b and is a member of a
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user('mel', 'select explain_mcp_access({robo}, {files})'), 'WR004', 'V6_an_admin_of_b_is_not_told_of_an_agent_that_they_may_not_use');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a})'), 'WR003', 'G3_nor_lists_a_s_servers');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a}, {robo})'), 'WR004', 'V6_nor_an_agent_s');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a}, {bot})'), 'WR004', 'V8_an_admin_of_both_finds_b_s_agent_in_b_only');
rollback to s;

-- An organization that is closed, of somebody whose other one is open
update organizations set is_active = false where id = pg_temp.id_of('a');
select is(pg_temp.as_user('mel', 'select count(*) from get_organization_mcp_configs({a})'), 'WR004', 'M3_an_inactive_organization_s_servers_are_listed_for_nobody');
rollback to s;

-- A server of the organization's own, without a catalog entry
insert into mcp_server_instances (id, organization_id, name, url, status)
values (pg_temp.keep_id('custom', weir.uuid_v7()), pg_temp.id_of('a'), 'custom', 'https://x.example/custom', 'running');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {custom}, '{"tools": {"*": {}}}')$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select concat_ws(' ', instance_name, transport, has_agent_access, coalesce(catalog, 'none'))
  from get_organization_mcp_configs({a}, {robo})$$), 'custom http t none', 'G5_a_server_without_a_catalog_entry_is_there_for_its_agent');
select is(pg_temp.as_user('ann', $$select count(*) from get_organization_mcp_configs({a}) where instance_id = {custom}$$), '1',
  'G5_and_for_management');
rollback to g;
-- Rows whose order on disk is not the order of their ids
insert into mcp_server_instances (id, organization_id, name, url, status, priority)
select md5('order ' || n)::uuid, pg_temp.id_of('a'), 'order-' || n, 'https://x.example/' || n, 'running', n % 3 from generate_series(1, 30) n;
insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
select organization_id, pg_temp.id_of('robo'), id, '{}', pg_temp.id_of('ann') from mcp_server_instances where name like 'order-%';
select is(pg_temp.as_user('mia', $$select string_agg(instance_name, ' ') from get_organization_mcp_configs({a}, {robo})$$),
  (select string_agg(name, ' ' order by priority, id) from mcp_server_instances where name like 'order-%'),
  'G6_an_agent_s_servers_are_ordered_by_priority_and_then_by_id');
select is(pg_temp.as_user('ann', $$select string_agg(instance_name, ' ') from get_organization_mcp_configs({a})$$),
  (select string_agg(name, ' ' order by priority, id) from mcp_server_instances where organization_id = pg_temp.id_of('a')),
  'G6_so_are_all_servers');
insert into mcp_server_instances (id, organization_id, name, url)
select weir.uuid_v7(), pg_temp.id_of('a'), 'over-' || n, 'https://x.example/' || n from generate_series(1, 1000) n;
select is(pg_temp.as_user('ann', $$select count(*) from get_organization_mcp_configs({a})$$), '1000', 'G6_and_a_list_is_bounded');
rollback to g;

-- Many servers, one question
insert into mcp_server_instances (id, organization_id, name, url, status)
select weir.uuid_v7(), pg_temp.id_of('a'), 'many-' || n, 'https://x.example/' || n, 'running' from generate_series(1, 500) n;
insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
select organization_id, pg_temp.id_of('robo'), id, '{}', pg_temp.id_of('ann') from mcp_server_instances where name like 'many-%';
select is(pg_temp.as_user('mia', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), '500', 'V13_five_hundred_servers');
select performs_ok($$select pg_temp.as_user('mia', 'select count(*) from get_organization_mcp_configs({a}, {robo})')$$, 2000,
  'V13_are_one_question_and_not_five_hundred');

select * from finish();
rollback;
