-- The published names and parameter names: they are API (supabase-js calls by name), so a change here is a change for users.
begin;
\ir ../testing/helpers.sql
select plan(3);

select results_eq($$
  select format('%s(%s)', p.proname, (select string_agg(n,
  ', ' order by o) from unnest(p.proargnames[1:p.pronargs]) with ordinality a(n, o))) collate "C"
  from pg_proc p
  where p.pronamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  order by 1$$, $$values
  ('add_workspace_member(workspace_id, user_id, agent_id)' collate "C"),
  ('audit_mcp_interactions(interactions)'),
  ('chat_context(agent_id, workspace_id, channel_id)'),
  ('create_agent(organization_id, name, instructions, workspace_id)'),
  ('create_agent_key(agent_id, name, key_id, secret, expires_at)'),
  ('create_channel(workspace_id, name)'),
  ('create_organization(name, slug)'),
  ('create_workspace(organization_id, name)'),
  ('deploy_mcp_server_to_dtma(server_instance_id)'),
  ('explain_mcp_access(agent_id, mcp_server_instance_id, tool, arguments)'),
  ('get_chat_answer(message_id, agent_id)'),
  ('get_chat_messages_with_details(p_channel_id, before, limit)'),
  ('get_organization_mcp_configs(org_id, agent_id)'),
  ('grant_mcp_access(agent_id, mcp_server_instance_id, permissions, expires_at, not_before)'),
  ('manage_mcp_servers(action, organization_id, server_config, server_id)'),
  ('open_direct_channel(agent_id, workspace_id)'),
  ('post_chat_message(channel_id, content, client_message_id)'),
  ('revoke_agent_key(key_id)'),
  ('revoke_mcp_access(agent_id, mcp_server_instance_id)'),
  ('stop_mcp_server_instance(server_instance_id)'),
  ('validate_mcp_access(agent_id, mcp_server_instance_id, user_id)')$$,
  'M15_names_and_parameter_names_of_published_functions');

-- A reading function may run where nothing may be written; a writing one may not be taken for a reading one (its GET would
-- write).
select is_empty($$
  select p.proname from pg_proc p
  where p.pronamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    and p.provolatile <> case when p.proname ~ '^(explain|validate|get|chat_context)' then 's' else 'v' end$$,
  'what reads is stable, what writes or records is volatile');
select is_empty($$
  select p.proname from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.proname <> 'audit_mcp_interactions'
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    and not has_function_privilege('authenticated', p.oid, 'EXECUTE')$$,
  'a person executes every published function but the engine''s own');
select * from finish();
rollback;
