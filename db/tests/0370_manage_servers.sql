-- manage_mcp_servers, deploy and stop: by actor and by trap.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(66);

-- An admin creates
select is(pg_temp.error_as('adam',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "one", "url": "https://one.example/mcp"}')$$),
  'ok', 'an admin creates a remote server');
select is(pg_temp.as_user('ann', $$select status from mcp_server_instances where instance_name = 'one'$$), 'pending',
  'a server that was only created is pending');
select is(pg_temp.error_as('adam',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "one", "url": "https://two.example/mcp"}')$$),
  'WR005', 'M11_a_server_s_name_is_unique_in_the_organization');
select is(pg_temp.error_as('bob',
  $$select manage_mcp_servers('create', {b}, '{"instance_name": "one", "url": "https://one.example/mcp"}')$$),
  'ok', 'S8_a_server_s_name_of_one_organization_is_free_in_another');
select is(pg_temp.error_as('adam', c), 'WR001', 'M11_create_refuses ' || c)
from unnest(array[
  $$select manage_mcp_servers('create', {a})$$,
  $$select manage_mcp_servers('create', {a}, 'null')$$,
  $$select manage_mcp_servers('create', {a}, '[]')$$,
  $$select manage_mcp_servers('create', {a}, '{"url": "https://x.example"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": null, "url": "https://x.example"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "Upper", "url": "https://x.example"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "a-name-of-21-letters-x", "url": "https://x.example"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"name": "x"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": null}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example", "catalog": "test-files"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example", "command": "sh"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example", "priority": -1}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example", "priority": "1"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example", "share": "everyone"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example", "chat": {"offline": [1]}}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example", "chat": {"online": []}}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "test-files"}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "test-files", "configuration": {"directory": 1}}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "test-files", "configuration": {"directory": "--help"}}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "test-files",
    "configuration": {"directory": "/d", "depth": 0}}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "test-files",
    "configuration": {"directory": "/d", "more": 1}}')$$,
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "test-files", "configuration": null}')$$
]) c;
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "$$ || u || $$"}')$$), 'WR001',
  'S13_a_remote_server_cannot_be_at ' || u)
from unnest(array['file:///etc/passwd', 'https://user:pass@x.example/', 'https://', 'ftp://x.example',
  'https://x.example/#f']) u;
select is(pg_temp.error_as('adam',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "local", "url": "http://localhost:9000/mcp"}')$$), 'ok',
  'the database accepts a plain http address; the gateway decides whether Weir connects to it');
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "no-such"}')$$), 'WR004',
  'M11_a_catalog_server_that_is_not_published_is_not_found');
select is(pg_temp.as_user('owner', $$select priority::text from mcp_server_instances where id = {files}$$), '100',
  'S6_the_default_priority_of_a_server_is_100');
select is(pg_temp.error_as('adam',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "zero", "url": "https://x.example", "priority": 0}')$$), 'ok',
  'S6_a_server_may_be_created_with_the_priority_zero');
select is(pg_temp.as_user('owner', $$select priority::text from mcp_server_instances where instance_name = 'zero'$$), '0',
  'S6_a_server_that_was_created_with_the_priority_zero_has_it');

-- Deploying and stopping by the server's id alone
select pg_temp.keep_id('zero', (select id from mcp_server_instances where instance_name = 'zero')) \g /dev/null
select is(pg_temp.as_user('ann', $$select deploy_mcp_server_to_dtma({zero}) ->> 'status'$$), 'deploying',
  'M6_deploy_mcp_server_to_dtma_deploys_by_the_server_s_id_alone');
select is(pg_temp.as_user('ann', $$select stop_mcp_server_instance({zero}) ->> 'status'$$), 'stopping',
  'M6_stop_mcp_server_instance_stops_by_the_server_s_id_alone');

-- A configuration contains no secret, and is sent to the node only
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "catalog": "test-files",
  "configuration": {"directory": "/d", "vault_api_key_id": "01900000-0000-7000-8000-00000000dead"}}')$$), 'WR001',
  'S4_a_catalog_server_s_configuration_names_no_secret');
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example",
  "configuration": {"vault_api_key_id": "01900000-0000-7000-8000-00000000dead"}}')$$), 'WR001',
  'S4_a_remote_server_has_no_configuration_that_could_name_a_secret');
select pg_temp.create_as('quiet', 'adam', $$select manage_mcp_servers('create', {a},
         '{"instance_name": "quiet", "catalog": "test-files", "configuration": {"directory": "/hush/hush"}}')$$),
       pg_temp.as_user('adam', $$select manage_mcp_servers('deploy', {a}, null, {quiet})$$) \g /dev/null
select is((select configuration::text from weir.claim_operations(gen_random_uuid(), 100, '1 minute')
  where instance_id = pg_temp.id_of('quiet')), '{"directory": "/hush/hush"}', 'D4_the_operation_that_a_node_is_sent_has_the_configuration');
select is_empty($$select * from mcp_interaction_logs l where to_jsonb(l)::text like '%/hush/hush%'$$,
  'D4_the_audit_log_does_not_have_the_configuration');
select is_empty($$select * from weir.dtma_operations o where to_jsonb(o)::text like '%/hush/hush%'$$,
  'D4_the_outbox_does_not_have_the_configuration');

-- Idempotency and quota
select is(pg_temp.as_user('adam',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "idem", "url": "https://x.example", "idempotency_key": "k"}') ->> 'id'$$),
          pg_temp.as_user('adam', $$select manage_mcp_servers('create', {a},
            '{"instance_name": "idem", "url": "https://x.example", "idempotency_key": "k"}') ->> 'id'$$),
          'M13_the_same_request_with_the_same_idempotency_key_returns_the_same_server');
select is(pg_temp.error_as('adam',
  $$select manage_mcp_servers('create', {a}, '{"instance_name": "other", "url": "https://x.example", "idempotency_key": "k"}')$$), 'WR005',
  'M13_an_idempotency_key_is_not_used_for_another_request');
update organizations o set max_mcp_servers = (select count(*) from mcp_server_instances i where i.organization_id = o.id)
where id = pg_temp.id_of('a');
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('create', {a}, '{"instance_name": "more", "url": "https://x.example"}')$$),
  'WR006', 'M12_a_server_beyond_the_organization_s_quota_is_refused');

-- Actions and states
select is(pg_temp.error_as('ann', $$select manage_mcp_servers(null, {a})$$), 'WR001', 'M1_a_null_action_is_a_typed_error');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('explode', {a})$$), 'WR001', 'M1_an_unknown_action_is_a_typed_error');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$), 'WR005',
  'M13_a_running_server_is_not_deployed_again');
select is(pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files}) ->> 'status'$$), 'stopping',
  'M9_a_stopped_server_says_stopping_until_its_node_confirms');
select is(pg_temp.as_user('owner', $$select action from weir.dtma_operations where instance_id = {files} order by id desc limit 1$$),
  'stop', 'M7_a_stop_is_an_operation_in_the_outbox');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$), 'WR005',
  'M13_a_stopping_server_is_not_stopped_again');
select is(pg_temp.as_user('owner', $$select deployed_by::text from mcp_server_instances where id = {files}$$), pg_temp.id_of('ann')::text,
  'M18_a_server_says_who_deployed_it');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where instance_id = {files} and item = 'stop' and user_id = {ann}
  and phase = 'completed'$$), '1', 'M18_a_stop_is_in_the_audit_log');

-- Other actors
select is(pg_temp.error_as('bob', $$select manage_mcp_servers('deploy', {b}, null, {files})$$), 'WR004',
  'M2_an_owner_deploys_no_server_of_another_organization_in_their_own');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where organization_id = {b} and reason = 'not_found' and item = 'deploy'$$), '1',
  'M14_a_denied_deployment_is_in_the_audit_log_of_the_caller_s_organization');
select is(pg_temp.error_as('bob', $$select manage_mcp_servers('stop', {a}, null, {files})$$), 'WR004',
  'M2_an_outsider_stops_no_server_in_its_own_organization');
select is(pg_temp.error_as('bob', $$select deploy_mcp_server_to_dtma({files})$$), 'WR004',
  'D1_an_outsider_deploys_no_server_by_its_id_alone');
select is(pg_temp.error_as('mia', $$select deploy_mcp_server_to_dtma({files})$$), 'WR003', 'D1_a_member_deploys_no_server_by_its_id_alone');
select is(pg_temp.error_as('ann', $$select deploy_mcp_server_to_dtma({nobody})$$), 'WR004',
  'D3_a_server_that_does_not_exist_is_not_found_by_its_id');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('deploy', {a})$$), 'WR004', 'M10_null_is_not_deployed_as_a_server');
select is(pg_temp.error_as('sam', $$select manage_mcp_servers('stop', {a}, null, {files})$$), 'WR004',
  'M3_a_suspended_admin_stops_no_server');
select is(pg_temp.error_as('vic', $$select manage_mcp_servers('create', {a}, '{"instance_name": "x", "url": "https://x.example"}')$$),
  'WR003',
  'a viewer creates no server');

select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where organization_id = {a} and user_id = {bob}$$), '0',
  'M14_an_outsider_s_denied_call_is_not_in_the_audit_log_of_the_organization_that_they_named');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', $$select manage_mcp_servers('deploy', {b}, null, {files})$$), 'WR004',
  'M2_an_admin_of_both_organizations_deploys_a_server_of_one_not_as_the_other_s');

-- An admin of a and b who loses the role in a while waiting for a's lock
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select pg_temp.when_lock_is_taken($$update public.organization_members set role = 'member' where organization_id = {a}
  and user_id = {mel}$$) \g /dev/null
select is(pg_temp.error_as('mel', $$select manage_mcp_servers('update', {a}, '{}', {files})$$), 'WR003',
  'A16_an_admin_who_lost_the_role_while_waiting_for_the_lock_updates_no_server');
select * from finish();
rollback;
