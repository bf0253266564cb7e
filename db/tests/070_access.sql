-- Asking about access: validate_mcp_access, explain_mcp_access, get_organization_mcp_configs.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(57);

-- validate
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V1_the_agent_s_owner');
select is(pg_temp.be('ann', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V6_who_shares_a_workspace_with_the_agent');
select is(pg_temp.be('adam', $$select validate_mcp_access({robo}, {files})$$), 'false',
  'V6_another_member_not_even_an_admin_as_themselves');
select is(pg_temp.be('adam', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'true', 'V4_an_admin_asks_for_another_person');
select is(pg_temp.be('mel', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'false', 'V4_a_member_does_not');
select is(pg_temp.be('bob', $$select validate_mcp_access({robo}, {files}, {mia})$$), 'false', 'V4_an_outsider_does_not');
select is(pg_temp.be('bob', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V2_a_stranger_s_agent_and_server_are_not_mine');
select is(pg_temp.be('bob', $$select validate_mcp_access({bot}, {files})$$), 'false', 'V2_my_agent_does_not_get_a_stranger_s_server');
select is(pg_temp.be('mel', $$select validate_mcp_access({bot}, {files})$$), 'false', 'V8_nor_does_a_member_of_both');
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {spy})$$), 'false', 'V8_nor_the_other_way');
select is(pg_temp.be('mia', $$select validate_mcp_access(null, null)$$), 'false', 'V1_null_is_no_access');
select is(pg_temp.be('anon', $$select validate_mcp_access({robo}, {files})$$), '42501', 'M5_anon_does_not_ask');
savepoint s;
select pg_temp.be('ann', $$select grant_mcp_access({robo}, {files}, '{}', expires_at => now() + interval '1 day')$$) \g /dev/null
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V3_a_grant_that_ends_later');
update agent_mcp_permissions set revoked_at = now() where revoked_at is null;
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V11_a_revoked_grant');
rollback to s;
select pg_temp.be('ann', $$select grant_mcp_access({robo}, {files}, '{}', not_before => now() + interval '1 day')$$) \g /dev/null
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V3_a_grant_that_starts_later');
rollback to s;
update organization_members set status = 'suspended' where user_id = pg_temp.id('ann');
select is(pg_temp.be('ann', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V7_a_suspended_member');
rollback to s;
update organizations set is_active = false where id = pg_temp.id('a');
select is(pg_temp.be('ann', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V7_an_inactive_organization');
rollback to s;
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id('a'), pg_temp.id('home'), pg_temp.id('vic'));
select is(pg_temp.be('vic', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_a_viewer_executes_nothing');
rollback to s;
update agents set is_active = false where id = pg_temp.id('robo');
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_an_inactive_agent');
rollback to s;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {files})$$), 'false', 'V12_a_withdrawn_server');
rollback to s;
select pg_temp.be('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$) \g /dev/null
select is(pg_temp.be('mia', $$select validate_mcp_access({robo}, {files})$$), 'true', 'V10_a_server_that_is_down_is_still_allowed');
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'allowed'$$), 'true',
  'V10_explain_says_allowed');
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'available'$$), 'false',
  'V10_and_not_available');
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'unavailable', 'V10_and_why');
rollback to s;

-- explain: the same answers as admission
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/data/a"}') ->> 'reason'$$), null,
  'V9_what_would_be_admitted_has_no_reason');
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/data/a"}') ->> 'grant_id'$$),
  pg_temp.id('grant')::text, 'and names its grant');
select is(pg_temp.be('mia', format('select explain_mcp_access({robo}, {files}, %L, %L) ->> ''reason''', t.tool, t.arguments)),
  pg_temp.call(t.tool, t.arguments), 'V9_explain_and_admission_agree: ' || t.tool)
from (values ('read_file', '{"path": "/etc"}'), ('delete_file', '{}'), ('write_file', '{}'), ('list_ghosts', '{}')) t(tool, arguments);
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files}, 'read_file', '{"path": "/etc"}') ->> 'detail'$$), '$.path',
  'explain says where');
select is(pg_temp.be('mia',
  $$select string_agg(c ->> 'check', ' ')
  from jsonb_array_elements(explain_mcp_access({robo}, {files}, 'delete_file') -> 'checks') c where c -> 'passed' = 'false'$$),
  'item_not_granted definition_not_approved', 'every check has its result');
select is(pg_temp.be('mia',
  $$select c ->> 'passed' from jsonb_array_elements(explain_mcp_access({robo}, {files}, 'delete_file') -> 'checks') c
  where c ->> 'check' = 'argument_rule'$$),
  null, 'and what was not looked at has none');
select is(pg_temp.be('adam', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'allowed'$$), 'true',
  'an admin asks for the agent itself');
select is(pg_temp.be('mel', $$select explain_mcp_access({robo}, {files})$$), 'WR004', 'V4_who_may_not_use_the_agent_does_not_find_it');
select is(pg_temp.be('bob', $$select explain_mcp_access({robo}, {files})$$), 'WR004', 'V4_nor_does_an_outsider');
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {spy})$$), 'WR004', 'a foreign server is not found');
select pg_temp.be('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "limits": {"per_day": 1}}')$$) \g /dev/null
select is(pg_temp.call('list_directory'), 'admitted', 'a limit of one');
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'limit',
  'explain knows the limit');
select is((select max(used) from weir.grant_usage), 1::bigint, 'and does not use it up');
rollback to s;

update organization_members set status = 'suspended' where user_id = pg_temp.id('mia');
select is(pg_temp.be('mia', $$select explain_mcp_access({robo}, {files})$$), 'WR004', 'V7_a_suspended_owner_finds_nothing');
rollback to s;

-- configs
select is(pg_temp.be('mia', $$select instance_name from get_organization_mcp_configs({a}, {robo})$$), 'files',
  'G1_the_agent_s_servers_for_who_may_use_it');
select is(pg_temp.be('ann', $$select has_agent_access from get_organization_mcp_configs({a}, {robo})$$), 'true',
  'G7_access_is_true_or_false');
select is(pg_temp.be('bob', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G1_an_outsider_finds_no_organization');
select is(pg_temp.be('bob', $$select count(*) from get_organization_mcp_configs({a})$$), 'WR004', 'G1_nor_its_list_of_servers');
select is(pg_temp.be('anon', $$select count(*) from get_organization_mcp_configs({a})$$), '42501', 'G1_anon_does_not_ask');
select is(pg_temp.be('sam', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G8_a_suspended_member_finds_no_organization');
select is(pg_temp.be('mia', $$select count(*) from get_organization_mcp_configs({a})$$), 'WR003',
  'G3_without_an_agent_the_list_is_for_admins');
select is(pg_temp.be('mel', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), 'WR004',
  'G1_who_may_not_use_the_agent_does_not_find_it');
select is(pg_temp.be('mel', $$select count(*) from get_organization_mcp_configs({a}, {bot})$$), 'WR004',
  'V8_an_agent_of_another_organization_is_not_found');
select pg_temp.make('remote', 'ann',
  $$select manage_mcp_servers('create', {a}, '{"name": "remote", "url": "https://x.example/mcp", "priority": 5}')$$) \g /dev/null
select is(pg_temp.be('ann', $$select string_agg(instance_name || ' ' || status, ', ') from get_organization_mcp_configs({a})$$),
  'remote pending, files running', 'G4_G5_G6_management_sees_all_states_custom_servers_too_by_priority');
select is(pg_temp.be('ann', $$select string_agg(instance_name, ', ') from get_organization_mcp_configs({a}, {robo})$$), 'files',
  'G4_for_an_agent_only_what_can_be_used');
select is(pg_temp.be('ann',
  $$select to_jsonb(c) ?| array['configuration', 'url', 'endpoint_url', 'env', 'args', 'package']
  from get_organization_mcp_configs({a}) c limit 1$$), 'false', 'G2_no_configuration_and_no_address');
select pg_temp.be('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.be('mia', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), '0',
  'G7_what_is_not_granted_is_not_there');
select is(pg_temp.be('adam', $$select access_reason from get_organization_mcp_configs({a}, {robo})$$), 'no_grant', 'G7_an_admin_sees_why');


-- Many servers, one question
insert into mcp_server_instances (id, organization_id, name, url, status)
select weir.uuid_v7(), pg_temp.id('a'), 'many-' || n, 'https://x.example/' || n, 'running' from generate_series(1, 500) n;
insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
select organization_id, pg_temp.id('robo'), id, '{}', pg_temp.id('ann') from mcp_server_instances where name like 'many-%';
select is(pg_temp.be('mia', $$select count(*) from get_organization_mcp_configs({a}, {robo})$$), '500', 'V13_five_hundred_servers');
select performs_ok($$select pg_temp.be('mia', 'select count(*) from get_organization_mcp_configs({a}, {robo})')$$, 2000,
  'V13_are_one_question_and_not_five_hundred');

select * from finish();
rollback;
