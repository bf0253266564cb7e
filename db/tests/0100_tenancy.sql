-- What each actor sees and creates in an organization.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(84);

-- Quotas without a column
savepoint quotas;
insert into organizations (name, slug, created_by) select 'Left', 'left-' || n, pg_temp.id_of('otto') from generate_series(1, 50) n;
select is(pg_temp.error_as('otto', $$select create_organization('More')$$), 'WR006',
  'F10_organizations_that_a_person_has_left_count_toward_their_fifty');
insert into chat_channels (organization_id, workspace_id, name)
select pg_temp.id_of('a'), pg_temp.id_of('home'), 'c' || n from generate_series(1, 1000) n;
select is(pg_temp.error_as('ann', $$select create_channel({home}, 'more')$$), 'WR006', 'F10_a_workspace_has_at_most_a_thousand_channels');
select is(pg_temp.error_as('bob', $$select create_channel({den}, 'more')$$), 'ok',
  'a second workspace has its own limit of a thousand channels');
insert into agent_api_keys (organization_id, agent_id, name, key_id, secret_hash)
select pg_temp.id_of('a'), pg_temp.id_of('robo'), 'k', lpad(n::text, 16, '0'), sha256('x') from generate_series(1, 99) n;
select is(pg_temp.error_as('mia', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR006',
  'F10_an_agent_has_at_most_a_hundred_active_keys');
select pg_temp.as_user('mia', $$select revoke_agent_key('robokey000000001')$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'ok',
  'a revoked key does not count toward an agent''s hundred keys');
rollback to quotas;

-- Owner
select is(pg_temp.as_user('ann', 'select count(*) from organizations'), '1', 'an owner sees their own organization and no other');
select is(pg_temp.as_user('ann', 'select role from organization_members where user_id = {ann}'), 'owner',
  'the creator of an organization is its owner');
select is(pg_temp.error_as('ann', $$select create_organization('')$$), 'WR001', 'an empty name is no name for an organization');
select is(pg_temp.error_as('ann', $$select create_organization(null)$$), 'WR001', 'M11_null_is_no_name_for_an_organization');
select is(pg_temp.error_as('ann', $$select create_organization('x', 'Not A Slug')$$), 'WR001',
  'a slug with capitals and spaces is refused');
select is(pg_temp.error_as('ann', $$select create_organization('x', 'one-slug')$$), 'ok', 'a free slug may be chosen');
select is(pg_temp.error_as('bob', $$select create_organization('y', 'one-slug')$$), 'WR005',
  'a slug of another organization is a conflict');
select is(pg_temp.error_as('ann', $$select create_workspace({a}, 'home')$$), 'WR005',
  'the name of an existing workspace in another case is a conflict');
select is(pg_temp.error_as('ann', $$select create_agent({a}, repeat('x', 101))$$), 'WR001',
  'an agent''s name of 101 characters is too long');

-- Member
select is(pg_temp.as_user('mia', 'select count(*) from agents'), '1', 'a member sees the agents of the organization');
select is(pg_temp.as_user('mia', $$select string_agg(name, ',') from workspaces$$), 'Home', 'a member sees the workspace that they are in');
select is(pg_temp.as_user('mel', $$select count(*) from workspaces$$), '0', 'a member sees no workspace that they are not in');
select is(pg_temp.as_user('mel', $$select count(*) from organizations$$), '2', 'a member of two organizations sees both of them');
select is(pg_temp.error_as('mel', $$select create_channel({home}, 'x')$$), 'WR004',
  'S1_a_member_creates_no_channel_in_a_workspace_that_they_are_not_in');
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, user_id => {mel})$$), 'WR004',
  'S1_a_member_does_not_add_themselves_to_a_workspace');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok',
  'a member of a workspace adds another member of the organization');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {mel})$$), 'ok',
  'adding a person who is already in the workspace changes nothing');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {bob})$$), 'WR004',
  'S1_a_person_of_another_organization_is_not_added_to_a_workspace');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, agent_id => {bot})$$), 'WR004',
  'V8_an_agent_of_another_organization_is_not_added_to_a_workspace');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, {mia}, {robo})$$), 'WR001',
  'a person and an agent are not added to a workspace in one call');
select is(pg_temp.error_as('mia', $$select add_workspace_member({home}, user_id => {sam})$$), 'WR004',
  'a suspended member is not added to a workspace');
select is(pg_temp.error_as('mia', $$select create_agent({a}, 'Second', workspace_id => {home})$$), 'ok',
  'a member creates an agent in a workspace that they are in');
select is(pg_temp.error_as('mia', $$select create_agent({a}, 'Third', workspace_id => {den})$$), 'WR004',
  'V8_a_member_creates_no_agent_in_another_organization_s_workspace');
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', $$select create_agent({a}, '', workspace_id => {den})$$), 'WR004',
  'V8_a_member_of_both_creates_no_agent_of_one_organization_in_the_other_s_workspace');
rollback to s;
select is(pg_temp.as_user('mia', $$select count(*) from agent_api_keys$$), '1', 'an agent''s owner sees the agent''s keys');
select is(pg_temp.as_user('mia', $$select secret_hash from agent_api_keys$$), '42501',
  'an agent''s owner cannot read the hash of a key''s secret');
select is(pg_temp.as_user('mel', $$select count(*) from agent_api_keys$$), '0', 'a member who does not own an agent sees none of its keys');
select is(pg_temp.as_user('mia', $$select configuration from mcp_server_instances$$), '42501',
  'G2_an_api_role_cannot_read_a_server_s_configuration');
select is(pg_temp.as_user('mia', $$select url from mcp_server_instances$$), '42501', 'G2_an_api_role_cannot_read_a_server_s_address');
select is(pg_temp.as_user('ann', $$select last_error from mcp_server_instances$$), '42501',
  'M20_an_api_role_cannot_read_the_text_of_a_server_s_last_error');
select is(pg_temp.as_user('mia',
  $$insert into organization_members (organization_id, user_id, role) values ({a}, {otto}, 'owner') returning role$$),
  '42501', 'T17_a_person_inserts_into_no_table_directly');
select is(pg_temp.as_user('mia', $$update organization_members set role = 'owner' where user_id = {mia} returning role$$), '42501',
  'T17_a_person_updates_no_table_directly');
select is(pg_temp.as_user('mia', $$update mcp_server_catalog set package = 'evil' returning package$$), '42501',
  'D6_a_person_does_not_write_the_catalog');
select is(pg_temp.as_user('mia', $$truncate mcp_interaction_logs$$), '42501', 'T12_a_person_truncates_no_table');

-- A person who belongs to two organizations
savepoint s;
insert into organization_members (organization_id, user_id, role, status)
  values (pg_temp.id_of('b'), pg_temp.id_of('sam'), 'member', 'active'),
  (pg_temp.id_of('b'), pg_temp.id_of('vic'), 'owner', 'active');
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, user_id => {sam})$$), 'WR004',
  'M3_a_person_suspended_in_a_and_active_in_b_is_not_added_to_a_workspace_of_a');
select is(pg_temp.error_as('mel', $$select add_workspace_member({home}, agent_id => {bot})$$), 'WR004',
  'V8_a_member_of_both_does_not_add_an_agent_of_b_to_a_workspace_of_a');
select is(pg_temp.error_as('vic', q), 'WR003', 'V12_an_owner_of_b_who_is_a_viewer_in_a_may_not: ' || q)
from unnest(array[$$select create_agent({a}, '')$$, $$select create_workspace({a}, '')$$,
  $$select create_agent_key({robo}, '', '', '')$$]) q;
update organization_members set role = 'viewer' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select is(pg_temp.error_as('mia', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR003',
  'V12_a_member_who_became_a_viewer_creates_no_key_for_their_own_agent');
rollback to s;

-- The catalog
savepoint s;
select is(pg_temp.as_user('mia', 'select count(*) from mcp_server_catalog'), '1', 'a member sees a published catalog entry');
select weir.withdraw_catalog_server('test-files') \g /dev/null
select is(pg_temp.as_user('mia', 'select count(*) from mcp_server_catalog'), '0', 'V12_a_member_does_not_see_a_withdrawn_catalog_entry');
select is(pg_temp.as_user(w, 'select state from mcp_server_catalog'), 'withdrawn',
  format('%s, an admin, sees a withdrawn catalog entry', w))
from unnest(array['ann', 'adam', 'bob']) w;
select weir.block_catalog_server('test-files', null, 'It leaks.') \g /dev/null
select is(pg_temp.as_user(w, 'select count(*) from mcp_server_catalog'), '0',
  format('%s, no admin, does not see a blocked catalog entry', w))
from unnest(array['mia', 'vic', 'sam', 'otto']) w;
select is(pg_temp.as_user('adam', 'select concat(state, block_reason) from mcp_server_catalog'), 'blockedIt leaks.',
  'an admin sees that a catalog entry is blocked, and why');
select weir.add_platform_admin(pg_temp.id_of('otto')) \g /dev/null
select is(pg_temp.as_user('otto', 'select state from mcp_server_catalog'), 'blocked', 'a platform admin sees a blocked catalog entry');
rollback to s;

-- Viewer
select is(pg_temp.as_user('vic', $$select count(*) from agents$$), '2', 'a viewer sees the agents of the organization');
select is(pg_temp.error_as('vic', $$select create_agent({a}, 'x')$$), 'WR003', 'V12_a_viewer_creates_no_agent');
select is(pg_temp.error_as('vic', $$select create_workspace({a}, 'x')$$), 'WR003', 'V12_a_viewer_creates_no_workspace');

select is(pg_temp.as_user('vic', 'select count(*) from workspace_members'), '0',
  'a viewer does not see the members of a workspace that they are not in');

-- Usage
insert into usage_hourly (organization_id, hour, agent_id, instance_id)
values (pg_temp.id_of('a'), date_trunc('hour', now(), 'UTC'), pg_temp.id_of('robo'), pg_temp.id_of('files'));
select is(pg_temp.as_user(w, 'select count(*) from usage_hourly'), n, format('%s sees %s hours of usage', w, n))
from (values ('adam', '1'), ('mia', '0'), ('vic', '0'), ('sam', '0'), ('bob', '0')) t(w, n);

-- Suspended
select is(pg_temp.as_user('sam', $$select count(*) from organizations$$), '0', 'M3_a_suspended_admin_sees_nothing');
select is(pg_temp.error_as('sam', $$select create_agent({a}, 'x')$$), 'WR004', 'M3_a_suspended_admin_creates_no_agent');

-- Another organization
select is(pg_temp.as_user('bob', $$select count(*) from agents where organization_id = {a}$$), '0',
  'T17_an_owner_sees_no_agent_of_another_organization');
create function pg_temp.tables_of_a_seen_by(p_actor text) returns text language sql as $$
  select string_agg(t.name, ', ') from (
    select c.oid::regclass::text as name from pg_class c join pg_attribute o on o.attrelid = c.oid and o.attname = 'organization_id'
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and has_column_privilege('authenticated', c.oid, o.attnum, 'select')
    order by 1) t
  where pg_temp.as_user(p_actor, format('select count(*) from %s where organization_id = {a}', t.name)) <> '0';
$$;
select is(pg_temp.tables_of_a_seen_by(w), null, format('T17_%s_sees_rows_of_organization_a_in_no_table', w))
  from unnest(array['bob', 'otto']) w;
select is(pg_temp.tables_of_a_seen_by('mel'),
  'agents, chat_channels, mcp_server_instances, mcp_server_tools, organization_members, workspace_members, workspaces',
  'a member without a workspace sees only the tables that all members share');
select is(pg_temp.error_as('bob', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR004',
  'an owner creates no key for an agent of another organization');
select is(pg_temp.error_as('bob', $$select revoke_agent_key('robokey000000001')$$), 'WR004',
  'an owner does not revoke a key of another organization');
select is(pg_temp.error_as('bob', $$select create_agent({a}, 'x')$$), 'WR004', 'an owner creates no agent in another organization');

select is(pg_temp.error_as('bob', $$select create_workspace({a}, 'x')$$), 'WR004', 'an owner creates no workspace in another organization');

-- Keys
select is(pg_temp.error_as('mel', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43))$$), 'WR003',
  'a member creates no key for an agent that they do not own');
select is(pg_temp.error_as('adam', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', repeat('x', 43), now())$$), 'WR001',
  'a key that expires now is refused');
select is(pg_temp.error_as('adam', $$select create_agent_key({robo}, 'k', 'aaaaaaaaaaaaaaaa', 'short')$$), 'WR001',
  'a secret that does not have 43 characters is refused');
select is(pg_temp.error_as('adam', $$select create_agent_key({robo}, 'k', 'robokey000000001', repeat('x', 43))$$), 'WR005',
  'a key id that exists is a conflict');
select is(pg_temp.error_as('adam', $$select revoke_agent_key('robokey000000001')$$), 'ok', 'an admin revokes a key');
select throws_ok($$update agent_api_keys set revoked_at = null, revoked_by = null where key_id = 'robokey000000001'$$, 'WR005', null,
  'T4_a_revoked_key_cannot_be_made_active_again_by_direct_sql');

-- anon, and a service token
select is(pg_temp.as_user('anon', $$select create_organization('x')$$), '42501', 'M5_anon_creates_no_organization');
select is(pg_temp.as_user('service', $$select create_organization('x')$$), '42501', 'M17_a_service_token_creates_no_organization');
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.as_user('ann', $$select count(*) from organizations where id = {a}$$), '0',
  'M3_an_inactive_organization_is_closed_to_its_owner_too');

select * from finish();
rollback;
