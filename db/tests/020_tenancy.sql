-- Who sees and makes what in an organization: by actor.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(75);

-- Quotas without a column
savepoint quotas;
insert into organizations (name, slug, created_by) select 'Left', 'left-' || n, pg_temp.id_of('otto') from generate_series(1, 50) n;
select is(pg_temp.error_as('otto', $$select create_organization('More')$$), 'WR006', 'F10_organizations_that_a_person_has_left_count');
insert into chat_channels (organization_id, workspace_id, name)
select pg_temp.id_of('a'), pg_temp.id_of('home'), 'c' || n from generate_series(1, 1000) n;
select is(pg_temp.error_as('ann', $$select create_channel({home}, 'more')$$), 'WR006', 'F10_a_workspace_has_a_thousand_channels');
select is(pg_temp.error_as('bob', $$select create_channel({den}, 'more')$$), 'ok', 'and another has its own');
insert into agent_api_keys (organization_id, agent_id, name, key_id, secret_hash)
select pg_temp.id_of('a'), pg_temp.id_of('robo'), 'k', lpad(n::text, 16, '0'), sha256('x') from generate_series(1, 99) n;
select is(pg_temp.error_as('mia', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR006', 'F10_an_agent_has_a_hundred_keys');
select pg_temp.as_user('mia', $$select revoke_agent_key('robokey000000001')$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'ok', 'of which a revoked one is none');
rollback to quotas;

-- Owner
select is(pg_temp.as_user('ann', 'select count(*) from organizations'), '1', 'the owner sees the organization, and no other');
select is(pg_temp.as_user('ann', 'select role from organization_members where user_id = {ann}'), 'owner', 'the creator is owner');
select is(pg_temp.error_as('ann', $$select create_organization('')$$), 'WR001', 'an organization needs a name');
select is(pg_temp.error_as('ann', $$select create_organization(null)$$), 'WR001', 'M11_null_is_not_a_name');
select is(pg_temp.error_as('ann', $$select create_organization('x', 'Not A Slug')$$), 'WR001', 'a slug is lower case');
select is(pg_temp.error_as('ann', $$select create_organization('x', 'one-slug')$$), 'ok', 'a slug may be chosen');
select is(pg_temp.error_as('bob', $$select create_organization('y', 'one-slug')$$), 'WR005', 'a taken slug is a conflict');
select is(pg_temp.error_as('ann', $$select create_workspace({a}, 'home')$$), 'WR005', 'a workspace''s name is taken whatever its case');
select is(pg_temp.error_as('ann', $$select create_agent({a}, repeat('x', 101))$$), 'WR001', 'a name of 101 characters is too long');

-- Member
select is(pg_temp.as_user('mia', 'select count(*) from agents'), '1', 'a member sees the agents of the organization');
select is(pg_temp.as_user('mia', $$select string_agg(name, ',') from workspaces$$), 'Home', 'a member sees the workspaces that they are in');
select is(pg_temp.as_user('mel', $$select count(*) from workspaces$$), '0', 'a member sees no workspace that they are not in');
select is(pg_temp.as_user('mel', $$select count(*) from organizations$$), '2', 'a member of two organizations sees both');
select is(pg_temp.error_as('mel', $$select create_channel({home}, 'x')$$), 'WR004', 'S1_a_channel_in_a_workspace_of_others_is_not_found');
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR004',
  'S1_nobody_adds_themselves_to_a_workspace');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok', 'a workspace''s member adds another');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok', 'again is harmless');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {bob})$$), 'WR004',
  'S1_somebody_of_another_organization_is_not_found');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, agent_id => {bot})$$), 'WR004',
  'V8_an_agent_of_another_organization_is_not_found');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, {mia}, {robo})$$), 'WR001', 'a person or an agent, not both');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {sam})$$), 'WR004', 'a suspended person is not added');
select is(pg_temp.error_as('mia', $$select create_agent({a}, 'Second', workspace_id => {home})$$), 'ok',
  'a member creates an agent in a workspace');
select is(pg_temp.error_as('mia', $$select create_agent({a}, 'Third', workspace_id => {den})$$), 'WR004',
  'V8_an_agent_is_not_put_into_a_foreign_workspace');
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', $$select create_agent({a}, '', workspace_id => {den})$$), 'WR004', 'V8_nor_by_who_sees_it');
rollback to s;
select is(pg_temp.as_user('mia', $$select count(*) from agent_api_keys$$), '1', 'the agent''s owner sees its keys');
select is(pg_temp.as_user('mia', $$select secret_hash from agent_api_keys$$), '42501', 'and never the hash of the secret');
select is(pg_temp.as_user('mel', $$select count(*) from agent_api_keys$$), '0', 'another member sees no keys');
select is(pg_temp.as_user('mia', $$select configuration from mcp_server_instances$$), '42501', 'G2_an_api_role_cannot_read_a_configuration');
select is(pg_temp.as_user('mia', $$select url from mcp_server_instances$$), '42501', 'G2_nor_an_address');
select is(pg_temp.as_user('ann', $$select last_error from mcp_server_instances$$), '42501', 'M20_nor_an_error_s_text');
select is(pg_temp.as_user('mia',
  $$insert into organization_members (organization_id, user_id, role) values ({a}, {otto}, 'owner') returning role$$),
  '42501', 'T17_nobody_writes_a_table_directly');
select is(pg_temp.as_user('mia', $$update organization_members set role = 'owner' where user_id = {mia} returning role$$), '42501',
  'T17_nor_updates_one');
select is(pg_temp.as_user('mia', $$update mcp_server_catalog set package = 'evil' returning package$$), '42501',
  'D6_the_catalog_is_written_by_the_platform_only');
select is(pg_temp.as_user('mia', $$truncate mcp_interaction_logs$$), '42501', 'T12_nobody_truncates');

-- Somebody who belongs to two organizations
savepoint s;
insert into organization_members (organization_id, user_id, role, status) values (pg_temp.id_of('b'), pg_temp.id_of('sam'), 'member', 'active'),
  (pg_temp.id_of('b'), pg_temp.id_of('vic'), 'owner', 'active');
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, user_id => {sam})$$), 'WR004',
  'M3_who_is_suspended_in_a_is_not_added_there_though_active_in_b');
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, agent_id => {bot})$$), 'WR004',
  'V8_nor_is_b_s_agent_whom_they_see');
select is(pg_temp.error_as('vic', q), 'WR003', 'V12_an_owner_of_b_is_a_viewer_in_a: ' || q)
from unnest(array[$$select create_agent({a}, '')$$, $$select create_workspace({a}, '')$$,
  $$select create_agent_key({robo}, '', '', '')$$]) q;
update organization_members set role = 'viewer' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.error_as('mia', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR003',
  'V12_who_is_a_viewer_now_makes_no_key_for_the_agent_that_they_own');
rollback to s;

-- The catalog
savepoint s;
select is(pg_temp.as_user('mia', 'select count(*) from mcp_server_catalog'), '1', 'everybody sees the catalog');
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.as_user('mia', 'select count(*) from mcp_server_catalog'), '0', 'V12_and_nothing_that_was_withdrawn');
rollback to s;

-- Viewer
select is(pg_temp.as_user('vic', $$select count(*) from agents$$), '2', 'a viewer looks');
select is(pg_temp.error_as('vic', $$select create_agent({a}, 'x')$$), 'WR003', 'V12_a_viewer_creates_no_agent');
select is(pg_temp.error_as('vic', $$select create_workspace({a}, 'x')$$), 'WR003', 'V12_a_viewer_creates_no_workspace');

select is(pg_temp.as_user('vic', 'select count(*) from workspace_members'), '0', 'and sees who is in no workspace of others');

-- What was used
insert into usage_hourly (organization_id, hour, agent_id, instance_id)
values (pg_temp.id_of('a'), date_trunc('hour', now()), pg_temp.id_of('robo'), pg_temp.id_of('files'));
select is(pg_temp.as_user(w, 'select count(*) from usage_hourly'), n, format('%s sees %s hours of usage', w, n))
from (values ('adam', '1'), ('mia', '0'), ('vic', '0'), ('sam', '0'), ('bob', '0')) t(w, n);

-- Suspended
select is(pg_temp.as_user('sam', $$select count(*) from organizations$$), '0', 'M3_a_suspended_admin_sees_nothing');
select is(pg_temp.error_as('sam', $$select create_agent({a}, 'x')$$), 'WR004', 'M3_a_suspended_admin_makes_nothing');

-- Another organization
select is(pg_temp.as_user('bob', $$select count(*) from agents where organization_id = {a}$$), '0', 'T17_another_tenant_s_rows_are_not_there');
create function pg_temp.tables_of_a_seen_by(p_actor text) returns text language sql as $$
  select string_agg(t.name, ', ') from (
    select c.oid::regclass::text as name from pg_class c join pg_attribute o on o.attrelid = c.oid and o.attname = 'organization_id'
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_column_privilege('authenticated', c.oid, o.attnum, 'select')
    order by 1) t
  where pg_temp.as_user(p_actor, format('select count(*) from %s where organization_id = {a}', t.name)) <> '0';
$$;
select is(pg_temp.tables_of_a_seen_by(w), null, format('T17_%s sees of it in no table', w)) from unnest(array['bob', 'otto']) w;
select is(pg_temp.tables_of_a_seen_by('mel'), 'agents, chat_channels, mcp_server_instances, mcp_server_tools, organization_members, workspace_members, workspaces',
  'a member sees what members share');
select is(pg_temp.error_as('bob', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR004',
  'a foreign agent gets no key');
select is(pg_temp.error_as('bob', $$select revoke_agent_key('robokey000000001')$$), 'WR004', 'a foreign key is not found');
select is(pg_temp.error_as('bob', $$select create_agent({a}, 'x')$$), 'WR004', 'a foreign organization is not found');

select is(pg_temp.error_as('bob', $$select create_workspace({a}, 'x')$$), 'WR004', 'nor for a workspace');

-- Keys
select is(pg_temp.error_as('mel', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR003',
  'only owner and admins make keys');
select is(pg_temp.error_as('adam', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43), now())$$), 'WR001',
  'a key expires in the future');
select is(pg_temp.error_as('adam', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', 'short')$$), 'WR001',
  'a secret has 43 characters');
select is(pg_temp.error_as('adam', $$select create_agent_key({robo}, 'k', 'robokey000000001', repeat('x', 43))$$), 'WR005',
  'a key id is used once');
select is(pg_temp.error_as('adam', $$select revoke_agent_key('robokey000000001')$$), 'ok', 'an admin revokes a key');
select throws_ok($$update agent_api_keys set revoked_at = null, revoked_by = null where key_id = 'robokey000000001'$$, 'WR005', null,
  'T4_a_revoked_key_stays_revoked');

-- Nobody, and a service token
select is(pg_temp.as_user('anon', $$select create_organization('x')$$), '42501', 'M5_anon_executes_nothing');
select is(pg_temp.as_user('service', $$select create_organization('x')$$), '42501', 'M17_a_service_token_executes_nothing');
update organizations set is_active = false where id = pg_temp.id_of('a');
select is(pg_temp.as_user('ann', $$select count(*) from organizations where id = {a}$$), '0',
  'M3_an_inactive_organization_is_closed_to_its_owner_too');

select * from finish();
rollback;
