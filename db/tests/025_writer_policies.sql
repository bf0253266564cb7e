-- Inside the writing functions: what row-level security allows weir_writer with a person's claims. The functions ask first and
-- answer kindly; these policies hold where a function forgets.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- A statement as weir_writer for a person: how many rows it wrote, or the SQLSTATE.
create function pg_temp.as_writer(p_actor text, p_sql text) returns text language sql as $$
  select pg_temp.as_user('writer:' || p_actor, p_sql);
$$;
create function pg_temp.insert_grant_sql(p_granted_by text, p_organization text default 'a',
  p_agent text default 'robo') returns text language sql as $$
  select format('insert into public.agent_mcp_permissions
    (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by, granted_by_id)
    values ({%s}, {%s}, {files}, ''{}'', {%s}, {%s})', p_organization, p_agent, p_granted_by, p_granted_by);
$$;

-- Grants
select is(pg_temp.as_writer('mia', pg_temp.insert_grant_sql('mia')), '42501', 'T1_a_member_writes_no_grant');
select is(pg_temp.as_writer('vic', pg_temp.insert_grant_sql('vic')), '42501', 'T1_nor_a_viewer');
select is(pg_temp.as_writer('sam', pg_temp.insert_grant_sql('sam')), '42501', 'M3_nor_a_suspended_admin');
select is(pg_temp.as_writer('bob', pg_temp.insert_grant_sql('bob')), '42501', 'T3_nor_another_tenant_s_owner');
select is(pg_temp.as_writer('adam', pg_temp.insert_grant_sql('ann')), '42501', 'T2_an_admin_signs_with_their_own_name');
select is(pg_temp.as_writer('adam', pg_temp.insert_grant_sql('adam')), '23505', 'an admin may, and runs into the active one');
select is(pg_temp.as_writer('mia', $$update public.agent_mcp_permissions set revoked_by = {mia} where id = {grant}$$), '42501',
  'T4_the_agent_s_owner_does_nothing_but_revoke');
select is(pg_temp.as_writer('mia', $$update public.agent_mcp_permissions set revoked_at = now(), revoked_by = {ann} where id = {grant}$$),
  '42501',
  'T2_and_only_in_their_own_name');
select is(pg_temp.as_writer('mia', $$update public.agent_mcp_permissions set permissions = '{"tools": {"*": {}}}' where id = {grant}$$),
  '42501',
  'T4_and_widens_nothing');
select is(pg_temp.as_writer('mel',
  $$update public.agent_mcp_permissions set revoked_at = now(), revoked_by = {mel} where id = {grant} returning id$$), null,
  'another member revokes nothing');
select is(pg_temp.as_writer('mel', $$select count(*) from public.agent_mcp_permissions$$), '0', 'nor sees it');
select is(pg_temp.as_writer('ann', $$delete from public.agent_mcp_permissions$$), '42501', 'T8_nobody_deletes_history');

-- Members and organizations
select is(pg_temp.as_writer(w,
  $$insert into public.organization_members (organization_id, user_id, role, status) values ({a}, {otto}, 'owner', 'active')$$), '42501',
  format('%s adds no owner', w)) from unnest(array['mia', 'vic', 'sam', 'bob', 'otto']) w;
select is(pg_temp.as_writer('otto',
  $$insert into public.organizations (id, name, slug, created_by) values ({nobody}, 'x', 'x-x', {ann})$$), '42501',
  'an organization is created in one''s own name');
select is(pg_temp.as_writer('ann', $$update public.organizations set is_active = true where id = {a}$$), '42501',
  'nobody changes an organization');
select is(pg_temp.as_writer('ann', $$insert into public.organization_members (organization_id, user_id, role, status)
  values ({a}, {otto}, 'member', 'active')$$), '42501', 'nobody is made a member by another');
select is(pg_temp.as_writer(w, $$update public.organization_members set role = 'admin' where organization_id = {a} returning 1$$), r,
  format('%s gives no role', w)) from (values ('mia', '42501'), ('vic', '42501'), ('sam', null), ('bob', null), ('otto', null)) t(w, r);
select is(pg_temp.as_writer('adam', $$update public.organization_members set role = 'owner' where user_id = {mia} returning 1$$), '42501',
  'an admin makes no owner');
select is(pg_temp.as_writer('adam', $$update public.organization_members set role = 'member' where user_id = {ann} returning 1$$), null,
  'nor touches one');
select is(pg_temp.as_writer('mia', $$update public.organization_members set status = 'suspended' where user_id = {mia} returning 1$$), '42501',
  'a member does nothing to themselves');
select is(pg_temp.as_writer('mia', $$update public.organization_members set status = 'removed' where user_id = {mia}
  and organization_id = {a} returning status$$), 'removed', 'but leave');
select is(pg_temp.as_writer('ann', $$delete from public.organization_members returning 1$$), '42501', 'a member''s row stays');
select is(pg_temp.as_writer('adam', format($$insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by,
  expires_at) values ({nobody}, %s, 'x@example.org', %L, sha256('x'), %s, now() + interval '1 day')$$, o, r, i)), '42501',
  format('an admin invites no %s of %s as %s', r, o, i))
from (values ('{a}', 'owner', '{adam}'), ('{b}', 'member', '{adam}'), ('{a}', 'member', '{ann}')) t(o, r, i);
select is(pg_temp.as_writer('mia', $$insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by,
  expires_at) values ({nobody}, {a}, 'x@example.org', 'member', sha256('x'), {mia}, now() + interval '1 day')$$), '42501', 'a member invites nobody');
select is(pg_temp.as_writer('adam', $$insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by,
  expires_at) values ({nobody}, {a}, 'y@example.org', 'member', sha256('y'), {adam}, now() + interval '1 day') returning role$$), 'member', 'an admin does');
select is(pg_temp.as_writer('ann', $$select token_hash from public.organization_invitations$$), '42501', 'the writer reads no token''s hash');

-- Without a condition nothing is read, so the policy for reading does not help
create function pg_temp.run_as_writer(p_actor text, p_sql text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id_of(p_actor))::text, true),
          set_config('role', 'weir_writer', true);
  execute p_sql;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
end;
$$;
savepoint s;
select pg_temp.run_as_writer(w, 'delete from public.workspace_members') from unnest(array['vic', 'sam', 'bob', 'otto']) w \g /dev/null
select is(pg_temp.as_user('owner', 'select count(*) from workspace_members where organization_id = {a}'), '3', 'nobody empties a workspace');
rollback to s;
select pg_temp.as_user('ann', $$select create_organization_api_key({a}, 'k', 'orgkey0000000001', repeat('k', 43), '{audit.read}')$$),
       pg_temp.as_user('mia', $$select create_user_ssh_key('k', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw')$$),
       pg_temp.as_user('ann', $$select manage_mcp_servers('update', {a}, '{"priority": 1, "idempotency_key": "k"}', {files})$$) \g /dev/null
select pg_temp.run_as_writer(w, format('update public.organization_api_keys set revoked_at = now(), revoked_by = %L', pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, 'delete from public.user_ssh_keys') from unnest(array['vic', 'sam', 'bob', 'otto']) w \g /dev/null
select is(pg_temp.as_user('owner', 'select count(*) from organization_api_keys where revoked_at is null'), '1', 'nor revokes another''s key');
select is(pg_temp.as_user('owner', 'select count(*) from user_ssh_keys'), '1', 'nor deletes one');
update organization_members set status = 'active' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select pg_temp.create_as('invitation', 'ann', $$select invite_member({a}, 'x@example.org', 'owner', repeat('x', 43))$$),
       pg_temp.create_as('request', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"*": {}}}')$$),
       pg_temp.as_user('mia', $$select set_user_profile('Mia')$$), pg_temp.as_user('bob', $$select set_user_profile('Bob')$$) \g /dev/null
select pg_temp.run_as_writer(w, format('update public.agent_api_keys set revoked_at = now(), revoked_by = %L', pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, format('update public.agent_mcp_permissions set revoked_at = now(), revoked_by = %L', pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, 'update public.organization_invitations set revoked_at = now()'),
       pg_temp.run_as_writer(w, format($$update public.permission_requests set status = 'withdrawn', decided_by = %L, decided_at = now()$$, pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, 'update public.mcp_server_instances set priority = 7'),
       pg_temp.run_as_writer(w, $$update public.user_profiles set display_name = 'x'$$)
from unnest(array['mel', 'vic', 'sam', 'otto']) w \g /dev/null
select pg_temp.run_as_writer('adam', 'update public.organization_invitations set revoked_at = now()'),
       pg_temp.run_as_writer(w, $$update public.organization_members set status = 'removed'$$) from unnest(array['sam', 'otto']) w \g /dev/null
select is(pg_temp.as_user('owner', q), n, 'nobody does it blindly: ' || q) from (values
  ('select count(*) from agent_api_keys where revoked_at is null', '2'),
  ('select count(*) from agent_mcp_permissions where revoked_at is null', '1'),
  ('select count(*) from organization_invitations where revoked_at is null', '1'),
  ($$select count(*) from permission_requests where status = 'open'$$, '1'),
  ('select count(*) from mcp_server_instances where priority = 7', '0'),
  ('select string_agg(display_name, '','' order by display_name) from user_profiles', 'Bob,Mia'),
  ($$select count(*) from organization_members where status = 'removed'$$, '0')) t(q, n);

-- Who may, does it in their own name and as it is done
select is(pg_temp.as_writer('adam', q), '42501', 'not so: ' || q) from unnest(array[
  'update public.agent_api_keys set revoked_at = now(), revoked_by = {ann} where agent_id = {robo}',
  'update public.organization_api_keys set revoked_at = now(), revoked_by = {ann} where organization_id = {a}',
  $$update public.permission_requests set status = 'refused', decided_by = {ann}, decided_at = now() where id = {request}$$,
  $$update public.permission_requests set status = 'withdrawn', decided_by = {adam}, decided_at = now() where id = {request}$$]) q;
select is(pg_temp.as_writer('ann', 'update public.organization_invitations set revoked_at = null where id = {invitation}'), '42501', 'an invitation is only revoked');
select is(pg_temp.as_writer(w, q), '42501', format('%s makes none for another: %s', w, q)) from (values
  ('mel', $$insert into public.permission_requests (id, organization_id, agent_id, mcp_server_instance_id, permissions, requested_by)
    values ({nobody}, {a}, {robo}, {files}, '{}', {mel})$$),
  ('mel', $$insert into public.user_profiles (user_id, display_name) values ({vic}, 'x')$$),
  ('mel', $$insert into public.user_ssh_keys (id, user_id, name, public_key, fingerprint) values ({nobody}, {vic}, 'x', 'x', 'x')$$)) t(w, q);
select is(pg_temp.as_writer(w, 'select count(*) from weir.idempotency_keys'), '0', format('%s sees no answer of before', w)) from unnest(array['mia', 'sam', 'bob']) w;
select is(pg_temp.as_writer(w, $$insert into weir.idempotency_keys (organization_id, key, request_hash, answer) values ({a}, 'x', sha256('x'), '{}')$$), '42501',
  format('nor plants one as %s', w)) from unnest(array['mia', 'sam', 'bob']) w;
rollback to s;

-- Agents and keys
select is(pg_temp.as_writer('vic',
  $$insert into public.agents (id, organization_id, name, owner_id, created_by) values ({nobody}, {a}, 'x', {vic}, {vic})$$), '42501',
  'V12_a_viewer_makes_no_agent');
select is(pg_temp.as_writer('mia',
  $$insert into public.agents (id, organization_id, name, owner_id, created_by) values ({nobody}, {a}, 'x', {ann}, {mia})$$), '42501',
  'an agent is owned by who makes it');
select is(pg_temp.as_writer('bob',
  $$insert into public.agents (id, organization_id, name, owner_id, created_by) values ({nobody}, {a}, 'x', {bob}, {bob})$$), '42501',
  'T3_and_in_their_own_organization');
select is(pg_temp.as_writer('mel', $$insert into public.agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, created_by)
  values ({a}, {robo}, 'k', 'melkey0000000001', sha256('x'), {mel})$$), '42501', 'another member makes no key');
select is(pg_temp.as_writer('mia', $$select secret_hash from public.agent_api_keys$$), '42501', 'the writer reads no hash');

-- Servers
select is(pg_temp.as_writer('mia', $$insert into public.mcp_server_instances (id, organization_id, name, url, created_by)
  values ({nobody}, {a}, 'x', 'https://x.example', {mia})$$), '42501', 'a member makes no server');
select is(pg_temp.as_writer('ann', $$insert into public.mcp_server_instances (id, organization_id, name, url, created_by)
  values ({nobody}, {b}, 'x', 'https://x.example', {ann})$$), '42501', 'M2_an_admin_makes_none_elsewhere');
select is(pg_temp.as_writer('bob', $$update public.mcp_server_instances set status = 'stopping' where id = {files} returning 1$$), null,
  'M2_nor_stops_one_elsewhere');
select is(pg_temp.as_writer('mia', $$update public.mcp_server_instances set status = 'stopping' where id = {files} returning 1$$), null,
  'a member stops none');
select is(pg_temp.as_writer('mia', $$insert into weir.dtma_operations (id, organization_id, instance_id, action, generation, created_by)
  values ({nobody}, {a}, {files}, 'stop', 9, {mia})$$), '42501', 'D1_a_member_writes_no_operation');
select is(pg_temp.as_writer(w, 'select count(*) from weir.dtma_operations'), n, format('D1_%s sees %s operations', w, n))
from (values ('adam', '1'), ('mel', '0'), ('vic', '0'), ('sam', '0'), ('bob', '0')) t(w, n);
select is(pg_temp.as_writer('ann', $$update public.mcp_server_tools set status = 'approved'$$), '42501', 'a pin is no person''s to write');
select is(pg_temp.as_writer('ann', $$insert into public.mcp_server_catalog (slug) values ('x')$$), '42501', 'D6_nor_is_the_catalog');

-- Workspaces and chat
select is(pg_temp.as_writer(w, format($$insert into public.workspaces (id, organization_id, name, created_by) values ({nobody}, {a}, 'x', {%s})$$, b)), '42501',
  format('V12_%s makes no workspace as %s', w, b)) from (values ('vic', 'vic'), ('sam', 'sam'), ('bob', 'bob'), ('mia', 'ann')) t(w, b);
select is(pg_temp.as_writer('mel',
  $$insert into public.workspace_members (organization_id, workspace_id, user_id) values ({a}, {home}, {mel})$$), '42501',
  'S1_nobody_enters_a_workspace_by_themselves');
select is(pg_temp.as_writer('ann', $$insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content)
  values ({nobody}, {a}, {home}, {chat}, 'user', {mia}, 'x')$$), '42501', 'S15_nobody_speaks_as_another');
select is(pg_temp.as_writer('mel', $$insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content)
  values ({nobody}, {a}, {home}, {chat}, 'user', {mel}, 'x')$$), '42501', 'S1_nor_in_a_channel_of_others');
select is(pg_temp.as_writer('mel', $$select count(*) from public.chat_channels$$), '0', 'S1_nor_sees_it');
select is(pg_temp.as_writer(w, format($$insert into public.chat_channels (id, organization_id, workspace_id, name, created_by)
  values ({nobody}, {a}, {home}, 'x', {%s})$$, w)), '42501', format('S1_nor_makes_one: %s', w)) from unnest(array['mel', 'adam', 'bob']) w;

-- The record
select is(pg_temp.as_writer('ann', $$select count(*) from public.mcp_interaction_logs$$), '42501', 'T11_the_writer_reads_no_record');
select is(pg_temp.as_writer('ann', $$select count(*) from weir.settings$$), '42501', 'nor a setting');
select * from finish();
rollback;
