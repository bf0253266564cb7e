-- Random worlds that are compared with a model (tests/Weir.Tests/Database/WorldTests.cs): builds one from JSON and asks every function that
-- decides about the same calls. Run by a superuser, in a transaction that is rolled back.
create schema model;

create function model.build(p_world jsonb) returns void
language plpgsql
as $$
begin
  set local session_replication_role = replica;
  insert into auth.users (id, email)
  select u.id, u.id || '@example.org' from jsonb_to_recordset(p_world -> 'users') u(id uuid);
  insert into organizations (id, name, slug, platform_stopped_at)
  select o.id, 'Organization', 'o-' || left(md5(o.id::text), 20),
    case when not o.active then now() end from jsonb_to_recordset(p_world -> 'organizations') o(id uuid, active boolean);
  insert into organization_members (organization_id, user_id, role, status)
  select * from jsonb_to_recordset(p_world -> 'members') m(organization uuid, "user" uuid, role text, status text);
  insert into agents (id, organization_id, user_id, stopped_at, name)
  select a.id, a.organization, a.owner, case when not a.active then now() end, 'Agent ' || a.id
  from jsonb_to_recordset(p_world -> 'agents') a(id uuid, organization uuid, owner uuid, active boolean);
  insert into agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, revoked_at, expires_at)
  select k.organization, k.agent, 'key', k.id, sha256(convert_to(k.id, 'UTF8')), case when k.revoked then now() end,
         now() + k.expires * interval '1 minute'
  from jsonb_to_recordset(p_world -> 'keys') k(organization uuid, agent uuid, id text, revoked boolean, expires integer);
  insert into mcp_server_catalog (id, slug, version, name, display_name, transport, package, bin, withdrawn_at, blocked_at, block_reason)
  select c.id, 'c-' || md5(c.id::text), '1.0.0', 'c-' || md5(c.id::text), 'Catalog', 'stdio', 'catalog', 'catalog',
         case c.state when 'withdrawn' then now() end, case c.state when 'blocked' then now() end, case c.state when 'blocked' then 'x' end
  from jsonb_to_recordset(p_world -> 'catalog') c(id uuid, state text);
  insert into mcp_server_instances (id, organization_id, instance_name, status, catalog_server_id, url, last_error_code)
  select s.id, s.organization, left(md5(s.id::text), 20), s.status, s.catalog,
         case when s.catalog is null then 'https://mcp.example.org' end, 'none'
  from jsonb_to_recordset(p_world -> 'servers') s(id uuid, organization uuid, status text, catalog uuid);
  insert into mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced, approved_at)
  select p.organization, p.server, 'tool', p.name, sha256(convert_to(p.name, 'UTF8')), '{}', p.status, p.announced, now()
  from jsonb_to_recordset(p_world -> 'pins') p(organization uuid, server uuid, name text, status text, announced boolean);
  insert into agent_mcp_permissions (id, organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id,
                                     not_before, expires_at, revoked_at)
  select g.id, g.organization, g.agent, g.server, g.permissions, g.id, now() + g.starts * interval '1 minute',
         now() + g.expires * interval '1 minute', case when g.revoked then now() end
  from jsonb_to_recordset(p_world -> 'grants') g(id uuid, organization uuid, agent uuid, server uuid, permissions jsonb,
                                                 starts integer, expires integer, revoked boolean);
  insert into workspace_members (organization_id, workspace_id, user_id, agent_id)
  select * from jsonb_to_recordset(p_world -> 'rooms') w(organization uuid, workspace uuid, "user" uuid, agent uuid);
  set local session_replication_role = origin;
end;
$$;

-- The answer of each function; null if it raises, because it does not know the agent or the caller, or the arguments are not JSON.
create function model.explained(p_actor uuid, p_agent uuid, p_server uuid, p_tool text, p_arguments text) returns boolean
language plpgsql
as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', p_actor)::text, true);
  return (public.explain_mcp_access(p_agent, p_server, p_tool, p_arguments::jsonb) ->> 'allowed')::boolean;
exception
  when sqlstate 'WR002' or sqlstate 'WR004' or invalid_text_representation then
    return null;
end;
$$;
create function model.validated(p_actor uuid, p_agent uuid, p_server uuid, p_user uuid) returns boolean
language plpgsql
as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', p_actor)::text, true);
  return public.validate_mcp_access(p_agent, p_server, p_user);
end;
$$;
create function model.listed(p_key text, p_user uuid, p_agent uuid, p_server uuid, p_tool text) returns boolean
language plpgsql
as $$
begin
  return exists (select from weir.agent_catalog(p_key, sha256(convert_to(p_key, 'UTF8')), p_user,
                                                case when p_key is null then p_agent end, null) c
                 where c.kind = 'tool' and c.instance_id = p_server and c.item = p_tool and c.status in ('running', 'degraded'));
exception
  when sqlstate 'WR002' or sqlstate 'WR004' then
    return null;
end;
$$;

-- Each probe, {key?, user?, agent, server, tool, arguments}, is sent to admission in one batch, and to explain_mcp_access,
-- validate_mcp_access and the list: [{"admitted", "explained", "validated", "listed"}]. p_admin is an admin of every organization.
create function model.probe(p_probes jsonb, p_admin uuid) returns jsonb
language plpgsql
as $$
declare
  v_calls weir.call_decision[];
begin
  select weir.admit(
    gen_random_uuid(), array_agg(gen_random_uuid()), array_agg(clock_timestamp()), array_agg(p.key),
    array_agg(sha256(convert_to(p.key, 'UTF8'))), array_agg(p."user"), array_agg(case when p.key is null then p.agent end),
    array_agg('tool_execution'::text), array_agg(p.server), array_agg(p.tool), array_agg(p.arguments), array_agg('1'::text),
    array_agg(1), array_agg(1::bigint), array_agg(sha256('x')), array_agg('{}'::text), array_agg(null::uuid))
  into v_calls
  from rows from (jsonb_to_recordset(p_probes) as (key text, "user" uuid, agent uuid, server uuid, tool text, arguments text))
       with ordinality p(key, "user", agent, server, tool, arguments, n);
  return (
    select jsonb_agg(jsonb_build_object(
      'admitted', (v_calls[p.n]).failures = '{}',
      'reason', (v_calls[p.n]).failures[1],
      'explained', model.explained(coalesce(p."user", p_admin), p.agent, p.server, p.tool, p.arguments),
      'validated', model.validated(p_admin, p.agent, p.server, p."user"),
      'listed', model.listed(p.key, p."user", p.agent, p.server, p.tool))
      order by p.n)
    from rows from (jsonb_to_recordset(p_probes) as (key text, "user" uuid, agent uuid, server uuid, tool text, arguments text))
         with ordinality p(key, "user", agent, server, tool, arguments, n));
end;
$$;
