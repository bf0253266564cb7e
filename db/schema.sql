--
-- PostgreSQL database dump
--



SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: auth; Type: SCHEMA; Schema: -; Owner: weir_owner
--

CREATE SCHEMA auth;


ALTER SCHEMA auth OWNER TO weir_owner;

--
-- Name: weir; Type: SCHEMA; Schema: -; Owner: weir_owner
--

CREATE SCHEMA weir;


ALTER SCHEMA weir OWNER TO weir_owner;

--
-- Name: act; Type: TYPE; Schema: weir; Owner: weir_owner
--

CREATE TYPE weir.act AS (
	kind text,
	item text,
	permission text,
	denial text,
	organization_id uuid,
	agent_id uuid,
	instance_id uuid,
	workspace_id uuid
);


ALTER TYPE weir.act OWNER TO weir_owner;

--
-- Name: announced_item; Type: TYPE; Schema: weir; Owner: weir_owner
--

CREATE TYPE weir.announced_item AS (
	kind text,
	name text,
	hash bytea,
	definition text,
	warning text,
	eras text[],
	needs text[],
	fault text,
	fault_path text,
	fault_reason text
);


ALTER TYPE weir.announced_item OWNER TO weir_owner;

--
-- Name: call_decision; Type: TYPE; Schema: weir; Owner: weir_owner
--

CREATE TYPE weir.call_decision AS (
	ordinal integer,
	failures text[],
	detail text,
	organization_id uuid,
	agent_id uuid,
	agent_name text,
	key_id text,
	user_id uuid,
	instance_id uuid,
	instance_name text,
	endpoint_url text,
	node_id uuid,
	share text,
	grant_id uuid,
	limits jsonb,
	resets bigint
);


ALTER TYPE weir.call_decision OWNER TO weir_owner;

--
-- Name: decisions; Type: TYPE; Schema: weir; Owner: weir_owner
--

CREATE TYPE weir.decisions AS (
	calls weir.call_decision[],
	limited boolean
);


ALTER TYPE weir.decisions OWNER TO weir_owner;

--
-- Name: denial; Type: TYPE; Schema: weir; Owner: weir_owner
--

CREATE TYPE weir.denial AS (
	ordinal integer,
	organization_id uuid,
	kind text,
	reason text,
	actor_kind text,
	user_id uuid,
	agent_id uuid,
	key_id text,
	instance_id uuid
);


ALTER TYPE weir.denial OWNER TO weir_owner;

--
-- Name: log_actor; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_actor AS text
	CONSTRAINT actor_is_known CHECK ((VALUE = ANY (ARRAY['agent'::text, 'user'::text, 'key'::text, 'system'::text])));


ALTER DOMAIN weir.log_actor OWNER TO weir_owner;

--
-- Name: log_copy; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_copy AS text
	CONSTRAINT copy_is_at_most_4_kib CHECK ((octet_length(VALUE) <= 4096));


ALTER DOMAIN weir.log_copy OWNER TO weir_owner;

--
-- Name: log_count; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_count AS bigint
	CONSTRAINT count_is_not_negative CHECK ((VALUE >= 0));


ALTER DOMAIN weir.log_count OWNER TO weir_owner;

--
-- Name: log_decision; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_decision AS text
	CONSTRAINT decision_is_known CHECK ((VALUE = ANY (ARRAY['allowed'::text, 'denied'::text])));


ALTER DOMAIN weir.log_decision OWNER TO weir_owner;

--
-- Name: log_hash; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_hash AS bytea
	CONSTRAINT hash_is_sha256 CHECK ((octet_length(VALUE) = 32));


ALTER DOMAIN weir.log_hash OWNER TO weir_owner;

--
-- Name: log_kind; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_kind AS text
	CONSTRAINT kind_is_known CHECK ((VALUE = ANY (ARRAY['context_request'::text, 'tool_execution'::text, 'resource_read'::text, 'prompt_get'::text, 'lifecycle'::text, 'grant'::text, 'credential'::text, 'oauth'::text, 'chat'::text, 'admin_read'::text, 'error'::text])));


ALTER DOMAIN weir.log_kind OWNER TO weir_owner;

--
-- Name: log_name; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_name AS text
	CONSTRAINT name_is_at_most_100_characters CHECK ((length(VALUE) <= 100));


ALTER DOMAIN weir.log_name OWNER TO weir_owner;

--
-- Name: log_outcome; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_outcome AS text
	CONSTRAINT outcome_is_known CHECK ((VALUE = ANY (ARRAY['ok'::text, 'tool_error'::text, 'protocol_error'::text, 'upstream_error'::text, 'timeout'::text, 'cancelled'::text, 'failed'::text])));


ALTER DOMAIN weir.log_outcome OWNER TO weir_owner;

--
-- Name: log_phase; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_phase AS text
	CONSTRAINT phase_is_known CHECK ((VALUE = ANY (ARRAY['requested'::text, 'denied'::text, 'completed'::text])));


ALTER DOMAIN weir.log_phase OWNER TO weir_owner;

--
-- Name: log_reason; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_reason AS text
	CONSTRAINT reason_is_known CHECK ((VALUE = ANY (ARRAY['unknown'::text, 'key_unknown'::text, 'key_expired'::text, 'key_revoked'::text, 'agent_inactive'::text, 'organization_inactive'::text, 'member_inactive'::text, 'user_forbidden'::text, 'instance_unknown'::text, 'no_grant'::text, 'grant_expired'::text, 'item_not_granted'::text, 'definition_not_approved'::text, 'argument_rule'::text, 'limit'::text, 'unavailable'::text, 'changing'::text, 'undecided'::text, 'error'::text, 'invalid_request'::text, 'invalid_argument'::text, 'unauthenticated'::text, 'forbidden'::text, 'not_found'::text, 'conflict'::text, 'quota_exceeded'::text, 'rate_limited'::text, 'not_supported'::text])));


ALTER DOMAIN weir.log_reason OWNER TO weir_owner;

--
-- Name: log_text; Type: DOMAIN; Schema: weir; Owner: weir_owner
--

CREATE DOMAIN weir.log_text AS text
	CONSTRAINT text_is_at_most_500_characters CHECK ((length(VALUE) <= 500));


ALTER DOMAIN weir.log_text OWNER TO weir_owner;

--
-- Name: pattern_part; Type: TYPE; Schema: weir; Owner: weir_owner
--

CREATE TYPE weir.pattern_part AS (
	empties boolean,
	first numeric,
	last numeric,
	kinds numeric,
	moves numeric,
	arcs numeric,
	longest integer
);


ALTER TYPE weir.pattern_part OWNER TO weir_owner;

--
-- Name: jwt(); Type: FUNCTION; Schema: auth; Owner: weir_owner
--

CREATE FUNCTION auth.jwt() RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN (NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb;


ALTER FUNCTION auth.jwt() OWNER TO weir_owner;

--
-- Name: role(); Type: FUNCTION; Schema: auth; Owner: weir_owner
--

CREATE FUNCTION auth.role() RETURNS text
    LANGUAGE sql STABLE
    RETURN ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'role'::text);


ALTER FUNCTION auth.role() OWNER TO weir_owner;

--
-- Name: uid(); Type: FUNCTION; Schema: auth; Owner: weir_owner
--

CREATE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE
    RETURN (((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'sub'::text))::uuid;


ALTER FUNCTION auth.uid() OWNER TO weir_owner;

--
-- Name: accept_invitation(text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.accept_invitation(p_token text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_hash bytea;
  v_invitation public.organization_invitations;
  v_status text;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'accept_invitation', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_token is null or octet_length(p_token) <> 43 or p_token !~ '^[A-Za-z0-9]{43}$' then
    return weir.refuse(v_act, 'WR001', 'token must be 43 letters and digits');
  end if;
  v_hash := sha256(convert_to(p_token, 'UTF8'));
  -- Before the invitation is read: of two callers with one token, the second finds it used.
  perform weir.lock_organization(i.organization_id) from public.organization_invitations i where i.token_hash = v_hash;
  select i.* into v_invitation
  from public.organization_invitations i
  join public.organizations o on o.id = i.organization_id and o.is_active
  join public.organization_members inviter on inviter.organization_id = i.organization_id and inviter.user_id = i.invited_by
   and inviter.status = 'active' and (inviter.role = 'owner' or inviter.role = 'admin' and i.role <> 'owner')
  where i.token_hash = v_hash and i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp()
    and (i.email = weir.confirmed_email(v_actor)
         or exists (select from weir.identities d where d.user_id = v_actor and d.email = i.email and d.email_verified));
  if v_invitation.id is null then
    return weir.refuse(v_act, 'WR004', 'the invitation is not valid',
                       'Sign in with the confirmed e-mail address that was invited, or ask for a new invitation.');
  end if;
  v_act.organization_id := v_invitation.organization_id;
  select m.status into v_status from public.organization_members m
  where m.organization_id = v_invitation.organization_id and m.user_id = v_actor;
  if v_status = 'active' then
    return weir.refuse(v_act, 'WR005', 'you are a member already');
  elsif v_status = 'suspended' then
    return weir.refuse(v_act, 'WR003', 'your membership is suspended');
  -- The invitation was counted when it was made; the maximum may be lower now.
  elsif weir.count_of('members', v_invitation.organization_id)
        > (select o.max_members from public.organizations o where o.id = v_invitation.organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of members');
  end if;
  update public.organization_invitations i set accepted_at = clock_timestamp() where i.id = v_invitation.id;
  insert into public.organization_members as m (organization_id, user_id, role, status, invited_by)
  values (v_invitation.organization_id, v_actor, v_invitation.role, 'active', v_invitation.invited_by)
  on conflict (organization_id, user_id) do update
    set role = v_invitation.role, status = 'active', invited_by = v_invitation.invited_by, updated_at = now();
  perform weir.record_act(v_act, v_invitation.id || ' ' || v_invitation.role);
  return jsonb_build_object('organization_id', v_invitation.organization_id, 'role', v_invitation.role);
end;
$_$;


ALTER FUNCTION weir.accept_invitation(p_token text) OWNER TO weir_system;

--
-- Name: accept_invitation(text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.accept_invitation(token text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.accept_invitation(token) AS accept_invitation;
END;


ALTER FUNCTION public.accept_invitation(token text) OWNER TO weir_owner;

--
-- Name: add_workspace_member(uuid, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.add_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_answer jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'add_workspace_member', 'add_to_workspace',
    case when p_agent_id is not null then 'an agent is brought in by its owner or an admin'
         else 'a person is brought in where agents are by an admin, or by a member who owns each of them' end,
    p_workspace_id => p_workspace_id);
  v_answer := jsonb_build_object('workspace_id', p_workspace_id, 'user_id', p_user_id, 'agent_id', p_agent_id);
  -- The caller's policies show no workspace to somebody who is not signed in, so these answers do not come before WR002.
  select w.organization_id into v_act.organization_id from public.workspaces w where w.id = p_workspace_id;
  if v_act.organization_id is not null then
    if num_nonnulls(p_user_id, p_agent_id) <> 1 then
      return weir.refuse(v_act, 'WR001', 'give user_id or agent_id');
    elsif (p_user_id is not null and not exists (
            select from public.organization_members m
            where m.organization_id = v_act.organization_id and m.user_id = p_user_id and m.status = 'active'))
       or (p_agent_id is not null and not exists (
            select from public.agents a where a.organization_id = v_act.organization_id and a.id = p_agent_id)) then
      return weir.refuse(v_act, 'WR004', 'there is no such person or agent in the organization');
    end if;
    v_act.agent_id := p_agent_id;
    -- The lock blocks calls, so a caller who adds what is there already must not take it. An agent's presence is not told to a caller
    -- who may not add it.
    if exists (select from public.workspace_members m
               where m.workspace_id = p_workspace_id and (m.user_id = p_user_id or m.agent_id = p_agent_id))
       and (p_user_id is not null or weir.may(v_act, 'add_to_workspace')) then
      return v_answer;
    end if;
  end if;
  -- While this waits for the lock, somebody else's agent may enter the workspace. Then a member may not bring in a person any more.
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif not exists (select from public.workspace_members m
                    where m.workspace_id = p_workspace_id and (m.user_id = p_user_id or m.agent_id = p_agent_id)) then
    insert into public.workspace_members (organization_id, workspace_id, user_id, agent_id)
    values (v_act.organization_id, p_workspace_id, p_user_id, p_agent_id);
    perform weir.record_act(v_act, coalesce(p_user_id, p_agent_id)::text);
  end if;
  return v_answer;
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.add_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid) OWNER TO weir_writer;

--
-- Name: add_workspace_member(uuid, uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.add_workspace_member(workspace_id uuid, user_id uuid DEFAULT NULL::uuid, agent_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.add_workspace_member(workspace_id, user_id, agent_id) AS add_workspace_member;
END;


ALTER FUNCTION public.add_workspace_member(workspace_id uuid, user_id uuid, agent_id uuid) OWNER TO weir_owner;

--
-- Name: decide_tool_change(uuid, text, text, text, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.decide_tool_change(p_server_id uuid, p_kind text, p_name text, p_definition_hash text, p_status text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_error text;
  v_hash bytea;
  v_pin public.mcp_server_tools;
  v_refusal jsonb;
begin
  if p_definition_hash is null or octet_length(p_definition_hash) > 66 or p_definition_hash !~ '^(\\x)?[0-9a-fA-F]{64}$' then
    v_error := 'definition_hash must be 64 hexadecimal digits';
  end if;
  -- Everybody who sees the server is told of a wrong hash, whatever their role.
  v_act := weir.act('lifecycle', case p_status when 'approved' then 'approve_mcp_tool_change' else 'reject_mcp_tool_change' end,
    case when v_error is null then 'admin' else 'see' end, 'a definition is approved or rejected by an owner or admin',
    p_instance_id => p_server_id);
  select i.organization_id into v_act.organization_id from public.mcp_server_instances i
  where i.id = p_server_id and i.status not in ('deleting', 'deleted');
  v_refusal := weir.authorize(v_act, 'there is no such server');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, v_error);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_hash := decode(right(p_definition_hash, 64), 'hex');
  select t.* into v_pin from public.mcp_server_tools t
  where octet_length(p_kind) <= 16 and octet_length(p_name) <= 2048
    and t.instance_id = p_server_id and t.kind = p_kind and t.kind <> 'resource' and t.name = p_name and t.definition_hash = v_hash;
  if v_pin.instance_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such definition');
  elsif p_status = 'approved' and v_pin.eras = '{}' and v_pin.needs = '{}' then
    return weir.refuse(v_act, 'WR005',
      format('this definition is %s and cannot be listed, so it is not approved: %s', v_pin.fault, v_pin.fault_reason));
  end if;
  if v_pin.status <> p_status then
    update public.mcp_server_tools t
    set status = p_status, approved_at = case p_status when 'approved' then clock_timestamp() end,
        approved_by = case p_status when 'approved' then weir.actor_id() end
    where t.instance_id = p_server_id and t.kind = p_kind and t.name = p_name and t.definition_hash = v_hash;
    perform weir.record_act(v_act, format('%s %s: %s', p_kind, encode(v_hash, 'hex'), left(p_name, 200)));
  end if;
  return jsonb_build_object('server_id', p_server_id, 'kind', p_kind, 'name', p_name, 'definition_hash', encode(v_hash, 'hex'),
                            'status', p_status, 'changed', v_pin.status <> p_status,
                            'announced', v_pin.announced, 'warning', v_pin.warning);
end;
$_$;


ALTER FUNCTION weir.decide_tool_change(p_server_id uuid, p_kind text, p_name text, p_definition_hash text, p_status text) OWNER TO weir_writer;

--
-- Name: approve_mcp_tool_change(uuid, text, text, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.approve_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.decide_tool_change(server_id, kind, name, definition_hash, 'approved'::text) AS decide_tool_change;
END;


ALTER FUNCTION public.approve_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) OWNER TO weir_owner;

--
-- Name: audit_mcp_interactions(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.audit_mcp_interactions(p_interactions jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_written integer;
begin
  if jsonb_typeof(p_interactions) is distinct from 'array' then
    return weir.error('WR001', 'interactions: must be an array of objects');
  elsif weir.bounds_error(p_interactions, 4194304) is not null then
    return weir.error('WR001', 'interactions: ' || weir.bounds_error(p_interactions, 4194304));
  end if;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, agent_id, agent_name, instance_id,
    instance_name, item, request_id, reason, detail, outcome, error_code, duration_us)
  select coalesce(e.created_at, clock_timestamp()), coalesce(e.id, weir.uuid_v7()),
         case when e.reason is null then 'completed' else 'denied' end, o.id, e.kind,
         case when e.reason is null then 'allowed' else 'denied' end, i.epoch,
         case when e.user_id is not null then 'user' when e.agent_id is not null then 'agent' else 'system' end,
         -- Names are copied where the id is one of the organization's; a foreign id gets no name.
         e.user_id, e.agent_id, (select a.name from public.agents a where a.id = e.agent_id and a.organization_id = o.id),
         e.instance_id, (select s.name from public.mcp_server_instances s where s.id = e.instance_id and s.organization_id = o.id),
         weir.cut(e.item, 4096), weir.cut(e.request_id, 256), e.reason, weir.cut(e.detail, 500),
         case when e.reason is null then coalesce(e.outcome, 'ok') end, weir.cut(e.error_code, 100), e.duration_us
  from jsonb_to_recordset(p_interactions) as e(
         id uuid, created_at timestamptz, kind text, organization_id uuid, user_id uuid, agent_id uuid, instance_id uuid, item text,
         request_id text, reason text, detail text, outcome text, error_code text, duration_us bigint)
  join public.organizations o on o.id = e.organization_id
  cross join weir.installation i
  -- Admission and the published functions record the decided kinds. Here they would be forgeries.
  where e.kind in ('lifecycle', 'credential', 'oauth', 'chat', 'error')
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return jsonb_build_object('written', v_written);
end;
$$;


ALTER FUNCTION weir.audit_mcp_interactions(p_interactions jsonb) OWNER TO weir_system;

--
-- Name: audit_mcp_interactions(jsonb); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.audit_mcp_interactions(interactions jsonb) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.audit_mcp_interactions(interactions) AS audit_mcp_interactions;
END;


ALTER FUNCTION public.audit_mcp_interactions(interactions jsonb) OWNER TO weir_owner;

--
-- Name: call_dtma_api(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.call_dtma_api(p_request jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'call_dtma_api', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.bounds_error(p_request, 4096) is not null then
    return weir.refuse(v_act, 'WR001', 'request ' || weir.bounds_error(p_request, 4096));
  elsif jsonb_typeof(p_request) is distinct from 'object' or p_request - array['action', 'server_instance_id'] <> '{}' then
    return weir.refuse(v_act, 'WR001', 'request must be {"action", "server_instance_id"}');
  elsif coalesce(p_request ->> 'action', '') not in ('deploy', 'start', 'stop', 'restart', 'delete') then
    return weir.refuse(v_act, 'WR001', 'request.action must be deploy, start, stop, restart or delete');
  elsif coalesce(p_request ->> 'server_instance_id', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    return weir.refuse(v_act, 'WR001', 'request.server_instance_id must be a uuid');
  end if;
  return weir.manage_server_by_id(p_request ->> 'action', (p_request ->> 'server_instance_id')::uuid);
end;
$_$;


ALTER FUNCTION weir.call_dtma_api(p_request jsonb) OWNER TO weir_writer;

--
-- Name: call_dtma_api(jsonb); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.call_dtma_api(request jsonb) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.call_dtma_api(request) AS call_dtma_api;
END;


ALTER FUNCTION public.call_dtma_api(request jsonb) OWNER TO weir_owner;

--
-- Name: chat_context(uuid, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.chat_context(p_agent_id uuid, p_workspace_id uuid, p_channel_id uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_actor constant uuid := weir.actor_id();
  v_agent public.agents;
  v_organization_id uuid;
  v_workspace_id uuid;
  v_role text;
begin
  perform weir.require_sign_in();
  v_workspace_id := p_workspace_id;
  if p_channel_id is not null then
    -- A caller who sees a channel belongs to its workspace.
    select c.workspace_id, c.organization_id into v_workspace_id, v_organization_id from public.chat_channels c
    where c.id = p_channel_id and (p_workspace_id is null or c.workspace_id = p_workspace_id)
      and (c.user_id is null or p_agent_id is null or c.agent_id = p_agent_id);
    if v_workspace_id is null then
      raise exception using errcode = 'WR004', message = 'there is no such agent, workspace or channel';
    end if;
  elsif v_workspace_id is not null then
    select w.organization_id into v_organization_id from public.workspaces w
    where w.id = v_workspace_id and w.id in (select weir.my_workspaces());
  end if;
  if p_agent_id is not null then
    -- The agent must be in that workspace, whoever owns it, and of the same organization.
    select a.* into v_agent from public.agents a
    where a.id = p_agent_id and a.is_active
      and (v_workspace_id is null or a.organization_id = v_organization_id)
      and case when v_workspace_id is null then weir.may_use_agent(v_actor, a.id, a.owner_id)
               else exists (select from public.workspace_members m where m.workspace_id = v_workspace_id and m.agent_id = a.id) end;
    v_organization_id := coalesce(v_organization_id, v_agent.organization_id);
  end if;
  select m.role into v_role from public.organization_members m where m.organization_id = v_organization_id and m.user_id = v_actor;
  if v_role is null or (p_agent_id is not null and v_agent.id is null) then
    raise exception using errcode = 'WR004', message = 'there is no such agent, workspace or channel';
  end if;
  return jsonb_build_object(
    'organization_id', v_organization_id,
    'agent', case when v_agent.id is not null
                  then jsonb_build_object('id', v_agent.id, 'name', v_agent.name, 'instructions', v_agent.instructions) end,
    'workspace_id', v_workspace_id, 'channel_id', p_channel_id, 'role', v_role);
end;
$$;


ALTER FUNCTION weir.chat_context(p_agent_id uuid, p_workspace_id uuid, p_channel_id uuid) OWNER TO weir_writer;

--
-- Name: chat_context(uuid, uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.chat_context(agent_id uuid, workspace_id uuid DEFAULT NULL::uuid, channel_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT weir.chat_context(agent_id, workspace_id, channel_id) AS chat_context;
END;


ALTER FUNCTION public.chat_context(agent_id uuid, workspace_id uuid, channel_id uuid) OWNER TO weir_owner;

--
-- Name: create_agent(uuid, text, text, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_agent(p_organization_id uuid, p_name text, p_instructions text, p_workspace_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_agent', 'member', 'a viewer creates nothing', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_workspace_id is not null and not exists (
      select from public.workspaces w where w.id = p_workspace_id and w.organization_id = p_organization_id) then
    return weir.refuse(v_act, 'WR004', 'there is no such workspace');
  end if;
  v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name),
    case when octet_length(p_instructions) > 32768 then 'instructions must be at most 32 KiB' end));
  if v_refusal is not null then
    return v_refusal;
  elsif weir.count_of('agents', p_organization_id) >= (select o.max_agents from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of agents');
  end if;
  insert into public.agents (id, organization_id, name, instructions, owner_id, created_by)
  values (v_id, p_organization_id, btrim(p_name), p_instructions, v_actor, v_actor);
  if p_workspace_id is not null then
    insert into public.workspace_members (organization_id, workspace_id, agent_id) values (p_organization_id, p_workspace_id, v_id);
  end if;
  v_act.agent_id := v_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.create_agent(p_organization_id uuid, p_name text, p_instructions text, p_workspace_id uuid) OWNER TO weir_writer;

--
-- Name: create_agent(uuid, text, text, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_agent(organization_id uuid, name text, instructions text DEFAULT NULL::text, workspace_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_agent(organization_id, name, instructions, workspace_id) AS create_agent;
END;


ALTER FUNCTION public.create_agent(organization_id uuid, name text, instructions text, workspace_id uuid) OWNER TO weir_owner;

--
-- Name: create_agent_key(uuid, text, text, text, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_agent_key(p_agent_id uuid, p_name text, p_key_id text, p_secret text, p_expires_at timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('credential', 'create_agent_key', 'manage_agent', 'keys are made by the agent''s owner or an admin',
                    p_agent_id => p_agent_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id;
  v_refusal := weir.authorize(v_act, 'there is no such agent');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name), case
      when p_key_id is null or octet_length(p_key_id) <> 16 or p_key_id !~ '^[a-z0-9]{16}$' then 'key_id must be 16 of a-z and 0-9'
      when p_secret is null or octet_length(p_secret) <> 43 or p_secret !~ '^[A-Za-z0-9]{43}$' then 'secret must be 43 letters and digits'
      when p_expires_at <= now() then 'expires_at must be in the future' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif (select count(*) from public.agent_api_keys k
         where k.organization_id = v_act.organization_id and k.agent_id = p_agent_id and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > now())) >= 100 then
    return weir.refuse(v_act, 'WR006', 'an agent may have 100 keys');
  end if;
  insert into public.agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, created_by, expires_at)
  values (v_act.organization_id, p_agent_id, btrim(p_name), p_key_id, sha256(convert_to(p_secret, 'UTF8')), weir.actor_id(), p_expires_at);
  perform weir.record_act(v_act, p_key_id);
  return jsonb_build_object('key_id', p_key_id, 'agent_id', p_agent_id, 'expires_at', p_expires_at);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$_$;


ALTER FUNCTION weir.create_agent_key(p_agent_id uuid, p_name text, p_key_id text, p_secret text, p_expires_at timestamp with time zone) OWNER TO weir_writer;

--
-- Name: create_agent_key(uuid, text, text, text, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_agent_key(agent_id uuid, name text, key_id text, secret text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_agent_key(agent_id, name, key_id, secret, expires_at) AS create_agent_key;
END;


ALTER FUNCTION public.create_agent_key(agent_id uuid, name text, key_id text, secret text, expires_at timestamp with time zone) OWNER TO weir_owner;

--
-- Name: create_channel(uuid, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_channel(p_workspace_id uuid, p_name text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_channel', 'see');
  select w.organization_id into v_act.organization_id
  from public.workspaces w where w.id = p_workspace_id and w.id in (select weir.my_workspaces());
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  end if;
  -- One at a time in a workspace, so that the maximum holds. No call waits for this lock.
  perform pg_advisory_xact_lock(hashtextextended('weir.chat_channels ' || p_workspace_id, 0));
  if (select count(*) from public.chat_channels c where c.workspace_id = p_workspace_id and c.user_id is null) >= 1000 then
    return weir.refuse(v_act, 'WR006', 'a workspace may have 1000 channels');
  end if;
  insert into public.chat_channels (id, organization_id, workspace_id, name, created_by)
  values (v_id, v_act.organization_id, p_workspace_id, btrim(p_name), weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'workspace_id', p_workspace_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.create_channel(p_workspace_id uuid, p_name text) OWNER TO weir_writer;

--
-- Name: create_channel(uuid, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_channel(workspace_id uuid, name text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_channel(workspace_id, name) AS create_channel;
END;


ALTER FUNCTION public.create_channel(workspace_id uuid, name text) OWNER TO weir_owner;

--
-- Name: create_datastore(uuid, text, text, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_datastore(p_organization_id uuid, p_name text, p_backend text, p_settings jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_backend text;
  v_settings jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_datastore', 'admin', 'datastores are made by an owner or admin', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_backend := coalesce(p_backend, 'postgres');
    v_settings := coalesce(p_settings, '{}');
    v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name), case
      when v_backend not in ('postgres', 'pinecone') then 'backend must be postgres or pinecone'
      when weir.bounds_error(v_settings, 4096) is not null then 'settings ' || weir.bounds_error(v_settings, 4096)
      when jsonb_typeof(v_settings) <> 'object' then 'settings must be an object'
      when v_backend = 'postgres' and v_settings <> '{}' then 'settings must be empty: postgres has none'
      when v_backend = 'pinecone' and (v_settings - 'index' <> '{}' or jsonb_typeof(v_settings -> 'index') is distinct from 'string'
                                       or v_settings ->> 'index' !~ '^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$')
        then 'settings must be {"index": the index''s name}' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif (select count(*) from public.datastores d where d.organization_id = p_organization_id)
        >= (select o.max_datastores from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of datastores');
  end if;
  insert into public.datastores (id, organization_id, name, backend, settings, created_by)
  values (v_id, p_organization_id, btrim(p_name), v_backend, v_settings, weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name), 'backend', v_backend);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$_$;


ALTER FUNCTION weir.create_datastore(p_organization_id uuid, p_name text, p_backend text, p_settings jsonb) OWNER TO weir_writer;

--
-- Name: create_datastore(uuid, text, text, jsonb); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_datastore(organization_id uuid, name text, backend text DEFAULT 'postgres'::text, settings jsonb DEFAULT '{}'::jsonb) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_datastore(organization_id, name, backend, settings) AS create_datastore;
END;


ALTER FUNCTION public.create_datastore(organization_id uuid, name text, backend text, settings jsonb) OWNER TO weir_owner;

--
-- Name: create_organization(text, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_organization(p_name text, p_slug text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_slug text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_organization', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  elsif octet_length(p_slug) > 40 or p_slug !~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$' then
    return weir.refuse(v_act, 'WR001', 'slug must be 1 to 40 of a-z, 0-9 and -');
  end if;
  -- One at a time for a person, so that the maximum holds.
  perform pg_advisory_xact_lock(hashtextextended('weir.organizations ' || v_actor, 0));
  if weir.organizations_made_by(v_actor) >= 50 then
    return weir.refuse(v_act, 'WR006', 'a person may create 50 organizations');
  end if;
  v_slug := p_slug;
  if v_slug is null then
    -- It ends in digits of the id, so that it is free.
    v_slug := trim('-' from left(regexp_replace(lower(p_name), '[^a-z0-9]+', '-', 'g'), 24));
    v_slug := trim('-' from v_slug || '-' || right(v_id::text, 8));
  end if;
  insert into public.organizations (id, name, slug, created_by) values (v_id, btrim(p_name), v_slug, v_actor);
  insert into public.organization_members (organization_id, user_id, role, status) values (v_id, v_actor, 'owner', 'active');
  perform weir.record_act(weir.act('lifecycle', 'create_organization', p_organization_id => v_id));
  return jsonb_build_object('id', v_id, 'name', btrim(p_name), 'slug', v_slug);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$_$;


ALTER FUNCTION weir.create_organization(p_name text, p_slug text) OWNER TO weir_writer;

--
-- Name: create_organization(text, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_organization(name text, slug text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_organization(name, slug) AS create_organization;
END;


ALTER FUNCTION public.create_organization(name text, slug text) OWNER TO weir_owner;

--
-- Name: create_organization_api_key(uuid, text, text, text, text[], timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_organization_api_key(p_organization_id uuid, p_name text, p_key_id text, p_secret text, p_scopes text[], p_expires_at timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_expires_at timestamptz;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('credential', 'create_organization_api_key', 'admin', 'keys of the organization are made by an owner or admin',
                    p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_expires_at := coalesce(p_expires_at, now() + interval '90 days');
    v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name), case
      when p_key_id is null or octet_length(p_key_id) <> 16 or p_key_id !~ '^[a-z0-9]{16}$' then 'key_id must be 16 of a-z and 0-9'
      when p_secret is null or octet_length(p_secret) <> 43 or p_secret !~ '^[A-Za-z0-9]{43}$' then 'secret must be 43 letters and digits'
      when p_scopes is null or cardinality(p_scopes) not between 1 and 3 or array_ndims(p_scopes) <> 1
           or array_position(p_scopes, null) is not null or not p_scopes <@ array['audit.read', 'servers.read', 'usage.read']
        then 'scopes must be of audit.read, servers.read and usage.read'
      when not v_expires_at between now() and now() + interval '366 days' then 'expires_at must be within a year' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif (select count(*) from public.organization_api_keys k
         where k.organization_id = p_organization_id and k.revoked_at is null and k.expires_at > now()) >= 100 then
    return weir.refuse(v_act, 'WR006', 'an organization may have 100 keys');
  end if;
  insert into public.organization_api_keys (organization_id, name, key_id, secret_hash, scopes, created_by, expires_at)
  values (p_organization_id, btrim(p_name), p_key_id, sha256(convert_to(p_secret, 'UTF8')),
          array(select distinct s from unnest(p_scopes) s order by s), weir.actor_id(), v_expires_at);
  perform weir.record_act(v_act, p_key_id);
  return jsonb_build_object('key_id', p_key_id, 'organization_id', p_organization_id, 'expires_at', v_expires_at);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$_$;


ALTER FUNCTION weir.create_organization_api_key(p_organization_id uuid, p_name text, p_key_id text, p_secret text, p_scopes text[], p_expires_at timestamp with time zone) OWNER TO weir_writer;

--
-- Name: create_organization_api_key(uuid, text, text, text, text[], timestamp with time zone); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_organization_api_key(organization_id uuid, name text, key_id text, secret text, scopes text[], expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_organization_api_key(organization_id, name, key_id, secret, scopes, expires_at) AS create_organization_api_key;
END;


ALTER FUNCTION public.create_organization_api_key(organization_id uuid, name text, key_id text, secret text, scopes text[], expires_at timestamp with time zone) OWNER TO weir_owner;

--
-- Name: create_user_ssh_key(text, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_user_ssh_key(p_name text, p_public_key text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_blob bytea;
  v_fingerprint text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('credential', 'create_user_ssh_key', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  elsif p_public_key is null then
    return weir.refuse(v_act, 'WR010', 'public_key must be given: this release has no vault for a private one');
  end if;
  v_blob := weir.ed25519_blob(btrim(left(p_public_key, 2000), e' \n\r'));
  if v_blob is null then
    return weir.refuse(v_act, 'WR001', 'public_key must be an ed25519 key in OpenSSH''s form: ssh-ed25519 AAAA…');
  end if;
  v_fingerprint := 'SHA256:' || rtrim(encode(sha256(v_blob), 'base64'), '=');
  -- One at a time for a person, so that the maximum holds.
  perform pg_advisory_xact_lock(hashtextextended('weir.user_ssh_keys ' || v_actor, 0));
  if (select count(*) from public.user_ssh_keys k where k.user_id = v_actor) >= 50 then
    return weir.refuse(v_act, 'WR006', 'a person may have 50 SSH keys');
  end if;
  insert into public.user_ssh_keys (id, user_id, name, public_key, fingerprint)
  values (v_id, v_actor, btrim(p_name), 'ssh-ed25519 ' || encode(v_blob, 'base64'), v_fingerprint);
  return jsonb_build_object('id', v_id, 'name', btrim(p_name), 'fingerprint', v_fingerprint);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.create_user_ssh_key(p_name text, p_public_key text) OWNER TO weir_writer;

--
-- Name: create_user_ssh_key(text, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_user_ssh_key(name text, public_key text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_user_ssh_key(name, public_key) AS create_user_ssh_key;
END;


ALTER FUNCTION public.create_user_ssh_key(name text, public_key text) OWNER TO weir_owner;

--
-- Name: create_workspace(uuid, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_workspace(p_organization_id uuid, p_name text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_workspace', 'member', 'a viewer creates nothing', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, weir.name_error('name', p_name));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif weir.count_of('workspaces', p_organization_id)
        >= (select o.max_workspaces from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of workspaces');
  end if;
  insert into public.workspaces (id, organization_id, name, created_by) values (v_id, p_organization_id, btrim(p_name), weir.actor_id());
  insert into public.workspace_members (organization_id, workspace_id, user_id) values (p_organization_id, v_id, weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.create_workspace(p_organization_id uuid, p_name text) OWNER TO weir_writer;

--
-- Name: create_workspace(uuid, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.create_workspace(organization_id uuid, name text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.create_workspace(organization_id, name) AS create_workspace;
END;


ALTER FUNCTION public.create_workspace(organization_id uuid, name text) OWNER TO weir_owner;

--
-- Name: close_request(uuid, text, timestamp with time zone, timestamp with time zone, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.close_request(p_request_id uuid, p_status text, p_expires_at timestamp with time zone, p_not_before timestamp with time zone, p_permissions jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_request public.permission_requests;
  v_grant jsonb;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', case p_status when 'withdrawn' then 'withdraw_permission_request' else 'decide_permission_request' end, 'see');
  select r.organization_id into v_act.organization_id from public.permission_requests r where r.id = p_request_id;
  v_refusal := weir.authorize(v_act, 'there is no such request');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Again under the lock: the caller may not see it any more.
  select r.* into v_request from public.permission_requests r where r.id = p_request_id;
  v_act.organization_id := v_request.organization_id;
  v_act.agent_id := v_request.agent_id;
  v_act.instance_id := v_request.mcp_server_instance_id;
  if v_request.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such request');
  elsif p_status is null or p_status not in ('granted', 'refused', 'withdrawn') then
    return weir.refuse(v_act, 'WR001', 'grant must be true or false');
  elsif (case p_status when 'withdrawn' then v_request.requested_by is distinct from v_actor else not weir.may(v_act, 'admin') end) then
    return weir.refuse(v_act, 'WR003', 'a request is decided by an owner or admin, and withdrawn by who made it');
  elsif v_request.status <> 'open' then
    return weir.refuse(v_act, 'WR005', format('the request is %s', v_request.status));
  end if;
  if p_status = 'granted' then
    v_grant := weir.grant_mcp_access(v_request.agent_id, v_request.mcp_server_instance_id,
                                     coalesce(p_permissions, v_request.permissions), p_expires_at, p_not_before);
    if v_grant ? 'error' then
      return v_grant;
    end if;
  end if;
  update public.permission_requests r
  set status = p_status, decided_by = v_actor, decided_at = clock_timestamp(), grant_id = (v_grant ->> 'id')::uuid
  where r.id = p_request_id;
  perform weir.record_act(v_act, p_request_id || ' ' || p_status, (v_grant ->> 'id')::uuid);
  return jsonb_strip_nulls(jsonb_build_object('id', p_request_id, 'status', p_status, 'grant_id', v_grant -> 'id'));
end;
$$;


ALTER FUNCTION weir.close_request(p_request_id uuid, p_status text, p_expires_at timestamp with time zone, p_not_before timestamp with time zone, p_permissions jsonb) OWNER TO weir_writer;

--
-- Name: decide_permission_request(uuid, boolean, timestamp with time zone, timestamp with time zone, jsonb); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.decide_permission_request(request_id uuid, "grant" boolean, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, not_before timestamp with time zone DEFAULT NULL::timestamp with time zone, permissions jsonb DEFAULT NULL::jsonb) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.close_request(request_id,
         CASE
             WHEN "grant" THEN 'granted'::text
             WHEN (NOT "grant") THEN 'refused'::text
             ELSE NULL::text
         END, expires_at, not_before, permissions) AS close_request;
END;


ALTER FUNCTION public.decide_permission_request(request_id uuid, "grant" boolean, expires_at timestamp with time zone, not_before timestamp with time zone, permissions jsonb) OWNER TO weir_owner;

--
-- Name: delete_chat_message(uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.delete_chat_message(p_message_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_is_own boolean;
  v_deleted_at timestamptz;
  v_refusal jsonb;
begin
  v_act := weir.act('chat', 'delete_chat_message', 'see');
  select m.organization_id, m.sender = 'user' and m.user_id = weir.actor_id() into v_act.organization_id, v_is_own
  from public.chat_messages m where m.id = p_message_id;
  v_refusal := weir.authorize(v_act, 'there is no such message');
  if v_refusal is not null then
    return v_refusal;
  elsif v_is_own is not true then
    return weir.refuse(v_act, 'WR003', 'a message is deleted by its author');
  end if;
  update public.chat_messages m set content = '', deleted_at = clock_timestamp()
  where m.id = p_message_id and m.deleted_at is null
  returning m.deleted_at into v_deleted_at;
  if found then
    perform weir.record_act(v_act, p_message_id::text);
  else
    select m.deleted_at into v_deleted_at from public.chat_messages m where m.id = p_message_id;
  end if;
  return jsonb_build_object('id', p_message_id, 'deleted_at', v_deleted_at);
end;
$$;


ALTER FUNCTION weir.delete_chat_message(p_message_id uuid) OWNER TO weir_writer;

--
-- Name: delete_chat_message(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.delete_chat_message(message_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.delete_chat_message(message_id) AS delete_chat_message;
END;


ALTER FUNCTION public.delete_chat_message(message_id uuid) OWNER TO weir_owner;

--
-- Name: delete_datastore(uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.delete_datastore(p_datastore_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_datastore', 'admin', 'datastores are deleted by an owner or admin');
  select d.organization_id into v_act.organization_id from public.datastores d where d.id = p_datastore_id;
  v_refusal := weir.authorize(v_act, 'there is no such datastore');
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.datastores d set deleted_at = clock_timestamp() where d.id = p_datastore_id and d.deleted_at is null;
  if found then
    perform weir.record_act(v_act, p_datastore_id::text);
  end if;
  return jsonb_build_object('id', p_datastore_id, 'deleted', true);
end;
$$;


ALTER FUNCTION weir.delete_datastore(p_datastore_id uuid) OWNER TO weir_writer;

--
-- Name: delete_datastore(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.delete_datastore(datastore_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.delete_datastore(datastore_id) AS delete_datastore;
END;


ALTER FUNCTION public.delete_datastore(datastore_id uuid) OWNER TO weir_owner;

--
-- Name: delete_document(uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.delete_document(p_document_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_document', 'admin', 'documents are deleted by an owner or admin');
  select d.organization_id into v_act.organization_id from public.documents d where d.id = p_document_id;
  v_refusal := weir.authorize(v_act, 'there is no such document');
  if v_refusal is not null then
    return v_refusal;
  end if;
  delete from public.documents d where d.id = p_document_id;
  if found then
    perform weir.record_act(v_act, p_document_id::text);
  end if;
  return jsonb_build_object('id', p_document_id, 'deleted', true);
end;
$$;


ALTER FUNCTION weir.delete_document(p_document_id uuid) OWNER TO weir_writer;

--
-- Name: delete_document(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.delete_document(document_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.delete_document(document_id) AS delete_document;
END;


ALTER FUNCTION public.delete_document(document_id uuid) OWNER TO weir_owner;

--
-- Name: delete_user_ssh_key(uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.delete_user_ssh_key(p_ssh_key_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('credential', 'delete_user_ssh_key', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Row-level security shows a person only their own keys.
  delete from public.user_ssh_keys k where k.id = p_ssh_key_id;
  if not found then
    return weir.refuse(v_act, 'WR004', 'there is no such key');
  end if;
  return jsonb_build_object('id', p_ssh_key_id, 'deleted', true);
end;
$$;


ALTER FUNCTION weir.delete_user_ssh_key(p_ssh_key_id uuid) OWNER TO weir_writer;

--
-- Name: delete_user_ssh_key(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.delete_user_ssh_key(ssh_key_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.delete_user_ssh_key(ssh_key_id) AS delete_user_ssh_key;
END;


ALTER FUNCTION public.delete_user_ssh_key(ssh_key_id uuid) OWNER TO weir_owner;

--
-- Name: manage_server_by_id(text, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.manage_server_by_id(p_action text, p_instance_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', left(p_action, 1000), 'see');
  select i.organization_id into v_act.organization_id from public.mcp_server_instances i where i.id = p_instance_id;
  v_refusal := weir.authorize(v_act, 'there is no such server');
  return coalesce(v_refusal, weir.manage_mcp_servers(p_action, v_act.organization_id, null, p_instance_id));
end;
$$;


ALTER FUNCTION weir.manage_server_by_id(p_action text, p_instance_id uuid) OWNER TO weir_writer;

--
-- Name: deploy_mcp_server_to_dtma(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.deploy_mcp_server_to_dtma(server_instance_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.manage_server_by_id('deploy'::text, server_instance_id) AS manage_server_by_id;
END;


ALTER FUNCTION public.deploy_mcp_server_to_dtma(server_instance_id uuid) OWNER TO weir_owner;

--
-- Name: explain_mcp_access(uuid, uuid, text, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.explain_mcp_access(p_agent_id uuid, p_instance_id uuid, p_tool text, p_arguments jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  v_actor constant uuid := weir.actor_id();
  v_agent record;
  v_admin boolean;
  v_decision weir.call_decision;
  v_checks constant text[] := array['agent_inactive', 'organization_inactive', 'member_inactive', 'user_forbidden',
    'instance_unknown', 'no_grant', 'grant_expired', 'item_not_granted', 'definition_not_approved', 'argument_rule',
      'unavailable', 'limit'];
begin
  perform weir.require_sign_in();
  select a.id, a.organization_id, a.owner_id into v_agent from public.agents a
  where a.id = p_agent_id and a.organization_id = any(array(select weir.my_organizations()));
  v_admin := exists (select from weir.my_organizations('admin') o where o = v_agent.organization_id);
  if v_agent.id is null or not (v_admin or weir.may_use_agent(v_actor, v_agent.id, v_agent.owner_id)) then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
  if p_instance_id is null or not exists (
      select from public.mcp_server_instances i where i.id = p_instance_id and i.organization_id = v_agent.organization_id) then
    raise exception using errcode = 'WR004', message = 'there is no such server';
  elsif octet_length(p_tool) > 4096 then
    raise exception using errcode = 'WR001', message = 'tool must be at most 4 KiB';
  elsif weir.bounds_error(p_arguments, 524288) is not null then
    raise exception using errcode = 'WR001', message = 'arguments ' || weir.bounds_error(p_arguments, 524288);
  end if;
  v_decision := (weir.decide(
    array[null::text], array[null::bytea], array[case when not v_admin then v_actor end], array[p_agent_id],
    array[case when p_tool is null then 'context_request' else 'tool_execution' end], array[p_instance_id],
    array[p_tool], array[p_arguments::text], null, true)).calls[1];
  if v_decision.failures = '{}' and weir.limit_reached(v_decision.grant_id, v_decision.limits) then
    v_decision.failures := array['limit'];
  end if;
  return jsonb_build_object(
    'allowed', v_decision.failures <@ array['unavailable'],
    'reason', v_decision.failures[1],
    'available', not 'unavailable' = any(v_decision.failures),
    'grant_id', v_decision.grant_id,
    'detail', v_decision.detail,
    -- In the order of admission. Checks after the one that failed are made too, except rules and limits, which need all before them.
    'checks', (select jsonb_agg(jsonb_build_object('check', c.name, 'passed',
                        case when c.name = any(v_decision.failures) then false
                             when c.name = 'argument_rule' and not v_decision.failures <@ array['unavailable'] then null
                             when c.name = 'limit' and v_decision.failures <> '{}' then null
                             else true end) order by c.position)
               from unnest(v_checks) with ordinality c(name, position)));
end;
$$;


ALTER FUNCTION weir.explain_mcp_access(p_agent_id uuid, p_instance_id uuid, p_tool text, p_arguments jsonb) OWNER TO weir_system;

--
-- Name: explain_mcp_access(uuid, uuid, text, jsonb); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.explain_mcp_access(agent_id uuid, mcp_server_instance_id uuid, tool text DEFAULT NULL::text, arguments jsonb DEFAULT NULL::jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT weir.explain_mcp_access(agent_id, mcp_server_instance_id, tool, arguments) AS explain_mcp_access;
END;


ALTER FUNCTION public.explain_mcp_access(agent_id uuid, mcp_server_instance_id uuid, tool text, arguments jsonb) OWNER TO weir_owner;

--
-- Name: get_chat_answer(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.get_chat_answer(p_message_id uuid, p_agent_id uuid) RETURNS TABLE(id uuid, content text, tool_calls jsonb, usage jsonb, degraded jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  return query
  select m.id, m.content, m.tool_calls, m.usage, m.degraded
  from public.chat_messages m
  where m.reply_to = p_message_id and m.agent_id = p_agent_id and m.sender = 'agent';
end;
$$;


ALTER FUNCTION weir.get_chat_answer(p_message_id uuid, p_agent_id uuid) OWNER TO weir_writer;

--
-- Name: get_chat_answer(uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.get_chat_answer(message_id uuid, agent_id uuid) RETURNS TABLE(id uuid, content text, tool_calls jsonb, usage jsonb, degraded jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT get_chat_answer.id,
     get_chat_answer.content,
     get_chat_answer.tool_calls,
     get_chat_answer.usage,
     get_chat_answer.degraded
    FROM weir.get_chat_answer(get_chat_answer.message_id, get_chat_answer.agent_id) get_chat_answer(id, content, tool_calls, usage, degraded);
END;


ALTER FUNCTION public.get_chat_answer(message_id uuid, agent_id uuid) OWNER TO weir_owner;

--
-- Name: get_chat_messages_with_details(uuid, uuid, integer); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.get_chat_messages_with_details(p_channel_id uuid, p_before uuid, p_limit integer) RETURNS TABLE(id uuid, channel_id uuid, sender text, user_id uuid, agent_id uuid, agent_name text, content text, reply_to uuid, tool_calls jsonb, usage jsonb, degraded jsonb, created_at timestamp with time zone, user_name text, deleted_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  if p_limit is not null and p_limit not between 1 and 200 then
    raise exception using errcode = 'WR001', message = 'limit must be 1 to 200';
  end if;
  return query
  select m.id, m.channel_id, m.sender, m.user_id, m.agent_id, a.name, m.content, m.reply_to, m.tool_calls, m.usage, m.degraded,
         m.created_at, p.display_name, m.deleted_at
  from public.chat_messages m
  left join public.agents a on a.id = m.agent_id
  left join public.user_profiles p on p.user_id = m.user_id
  where m.channel_id = p_channel_id and (p_before is null or m.id < p_before)
  order by m.id desc
  limit coalesce(p_limit, 50);
  if not found and not exists (select from public.chat_channels c where c.id = p_channel_id) then
    raise exception using errcode = 'WR004', message = 'there is no such channel';
  end if;
end;
$$;


ALTER FUNCTION weir.get_chat_messages_with_details(p_channel_id uuid, p_before uuid, p_limit integer) OWNER TO weir_writer;

--
-- Name: get_chat_messages_with_details(uuid, uuid, integer); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.get_chat_messages_with_details(p_channel_id uuid, before uuid DEFAULT NULL::uuid, "limit" integer DEFAULT 50) RETURNS TABLE(id uuid, channel_id uuid, sender text, user_id uuid, agent_id uuid, agent_name text, content text, reply_to uuid, tool_calls jsonb, usage jsonb, degraded jsonb, created_at timestamp with time zone, user_name text, deleted_at timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT get_chat_messages_with_details.id,
     get_chat_messages_with_details.channel_id,
     get_chat_messages_with_details.sender,
     get_chat_messages_with_details.user_id,
     get_chat_messages_with_details.agent_id,
     get_chat_messages_with_details.agent_name,
     get_chat_messages_with_details.content,
     get_chat_messages_with_details.reply_to,
     get_chat_messages_with_details.tool_calls,
     get_chat_messages_with_details.usage,
     get_chat_messages_with_details.degraded,
     get_chat_messages_with_details.created_at,
     get_chat_messages_with_details.user_name,
     get_chat_messages_with_details.deleted_at
    FROM weir.get_chat_messages_with_details(get_chat_messages_with_details.p_channel_id, get_chat_messages_with_details.before, get_chat_messages_with_details."limit") get_chat_messages_with_details(id, channel_id, sender, user_id, agent_id, agent_name, content, reply_to, tool_calls, usage, degraded, created_at, user_name, deleted_at);
END;


ALTER FUNCTION public.get_chat_messages_with_details(p_channel_id uuid, before uuid, "limit" integer) OWNER TO weir_owner;

--
-- Name: get_document_chunks(uuid, integer, integer); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.get_document_chunks(p_document_id uuid, p_after integer, p_limit integer) RETURNS TABLE(ordinal integer, heading text, content text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  if p_limit is not null and p_limit not between 1 and 200 then
    raise exception using errcode = 'WR001', message = 'limit must be 1 to 200';
  elsif not exists (select from public.documents d where d.id = p_document_id) then
    raise exception using errcode = 'WR004', message = 'there is no such document';
  end if;
  return query
  select c.ordinal, c.heading, c.content from weir.document_chunks c
  where c.document_id = p_document_id and (p_after is null or c.ordinal > p_after)
  order by c.ordinal limit coalesce(p_limit, 50);
end;
$$;


ALTER FUNCTION weir.get_document_chunks(p_document_id uuid, p_after integer, p_limit integer) OWNER TO weir_writer;

--
-- Name: get_document_chunks(uuid, integer, integer); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.get_document_chunks(document_id uuid, after integer DEFAULT NULL::integer, "limit" integer DEFAULT 50) RETURNS TABLE(ordinal integer, heading text, content text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT get_document_chunks.ordinal,
     get_document_chunks.heading,
     get_document_chunks.content
    FROM weir.get_document_chunks(get_document_chunks.document_id, get_document_chunks.after, get_document_chunks."limit") get_document_chunks(ordinal, heading, content);
END;


ALTER FUNCTION public.get_document_chunks(document_id uuid, after integer, "limit" integer) OWNER TO weir_owner;

--
-- Name: get_mcp_tool_changes(uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.get_mcp_tool_changes(p_server_id uuid) RETURNS TABLE(kind text, name text, definition_hash text, change text, warning text, announced boolean, first_seen_at timestamp with time zone, definition text, approved_hash text, approved_definition text, diff json, path text, reason text, needs text[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  if not exists (select from public.mcp_server_instances i where i.id = p_server_id and i.status not in ('deleting', 'deleted')) then
    raise exception using errcode = 'WR004', message = 'there is no such server';
  end if;
  return query
  select t.kind, t.name, encode(t.definition_hash, 'hex'),
         -- What waits for a decision is new or changed, even if only some clients will be shown it.
         case when t.fault is not null and (t.eras = '{}' or t.status <> 'quarantined') then t.fault
              when old.definition is null then 'new' else 'changed' end,
         t.warning, t.announced, t.first_seen_at, t.definition, encode(old.definition_hash, 'hex'), old.definition,
         weir.definition_diff(old.definition, t.definition), t.fault_path, t.fault_reason, t.needs
  from public.mcp_server_tools t
  left join lateral (select x.definition_hash, x.definition from public.mcp_server_tools x
                     where x.instance_id = t.instance_id and x.kind = t.kind and x.name = t.name and x.status = 'approved'
                       and t.kind <> 'resource'
                     order by x.approved_at desc, x.definition_hash limit 1) old on true
  where t.instance_id = p_server_id
    and (t.status = 'quarantined' or t.fault is not null and (t.announced or t.kind = 'resource') and t.status <> 'rejected')
  order by t.announced desc, t.kind, t.name, t.first_seen_at desc, t.definition_hash;
end;
$$;


ALTER FUNCTION weir.get_mcp_tool_changes(p_server_id uuid) OWNER TO weir_writer;

--
-- Name: get_mcp_tool_changes(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.get_mcp_tool_changes(server_id uuid) RETURNS TABLE(kind text, name text, definition_hash text, change text, warning text, announced boolean, first_seen_at timestamp with time zone, definition text, approved_hash text, approved_definition text, diff json, path text, reason text, needs text[])
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT get_mcp_tool_changes.kind,
     get_mcp_tool_changes.name,
     get_mcp_tool_changes.definition_hash,
     get_mcp_tool_changes.change,
     get_mcp_tool_changes.warning,
     get_mcp_tool_changes.announced,
     get_mcp_tool_changes.first_seen_at,
     get_mcp_tool_changes.definition,
     get_mcp_tool_changes.approved_hash,
     get_mcp_tool_changes.approved_definition,
     get_mcp_tool_changes.diff,
     get_mcp_tool_changes.path,
     get_mcp_tool_changes.reason,
     get_mcp_tool_changes.needs
    FROM weir.get_mcp_tool_changes(get_mcp_tool_changes.server_id) get_mcp_tool_changes(kind, name, definition_hash, change, warning, announced, first_seen_at, definition, approved_hash, approved_definition, diff, path, reason, needs);
END;


ALTER FUNCTION public.get_mcp_tool_changes(server_id uuid) OWNER TO weir_owner;

--
-- Name: get_organization_mcp_configs(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.get_organization_mcp_configs(p_organization_id uuid, p_agent_id uuid) RETURNS TABLE(instance_id uuid, instance_name text, catalog text, transport text, status text, available boolean, share text, priority integer, region text, last_error_code text, has_agent_access boolean, access_reason text, grant_id uuid, expires_at timestamp with time zone, note text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
declare
  v_actor constant uuid := weir.actor_id();
  v_agent record;
  v_admin boolean;
  v_ids uuid[];
  v_count integer;
  v_decisions weir.decisions;
begin
  -- One query for the caller's role and the agent.
  select a.id, a.owner_id, m.role into v_agent
  from public.organization_members m
  join public.organizations o on o.id = m.organization_id
  left join public.agents a on a.id = p_agent_id and a.organization_id = m.organization_id
  where m.organization_id = p_organization_id and m.user_id = v_actor and m.status = 'active' and o.is_active;
  v_admin := v_agent.role in ('admin', 'owner');
  perform weir.require_sign_in();
  if v_admin is null then
    raise exception using errcode = 'WR004', message = 'there is no such organization';
  elsif p_agent_id is null and not v_admin then
    raise exception using errcode = 'WR003', message = 'the list of all servers is for owners and admins';
  elsif p_agent_id is not null
        and (v_agent.id is null or not (v_admin or weir.may_use_agent(v_actor, v_agent.id, v_agent.owner_id))) then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
  -- One statement each for the ids, the decisions and the rows: a single statement would cost twice as much to start as to run.
  v_ids := array(
    select i.id from public.mcp_server_instances i
    where i.organization_id = p_organization_id
      and i.status not in ('deleting', 'deleted')
      and (p_agent_id is null or i.status in ('running', 'degraded'))
    order by i.priority, i.id
    limit 1000);
  v_count := cardinality(v_ids);
  if p_agent_id is not null and v_count > 0 then
    -- One call decides for all servers.
    v_decisions := weir.decide(
      array_fill(null::text, array[v_count]), array_fill(null::bytea, array[v_count]),
      array_fill(case when not v_admin then v_actor end, array[v_count]), array_fill(p_agent_id, array[v_count]),
      array_fill('context_request'::text, array[v_count]), v_ids, array_fill(null::text, array[v_count]),
      array_fill(null::text, array[v_count]), null, true);
  end if;
  return query
  select s.id, s.name, c.slug, case when s.url is not null then 'http' else c.transport end, s.status,
         s.status in ('running', 'degraded'), s.share, s.priority, s.region, case when v_admin then s.last_error_code end,
         d.failures = '{}', d.failures[1], case when d.failures = '{}' then d.grant_id end, g.expires_at,
         case when p_agent_id is not null then null
              when s.url is null and s.share <> 'session'
              then format(
                'tools that this server has only for clients with elicitation, sampling or roots are not known, because share is %s; '
                'set share to session to list them', s.share)
              when exists (select from public.mcp_server_tools t where t.instance_id = s.id and t.announced and t.fault is not null)
              then 'some of what it announces is not listed to all clients: get_mcp_tool_changes has the reasons' end
  from unnest(v_ids) with ordinality as l(id, position)
  left join unnest(v_decisions.calls) d on d.ordinal = l.position
  join lateral (select i.* from public.mcp_server_instances i
                where i.id = l.id and i.organization_id = p_organization_id offset 0) s on true
  left join lateral (select x.slug, x.transport from public.mcp_server_catalog x where x.id = s.catalog_id offset 0) c on true
  left join lateral (select x.expires_at from public.agent_mcp_permissions x
                     where x.id = case when d.failures = '{}' then d.grant_id end offset 0) g on true
  -- A person who is not an admin sees only what the agent was granted.
  where p_agent_id is null or v_admin or d.failures = '{}'
  order by l.position;
end;
$$;


ALTER FUNCTION weir.get_organization_mcp_configs(p_organization_id uuid, p_agent_id uuid) OWNER TO weir_system;

--
-- Name: get_organization_mcp_configs(uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.get_organization_mcp_configs(org_id uuid, agent_id uuid DEFAULT NULL::uuid) RETURNS TABLE(instance_id uuid, instance_name text, catalog text, transport text, status text, available boolean, share text, priority integer, region text, last_error_code text, has_agent_access boolean, access_reason text, grant_id uuid, expires_at timestamp with time zone, note text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT get_organization_mcp_configs.instance_id,
     get_organization_mcp_configs.instance_name,
     get_organization_mcp_configs.catalog,
     get_organization_mcp_configs.transport,
     get_organization_mcp_configs.status,
     get_organization_mcp_configs.available,
     get_organization_mcp_configs.share,
     get_organization_mcp_configs.priority,
     get_organization_mcp_configs.region,
     get_organization_mcp_configs.last_error_code,
     get_organization_mcp_configs.has_agent_access,
     get_organization_mcp_configs.access_reason,
     get_organization_mcp_configs.grant_id,
     get_organization_mcp_configs.expires_at,
     get_organization_mcp_configs.note
    FROM weir.get_organization_mcp_configs(get_organization_mcp_configs.org_id, get_organization_mcp_configs.agent_id) get_organization_mcp_configs(instance_id, instance_name, catalog, transport, status, available, share, priority, region, last_error_code, has_agent_access, access_reason, grant_id, expires_at, note);
END;


ALTER FUNCTION public.get_organization_mcp_configs(org_id uuid, agent_id uuid) OWNER TO weir_owner;

--
-- Name: grant_mcp_access(uuid, uuid, jsonb, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.grant_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_expires_at timestamp with time zone, p_not_before timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('grant', 'grant_mcp_access', 'admin', 'access is granted by an owner or admin',
                    p_agent_id => p_agent_id, p_instance_id => p_instance_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id;
  -- The server is looked for in the agent's organization: one of another organization does not exist, even for an admin of both.
  v_refusal := weir.authorize(v_act, 'there is no such agent or server', exists (
    select from public.mcp_server_instances i
    where i.id = p_instance_id and i.organization_id = v_act.organization_id and i.status not in ('deleting', 'deleted')));
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce('permissions ' || weir.permissions_error(p_permissions), case
      when p_not_before >= p_expires_at then 'not_before must be before expires_at'
      when p_expires_at <= clock_timestamp() then 'expires_at must be in the future' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = v_actor
  where g.agent_id = p_agent_id and g.mcp_server_instance_id = p_instance_id and g.revoked_at is null;
  insert into public.agent_mcp_permissions
    (id, organization_id, agent_id, mcp_server_instance_id, permissions, not_before, expires_at, granted_by, granted_by_id)
  values (v_id, v_act.organization_id, p_agent_id, p_instance_id, p_permissions, p_not_before, p_expires_at, v_actor, v_actor);
  perform weir.record_act(v_act, p_grant_id => v_id);
  return jsonb_build_object('id', v_id, 'agent_id', p_agent_id, 'mcp_server_instance_id', p_instance_id);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.grant_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_expires_at timestamp with time zone, p_not_before timestamp with time zone) OWNER TO weir_writer;

--
-- Name: grant_mcp_access(uuid, uuid, jsonb, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.grant_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, not_before timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.grant_mcp_access(agent_id, mcp_server_instance_id, permissions, expires_at, not_before) AS grant_mcp_access;
END;


ALTER FUNCTION public.grant_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, expires_at timestamp with time zone, not_before timestamp with time zone) OWNER TO weir_owner;

--
-- Name: ingest_document(uuid, text, jsonb, text, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.ingest_document(p_datastore_id uuid, p_title text, p_chunks jsonb, p_source text, p_media_type text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_id uuid := weir.uuid_v7();
  v_title text;
  v_media_type text;
  v_hash bytea;
  v_size bigint;
  v_limits record;
  v_error text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'ingest_document', 'admin', 'documents are ingested by an owner or admin');
  select d.organization_id into v_act.organization_id from public.datastores d where d.id = p_datastore_id and d.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such datastore');
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- After the permission, because a large document takes long to check.
  v_title := btrim(left(p_title, 1000));
  v_media_type := coalesce(p_media_type, 'text/plain');
  v_error := coalesce(case
    when v_title is null or length(p_title) > 1000 or length(v_title) not between 1 and 300 or v_title ~ '[[:cntrl:]]'
      then 'title must be 1 to 300 characters'
    when length(p_source) not between 1 and 2000 or p_source ~ '[[:cntrl:]]' then 'source must be 1 to 2000 characters'
    when v_media_type not in ('text/plain', 'text/markdown', 'text/html') then 'media_type must be text/plain, text/markdown or text/html'
    end, weir.chunks_error(p_chunks));
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  end if;
  v_hash := sha256(convert_to(p_chunks::text, 'UTF8'));
  v_size := (select sum(octet_length(c ->> 'text')) from jsonb_array_elements(p_chunks) c);
  -- One at a time in an organization, so that quotas hold. Not by the organization's lock, because calls wait for that one.
  perform pg_advisory_xact_lock(hashtextextended('weir.documents ' || v_act.organization_id::text, 0));
  if exists (select from public.documents d where d.datastore_id = p_datastore_id and d.content_hash = v_hash) then
    return (select jsonb_build_object('id', d.id, 'created', false, 'chunks', d.chunk_count, 'status', d.status)
            from public.documents d where d.datastore_id = p_datastore_id and d.content_hash = v_hash);
  end if;
  select o.max_documents, o.max_document_bytes, o.max_document_chunks into v_limits
  from public.organizations o where o.id = v_act.organization_id;
  if exists (select from (select sum(d.document_count) as documents, sum(d.size_bytes) as bytes, sum(d.chunk_count) as chunks
                          from public.datastores d where d.organization_id = v_act.organization_id) u
             where u.documents >= v_limits.max_documents or u.bytes + v_size > v_limits.max_document_bytes
                or u.chunks + jsonb_array_length(p_chunks) > v_limits.max_document_chunks) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of documents',
                       'max_documents, max_document_bytes or max_document_chunks');
  end if;
  insert into public.documents (
    id, organization_id, datastore_id, title, source, media_type, content_hash, size_bytes, chunk_count, created_by)
  values (v_id, v_act.organization_id, p_datastore_id, v_title, p_source, v_media_type, v_hash, v_size,
          jsonb_array_length(p_chunks), weir.actor_id());
  insert into weir.document_chunks (organization_id, datastore_id, document_id, ordinal, heading, content, content_hash, terms)
  select v_act.organization_id, p_datastore_id, v_id, c.n - 1, t.heading, t.content,
         sha256(convert_to(weir.embedded_text(v_title, t.heading, t.content), 'UTF8')),
         weir.chunk_terms(p_datastore_id, v_title, t.heading, t.content)
  from jsonb_array_elements(p_chunks) with ordinality c(chunk, n)
  cross join lateral (select coalesce(c.chunk ->> 'heading', '') as heading, c.chunk ->> 'text' as content) t;
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'created', true, 'chunks', jsonb_array_length(p_chunks), 'status', 'indexed');
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.ingest_document(p_datastore_id uuid, p_title text, p_chunks jsonb, p_source text, p_media_type text) OWNER TO weir_writer;

--
-- Name: ingest_document(uuid, text, jsonb, text, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.ingest_document(datastore_id uuid, title text, chunks jsonb, source text DEFAULT NULL::text, media_type text DEFAULT 'text/plain'::text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.ingest_document(datastore_id, title, chunks, source, media_type) AS ingest_document;
END;


ALTER FUNCTION public.ingest_document(datastore_id uuid, title text, chunks jsonb, source text, media_type text) OWNER TO weir_owner;

--
-- Name: invite_member(uuid, text, text, text, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.invite_member(p_organization_id uuid, p_email text, p_role text, p_token text, p_expires_at timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_email text;
  v_expires_at timestamptz;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'invite_member', 'admin', 'members are invited by an owner or admin', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_email := lower(btrim(left(p_email, 1000)));
  v_expires_at := coalesce(p_expires_at, now() + interval '7 days');
  v_refusal := weir.lock_for(v_act, case
    when v_email is null or length(v_email) > 320 or v_email !~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
      then 'email must be an e-mail address'
    when p_role is null or p_role not in ('owner', 'admin', 'member', 'viewer') then 'role must be owner, admin, member or viewer'
    when p_token is null or octet_length(p_token) <> 43 or p_token !~ '^[A-Za-z0-9]{43}$' then 'token must be 43 letters and digits'
    when not v_expires_at between now() and now() + interval '30 days' then 'expires_at must be within 30 days' end);
  if v_refusal is not null then
    return v_refusal;
  elsif p_role = 'owner' and not weir.may(v_act, 'owner') then
    return weir.refuse(v_act, 'WR003', 'owners are invited by an owner');
  end if;
  -- An invitation that has expired makes room for the new one.
  update public.organization_invitations i set revoked_at = now()
  where i.organization_id = p_organization_id and i.email = v_email and i.accepted_at is null and i.revoked_at is null
    and i.expires_at <= now();
  if exists (select from public.organization_invitations i where i.organization_id = p_organization_id and i.email = v_email
               and i.accepted_at is null and i.revoked_at is null) then
    return weir.refuse(v_act, 'WR005', 'email has an open invitation: revoke it first');
  elsif weir.count_of('members', p_organization_id)
        >= (select o.max_members from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of members');
  end if;
  insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by, expires_at)
  values (v_id, p_organization_id, v_email, p_role, sha256(convert_to(p_token, 'UTF8')), weir.actor_id(), v_expires_at);
  perform weir.record_act(v_act, v_id || ' ' || p_role);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'email', v_email, 'role', p_role,
                            'expires_at', v_expires_at);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$_$;


ALTER FUNCTION weir.invite_member(p_organization_id uuid, p_email text, p_role text, p_token text, p_expires_at timestamp with time zone) OWNER TO weir_writer;

--
-- Name: invite_member(uuid, text, text, text, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.invite_member(organization_id uuid, email text, role text, token text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.invite_member(organization_id, email, role, token, expires_at) AS invite_member;
END;


ALTER FUNCTION public.invite_member(organization_id uuid, email text, role text, token text, expires_at timestamp with time zone) OWNER TO weir_owner;

--
-- Name: actor_id(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.actor_id() RETURNS uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
begin
  if v_claims ->> 'role' = 'authenticated'
     and v_claims ->> 'sub' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    return (v_claims ->> 'sub')::uuid;
  end if;
  return null;
end;
$_$;


ALTER FUNCTION weir.actor_id() OWNER TO weir_owner;

--
-- Name: change_member(text, uuid, uuid, text, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.change_member(p_act text, p_organization_id uuid, p_user_id uuid, p_role text, p_status text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_member public.organization_members;
  v_role text;
  v_status text;
  v_error text;
  v_leaves boolean;
  v_refusal jsonb;
  v_constraint text;
begin
  v_leaves := p_user_id = v_actor and p_status = 'removed' and p_role is null;
  v_error := case
    when p_act = 'set_member_role' and p_role is null or p_role not in ('owner', 'admin', 'member', 'viewer')
      then 'role must be owner, admin, member or viewer'
    when p_act = 'set_member_status' and p_status is null or p_status not in ('active', 'suspended', 'removed')
      then 'status must be active, suspended or removed'
    when p_act = 'transfer_ownership' and p_role = 'owner' and p_user_id = v_actor then 'user_id must be another member'
  end;
  -- Every member may leave, and every member is told of a wrong argument, whatever their role.
  v_act := weir.act('lifecycle', p_act, case when v_leaves or v_error is not null then 'see' else 'admin' end,
                    'members are changed by an owner or admin', p_organization_id);
  v_refusal := weir.authorize(v_act, p_found => weir.may(v_act, 'viewer'));
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, v_error);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  select m.* into v_member from public.organization_members m
  where m.organization_id = p_organization_id and m.user_id = p_user_id and m.status <> 'removed';
  v_role := coalesce(p_role, v_member.role);
  v_status := coalesce(p_status, v_member.status);
  if v_member.user_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such member');
  elsif 'owner' in (v_member.role, v_role) and not weir.may(v_act, 'owner') then
    return weir.refuse(v_act, 'WR003', 'owners are made and changed by an owner');
  elsif p_role = 'owner' and v_status <> 'active' then
    return weir.refuse(v_act, 'WR005', 'user_id is not active: reactivate the member first');
  elsif v_member.role = 'owner' and v_member.status = 'active' and (v_role, v_status) <> ('owner', 'active')
        and not exists (select from public.organization_members m where m.organization_id = p_organization_id
                          and m.role = 'owner' and m.status = 'active' and m.user_id <> p_user_id) then
    return weir.refuse(v_act, 'WR005', 'the organization keeps an active owner: hand it over first');
  end if;
  if (v_role, v_status) <> (v_member.role, v_member.status) then
    if v_status = 'removed' then
      -- A member who comes back by an invitation has no access left from before.
      delete from public.workspace_members w where w.organization_id = p_organization_id and w.user_id = p_user_id;
      update public.agent_api_keys k set revoked_at = clock_timestamp(), revoked_by = v_actor
      where k.organization_id = p_organization_id and k.revoked_at is null
        and k.agent_id in (select a.id from public.agents a where a.organization_id = p_organization_id and a.owner_id = p_user_id);
    end if;
    update public.organization_members m set role = v_role, status = v_status, updated_at = now()
    where m.organization_id = p_organization_id and m.user_id = p_user_id;
    perform weir.record_act(v_act, concat_ws(' ', p_user_id, v_role, v_status));
  end if;
  return jsonb_build_object('organization_id', p_organization_id, 'user_id', p_user_id, 'role', v_role, 'status', v_status);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.change_member(p_act text, p_organization_id uuid, p_user_id uuid, p_role text, p_status text) OWNER TO weir_writer;

--
-- Name: leave_organization(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.leave_organization(organization_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.change_member('leave_organization'::text, organization_id, weir.actor_id(), NULL::text, 'removed'::text) AS change_member;
END;


ALTER FUNCTION public.leave_organization(organization_id uuid) OWNER TO weir_owner;

--
-- Name: link_datastore(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.link_datastore(p_datastore_id uuid, p_agent_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('grant', 'link_datastore', 'admin', 'datastores are linked by an owner or admin',
                    p_agent_id => p_agent_id);
  select d.organization_id into v_act.organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id
  where d.id = p_datastore_id and d.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such datastore or agent');
  if v_refusal is not null then
    return v_refusal;
  end if;
  insert into public.agent_datastores (organization_id, agent_id, datastore_id, linked_by)
  values (v_act.organization_id, p_agent_id, p_datastore_id, weir.actor_id())
  on conflict (agent_id, datastore_id) do nothing;
  if found then
    perform weir.record_act(v_act, p_datastore_id::text);
  end if;
  return jsonb_build_object('datastore_id', p_datastore_id, 'agent_id', p_agent_id, 'linked', true);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.link_datastore(p_datastore_id uuid, p_agent_id uuid) OWNER TO weir_writer;

--
-- Name: link_datastore(uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.link_datastore(datastore_id uuid, agent_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.link_datastore(datastore_id, agent_id) AS link_datastore;
END;


ALTER FUNCTION public.link_datastore(datastore_id uuid, agent_id uuid) OWNER TO weir_owner;

--
-- Name: manage_mcp_servers(text, uuid, jsonb, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_key text;
  v_answer jsonb;
  v_refusal jsonb;
begin
  -- Cut: the act is copied with each call, and an action may be as large as a request.
  v_act := weir.act('lifecycle', left(p_action, 1000), 'admin', 'servers are managed by an owner or admin', p_organization_id,
                    p_instance_id => p_server_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, weir.action_error(p_action, p_server_config));
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_key := p_server_config ->> 'idempotency_key';
  v_answer := weir.answered(p_organization_id, v_key, p_action, p_server_config, p_server_id);
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := case p_action
    when 'create' then weir.create_mcp_server(p_organization_id, p_server_config)
    when 'update' then weir.update_mcp_server(p_organization_id, p_server_id, p_server_config)
    when 'delete' then weir.delete_mcp_server(p_organization_id, p_server_id)
    else weir.request_operation(p_organization_id, p_server_id, case p_action when 'start' then 'deploy' else p_action end)
  end;
  if v_key is not null and not v_answer ? 'error' then
    insert into weir.idempotency_keys (organization_id, key, request_hash, answer)
    values (p_organization_id, v_key, weir.request_hash(p_action, p_server_config, p_server_id), v_answer);
  end if;
  return v_answer;
end;
$$;


ALTER FUNCTION weir.manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid) OWNER TO weir_writer;

--
-- Name: manage_mcp_servers(text, uuid, jsonb, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.manage_mcp_servers(action text, organization_id uuid, server_config jsonb DEFAULT NULL::jsonb, server_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.manage_mcp_servers(action, organization_id, server_config, server_id) AS manage_mcp_servers;
END;


ALTER FUNCTION public.manage_mcp_servers(action text, organization_id uuid, server_config jsonb, server_id uuid) OWNER TO weir_owner;

--
-- Name: open_direct_channel(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.open_direct_channel(p_agent_id uuid, p_workspace_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id uuid := weir.uuid_v7();
  v_name text;
  v_place record;
  v_refusal jsonb;
  v_constraint text;
begin
  -- Without an agent there is nothing to see: everybody who is signed in is told that it is missing.
  v_act := weir.act('chat', 'open_direct_channel', case when p_agent_id is null then 'signed_in' else 'see' end);
  select a.organization_id, a.name into v_act.organization_id, v_name from public.agents a where a.id = p_agent_id and a.is_active;
  select m.workspace_id, c.id as channel_id into v_place
  from public.workspace_members m
  left join public.chat_channels c on c.workspace_id = m.workspace_id and c.user_id = v_actor and c.agent_id = m.agent_id
  where m.agent_id = p_agent_id and m.workspace_id = any(array(select weir.my_workspaces()))
    and (p_workspace_id is null or m.workspace_id = p_workspace_id)
  order by c.id nulls last, m.workspace_id
  limit 1;
  v_refusal := weir.authorize(v_act, 'there is no such agent, workspace or channel',
                              p_found => p_agent_id is null or v_place.workspace_id is not null);
  if v_refusal is not null then
    return v_refusal;
  elsif p_agent_id is null then
    return weir.refuse(v_act, 'WR001', 'agent_id is missing: a direct conversation is with an agent');
  elsif v_place.channel_id is null then
    insert into public.chat_channels (id, organization_id, workspace_id, name, user_id, agent_id, created_by)
    values (v_id, v_act.organization_id, v_place.workspace_id, v_name, v_actor, p_agent_id, v_actor)
    on conflict (workspace_id, user_id, agent_id) do nothing;
    if found then
      perform weir.record_event('lifecycle', v_act.organization_id, p_agent_id => p_agent_id, p_item => v_act.item, p_detail => v_id::text);
    else
      select c.id into v_id from public.chat_channels c
      where c.workspace_id = v_place.workspace_id and c.user_id = v_actor and c.agent_id = p_agent_id;
    end if;
  end if;
  return weir.chat_context(p_agent_id, v_place.workspace_id, coalesce(v_place.channel_id, v_id));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.open_direct_channel(p_agent_id uuid, p_workspace_id uuid) OWNER TO weir_writer;

--
-- Name: open_direct_channel(uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.open_direct_channel(agent_id uuid, workspace_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.open_direct_channel(agent_id, workspace_id) AS open_direct_channel;
END;


ALTER FUNCTION public.open_direct_channel(agent_id uuid, workspace_id uuid) OWNER TO weir_owner;

--
-- Name: post_chat_message(uuid, text, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.post_chat_message(p_channel_id uuid, p_content text, p_client_message_id text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id uuid := weir.uuid_v7();
  v_workspace_id uuid;
  v_message record;
  v_refusal jsonb;
  v_constraint text;
  v_share interval;
  v_wait integer;
begin
  v_act := weir.act('chat', 'post_chat_message', 'see');
  select c.organization_id, c.workspace_id into v_act.organization_id, v_workspace_id from public.chat_channels c where c.id = p_channel_id;
  v_refusal := weir.authorize(v_act, 'there is no such channel');
  if v_refusal is not null then
    return v_refusal;
  elsif octet_length(p_content) > 65536 then
    return weir.refuse(v_act, 'WR001', 'content must be at most 64 KiB');
  elsif p_content is null or btrim(p_content) = '' then
    return weir.refuse(v_act, 'WR001', 'content must not be empty');
  elsif octet_length(p_client_message_id) > 400 then
    return weir.refuse(v_act, 'WR001', 'client_message_id must be 1 to 100 characters');
  end if;
  -- Before the message is written, because its indexes cost more. Not recorded, so that nobody fills the audit log by
  -- flooding a channel.
  if p_client_message_id is null or not exists (
      select from public.chat_messages m
      where m.channel_id = p_channel_id and m.user_id = v_actor and m.client_message_id = p_client_message_id) then
    select interval '1 minute' / nullif(o.max_chat_messages_per_minute, 0) into v_share
    from public.organizations o where o.id = v_act.organization_id;
    insert into weir.chat_rates as r (organization_id, used_until)
    select v_act.organization_id, clock_timestamp() + v_share where v_share is not null
    on conflict (organization_id) do update set used_until = greatest(r.used_until, clock_timestamp()) + v_share
      where greatest(r.used_until, clock_timestamp()) + v_share <= clock_timestamp() + interval '1 minute';
    if not found then
      select greatest(1, coalesce(ceil(extract(epoch from
               max(r.used_until) + v_share - interval '1 minute' - clock_timestamp())), 60))::integer into v_wait
      from weir.chat_rates r where r.organization_id = v_act.organization_id;
      return weir.error('WR008', 'the organization has its maximum of chat messages in a minute (max_chat_messages_per_minute)',
                        format('Retry in %s s.', v_wait)) || jsonb_build_object('retry_after', v_wait);
    end if;
  end if;
  insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content, client_message_id)
  values (v_id, v_act.organization_id, v_workspace_id, p_channel_id, 'user', v_actor, p_content, p_client_message_id)
  on conflict (channel_id, user_id, client_message_id) where client_message_id is not null do nothing;
  if found then
    return jsonb_build_object('id', v_id, 'created', true);
  end if;
  -- The first message may have been committed without waiting for the disk (docs/decisions/0059). With a transaction number of its own,
  -- this commit waits for both.
  perform pg_current_xact_id();
  select m.id, m.content, m.deleted_at into v_message from public.chat_messages m
  where m.channel_id = p_channel_id and m.user_id = v_actor and m.client_message_id = p_client_message_id;
  if v_message.deleted_at is not null then
    return weir.refuse(v_act, 'WR005', 'the message of this client_message_id was deleted');
  elsif v_message.content is distinct from p_content then
    return weir.refuse(v_act, 'WR005', 'client_message_id was used for another message');
  end if;
  return jsonb_build_object('id', v_message.id, 'created', false);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.post_chat_message(p_channel_id uuid, p_content text, p_client_message_id text) OWNER TO weir_writer;

--
-- Name: post_chat_message(uuid, text, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.post_chat_message(channel_id uuid, content text, client_message_id text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.post_chat_message(channel_id, content, client_message_id) AS post_chat_message;
END;


ALTER FUNCTION public.post_chat_message(channel_id uuid, content text, client_message_id text) OWNER TO weir_owner;

--
-- Name: read_audit(uuid, jsonb, jsonb, integer); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.read_audit(p_organization_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
declare
  v_act weir.act;
  v_error text;
  v_refusal jsonb;
begin
  v_act := weir.act('admin_read', 'read_audit', 'viewer', p_organization_id => p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_error := coalesce(case when coalesce(p_limit, 100) not between 1 and 1000 then 'limit must be 1 to 1000' end,
                      weir.audit_filter_error(p_filter), weir.audit_cursor_error(p_before));
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  end if;
  perform weir.record_act(v_act, weir.cut(p_filter::text, 500));
  return weir.audit_page(p_organization_id, case when not weir.may(v_act, 'admin') then weir.actor_id() end, p_filter, p_before,
                         coalesce(p_limit, 100));
end;
$$;


ALTER FUNCTION weir.read_audit(p_organization_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) OWNER TO weir_system;

--
-- Name: read_audit(uuid, jsonb, jsonb, integer); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.read_audit(organization_id uuid, filter jsonb DEFAULT NULL::jsonb, before jsonb DEFAULT NULL::jsonb, "limit" integer DEFAULT NULL::integer) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.read_audit(organization_id, filter, before, "limit") AS read_audit;
END;


ALTER FUNCTION public.read_audit(organization_id uuid, filter jsonb, before jsonb, "limit" integer) OWNER TO weir_owner;

--
-- Name: reject_mcp_tool_change(uuid, text, text, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.reject_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.decide_tool_change(server_id, kind, name, definition_hash, 'rejected'::text) AS decide_tool_change;
END;


ALTER FUNCTION public.reject_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) OWNER TO weir_owner;

--
-- Name: request_mcp_access(uuid, uuid, jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.request_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_message text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('grant', 'request_mcp_access', 'own_agent', 'access is requested by the agent''s owner',
                    p_agent_id => p_agent_id, p_instance_id => p_instance_id);
  select a.organization_id into v_act.organization_id
  from public.agents a
  join public.mcp_server_instances i on i.organization_id = a.organization_id and i.id = p_instance_id
   and i.status not in ('deleting', 'deleted')
  where a.id = p_agent_id;
  v_refusal := weir.authorize(v_act, 'there is no such agent or server');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce('permissions ' || weir.permissions_error(p_permissions),
      case when length(p_message) > 1000 then 'message must be at most 1000 characters' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif exists (select from public.permission_requests r
                where r.agent_id = p_agent_id and r.mcp_server_instance_id = p_instance_id and r.status = 'open') then
    return weir.refuse(v_act, 'WR005', 'there is an open request: withdraw it first');
  elsif (select count(*) from public.permission_requests r
         where r.organization_id = v_act.organization_id and r.requested_by = v_actor and r.status = 'open') >= 100 then
    return weir.refuse(v_act, 'WR006', 'a person may have 100 open requests');
  end if;
  insert into public.permission_requests (id, organization_id, agent_id, mcp_server_instance_id, permissions, message, requested_by)
  values (v_id, v_act.organization_id, p_agent_id, p_instance_id, p_permissions, p_message, v_actor);
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'status', 'open');
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.request_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_message text) OWNER TO weir_writer;

--
-- Name: request_mcp_access(uuid, uuid, jsonb, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.request_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, message text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.request_mcp_access(agent_id, mcp_server_instance_id, permissions, message) AS request_mcp_access;
END;


ALTER FUNCTION public.request_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, message text) OWNER TO weir_owner;

--
-- Name: revoke_agent_key(text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.revoke_agent_key(p_key_id text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('credential', 'revoke_agent_key', 'see');
  select k.organization_id into v_act.organization_id from public.agent_api_keys k
  where k.key_id = p_key_id and octet_length(p_key_id) <= 16;
  v_refusal := weir.authorize(v_act, 'there is no such key');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Again under the lock: the caller may not see it any more.
  select k.organization_id, k.agent_id into v_act.organization_id, v_act.agent_id from public.agent_api_keys k where k.key_id = p_key_id;
  if v_act.organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such key');
  end if;
  update public.agent_api_keys k set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
  where k.key_id = p_key_id and k.revoked_at is null;
  if found then
    perform weir.record_act(v_act, p_key_id);
  end if;
  return jsonb_build_object('key_id', p_key_id, 'revoked', true);
end;
$$;


ALTER FUNCTION weir.revoke_agent_key(p_key_id text) OWNER TO weir_writer;

--
-- Name: revoke_agent_key(text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.revoke_agent_key(key_id text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.revoke_agent_key(key_id) AS revoke_agent_key;
END;


ALTER FUNCTION public.revoke_agent_key(key_id text) OWNER TO weir_owner;

--
-- Name: revoke_invitation(uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.revoke_invitation(p_invitation_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'revoke_invitation', 'see');
  select i.organization_id into v_act.organization_id from public.organization_invitations i where i.id = p_invitation_id;
  v_refusal := weir.authorize(v_act, 'there is no such invitation');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Again under the lock: the caller may not see it any more.
  select i.organization_id into v_act.organization_id from public.organization_invitations i where i.id = p_invitation_id;
  if v_act.organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such invitation');
  elsif exists (select from public.organization_invitations i where i.id = p_invitation_id and i.accepted_at is not null) then
    return weir.refuse(v_act, 'WR005', 'the invitation was accepted');
  end if;
  -- The policy lets only an owner revoke an invitation that makes an owner.
  update public.organization_invitations i set revoked_at = now() where i.id = p_invitation_id and i.revoked_at is null;
  if found then
    perform weir.record_act(v_act, p_invitation_id::text);
  elsif exists (select from public.organization_invitations i where i.id = p_invitation_id and i.revoked_at is null) then
    return weir.refuse(v_act, 'WR003', 'an owner''s invitation is revoked by an owner');
  end if;
  return jsonb_build_object('id', p_invitation_id, 'revoked', true);
end;
$$;


ALTER FUNCTION weir.revoke_invitation(p_invitation_id uuid) OWNER TO weir_writer;

--
-- Name: revoke_invitation(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.revoke_invitation(invitation_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.revoke_invitation(invitation_id) AS revoke_invitation;
END;


ALTER FUNCTION public.revoke_invitation(invitation_id uuid) OWNER TO weir_owner;

--
-- Name: revoke_mcp_access(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.revoke_mcp_access(p_agent_id uuid, p_instance_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_grant_id uuid;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', 'revoke_mcp_access', 'manage_agent', 'access is revoked by an owner or admin, or by the agent''s owner',
                    p_agent_id => p_agent_id, p_instance_id => p_instance_id);
  select a.organization_id into v_act.organization_id
  from public.agents a
  join public.mcp_server_instances i on i.organization_id = a.organization_id and i.id = p_instance_id
  where a.id = p_agent_id;
  v_refusal := weir.authorize(v_act, 'there is no such agent or server');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
  where g.agent_id = p_agent_id and g.mcp_server_instance_id = p_instance_id and g.revoked_at is null
  returning g.id into v_grant_id;
  if v_grant_id is not null then
    perform weir.record_act(v_act, p_grant_id => v_grant_id);
  end if;
  return jsonb_build_object('revoked', v_grant_id is not null, 'id', v_grant_id);
end;
$$;


ALTER FUNCTION weir.revoke_mcp_access(p_agent_id uuid, p_instance_id uuid) OWNER TO weir_writer;

--
-- Name: revoke_mcp_access(uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.revoke_mcp_access(agent_id uuid, mcp_server_instance_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.revoke_mcp_access(agent_id, mcp_server_instance_id) AS revoke_mcp_access;
END;


ALTER FUNCTION public.revoke_mcp_access(agent_id uuid, mcp_server_instance_id uuid) OWNER TO weir_owner;

--
-- Name: revoke_organization_api_key(text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.revoke_organization_api_key(p_key_id text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('credential', 'revoke_organization_api_key', 'see');
  select k.organization_id into v_act.organization_id from public.organization_api_keys k
  where k.key_id = p_key_id and octet_length(p_key_id) <= 16;
  v_refusal := weir.authorize(v_act, 'there is no such key');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Again under the lock: the caller may not see it any more.
  select k.organization_id into v_act.organization_id from public.organization_api_keys k where k.key_id = p_key_id;
  if v_act.organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such key');
  end if;
  update public.organization_api_keys k set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
  where k.key_id = p_key_id and k.revoked_at is null;
  if found then
    perform weir.record_act(v_act, p_key_id);
  end if;
  return jsonb_build_object('key_id', p_key_id, 'revoked', true);
end;
$$;


ALTER FUNCTION weir.revoke_organization_api_key(p_key_id text) OWNER TO weir_writer;

--
-- Name: revoke_organization_api_key(text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.revoke_organization_api_key(key_id text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.revoke_organization_api_key(key_id) AS revoke_organization_api_key;
END;


ALTER FUNCTION public.revoke_organization_api_key(key_id text) OWNER TO weir_owner;

--
-- Name: set_chat_tools(uuid, boolean); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.set_chat_tools(p_organization_id uuid, p_enabled boolean) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_chat_tools', 'admin', 'tools are switched by an owner or admin', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_enabled is null then
    return weir.refuse(v_act, 'WR001', 'enabled must be true or false');
  end if;
  update public.organizations o set chat_tools = p_enabled where o.id = p_organization_id and o.chat_tools <> p_enabled;
  if found then
    perform weir.record_act(v_act, p_enabled::text);
  end if;
  return jsonb_build_object('organization_id', p_organization_id, 'chat_tools', p_enabled);
end;
$$;


ALTER FUNCTION weir.set_chat_tools(p_organization_id uuid, p_enabled boolean) OWNER TO weir_writer;

--
-- Name: set_chat_tools(uuid, boolean); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.set_chat_tools(organization_id uuid, enabled boolean) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.set_chat_tools(organization_id, enabled) AS set_chat_tools;
END;


ALTER FUNCTION public.set_chat_tools(organization_id uuid, enabled boolean) OWNER TO weir_owner;

--
-- Name: set_member_role(uuid, uuid, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.set_member_role(organization_id uuid, user_id uuid, role text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.change_member('set_member_role'::text, organization_id, user_id, role, NULL::text) AS change_member;
END;


ALTER FUNCTION public.set_member_role(organization_id uuid, user_id uuid, role text) OWNER TO weir_owner;

--
-- Name: set_member_status(uuid, uuid, text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.set_member_status(organization_id uuid, user_id uuid, status text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.change_member('set_member_status'::text, organization_id, user_id, NULL::text, status) AS change_member;
END;


ALTER FUNCTION public.set_member_status(organization_id uuid, user_id uuid, status text) OWNER TO weir_owner;

--
-- Name: set_model_settings(uuid, jsonb, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.set_model_settings(p_organization_id uuid, p_settings jsonb, p_agent_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_settings jsonb;
  v_error text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'set_model_settings', 'choose_model',
    'models are chosen by an owner or admin, and for an agent by its owner where the organization allows it', p_organization_id);
  select a.id into v_act.agent_id from public.agents a where a.id = p_agent_id and a.organization_id = p_organization_id;
  v_refusal := weir.authorize(v_act, 'there is no such organization or agent', v_act.agent_id is not distinct from p_agent_id);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_error := 'settings ' || weir.bounds_error(p_settings, 4096);
  if v_error is null then
    v_settings := jsonb_strip_nulls(coalesce(nullif(p_settings, 'null'), '{}'));
    v_error := weir.model_settings_error(v_settings, p_agent_id is not null);
  end if;
  v_refusal := weir.lock_for(v_act, v_error);
  if v_refusal is not null then
    return v_refusal;
  end if;
  delete from public.model_settings s where s.organization_id = p_organization_id and s.agent_id is not distinct from p_agent_id;
  if v_settings <> '{}' then
    insert into public.model_settings (
      organization_id, agent_id, provider, model, fallback_provider, fallback_model, temperature, max_tokens, timeout_ms,
      retries, owners_may_choose, updated_by)
    values (p_organization_id, p_agent_id, v_settings ->> 'provider', v_settings ->> 'model', v_settings #>> '{fallback,provider}',
            v_settings #>> '{fallback,model}', (v_settings ->> 'temperature')::double precision,
            (v_settings ->> 'max_tokens')::numeric::integer,
            (v_settings ->> 'timeout_ms')::numeric::integer, (v_settings ->> 'retries')::numeric::integer,
            coalesce((v_settings ->> 'owners_may_choose')::boolean, false), weir.actor_id());
  end if;
  perform weir.record_act(v_act, left(v_settings::text, 500));
  return jsonb_build_object('organization_id', p_organization_id, 'agent_id', p_agent_id, 'settings', v_settings);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.set_model_settings(p_organization_id uuid, p_settings jsonb, p_agent_id uuid) OWNER TO weir_writer;

--
-- Name: set_model_settings(uuid, jsonb, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.set_model_settings(organization_id uuid, settings jsonb, agent_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.set_model_settings(organization_id, settings, agent_id) AS set_model_settings;
END;


ALTER FUNCTION public.set_model_settings(organization_id uuid, settings jsonb, agent_id uuid) OWNER TO weir_owner;

--
-- Name: set_user_profile(text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.set_user_profile(p_display_name text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_user_profile', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('display_name', p_display_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('display_name', p_display_name));
  end if;
  insert into public.user_profiles (user_id, display_name) values (weir.actor_id(), btrim(p_display_name))
  on conflict (user_id) do update set display_name = excluded.display_name, updated_at = now();
  return jsonb_build_object('user_id', weir.actor_id(), 'display_name', btrim(p_display_name));
end;
$$;


ALTER FUNCTION weir.set_user_profile(p_display_name text) OWNER TO weir_writer;

--
-- Name: set_user_profile(text); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.set_user_profile(display_name text) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.set_user_profile(display_name) AS set_user_profile;
END;


ALTER FUNCTION public.set_user_profile(display_name text) OWNER TO weir_owner;

--
-- Name: stop_mcp_server_instance(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.stop_mcp_server_instance(server_instance_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.manage_server_by_id('stop'::text, server_instance_id) AS manage_server_by_id;
END;


ALTER FUNCTION public.stop_mcp_server_instance(server_instance_id uuid) OWNER TO weir_owner;

--
-- Name: transfer_ownership(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.transfer_ownership(p_organization_id uuid, p_user_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_answer jsonb;
begin
  v_answer := weir.change_member('transfer_ownership', p_organization_id, p_user_id, 'owner', null);
  if not v_answer ? 'error' then
    perform weir.change_member('transfer_ownership', p_organization_id, weir.actor_id(), 'admin', null);
  end if;
  return v_answer;
end;
$$;


ALTER FUNCTION weir.transfer_ownership(p_organization_id uuid, p_user_id uuid) OWNER TO weir_writer;

--
-- Name: transfer_ownership(uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.transfer_ownership(organization_id uuid, user_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.transfer_ownership(organization_id, user_id) AS transfer_ownership;
END;


ALTER FUNCTION public.transfer_ownership(organization_id uuid, user_id uuid) OWNER TO weir_owner;

--
-- Name: unlink_datastore(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.unlink_datastore(p_datastore_id uuid, p_agent_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', 'unlink_datastore', 'admin', 'datastores are unlinked by an owner or admin',
                    p_agent_id => p_agent_id);
  select d.organization_id into v_act.organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id
  where d.id = p_datastore_id;
  v_refusal := weir.authorize(v_act, 'there is no such datastore or agent');
  if v_refusal is not null then
    return v_refusal;
  end if;
  delete from public.agent_datastores l where l.agent_id = p_agent_id and l.datastore_id = p_datastore_id;
  if found then
    perform weir.record_act(v_act, p_datastore_id::text);
  end if;
  return jsonb_build_object('datastore_id', p_datastore_id, 'agent_id', p_agent_id, 'linked', false);
end;
$$;


ALTER FUNCTION weir.unlink_datastore(p_datastore_id uuid, p_agent_id uuid) OWNER TO weir_writer;

--
-- Name: unlink_datastore(uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.unlink_datastore(datastore_id uuid, agent_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.unlink_datastore(datastore_id, agent_id) AS unlink_datastore;
END;


ALTER FUNCTION public.unlink_datastore(datastore_id uuid, agent_id uuid) OWNER TO weir_owner;

--
-- Name: validate_mcp_access(uuid, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.validate_mcp_access(p_agent_id uuid, p_instance_id uuid, p_user_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  v_actor constant uuid := weir.actor_id();
  v_organization_id uuid;
begin
  select a.organization_id into v_organization_id from public.agents a
  where a.id = p_agent_id and a.organization_id = any(array(select weir.my_organizations()));
  if v_actor is null or v_organization_id is null then
    return false;
  elsif p_user_id <> v_actor and not exists (select from weir.my_organizations('admin') o where o = v_organization_id) then
    return false;
  end if;
  return ((weir.decide(
    array[null::text], array[null::bytea], array[coalesce(p_user_id, v_actor)], array[p_agent_id],
    array['context_request'], array[p_instance_id], array[null::text], array[null::text], null)).calls[1]).failures
    <@ array['unavailable'];
end;
$$;


ALTER FUNCTION weir.validate_mcp_access(p_agent_id uuid, p_instance_id uuid, p_user_id uuid) OWNER TO weir_system;

--
-- Name: validate_mcp_access(uuid, uuid, uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.validate_mcp_access(agent_id uuid, mcp_server_instance_id uuid, user_id uuid DEFAULT NULL::uuid) RETURNS boolean
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT weir.validate_mcp_access(agent_id, mcp_server_instance_id, user_id) AS validate_mcp_access;
END;


ALTER FUNCTION public.validate_mcp_access(agent_id uuid, mcp_server_instance_id uuid, user_id uuid) OWNER TO weir_owner;

--
-- Name: withdraw_permission_request(uuid); Type: FUNCTION; Schema: public; Owner: weir_owner
--

CREATE FUNCTION public.withdraw_permission_request(request_id uuid) RETURNS jsonb
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT weir.close_request(request_id, 'withdrawn'::text, NULL::timestamp with time zone, NULL::timestamp with time zone, NULL::jsonb) AS close_request;
END;


ALTER FUNCTION public.withdraw_permission_request(request_id uuid) OWNER TO weir_owner;

--
-- Name: act(text, text, text, text, uuid, uuid, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.act(p_kind text, p_item text, p_permission text DEFAULT NULL::text, p_denial text DEFAULT NULL::text, p_organization_id uuid DEFAULT NULL::uuid, p_agent_id uuid DEFAULT NULL::uuid, p_instance_id uuid DEFAULT NULL::uuid, p_workspace_id uuid DEFAULT NULL::uuid) RETURNS weir.act
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ROW(p_kind, p_item, p_permission, p_denial, p_organization_id, p_agent_id, p_instance_id, p_workspace_id)::weir.act;


ALTER FUNCTION weir.act(p_kind text, p_item text, p_permission text, p_denial text, p_organization_id uuid, p_agent_id uuid, p_instance_id uuid, p_workspace_id uuid) OWNER TO weir_owner;

--
-- Name: bounds_error(jsonb, integer); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.bounds_error(p_value jsonb, p_max_bytes integer) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if pg_column_size(p_value) > p_max_bytes or pg_column_size(p_value #> '{}') > p_max_bytes then
    return format('is larger than %s KiB', p_max_bytes / 1024);
  elsif jsonb_path_exists(p_value, 'strict $.**{257}') then
    return 'is nested deeper than 256 levels';
  -- All numbers are collected in one array first: as a set, the results of jsonb_path_query take time quadratic in their
  -- number.
  elsif exists (select from jsonb_array_elements(jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')) n
                where abs(n::numeric) >= 1e800 or scale(n::numeric) > 800) then
    return 'has a number of more than 800 digits before or behind its point';
  end if;
  return null;
end;
$_$;


ALTER FUNCTION weir.bounds_error(p_value jsonb, p_max_bytes integer) OWNER TO weir_owner;

--
-- Name: action_error(text, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.action_error(p_action text, p_server_config jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((p_action IS NULL) OR (p_action <> ALL (ARRAY['create'::text, 'update'::text, 'delete'::text, 'deploy'::text, 'start'::text, 'stop'::text, 'restart'::text]))) THEN 'action must be create, update, delete, deploy, start, stop or restart'::text WHEN (weir.bounds_error(p_server_config, 262144) IS NOT NULL) THEN ('server_config: '::text || weir.bounds_error(p_server_config, 262144)) WHEN (octet_length((p_server_config)::text) > 131072) THEN 'server_config: is larger than 128 KiB'::text WHEN ((p_server_config ? 'idempotency_key'::text) AND ((jsonb_typeof((p_server_config -> 'idempotency_key'::text)) <> 'string'::text) OR ((length((p_server_config ->> 'idempotency_key'::text)) < 1) OR (length((p_server_config ->> 'idempotency_key'::text)) > 100)))) THEN 'server_config.idempotency_key: must be 1 to 100 characters'::text WHEN (((p_action <> ALL (ARRAY['create'::text, 'update'::text])) AND (jsonb_typeof(p_server_config) <> 'object'::text)) OR ((p_action <> ALL (ARRAY['create'::text, 'update'::text])) AND ((p_server_config - 'idempotency_key'::text) <> '{}'::jsonb))) THEN 'server_config: this action takes an idempotency_key only'::text ELSE NULL::text END;


ALTER FUNCTION weir.action_error(p_action text, p_server_config jsonb) OWNER TO weir_owner;

--
-- Name: add_platform_admin(uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.add_platform_admin(p_user_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into weir.platform_admins (user_id) values (p_user_id) on conflict do nothing;
exception
  when foreign_key_violation or not_null_violation then
    raise exception using errcode = 'WR004', message = 'there is no such user';
end;
$$;


ALTER FUNCTION weir.add_platform_admin(p_user_id uuid) OWNER TO weir_system;

--
-- Name: admit(uuid, uuid[], timestamp with time zone[], text[], bytea[], uuid[], uuid[], text[], uuid[], text[], text[], text[], integer[], bigint[], bytea[], text[], uuid[], boolean[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.admit(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_request_ids text[], p_attempts integer[], p_request_bytes bigint[], p_request_hashes bytea[], p_request_copies text[], p_organization_ids uuid[], p_at_limit boolean[] DEFAULT NULL::boolean[]) RETURNS weir.call_decision[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid;
  v_asked uuid[] := p_organization_ids;
  v_locked uuid[] := '{}'::uuid[];
  v_decisions weir.decisions;
  v_calls weir.call_decision[];
  v_over jsonb;
  v_call weir.call_decision;
  v_counted integer[] := '{}'::integer[];
  v_time timestamptz;
  v_now constant timestamptz := clock_timestamp();
begin
  -- 1. The shape, by expressions: a query would cost a lone call as much as all of these together.
  if p_replica_id is null or array_position(p_ids, null) is not null or array_position(p_created_at, null) is not null
     or array_position(p_attempts, null) is not null
     or not coalesce(cardinality(p_ids) = all(array[cardinality(p_created_at), cardinality(p_key_ids), cardinality(p_secret_hashes),
          cardinality(p_user_ids), cardinality(p_agent_ids), cardinality(p_kinds), cardinality(p_instance_ids), cardinality(p_items),
          cardinality(p_arguments), cardinality(p_request_ids), cardinality(p_attempts), cardinality(p_request_bytes),
          cardinality(p_request_hashes), cardinality(p_request_copies), cardinality(p_organization_ids),
          coalesce(cardinality(p_at_limit), cardinality(p_ids))]), false) then
    raise exception using errcode = 'WR001', message = 'arrays must have one element for each call, and ids, times and attempts no null';
  elsif not p_kinds <@ array['tool_execution', 'resource_read', 'prompt_get', 'context_request']
        or array_position(p_kinds, null) is not null then
    raise exception using errcode = 'WR001', message = 'p_kinds: a kind is not known';
  elsif current_setting('transaction_isolation') <> 'read committed' then
    -- Under one snapshot for the whole transaction the locks would prove nothing.
    raise exception using errcode = 'WR001', message = 'admission needs the isolation level read committed';
  end if;
  -- These times are the replica's clock. Partitions are chosen by them, and roll_up_usage waits for clocks that are five minutes
  -- late.
  foreach v_time in array p_created_at loop
    if v_time not between v_now - interval '5 minutes' and v_now + interval '5 minutes' then
      raise exception using errcode = 'WR001', message = 'p_created_at: a time is more than five minutes from the database''s clock';
    end if;
  end loop;

  -- 2. The locks. A key or an agent never moves to another organization, so looking it up before the lock is safe. The locks need
  --    no order: a try never waits, so it cannot deadlock.
  if array_position(v_asked, null) is not null then
    v_asked := array(
      select distinct coalesce(c.organization_id, k.organization_id, a.organization_id)
      from unnest(p_organization_ids, p_key_ids, p_agent_ids) c(organization_id, key_id, agent_id)
      left join lateral (select x.organization_id from public.agent_api_keys x where x.key_id = c.key_id offset 0) k on true
      left join lateral (select x.organization_id from public.agents x
                         where x.id = case when c.key_id is null then c.agent_id end offset 0) a on true);
  end if;
  foreach v_organization_id in array v_asked loop
    if not v_organization_id = any(v_locked) and pg_try_advisory_xact_lock_shared(weir.lock_key(v_organization_id)) then
      v_locked := v_locked || v_organization_id;
    end if;
  end loop;
  -- The catalog decides for every organization. Without the platform's lock every call is `changing`.
  if not pg_try_advisory_xact_lock_shared(weir.lock_key(weir.platform_id())) then
    v_locked := '{}';
  end if;

  -- 3. The decisions. This statement takes its snapshot after the locks, so it sees every committed revoke.
  v_decisions := weir.decide(
    p_key_ids, p_secret_hashes, p_user_ids, p_agent_ids, p_kinds, p_instance_ids, p_items, p_arguments, v_locked);
  v_calls := v_decisions.calls;

  -- 4. The limits.
  if p_at_limit is not null then
    for n in 1 .. cardinality(v_calls) loop
      -- A call that is refused for the bytes it would hold comes without its arguments, so it may fail the argument rule for that
      -- reason only.
      if p_at_limit[v_calls[n].ordinal] and v_calls[n].failures <@ '{argument_rule}' then
        v_calls[n].failures := array['limit'];
        v_calls[n].detail := 'connections';
        v_calls[n].endpoint_url := null;
      end if;
    end loop;
  end if;
  -- Limits of calls. Most batches have none and skip this statement.
  if v_decisions.limited then
    v_over := weir.over_limit(v_calls);
    if v_over is not null then
      for n in 1 .. cardinality(v_calls) loop
        if v_over ? v_calls[n].ordinal::text then
          v_calls[n].failures := array['limit'];
          -- Seconds to wait, which the refusal tells the caller.
          v_calls[n].detail := v_over ->> v_calls[n].ordinal::text;
          v_calls[n].endpoint_url := null;
        end if;
      end loop;
    end if;
  end if;

  -- 5. The audit log. Most batches deny nothing and skip the counting. Of repeated denials, those that are only counted get no
  --    row.
  foreach v_call in array v_calls loop
    if v_call.failures <> '{}' and v_call.organization_id is not null then
      v_counted := weir.count_denied_calls(v_calls, p_kinds);
      exit;
    end if;
  end loop;
  -- Names are copied: the row must be readable after its agent or server is gone.
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, replica_id, actor_kind, user_id, agent_id, agent_name, key_id,
    instance_id, instance_name, item, grant_id, request_id, attempt, reason, detail, request_bytes, request_hash, request_copy)
  select p_created_at[c.ordinal], p_ids[c.ordinal], case when c.failures = '{}' then 'requested' else 'denied' end,
         c.organization_id, p_kinds[c.ordinal], case when c.failures = '{}' then 'allowed' else 'denied' end,
         (select i.epoch from weir.installation i), p_replica_id,
         case when c.user_id is null then 'agent' else 'user' end, c.user_id, c.agent_id, c.agent_name, c.key_id,
         c.instance_id, c.instance_name, weir.cut(p_items[c.ordinal], 4096), c.grant_id, weir.cut(p_request_ids[c.ordinal], 256),
         p_attempts[c.ordinal], c.failures[1], c.detail, p_request_bytes[c.ordinal], p_request_hashes[c.ordinal],
         weir.cut(p_request_copies[c.ordinal], 4096)
  from unnest(v_calls) c
  where c.organization_id is not null and c.ordinal <> all(v_counted);

  return v_calls;
end;
$$;


ALTER FUNCTION weir.admit(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_request_ids text[], p_attempts integer[], p_request_bytes bigint[], p_request_hashes bytea[], p_request_copies text[], p_organization_ids uuid[], p_at_limit boolean[]) OWNER TO weir_system;

--
-- Name: agent_catalog(text, bytea, uuid, uuid, text, text[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.agent_catalog(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_name text, p_kinds text[] DEFAULT NULL::text[]) RETURNS TABLE(kind text, organization_id uuid, agent_id uuid, agent_name text, instance_id uuid, instance_name text, status text, share text, priority integer, item text, definition_hash bytea, chat_offline boolean, max_concurrent_connections integer, eras text[], needs text[], timeout_ms integer)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_agent record;
begin
  select a.id, a.organization_id, a.name, o.max_concurrent_connections into v_agent
  from public.agents a
  join public.organizations o on o.id = a.organization_id
  where a.id = weir.principal_agent(p_key_id, p_secret_hash, p_user_id, p_agent_id);
  -- No row, and no reason: the principal is not valid.
  if not found then
    return;
  end if;

  return query
  -- The conditions of a grant, except for those that weir.decide alone checks. The organization is compared too, though the
  -- foreign keys make it equal.
  with granted as materialized (
    select i.*, g.permissions, weir.granted_patterns(g.permissions, 'tools') as tools,
           weir.granted_patterns(g.permissions, 'prompts') as prompts,
           weir.granted_patterns(g.permissions, 'resources') as resources
    from public.agent_mcp_permissions g
    join public.mcp_server_instances i on i.id = g.mcp_server_instance_id and i.organization_id = g.organization_id
    left join public.mcp_server_catalog c on c.id = i.catalog_id
    where g.agent_id = v_agent.id and g.organization_id = v_agent.organization_id and g.revoked_at is null
      and (g.not_before is null or g.not_before <= clock_timestamp())
      and (g.expires_at is null or g.expires_at > clock_timestamp())
      and i.status not in ('deleting', 'deleted') and coalesce(c.is_published, true)
      and (p_instance_name is null or i.name = p_instance_name)
  -- An instance is listed in any state, so that its names resolve and a caller is told that the server does not run.
  ), items as (
    select 'instance' as kind, i.id, i.name, i.status, i.share, i.priority, null::text as item, null::bytea as hash,
      null::boolean as offline, null::text[] as eras, null::text[] as needs, i.timeout_ms
    from granted i
    union all
    -- chat_offline: the admin's marks for tools that the built-in `offline` model may call.
    select p.kind, i.id, i.name, i.status, i.share, i.priority, p.name, p.definition_hash,
           p.kind = 'tool' and exists (select from unnest(i.chat_offline) g where weir.matches_glob(p.name, g)),
           p.eras, p.needs, null
    from granted i
    join public.mcp_server_tools p on p.instance_id = i.id and p.organization_id = i.organization_id
    -- A resource that climbs is permitted by its exact name only, which the pattern does not tell.
    where p.announced and p.status = 'approved' and p.eras <> '{}' and (p_kinds is null or p.kind = any(p_kinds))
      and case p.kind when 'tool' then p.name like any(i.tools) when 'prompt' then p.name like any(i.prompts)
                      when 'template' then weir.template_is_granted(i.permissions, p.name)
                      else p.name like any(i.resources)
                           and (not weir.climbs(p.name) or weir.granted_entries(i.permissions, 'resource_read', p.name) is not null) end
  )
  -- The agent's own row comes first, even where nothing is granted, so an empty catalog differs from a bad key.
  select 'agent', v_agent.organization_id, v_agent.id, v_agent.name, null, null, null, null, null, null, null, null,
         v_agent.max_concurrent_connections, null, null, null
  union all
  (select r.kind, v_agent.organization_id, v_agent.id, v_agent.name, r.id, r.name, r.status, r.share, r.priority, r.item, r.hash,
          r.offline, null, r.eras, r.needs, r.timeout_ms
   from items r
   -- An order that does not depend on the database's collation: cursors of lists compare by it.
   order by r.priority, r.id, r.kind <> 'instance', r.kind, r.item collate "C", r.hash);
end;
$$;


ALTER FUNCTION weir.agent_catalog(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_name text, p_kinds text[]) OWNER TO weir_system;

--
-- Name: agent_knowledge(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.agent_knowledge(p_user_id uuid, p_agent_id uuid) RETURNS TABLE(datastore_id uuid, organization_id uuid, name text, backend text, settings jsonb, version bigint, removal_version bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid;
  v_role text;
begin
  select a.organization_id, person.role into v_organization_id, v_role
  from public.agents a
  join public.organizations o on o.id = a.organization_id and o.is_active
  join public.organization_members owner
    on owner.organization_id = a.organization_id and owner.user_id = a.owner_id and owner.status = 'active' and owner.role <> 'viewer'
  join public.organization_members person
    on person.organization_id = a.organization_id and person.user_id = p_user_id and person.status = 'active'
  where a.id = p_agent_id and a.is_active and weir.may_use_agent(p_user_id, a.id, a.owner_id);
  -- Only one who may use the agent is told that a viewer may not.
  if v_organization_id is null then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  elsif v_role = 'viewer' then
    raise exception using errcode = 'WR003', message = 'a viewer uses no agent';
  end if;
  return query
    select d.id, d.organization_id, d.name, d.backend, d.settings, d.version, d.removal_version
    from public.agent_datastores l
    join public.datastores d on d.organization_id = l.organization_id and d.id = l.datastore_id and d.deleted_at is null
    where l.organization_id = v_organization_id and l.agent_id = p_agent_id
    order by d.id;
end;
$$;


ALTER FUNCTION weir.agent_knowledge(p_user_id uuid, p_agent_id uuid) OWNER TO weir_system;

--
-- Name: announce_change(uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.announce_change(p_organization_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform pg_advisory_xact_lock(weir.lock_key(p_organization_id));
  perform weir.count_change(p_organization_id);
end;
$$;


ALTER FUNCTION weir.announce_change(p_organization_id uuid) OWNER TO weir_system;

--
-- Name: announces_otherwise(uuid, text[], weir.announced_item[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.announces_otherwise(p_instance_id uuid, p_kinds text[], p_items weir.announced_item[]) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (select a.kind, a.name, a.hash, a.eras, a.needs, a.fault_reason from unnest(p_items) a where a.kind = any(p_kinds)
                 except select t.kind, t.name, t.definition_hash, t.eras, t.needs, t.fault_reason from public.mcp_server_tools t
                        where t.instance_id = p_instance_id and t.kind = any(p_kinds) and t.announced)
      or exists (select t.kind, t.name, t.definition_hash from public.mcp_server_tools t
                 where t.instance_id = p_instance_id and t.kind = any(p_kinds) and t.announced
                 except select a.kind, a.name, a.hash from unnest(p_items) a where a.kind = any(p_kinds));
end;
$$;


ALTER FUNCTION weir.announces_otherwise(p_instance_id uuid, p_kinds text[], p_items weir.announced_item[]) OWNER TO weir_owner;

--
-- Name: answered(uuid, text, text, jsonb, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.answered(p_organization_id uuid, p_key text, p_action text, p_server_config jsonb, p_server_id uuid) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_used weir.idempotency_keys;
begin
  select k.* into v_used from weir.idempotency_keys k where k.organization_id = p_organization_id and k.key = p_key;
  if v_used.request_hash <> weir.request_hash(p_action, p_server_config, p_server_id) then
    return weir.refuse(weir.act('lifecycle', p_action, p_organization_id => p_organization_id, p_instance_id => p_server_id), 'WR005',
                       'server_config.idempotency_key was used for something else');
  end if;
  return v_used.answer;
end;
$$;


ALTER FUNCTION weir.answered(p_organization_id uuid, p_key text, p_action text, p_server_config jsonb, p_server_id uuid) OWNER TO weir_owner;

--
-- Name: any_lexeme(text[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.any_lexeme(p_lexemes text[]) RETURNS tsquery
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_query tsquery;
  v_lexeme text;
begin
  foreach v_lexeme in array p_lexemes loop
    v_query := coalesce(v_query || weir.lexeme_query(v_lexeme), weir.lexeme_query(v_lexeme));
  end loop;
  return v_query;
end;
$$;


ALTER FUNCTION weir.any_lexeme(p_lexemes text[]) OWNER TO weir_owner;

--
-- Name: apply_report(uuid, bigint, text, text, text, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.apply_report(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_instance public.mcp_server_instances;
  v_status text;
  v_code text := weir.cut(p_error_code, 100);
begin
  -- Every heartbeat comes here and mostly reports nothing new. Then nothing is locked.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id;
  if not found or v_instance.generation is distinct from p_generation
     or (p_state = v_instance.status and v_code is not distinct from v_instance.last_error_code) then
    return false;
  end if;
  -- A heartbeat covers many organizations in one transaction, so one that keeps its lock busy must not hold up the others.
  if p_until is null then
    perform weir.lock_organization(v_instance.organization_id);
    select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update;
  elsif weir.try_lock_organization(v_instance.organization_id, p_until) then
    select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update skip locked;
  else
    return false;
  end if;
  -- Looked at again under the lock. States that nobody knows are ignored.
  if not found or v_instance.generation is distinct from p_generation
     or p_state is null or p_state not in ('starting', 'running', 'degraded', 'stopped', 'failed') then
    return false;
  end if;
  v_status := case
    -- While it is being stopped, only the end of that counts.
    when v_instance.status = 'stopping' then case when p_state = 'stopped' then 'stopped' end
    when p_state = 'starting' then null
    when p_state = 'stopped' then case when v_instance.status in ('running', 'degraded') then 'degraded' end
    else p_state
  end;
  if v_status is null then
    return false;
  elsif v_status = 'failed' then
    v_code := coalesce(v_code, 'failed');
  elsif v_status = 'degraded' then
    v_code := coalesce(v_code, case p_state when 'stopped' then 'not_running' else 'degraded' end);
  end if;
  -- The state machine (weir.instance_moves) decides last.
  if v_status = v_instance.status and v_instance.last_error_code is not distinct from v_code then
    return false;
  elsif v_status <> v_instance.status and not exists (
      select from weir.instance_moves m where m.from_status = v_instance.status and m.to_status = v_status) then
    return false;
  end if;
  update public.mcp_server_instances i
  set status = v_status,
      last_error_code = case when v_status in ('running', 'stopped') then null else v_code end,
      last_error = case when v_status in ('running', 'stopped') then null else weir.cut(p_error, 2000) end,
      -- A stopped instance has no node: it may start on another one.
      node_id = case when v_status = 'stopped' then null else i.node_id end,
      -- A server that runs again may announce other lists.
      refresh_at = case when v_status = 'running' and v_instance.status <> 'running' then clock_timestamp() else i.refresh_at end,
      first_running_at = coalesce(i.first_running_at, case when v_status = 'running' then clock_timestamp() end)
  where i.id = p_instance_id;
  -- Only moves are recorded, not every repeated error.
  if v_status <> v_instance.status then
    perform weir.record_event('lifecycle', v_instance.organization_id, p_instance_id => p_instance_id, p_item => v_status,
                              p_detail => v_code, p_outcome => case v_status when 'failed' then 'failed' else 'ok' end);
  end if;
  return true;
end;
$$;


ALTER FUNCTION weir.apply_report(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text, p_until timestamp with time zone) OWNER TO weir_owner;

--
-- Name: argument_failure(jsonb[], text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.argument_failure(p_entries jsonb[], p_arguments text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $_$
declare
  v_arguments jsonb;
  v_args jsonb;
  v_names text[];
  v_entry jsonb;
  v_rules jsonb;
  v_name text;
  v_failure text;
begin
  if octet_length(p_arguments) > 65536 then
    return '$';
  end if;
  begin
    v_arguments := coalesce(p_arguments, '{}')::jsonb;
    if jsonb_typeof(v_arguments) <> 'object' then
      return '$';
    end if;
    foreach v_entry in array p_entries loop
      continue when not v_entry ? 'args' and v_entry ->> 'other' is distinct from 'deny';
      v_args := coalesce(v_entry -> 'args', '{}');
      -- Nested `each` multiplies, so all values together are bounded too. Their number is estimated by the commas, and a
      -- comma inside a text counts as well.
      if octet_length(p_arguments) > 256 and length(p_arguments) - length(replace(p_arguments, ',', '')) > 256
         and (jsonb_path_exists(v_args, '$.*.each.each')
              or length(p_arguments) - length(replace(p_arguments, ',', '')) > 1024 and jsonb_path_exists(v_args, '$.*.each')) then
        return '$';
      end if;
      v_names := '{}';
      -- The members as an array, by one function call: a query over them would cost more than the rules.
      v_rules := jsonb_path_query_array(v_args, '$.keyvalue()');
      for v_n in 0 .. jsonb_array_length(v_rules) - 1 loop
        v_name := v_rules -> v_n ->> 'key';
        v_failure := case when v_arguments ? v_name
                          then weir.rule_failure(v_rules -> v_n -> 'value', v_arguments -> v_name, '$.' || v_name)
                          else '$.' || v_name end;
        exit when v_failure is not null;
        v_names := v_names || v_name;
      end loop;
      -- An argument without a rule denies, unless the entry says `other: allow`.
      if v_failure is null and v_entry ->> 'other' is distinct from 'allow' then
        if jsonb_array_length(v_rules) <= 8 and octet_length(p_arguments) <= 1024 then
          v_failure := '$.' || (jsonb_path_query_first(v_arguments - v_names, '$.keyvalue().key') #>> '{}');
        else
          -- A query costs more to begin, and less for many.
          select '$.' || k into v_failure from jsonb_object_keys(v_arguments) k where not v_args ? k limit 1;
        end if;
      end if;
      exit when v_failure is not null;
    end loop;
  exception
    -- Only reading the arguments can raise here (no JSON, a number or text that jsonb cannot hold, nesting too deep).
    when others then
      return '$';
  end;
  return left(v_failure, 200);
end;
$_$;


ALTER FUNCTION weir.argument_failure(p_entries jsonb[], p_arguments text) OWNER TO weir_owner;

--
-- Name: is_time(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.is_time(p_value jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if jsonb_typeof(p_value) <> 'string' or (p_value #>> '{}') !~ '^[12][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-9:.]{5,15}(Z|[+-][0-9:]{2,5})?$' then
    return false;
  end if;
  return (p_value #>> '{}')::timestamptz is not null;
exception
  when data_exception then
    return false;
end;
$_$;


ALTER FUNCTION weir.is_time(p_value jsonb) OWNER TO weir_owner;

--
-- Name: audit_cursor_error(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.audit_cursor_error(p_before jsonb) RETURNS text
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN (weir.bounds_error(p_before, 4096) IS NOT NULL) THEN ('before '::text || weir.bounds_error(p_before, 4096))
             WHEN ((p_before IS NOT NULL) AND ((jsonb_typeof(p_before) <> 'object'::text) OR (NOT (p_before ?& ARRAY['created_at'::text, 'id'::text, 'phase'::text])) OR ((p_before - ARRAY['created_at'::text, 'id'::text, 'phase'::text]) <> '{}'::jsonb) OR (NOT weir.is_time((p_before -> 'created_at'::text))) OR (COALESCE((p_before ->> 'id'::text), ''::text) !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'::text) OR (COALESCE((p_before ->> 'phase'::text), ''::text) <> ALL (ARRAY['requested'::text, 'denied'::text, 'completed'::text])))) THEN 'before must be the next of the page before'::text
             ELSE NULL::text
         END AS "case";
END;


ALTER FUNCTION weir.audit_cursor_error(p_before jsonb) OWNER TO weir_owner;

--
-- Name: audit_filter_error(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.audit_filter_error(p_filter jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_key text;
  v_value jsonb;
begin
  if p_filter is null then
    return null;
  elsif weir.bounds_error(p_filter, 16384) is not null then
    return 'filter ' || weir.bounds_error(p_filter, 16384);
  elsif jsonb_typeof(p_filter) <> 'object' then
    return 'filter must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_filter) e limit 100 loop
    if not (case
      when v_key in ('since', 'until') then weir.is_time(v_value)
      when v_key in ('agent_id', 'instance_id', 'user_id') then
        jsonb_typeof(v_value) = 'string' and v_value #>> '{}' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
      when v_key in ('kind', 'phase') then jsonb_typeof(v_value) = 'string' and length(v_value #>> '{}') <= 64
      else false
    end) then
      return 'filter.' || left(v_key, 64) || ' is not known or not valid';
    end if;
  end loop;
  return null;
end;
$_$;


ALTER FUNCTION weir.audit_filter_error(p_filter jsonb) OWNER TO weir_owner;

--
-- Name: audit_page(uuid, uuid, jsonb, jsonb, integer); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.audit_page(p_organization_id uuid, p_user_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_rows jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(r) order by r.created_at desc, r.id desc, r.phase desc), '[]') into v_rows
  from (
    select l.created_at, l.id, l.phase::text, l.kind::text, l.decision::text, l.actor_kind::text, l.user_id, l.agent_id, l.agent_name::text,
           l.key_id, l.instance_id, l.instance_name::text, l.item::text, l.grant_id, l.request_id::text, l.attempt, l.reason::text,
           l.detail::text, l.outcome::text, l.error_code::text, l.duration_us::bigint, l.request_bytes::bigint, l.response_bytes::bigint,
           l.request_copy::text, l.response_copy::text, l.occurrences
    from public.mcp_interaction_logs l
    where l.organization_id = p_organization_id and (p_user_id is null or l.user_id = p_user_id)
      and l.created_at >= coalesce((p_filter ->> 'since')::timestamptz, '-infinity')
      and l.created_at < coalesce((p_filter ->> 'until')::timestamptz, 'infinity')
      and (p_filter ->> 'agent_id' is null or l.agent_id = (p_filter ->> 'agent_id')::uuid)
      and (p_filter ->> 'instance_id' is null or l.instance_id = (p_filter ->> 'instance_id')::uuid)
      and (p_filter ->> 'user_id' is null or l.user_id = (p_filter ->> 'user_id')::uuid)
      and (p_filter ->> 'kind' is null or l.kind::text = p_filter ->> 'kind')
      and (p_filter ->> 'phase' is null or l.phase::text = p_filter ->> 'phase')
      -- Bounds the walk of the index. The page begins inside this moment; the comparison of rows below says where.
      and l.created_at <= coalesce((p_before ->> 'created_at')::timestamptz, 'infinity')
      and (p_before is null or (l.created_at, l.id, l.phase::text)
           < ((p_before ->> 'created_at')::timestamptz, (p_before ->> 'id')::uuid, p_before ->> 'phase'))
    order by l.created_at desc, l.id desc, l.phase::text desc
    limit p_limit) r;
  return jsonb_build_object('rows', v_rows, 'next', case when jsonb_array_length(v_rows) = p_limit
    then jsonb_build_object('created_at', v_rows -> -1 -> 'created_at', 'id', v_rows -> -1 -> 'id', 'phase', v_rows -> -1 -> 'phase') end);
end;
$$;


ALTER FUNCTION weir.audit_page(p_organization_id uuid, p_user_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) OWNER TO weir_owner;

--
-- Name: authenticate_key(text, bytea); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.authenticate_key(p_key_id text, p_secret_hash bytea) RETURNS TABLE(agent_id uuid, agent_name text, organization_id uuid, key_expires_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select a.id, a.name, a.organization_id, k.expires_at
    from public.agent_api_keys k
    join public.agents a on a.id = k.agent_id
    join public.organizations o on o.id = a.organization_id
    join public.organization_members m on m.organization_id = a.organization_id and m.user_id = a.owner_id
    where k.key_id = p_key_id and k.secret_hash = p_secret_hash
      and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
      and a.is_active and o.is_active and m.status = 'active';
end;
$$;


ALTER FUNCTION weir.authenticate_key(p_key_id text, p_secret_hash bytea) OWNER TO weir_system;

--
-- Name: authenticate_organization_key(text, bytea); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.authenticate_organization_key(p_key_id text, p_secret_hash bytea) RETURNS TABLE(organization_id uuid, name text, scopes text[], key_expires_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select k.organization_id, k.name, k.scopes, k.expires_at
    from public.organization_api_keys k
    join public.organizations o on o.id = k.organization_id and o.is_active
    where k.key_id = p_key_id and k.secret_hash = p_secret_hash and k.revoked_at is null and k.expires_at > clock_timestamp();
end;
$$;


ALTER FUNCTION weir.authenticate_organization_key(p_key_id text, p_secret_hash bytea) OWNER TO weir_system;

--
-- Name: authorities(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.authorities() RETURNS TABLE(kind text, key text, organization_id uuid, label text, state text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  return query
    -- Ended authority cannot come back, so only what is in force is listed: active, not revoked, not expired.
    select 'organization', o.id::text, o.id, o.name, null::text from public.organizations o where o.is_active
    -- A role is part of the state: an admin who became a viewer is less than before.
    union all select 'member', m.organization_id || '/' || m.user_id, m.organization_id, m.user_id || ' as ' || m.role, m.role
      from public.organization_members m where m.status = 'active'
    union all select 'workspace member', w.id::text, w.organization_id, coalesce('person ' || w.user_id, 'agent ' || w.agent_id), null
      from public.workspace_members w
    union all select 'agent', a.id::text, a.organization_id, a.name, null from public.agents a where a.is_active
    union all select 'agent key', k.id::text, k.organization_id, k.key_id || ' (' || k.name || ')', null
      from public.agent_api_keys k where k.revoked_at is null and coalesce(k.expires_at > now(), true)
    union all select 'organization key', k.id::text, k.organization_id, k.key_id || ' (' || k.name || ')', array_to_string(k.scopes, ' ')
      from public.organization_api_keys k where k.revoked_at is null and k.expires_at > now()
    union all select 'grant', g.id::text, g.organization_id,
        format('agent %s, server %s', a.name, i.name), null
      from public.agent_mcp_permissions g join public.agents a on a.id = g.agent_id
      join public.mcp_server_instances i on i.id = g.mcp_server_instance_id
      where g.revoked_at is null and coalesce(g.expires_at > now(), true)
    union all select 'invitation', i.id::text, i.organization_id, i.email || ' as ' || i.role, i.role
      from public.organization_invitations i where i.accepted_at is null and i.revoked_at is null and i.expires_at > now()
    -- A node's key can be replaced, so its hash is the state.
    union all select 'node', n.id::text, null, n.name, encode(n.key_hash, 'hex') from weir.dtma_nodes n where n.registered_at is not null
    union all select 'platform admin', p.user_id::text, null, p.user_id::text, null from weir.platform_admins p
    -- The name is a server's text of any length and form, so its hash stands in the key.
    union all select 'definition',
        concat_ws('/', t.instance_id, t.kind, encode(sha256(convert_to(t.name, 'UTF8')), 'hex'), encode(t.definition_hash, 'hex')),
        t.organization_id, format('of the %s %s, server %s', t.kind, weir.printable(t.name), i.name), null
      from public.mcp_server_tools t join public.mcp_server_instances i on i.id = t.instance_id
      where t.status = 'approved' and t.kind <> 'resource' and i.status <> 'deleted'
    union all select 'catalog server', c.id::text, null, c.slug || ' ' || c.version, null
      from public.mcp_server_catalog c where c.is_published
    -- A server that was stopped would run again.
    union all select 'running server', i.id::text, i.organization_id, i.name, null
      from public.mcp_server_instances i where i.status in ('deploying', 'running', 'degraded', 'updating', 'failed')
    union all select 'datastore', d.id::text, d.organization_id, weir.printable(d.name), null
      from public.datastores d where d.deleted_at is null
    union all select 'datastore link', l.agent_id || '/' || l.datastore_id, l.organization_id,
        format('agent %s, datastore %s', a.name, weir.printable(d.name)), null
      from public.agent_datastores l join public.agents a on a.id = l.agent_id
      join public.datastores d on d.id = l.datastore_id and d.deleted_at is null
    union all select 'document', d.id::text, d.organization_id, weir.printable(d.title), null
      from public.documents d join public.datastores s on s.id = d.datastore_id and s.deleted_at is null;
  -- People of Supabase are not restored here. The casts: its columns are varchar.
  if (select i.embedded_issuer from weir.installation i) then
    return query
      select 'person', u.id::text, null::uuid, coalesce(u.email::text, u.id::text), coalesce(u.encrypted_password::text, '')
      from auth.users u where not coalesce(u.banned_until > now(), false);
  end if;
end;
$$;


ALTER FUNCTION weir.authorities() OWNER TO weir_owner;

--
-- Name: authorize(weir.act, text, boolean); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.authorize(p_act weir.act, p_missing text DEFAULT 'there is no such organization'::text, p_found boolean DEFAULT true) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_may boolean;
begin
  if weir.actor_id() is null then
    return weir.refuse(p_act, 'WR002', 'sign in first');
  end if;
  v_may := weir.may(p_act, p_act.permission);
  -- Every permission on an organization includes that the caller sees it.
  if p_found is not true or not (v_may or weir.may(p_act, 'viewer')) then
    return weir.refuse(p_act, 'WR004', p_missing);
  elsif not v_may then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  return null;
end;
$$;


ALTER FUNCTION weir.authorize(p_act weir.act, p_missing text, p_found boolean) OWNER TO weir_owner;

--
-- Name: log_leaf(integer, integer, xid8, uuid, timestamp with time zone, uuid, text, text, text, timestamp with time zone, uuid, text, uuid, uuid, text, text, uuid, text, text, uuid, text, integer, text, text, text, text, bigint, bigint, bigint, bytea, bytea, text, text, integer); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.log_leaf(p_canon_version integer, p_epoch integer, p_xid xid8, p_organization_id uuid, p_created_at timestamp with time zone, p_id uuid, p_phase text, p_kind text, p_decision text, p_recorded_at timestamp with time zone, p_replica_id uuid, p_actor_kind text, p_user_id uuid, p_agent_id uuid, p_agent_name text, p_key_id text, p_instance_id uuid, p_instance_name text, p_item text, p_grant_id uuid, p_request_id text, p_attempt integer, p_reason text, p_detail text, p_outcome text, p_error_code text, p_duration_us bigint, p_request_bytes bigint, p_response_bytes bigint, p_request_hash bytea, p_response_hash bytea, p_request_copy text, p_response_copy text, p_occurrences integer) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
begin
  -- A row that contradicts itself has no hash and so cannot be inserted. The rule is here and not in a table constraint,
  -- which every insert would parse and plan again.
  if not ((p_phase = 'denied') = (p_decision = 'denied')
          and (p_phase <> 'denied' or p_reason is not null)
          and (p_phase = 'completed') = (p_outcome is not null)
          and (p_actor_kind = 'system' or num_nonnulls(p_user_id, p_agent_id) > 0 or p_actor_kind = 'key' and p_key_id is not null)
          and p_attempt > 0 and p_occurrences > 0) then
    raise check_violation using message = 'the phase of a row of the record must fit its decision, reason, outcome and actor';
  end if;
  return pg_catalog.sha256(pg_catalog.record_send(row(
    p_canon_version::bigint, p_epoch::bigint, p_xid, p_organization_id, p_created_at, p_id,
    pg_catalog.convert_to(p_phase, 'UTF8'), pg_catalog.convert_to(p_kind, 'UTF8'), pg_catalog.convert_to(p_decision, 'UTF8'),
    p_recorded_at, p_replica_id, pg_catalog.convert_to(p_actor_kind, 'UTF8'), p_user_id, p_agent_id,
    pg_catalog.convert_to(p_agent_name, 'UTF8'), pg_catalog.convert_to(p_key_id, 'UTF8'), p_instance_id,
    pg_catalog.convert_to(p_instance_name, 'UTF8'), pg_catalog.convert_to(p_item, 'UTF8'), p_grant_id,
    pg_catalog.convert_to(p_request_id, 'UTF8'), p_attempt::bigint, pg_catalog.convert_to(p_reason, 'UTF8'),
    pg_catalog.convert_to(p_detail, 'UTF8'), pg_catalog.convert_to(p_outcome, 'UTF8'),
    pg_catalog.convert_to(p_error_code, 'UTF8'), p_duration_us, p_request_bytes, p_response_bytes, p_request_hash,
    p_response_hash, pg_catalog.convert_to(p_request_copy, 'UTF8'), pg_catalog.convert_to(p_response_copy, 'UTF8'),
    p_occurrences::bigint)));
end;
$$;


ALTER FUNCTION weir.log_leaf(p_canon_version integer, p_epoch integer, p_xid xid8, p_organization_id uuid, p_created_at timestamp with time zone, p_id uuid, p_phase text, p_kind text, p_decision text, p_recorded_at timestamp with time zone, p_replica_id uuid, p_actor_kind text, p_user_id uuid, p_agent_id uuid, p_agent_name text, p_key_id text, p_instance_id uuid, p_instance_name text, p_item text, p_grant_id uuid, p_request_id text, p_attempt integer, p_reason text, p_detail text, p_outcome text, p_error_code text, p_duration_us bigint, p_request_bytes bigint, p_response_bytes bigint, p_request_hash bytea, p_response_hash bytea, p_request_copy text, p_response_copy text, p_occurrences integer) OWNER TO weir_owner;

SET default_tablespace = '';

--
-- Name: mcp_interaction_logs; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.mcp_interaction_logs (
    created_at timestamp with time zone NOT NULL,
    id uuid NOT NULL,
    phase weir.log_phase NOT NULL,
    organization_id uuid NOT NULL,
    kind weir.log_kind NOT NULL,
    decision weir.log_decision NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    epoch integer NOT NULL,
    canon_version smallint DEFAULT 1 NOT NULL,
    replica_id uuid,
    actor_kind weir.log_actor NOT NULL,
    user_id uuid,
    agent_id uuid,
    agent_name weir.log_name,
    key_id text,
    instance_id uuid,
    instance_name weir.log_name,
    item weir.log_copy,
    grant_id uuid,
    request_id weir.log_text,
    attempt integer DEFAULT 1 NOT NULL,
    reason weir.log_reason,
    detail weir.log_text,
    outcome weir.log_outcome,
    error_code weir.log_name,
    duration_us weir.log_count,
    request_bytes weir.log_count,
    response_bytes weir.log_count,
    request_hash weir.log_hash,
    response_hash weir.log_hash,
    request_copy weir.log_copy,
    response_copy weir.log_copy,
    occurrences integer DEFAULT 1 NOT NULL,
    leaf bytea GENERATED ALWAYS AS (weir.log_leaf((canon_version)::integer, epoch, xid, organization_id, created_at, id, (phase)::text, (kind)::text, (decision)::text, recorded_at, replica_id, (actor_kind)::text, user_id, agent_id, (agent_name)::text, key_id, instance_id, (instance_name)::text, (item)::text, grant_id, (request_id)::text, attempt, (reason)::text, (detail)::text, (outcome)::text, (error_code)::text, (duration_us)::bigint, (request_bytes)::bigint, (response_bytes)::bigint, (request_hash)::bytea, (response_hash)::bytea, (request_copy)::text, (response_copy)::text, occurrences)) STORED NOT NULL
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY public.mcp_interaction_logs FORCE ROW LEVEL SECURITY;


ALTER TABLE public.mcp_interaction_logs OWNER TO weir_owner;

--
-- Name: TABLE mcp_interaction_logs; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.mcp_interaction_logs IS 'tenant: the audit log, append-only (no foreign keys: a row outlives what it names); read by read_audit only';


--
-- Name: log_summary(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.log_summary() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT jsonb_build_object('rows', ( SELECT count(*) AS count
            FROM public.mcp_interaction_logs), 'hashes', ( SELECT jsonb_build_array((COALESCE(bit_xor(((('x'::text || encode(SUBSTRING(l.leaf FROM 1 FOR 8), 'hex'::text)))::bit(64))::bigint), (0)::bigint))::text, (COALESCE(bit_xor(((('x'::text || encode(SUBSTRING(l.leaf FROM 9 FOR 8), 'hex'::text)))::bit(64))::bigint), (0)::bigint))::text, (COALESCE(bit_xor(((('x'::text || encode(SUBSTRING(l.leaf FROM 17 FOR 8), 'hex'::text)))::bit(64))::bigint), (0)::bigint))::text, (COALESCE(bit_xor(((('x'::text || encode(SUBSTRING(l.leaf FROM 25 FOR 8), 'hex'::text)))::bit(64))::bigint), (0)::bigint))::text) AS jsonb_build_array
            FROM public.mcp_interaction_logs l), 'months', ( SELECT COALESCE(jsonb_agg(to_char(m.month, 'YYYY-MM-DD'::text) ORDER BY m.month), '[]'::jsonb) AS "coalesce"
            FROM ( SELECT DISTINCT (date_trunc('month'::text, l.created_at, 'UTC'::text) AT TIME ZONE 'UTC'::text) AS month
                    FROM public.mcp_interaction_logs l) m), 'last', ( SELECT COALESCE(jsonb_agg(jsonb_build_object('id', t.id, 'phase', t.phase, 'hash', encode(t.leaf, 'hex'::text)) ORDER BY t.created_at DESC, t.id DESC, t.phase DESC), '[]'::jsonb) AS "coalesce"
            FROM ( SELECT l.created_at,
                     l.id,
                     l.phase,
                     l.leaf
                    FROM public.mcp_interaction_logs l
                   ORDER BY l.created_at DESC, l.id DESC, l.phase DESC
                  LIMIT 10) t)) AS jsonb_build_object;
END;


ALTER FUNCTION weir.log_summary() OWNER TO weir_owner;

SET default_table_access_method = heap;

--
-- Name: installation; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.installation (
    only_row boolean DEFAULT true NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    keyring_fingerprint bytea,
    embedded_issuer boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT installation_epoch_is_positive CHECK ((epoch > 0)),
    CONSTRAINT installation_has_one_row CHECK (only_row)
);

ALTER TABLE ONLY weir.installation FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.installation OWNER TO weir_owner;

--
-- Name: TABLE installation; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.installation IS 'platform: one row about this database. A restore starts a new epoch; the keyring''s fingerprint is the first replica''s.';


--
-- Name: backup_facts(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.backup_facts() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT jsonb_build_object('at', now(), 'epoch', i.epoch, 'keyring', encode(i.keyring_fingerprint, 'hex'::text), 'ownUsers', i.embedded_issuer, 'log', weir.log_summary(), 'authorities', ( SELECT COALESCE(jsonb_object_agg(a.kind, a.count), '{}'::jsonb) AS "coalesce"
            FROM ( SELECT a_1.kind,
                     count(*) AS count
                    FROM weir.authorities() a_1(kind, key, organization_id, label, state)
                   GROUP BY a_1.kind) a)) AS jsonb_build_object
    FROM weir.installation i;
END;


ALTER FUNCTION weir.backup_facts() OWNER TO weir_owner;

--
-- Name: backup_tables(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.backup_tables() RETURNS TABLE(name text, columns text[], refers_to text[], is_readable boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT format('%I.%I'::text, n.nspname, c.relname) AS format,
     ARRAY( SELECT quote_ident((a.attname)::text) AS quote_ident
            FROM pg_attribute a
           WHERE ((a.attrelid = c.oid) AND (a.attnum > 0) AND (NOT a.attisdropped) AND (a.attgenerated = ''::"char"))
           ORDER BY a.attnum) AS "array",
     ARRAY( SELECT DISTINCT format('%I.%I'::text, fn.nspname, f.relname) AS format
            FROM ((pg_constraint k
              JOIN pg_class f ON ((f.oid = k.confrelid)))
              JOIN pg_namespace fn ON ((fn.oid = f.relnamespace)))
           WHERE ((k.conrelid = c.oid) AND (k.contype = 'f'::"char") AND (f.oid <> c.oid))) AS "array",
     (has_table_privilege('weir_backup'::name, c.oid, 'select'::text) AND (EXISTS ( SELECT
            FROM pg_policy p
           WHERE ((p.polrelid = c.oid) AND p.polpermissive AND (p.polcmd = ANY (ARRAY['r'::"char", '*'::"char"])) AND (( SELECT r.oid
                    FROM pg_roles r
                   WHERE (r.rolname = 'weir_backup'::name)) = ANY (p.polroles)) AND (pg_get_expr(p.polqual, p.polrelid) = 'true'::text)))) AND (NOT (EXISTS ( SELECT
            FROM pg_policy p
           WHERE ((p.polrelid = c.oid) AND (NOT p.polpermissive) AND (p.polroles && ARRAY[(0)::oid, ( SELECT r.oid
                    FROM pg_roles r
                   WHERE (r.rolname = 'weir_backup'::name))]))))))
    FROM (pg_class c
      JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
   WHERE ((c.relkind = ANY (ARRAY['r'::"char", 'p'::"char"])) AND (NOT c.relispartition) AND (n.nspname = ANY (ARRAY['weir'::name, 'public'::name, 'auth'::name])) AND ((n.nspname = 'weir'::name) OR (obj_description(c.oid, 'pg_class'::name) ~ '^(tenant|user|platform|global): '::text)) AND ((n.nspname <> 'weir'::name) OR (c.relname <> 'schema_migrations'::name)) AND (NOT (EXISTS ( SELECT
            FROM pg_depend d
           WHERE ((d.classid = ('pg_class'::regclass)::oid) AND (d.objid = c.oid) AND (d.deptype = 'e'::"char"))))))
   ORDER BY (format('%I.%I'::text, n.nspname, c.relname));
END;


ALTER FUNCTION weir.backup_tables() OWNER TO weir_owner;

--
-- Name: begin_chat_turn(uuid, uuid, uuid, uuid, interval); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.begin_chat_turn(p_replica_id uuid, p_user_id uuid, p_agent_id uuid, p_message_id uuid, p_lease interval) RETURNS TABLE(state text, calls jsonb)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_begun boolean;
begin
  -- The insert decides the race: of two replicas one inserts, the other waits for it and finds the row.
  insert into weir.chat_turns as t (organization_id, message_id, agent_id, replica_id, leased_until)
  select m.organization_id, m.id, a.id, p_replica_id, clock_timestamp() + p_lease
  from public.chat_messages m
  join public.agents a on a.id = p_agent_id and a.organization_id = m.organization_id
  where m.id = p_message_id and m.sender = 'user' and m.user_id = p_user_id and m.deleted_at is null
    and weir.may_use_agent(p_user_id, a.id, a.owner_id)
    and exists (select from public.workspace_members w where w.workspace_id = m.workspace_id and w.agent_id = a.id)
  on conflict (message_id, agent_id) do update set replica_id = excluded.replica_id, leased_until = excluded.leased_until
    where t.leased_until < clock_timestamp() and t.calls = '{}';
  v_begun := found;
  -- Asked after the insert, which waits for a replica that is saving the answer.
  if exists (select from public.chat_messages m
             join public.chat_messages question on question.id = m.reply_to and question.user_id = p_user_id
             where m.reply_to = p_message_id and m.agent_id = p_agent_id and m.sender = 'agent') then
    delete from weir.chat_turns t where t.message_id = p_message_id and t.agent_id = p_agent_id;
    return query select 'answered', '[]'::jsonb;
  elsif v_begun then
    return query select 'begun', '[]'::jsonb;
  -- Another replica has the turn, or the message is not there for this person: then WR004.
  else
    return query
      select case when t.leased_until < clock_timestamp() and t.calls <> '{}' then 'cut_off' else 'running' end,
             (select coalesce(jsonb_agg(c.value order by c.key::integer), '[]') from jsonb_each(t.calls) c)
      from weir.chat_turns t
      join public.chat_messages m on m.id = t.message_id and m.user_id = p_user_id and m.deleted_at is null
      where t.message_id = p_message_id and t.agent_id = p_agent_id;
    if not found then
      raise exception using errcode = 'WR004', message = 'there is no such message';
    end if;
  end if;
end;
$$;


ALTER FUNCTION weir.begin_chat_turn(p_replica_id uuid, p_user_id uuid, p_agent_id uuid, p_message_id uuid, p_lease interval) OWNER TO weir_system;

--
-- Name: begin_epoch(text, boolean); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.begin_epoch(p_detail text, p_keyring_is_lost boolean) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_epoch integer;
begin
  update weir.installation i
  set epoch = i.epoch + 1, keyring_fingerprint = case when p_keyring_is_lost then null else i.keyring_fingerprint end
  returning i.epoch into v_epoch;
  -- Released: what processes held that are no more.
  delete from weir.replicas;
  update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'restore' where s.revoked_at is null;
  -- Pending operations are due at once, for whichever replica claims them.
  update weir.dtma_operations o set claimed_by = null, lease_until = null, run_at = least(o.run_at, clock_timestamp())
  where o.finished_at is null;
  update public.mcp_server_instances i set refresh_by = null, refresh_lease_until = null, refresh_at = clock_timestamp()
  where i.status in ('running', 'degraded');
  -- Turns end now: one without a call is begun again by a retry, one with calls is cut off.
  update weir.chat_turns t set leased_until = least(t.leased_until, clock_timestamp());
  -- A node that has not registered needs a new token (weir.issue_node_token).
  update weir.dtma_nodes n set is_online = false, api_url = null, token_hash = null, token_expires_at = null;
  if p_keyring_is_lost then
    update weir.dtma_nodes n set registered_at = null, key_hash = null, sealed_api_key = null;
  end if;
  -- Each organization's audit log says that it was restored.
  perform weir.record_event('lifecycle', o.id, p_item => 'restore', p_detail => format('epoch %s: %s', v_epoch, p_detail))
  from public.organizations o;
  return v_epoch;
end;
$$;


ALTER FUNCTION weir.begin_epoch(p_detail text, p_keyring_is_lost boolean) OWNER TO weir_owner;

--
-- Name: begin_sign_in(text, inet); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.begin_sign_in(p_email text, p_address inet) RETURNS TABLE(allowed boolean, user_id uuid, password_hash text, disabled boolean, limited_by text, retry_after integer)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
-- Names like `user_id` are columns wherever a statement has them.
#variable_conflict use_column
declare
  v_network constant text := weir.network_of(p_address);
  v_pair constant text := lower(p_email) || ' ' || v_network;
begin
  -- Always in this order, so that attempts never deadlock.
  limited_by := 'address';
  retry_after := weir.count_attempt('address', v_network, 30, '1 minute');
  if retry_after = 0 and p_email is not null then
    limited_by := 'pair';
    retry_after := weir.count_attempt('pair', v_pair, 10, '5 minutes');
    if retry_after = 0 and not exists (select from weir.sign_in_attempts a
                                       where a.kind = 'known' and a.subject = sha256(convert_to(v_pair, 'UTF8'))
                                         and a.window_ends > clock_timestamp()) then
      limited_by := 'email';
      retry_after := weir.count_attempt('email', lower(p_email), 100, '5 minutes');
    end if;
  end if;
  allowed := retry_after = 0;
  limited_by := case when not allowed then limited_by end;
  -- Past windows are deleted last, and rows that somebody holds are skipped. So this transaction waits for nobody while it holds
  -- counters.
  delete from weir.sign_in_attempts a
  where (a.kind, a.subject) in (
    select o.kind, o.subject from weir.sign_in_attempts o where o.window_ends < clock_timestamp() - interval '1 minute'
    order by o.window_ends limit 100 for update skip locked);
  -- A refused attempt does not get the hash, so no password is verified for it.
  if allowed and p_email is not null then
    select l.user_id, l.password_hash, l.disabled into user_id, password_hash, disabled from weir.find_login(p_email) l;
  end if;
  return next;
end;
$$;


ALTER FUNCTION weir.begin_sign_in(p_email text, p_address inet) OWNER TO weir_system;

--
-- Name: bury_instance(uuid, bigint); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.bury_instance(p_instance_id uuid, p_generation bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update public.mcp_server_instances i
  set status = 'deleted', node_id = null, last_node_id = null, configuration = '{}', last_error_code = null, last_error = null
  where i.id = p_instance_id and i.generation = p_generation and i.status = 'deleting';
end;
$$;


ALTER FUNCTION weir.bury_instance(p_instance_id uuid, p_generation bigint) OWNER TO weir_owner;

--
-- Name: change_version(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.change_version() RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (select coalesce(sum(v.version), 0)::bigint from weir.change_versions v);
end;
$$;


ALTER FUNCTION weir.change_version() OWNER TO weir_system;

--
-- Name: chat_has_tools(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.chat_has_tools(p_organization_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (select from public.organizations o where o.id = p_organization_id and o.chat_tools)
     and not exists (select from weir.settings s where s.name = 'chat_tools' and s.value <> 'true');
end;
$$;


ALTER FUNCTION weir.chat_has_tools(p_organization_id uuid) OWNER TO weir_owner;

--
-- Name: chat_turn_settings(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.chat_turn_settings(p_user_id uuid, p_agent_id uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_agent_id constant uuid := weir.principal_agent(null, null, p_user_id, p_agent_id);
begin
  if v_agent_id is null then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
  return (
    select jsonb_build_object('tools', weir.chat_has_tools(a.organization_id), 'servers', coalesce((
      select jsonb_agg(jsonb_build_object(
               'id', i.id, 'name', i.name, 'priority', i.priority, 'resources', i.context_resources, 'prompts', i.context_prompts,
               'timeoutMs', i.timeout_ms, 'maxRetries', i.max_retries, 'retryBackoffMs', i.retry_backoff_ms) order by i.priority, i.id)
      from public.agent_mcp_permissions g
      join public.mcp_server_instances i on i.id = g.mcp_server_instance_id and i.organization_id = g.organization_id
      left join public.mcp_server_catalog c on c.id = i.catalog_id
      where g.agent_id = a.id and g.organization_id = a.organization_id and g.revoked_at is null
        and (g.not_before is null or g.not_before <= clock_timestamp())
        and (g.expires_at is null or g.expires_at > clock_timestamp())
        and i.status in ('running', 'degraded') and coalesce(c.is_published, true)), '[]'))
    from public.agents a
    where a.id = v_agent_id);
end;
$$;


ALTER FUNCTION weir.chat_turn_settings(p_user_id uuid, p_agent_id uuid) OWNER TO weir_system;

--
-- Name: check_schema(jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.check_schema(p_schema jsonb, p_path text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_key text;
  v_value jsonb;
begin
  if jsonb_typeof(p_schema) <> 'object' then
    raise exception using errcode = 'WR001', message = p_path || ': must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_schema) e loop
    if v_key not in ('title', 'description', 'default', 'examples', '$schema', 'additionalProperties', 'type', 'enum', 'const',
                     'minLength', 'maxLength', 'pattern', 'minimum', 'maximum', 'minItems', 'maxItems', 'required', 'properties', 'items')
       or (v_key = 'additionalProperties' and v_value <> 'false')
       or (v_key in ('type', 'pattern') and jsonb_typeof(v_value) <> 'string')
       or (v_key in ('enum', 'required') and jsonb_typeof(v_value) <> 'array')
       or (v_key = 'properties' and jsonb_typeof(v_value) <> 'object')
       or (v_key in ('minLength', 'maxLength', 'minItems', 'maxItems') and v_value::text !~ '^[0-9]{1,9}$')
       or (v_key in ('minimum', 'maximum') and jsonb_typeof(v_value) <> 'number')
       or (v_key = 'pattern' and weir.pattern_error(v_value #>> '{}') is not null) then
      raise exception using errcode = 'WR001', message = format('%s.%s: is not supported', p_path, v_key);
    elsif v_key = 'items' then
      perform weir.check_schema(v_value, p_path || '.items');
    elsif v_key = 'properties' then
      perform weir.check_schema(p.value, p_path || '.properties.' || p.key) from jsonb_each(v_value) p;
    end if;
  end loop;
end;
$_$;


ALTER FUNCTION weir.check_schema(p_schema jsonb, p_path text) OWNER TO weir_owner;

--
-- Name: choose_node(uuid, text, text, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.choose_node(p_organization_id uuid, p_region text, p_runtime text, p_last_node_id uuid) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform pg_advisory_xact_lock(hashtextextended('weir.choose_node', 0));
  return (
    select n.id
    from weir.dtma_nodes n
    cross join lateral (
      -- A server that failed or is being deleted still occupies its node.
      select count(*) as instances, bool_or(i.organization_id <> p_organization_id) as foreign_too
      from public.mcp_server_instances i
      where i.node_id = n.id and i.status not in ('stopped', 'deleted')) u
    where n.is_online and p_runtime = any(n.runtimes)
      and (n.isolation <> 'none' or u.foreign_too is not true)
      -- The most servers that a heartbeat may name (HeartbeatRequest.MostServers).
      and u.instances < 4096
    order by n.region is distinct from p_region, n.id is distinct from p_last_node_id, u.instances, n.id
    limit 1);
end;
$$;


ALTER FUNCTION weir.choose_node(p_organization_id uuid, p_region text, p_runtime text, p_last_node_id uuid) OWNER TO weir_owner;

--
-- Name: chunk_terms(uuid, text, text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.chunk_terms(p_datastore_id uuid, p_title text, p_heading text, p_content text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return setweight(to_tsvector('pg_catalog.english', p_title || ' ' || p_heading), 'A')
      || setweight(to_tsvector('pg_catalog.simple', p_title || ' ' || p_heading), 'B')
      || setweight(to_tsvector('pg_catalog.english', p_content), 'C')
      || array_to_tsvector(array[weir.datastore_lexeme(p_datastore_id)]);
end;
$$;


ALTER FUNCTION weir.chunk_terms(p_datastore_id uuid, p_title text, p_heading text, p_content text) OWNER TO weir_owner;

--
-- Name: chunk_vectors(uuid, uuid, uuid, text, bigint, bigint, bigint); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.chunk_vectors(p_user_id uuid, p_agent_id uuid, p_datastore_id uuid, p_model text, p_after bigint, p_until bigint, p_limit bigint DEFAULT NULL::bigint) RETURNS TABLE(chunk_id uuid, embedding real[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10000
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  return query
  select c.id, c.embedding
  from weir.document_chunks c
  where c.datastore_id = p_datastore_id and c.embedded_version > p_after and c.embedded_version <= p_until and c.embedding is not null
    and c.embedding_model = p_model
    and exists (select from weir.agent_knowledge(p_user_id, p_agent_id) k where k.datastore_id = p_datastore_id)
  limit p_limit;
end;
$$;


ALTER FUNCTION weir.chunk_vectors(p_user_id uuid, p_agent_id uuid, p_datastore_id uuid, p_model text, p_after bigint, p_until bigint, p_limit bigint) OWNER TO weir_system;

--
-- Name: chunks_error(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.chunks_error(p_chunks jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_place bigint;
begin
  if jsonb_typeof(p_chunks) is distinct from 'array' or jsonb_array_length(p_chunks) not between 1 and 10000 then
    return 'chunks must be an array of 1 to 10000';
  elsif pg_column_size(p_chunks) > 33554432 or pg_column_size(p_chunks #> '{}') > 33554432 then
    return 'chunks must be at most 32 MiB together';
  end if;
  -- Only what is a JSON string is read as text.
  select c.n into v_place
  from jsonb_array_elements(p_chunks) with ordinality c(chunk, n)
  where case when jsonb_typeof(c.chunk) <> 'object' then true
             when c.chunk - 'text' - 'heading' <> '{}' or jsonb_typeof(c.chunk -> 'text') is distinct from 'string'
                  or coalesce(jsonb_typeof(c.chunk -> 'heading'), 'string') <> 'string' then true
             else octet_length(c.chunk ->> 'text') not between 1 and 16384 or (c.chunk ->> 'text') !~ '\S'
                  or coalesce(length(c.chunk ->> 'heading'), 0) > 1000 end
  order by c.n limit 1;
  return case when v_place is not null
    then format('chunks[%s] must be {"text": 1 byte to 16 KiB, "heading": at most 1000 characters}', v_place - 1)
    else 'chunks ' || weir.bounds_error(p_chunks, 33554432) end;
end;
$$;


ALTER FUNCTION weir.chunks_error(p_chunks jsonb) OWNER TO weir_owner;

--
-- Name: claim_embeddings(text, integer, interval); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.claim_embeddings(p_model text, p_limit integer, p_lease interval) RETURNS TABLE(document_id uuid, organization_id uuid, datastore_id uuid, vector_index text, chunk_id uuid, content text, known real[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'on'
    AS $$
#variable_conflict use_column
declare
  v_document record;
  v_claimed uuid[] := '{}'::uuid[];
  v_chunks integer := 0;
begin
  -- place: the first document of each organization, then the second, and so on.
  for v_document in
    select d.id, d.chunk_count
    from (select distinct s.organization_id from public.datastores s where s.deleted_at is null) o
    cross join lateral (select x.id, x.chunk_count, row_number() over (order by x.embed_after, x.id) as place
                        from public.documents x
                        where x.organization_id = o.organization_id and x.embed_after <= clock_timestamp()
                        order by x.embed_after, x.id limit p_limit) d
    order by d.place, d.id limit p_limit
  loop
    -- Looked at again: another worker may have taken it since.
    update public.documents d set embed_after = clock_timestamp() + p_lease
    where d.id = v_document.id and d.embed_after <= clock_timestamp();
    if found then
      v_claimed := v_claimed || v_document.id;
      v_chunks := v_chunks + v_document.chunk_count;
    end if;
    -- Enough for one answer; a large document's other chunks come when its first ones are recorded.
    exit when v_chunks >= p_limit;
  end loop;
  -- A document whose chunks all have this model's embedding needs nothing more.
  update public.documents d
  set status = 'embedded', status_detail = null, embedding_model = p_model, embed_attempts = 0, embed_after = 'infinity'
  where d.id = any(v_claimed)
    and not exists (select from weir.document_chunks c where c.document_id = d.id and c.embedding_model is distinct from p_model);
  -- The lease covers documents; their chunks come with what is needed to embed them.
  return query
  select c.document_id, c.organization_id, c.datastore_id, s.settings ->> 'index', c.id,
         weir.embedded_text(d.title, c.heading, c.content), k.embedding
  from weir.document_chunks c
  join public.documents d on d.id = c.document_id
  join public.datastores s on s.id = c.datastore_id
  -- Only of the same organization: see document_chunks_known_idx.
  left join lateral (select x.embedding from weir.document_chunks x
                     where x.organization_id = c.organization_id and x.content_hash = c.content_hash and x.embedding is not null
                       and x.embedding_model = p_model limit 1) k on true
  where c.document_id = any(v_claimed) and c.embedding_model is distinct from p_model
  order by array_position(v_claimed, c.document_id), c.ordinal
  limit p_limit;
end;
$$;


ALTER FUNCTION weir.claim_embeddings(p_model text, p_limit integer, p_lease interval) OWNER TO weir_system;

--
-- Name: claim_operations(uuid, integer, interval, integer, uuid[], uuid[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.claim_operations(p_replica_id uuid, p_limit integer, p_lease interval, p_share integer DEFAULT 8, p_running_organizations uuid[] DEFAULT '{}'::uuid[], p_running_nodes uuid[] DEFAULT '{}'::uuid[]) RETURNS TABLE(operation_id uuid, action text, organization_id uuid, instance_id uuid, instance_name text, generation bigint, attempt integer, node_id uuid, node_api_url text, node_sealed_api_key bytea, endpoint_url text, runtime text, transport text, package text, package_version text, bin text, args jsonb, env jsonb, configuration jsonb, share text, max_sessions integer, calls_at_once integer, created_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'on'
    AS $$
#variable_conflict use_column
declare
  v_operation record;
  v_node_id uuid;
  v_claimed uuid[] := '{}'::uuid[];
  v_until constant timestamptz := clock_timestamp() + interval '500 milliseconds';
begin
  -- Operations are locked first, by skipping those that another replica holds. The loop goes by organization, the order in which
  -- everybody takes several organizations' locks.
  for v_operation in
    select * from (
      select o.id, o.organization_id, o.instance_id, o.action, o.generation, i.generation as wanted, i.catalog_id, i.node_id,
             i.last_node_id, i.region, i.last_error_code, c.runtime
      from weir.dtma_operations o
      join public.mcp_server_instances i on i.id = o.instance_id
      left join public.mcp_server_catalog c on c.id = i.catalog_id
      join weir.operations_in_turn(p_share, p_running_organizations, p_running_nodes) t on t.operation_id = o.id
      -- Looked at again: another replica may have taken it since.
      where o.finished_at is null and (o.lease_until is null or o.lease_until < clock_timestamp())
      order by t.turn, o.run_at, o.id
      limit greatest(p_limit, 0)
      for update of o skip locked) due
    order by due.organization_id, due.instance_id
  loop
    if v_operation.generation <> v_operation.wanted then
      -- Somebody has wanted something else since.
      update weir.dtma_operations o
      set finished_at = clock_timestamp(), outcome = 'superseded', claimed_by = null, lease_until = null where o.id = v_operation.id;
      continue;
    elsif v_operation.catalog_id is not null and v_operation.node_id is null then
      if not weir.try_lock_organization(v_operation.organization_id, v_until) then
        -- Behind those that are due by then, so that it takes none of their places.
        update weir.dtma_operations o set run_at = clock_timestamp() + interval '500 milliseconds' where o.id = v_operation.id;
        continue;
      end if;
      -- After the organization's lock: choose_node makes all other placements wait for this one.
      v_node_id := case
        -- A deletion goes to where the files are.
        when v_operation.action = 'delete' then v_operation.last_node_id
        when v_operation.action <> 'stop'
          then weir.choose_node(v_operation.organization_id, v_operation.region, v_operation.runtime, v_operation.last_node_id)
      end;
      if v_operation.action in ('stop', 'delete') and v_node_id is null then
        -- It was never placed: there is nothing to stop or to remove.
        perform weir.apply_report(v_operation.instance_id, v_operation.generation, 'stopped', null, null),
                weir.bury_instance(v_operation.instance_id, v_operation.generation);
        update weir.dtma_operations o set finished_at = clock_timestamp(), outcome = 'done', claimed_by = null, lease_until = null
        where o.id = v_operation.id;
        continue;
      elsif v_node_id is null then
        -- Written once, so that a wait for a node does not change the row every two seconds.
        update public.mcp_server_instances i
        set last_error_code = 'no_node', last_error = 'no node that is online may run this server'
        where i.id = v_operation.instance_id and i.last_error_code is distinct from 'no_node';
        update weir.dtma_operations o set run_at = clock_timestamp() + interval '2 seconds' where o.id = v_operation.id;
        continue;
      end if;
      -- The files stay there, so last_node_id keeps the node when the instance stops.
      update public.mcp_server_instances i
      set node_id = v_node_id, last_node_id = v_node_id, last_error_code = null, last_error = null
      where i.id = v_operation.instance_id;
    end if;
    v_claimed := v_claimed || v_operation.id;
  end loop;

  -- Attempts count claims, so an operation whose replica died has one too.
  update weir.dtma_operations o
  set claimed_by = p_replica_id, lease_until = clock_timestamp() + p_lease, attempt = o.attempt + 1
  where o.id = any(v_claimed);

  -- Everything that a replica needs to carry them out, in one answer. The node's API key comes sealed.
  return query
  select o.id, o.action, o.organization_id, i.id, i.name, o.generation, o.attempt, n.id, n.api_url, n.sealed_api_key,
         weir.endpoint_url(i.url, n.api_url, i.id), c.runtime, c.transport, c.package, c.version, c.bin, c.args, c.env,
         i.configuration, i.share, i.max_sessions, c.calls_at_once, o.created_at
  from weir.dtma_operations o
  join public.mcp_server_instances i on i.id = o.instance_id
  left join public.mcp_server_catalog c on c.id = i.catalog_id
  left join weir.dtma_nodes n on n.id = i.node_id
  where o.id = any(v_claimed)
  order by o.run_at, o.id;
end;
$$;


ALTER FUNCTION weir.claim_operations(p_replica_id uuid, p_limit integer, p_lease interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) OWNER TO weir_system;

--
-- Name: claim_vector_removals(integer, interval); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.claim_vector_removals(p_limit integer, p_lease interval) RETURNS TABLE(organization_id uuid, vector_index text, chunk_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'on'
    AS $$
#variable_conflict use_column
begin
  return query
  update weir.vector_removals r set remove_after = clock_timestamp() + p_lease
  where (r.organization_id, r.vector_index, r.chunk_id) in (
    select x.organization_id, x.vector_index, x.chunk_id from weir.vector_removals x where x.remove_after <= clock_timestamp()
    order by x.remove_after limit p_limit for update skip locked)
  returning r.organization_id, r.vector_index, r.chunk_id;
end;
$$;


ALTER FUNCTION weir.claim_vector_removals(p_limit integer, p_lease interval) OWNER TO weir_system;

--
-- Name: climbs(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.climbs(p_uri text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (p_uri ~ '(^|/)\.{1,2}([/?#]|$)|[\\\x01-\x20\x7f-\x9f]|%(2[eEfF5]|5[cC]|0|1|7[fF])'::text);


ALTER FUNCTION weir.climbs(p_uri text) OWNER TO weir_owner;

--
-- Name: close_denial_counts(integer); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.close_denial_counts(p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_closed integer;
begin
  with due as (
    select d.id from weir.denial_counts d
    where d.minute < date_trunc('minute', clock_timestamp(), 'UTC')
    order by d.minute limit greatest(p_limit, 0)
    for update skip locked
  -- Deleting and recording are one statement: no crash can count a denial twice or lose it.
  ), closed as (
    delete from weir.denial_counts d using due where d.id = due.id returning d.*
  ), recorded as (
    insert into public.mcp_interaction_logs (
      created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, agent_id, agent_name, key_id, instance_id,
      instance_name, reason, detail, occurrences)
    select d.last_at, d.id, 'denied', d.organization_id, d.kind, 'denied', i.epoch, d.actor_kind, d.user_id, d.agent_id,
           (select a.name from public.agents a where a.id = d.agent_id and a.organization_id = d.organization_id), d.key_id, d.instance_id,
           (select s.name from public.mcp_server_instances s where s.id = d.instance_id and s.organization_id = d.organization_id),
           d.reason, 'more equal ones in this minute', d.occurrences - d.own_rows
    from closed d cross join weir.installation i
    -- Otherwise every denial of the minute has its own row already.
    where d.occurrences > d.own_rows
  )
  select count(*)::integer into v_closed from closed;
  return v_closed;
end;
$$;


ALTER FUNCTION weir.close_denial_counts(p_limit integer) OWNER TO weir_system;

--
-- Name: close_sign_ins(uuid, uuid, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.close_sign_ins(p_user_id uuid, p_sign_in_id uuid, p_scope text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count integer;
begin
  update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'logout'
  where s.user_id = p_user_id and s.revoked_at is null
    and case p_scope when 'global' then true when 'local' then s.id = p_sign_in_id when 'others' then s.id is distinct from p_sign_in_id
        else false end;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;


ALTER FUNCTION weir.close_sign_ins(p_user_id uuid, p_sign_in_id uuid, p_scope text) OWNER TO weir_system;

--
-- Name: complete(uuid, uuid[], timestamp with time zone[], text[], text[], bigint[], bigint[], bytea[], text[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.complete(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_outcomes text[], p_error_codes text[], p_durations_us bigint[], p_response_bytes bigint[], p_response_hashes bytea[], p_response_copies text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
declare
  v_written integer;
  v_epoch integer;
  -- The first and the last time of the batch: partitions of other months are not even opened.
  v_from timestamptz := p_created_at[1];
  v_to timestamptz := p_created_at[1];
  v_time timestamptz;
begin
  perform set_config('synchronous_commit', 'off', true);
  foreach v_time in array p_created_at loop
    v_from := least(v_from, v_time);
    v_to := greatest(v_to, v_time);
  end loop;
  select i.epoch into v_epoch from weir.installation i;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, replica_id, actor_kind, user_id, agent_id, agent_name, key_id,
    instance_id, instance_name, item, grant_id, request_id, attempt, outcome, error_code, duration_us, response_bytes,
    response_hash, response_copy)
  -- Actor, agent, server and item are copied from the request's row; the replica only reports the outcome.
  select r.created_at, r.id, 'completed', r.organization_id, r.kind, r.decision, v_epoch, p_replica_id, r.actor_kind, r.user_id,
         r.agent_id, r.agent_name, r.key_id, r.instance_id, r.instance_name, r.item, r.grant_id, r.request_id, r.attempt,
         c.outcome, weir.cut(c.error_code, 100), c.duration_us, c.response_bytes, c.response_hash, weir.cut(c.response_copy, 4096)
  from unnest(p_ids, p_created_at, p_outcomes, p_error_codes, p_durations_us, p_response_bytes, p_response_hashes, p_response_copies)
       as c(id, created_at, outcome, error_code, duration_us, response_bytes, response_hash, response_copy)
  -- One index lookup for each outcome; `offset 0` keeps it from becoming a join over the whole partition.
  join lateral (select l.* from public.mcp_interaction_logs l
                where l.created_at = c.created_at and l.id = c.id and l.phase = 'requested'
                  and l.created_at between v_from and v_to offset 0) r on true
  -- A replica sends a batch again if its commit's answer was lost.
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return v_written;
end;
$$;


ALTER FUNCTION weir.complete(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_outcomes text[], p_error_codes text[], p_durations_us bigint[], p_response_bytes bigint[], p_response_hashes bytea[], p_response_copies text[]) OWNER TO weir_system;

--
-- Name: confirmed_email(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.confirmed_email(p_user_id uuid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (select lower(u.email::text) from auth.users u
          where u.id = p_user_id and u.email_confirmed_at is not null and coalesce(u.banned_until <= now(), true));
end;
$$;


ALTER FUNCTION weir.confirmed_email(p_user_id uuid) OWNER TO weir_owner;

--
-- Name: context_config_error(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.context_config_error(p_context jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_member text;
  v_list jsonb;
  v_path text;
  v_item text;
begin
  if p_context is null then
    return null;
  elsif jsonb_typeof(p_context) <> 'object' then
    return 'server_config.context: must be an object';
  end if;
  -- Each member, then each of its elements; the first problem is the answer.
  for v_member, v_list in select e.key, e.value from jsonb_each(p_context) e loop
    v_path := 'server_config.context.' || left(v_member, 64);
    if v_member not in ('resources', 'prompts') then
      return v_path || ': is not known';
    elsif jsonb_typeof(v_list) <> 'array' then
      return v_path || ': must be an array';
    elsif jsonb_array_length(v_list) > 10 then
      return v_path || ': may have 10';
    end if;
    for v_n in 0 .. jsonb_array_length(v_list) - 1 loop
      v_path := format('server_config.context.%s[%s]', v_member, v_n);
      v_item := v_list ->> v_n;
      if jsonb_typeof(v_list -> v_n) <> 'string' or length(v_item) not between 1 and 1000 or v_item ~ '[\x01-\x1f\x7f]' then
        return v_path || ': must be 1 to 1000 characters';
      elsif v_member = 'resources' and (not weir.is_uri(v_item) or v_item ~ '\s') then
        return v_path || ': must be a URI';
      -- Addresses with these schemes are those that Weir shows, not the server's own (decision 0016).
      elsif v_member = 'resources' and lower(split_part(v_item, ':', 1)) in ('ui', 'weir') then
        return v_path || ': must be a URI of the server''s own';
      -- The person's message may fill a place of a URI. Nothing else may.
      elsif v_member = 'resources' and replace(v_item, '{message}', '') ~ '[{}]' then
        return v_path || ': only {message} can be filled in';
      end if;
    end loop;
  end loop;
  return null;
end;
$$;


ALTER FUNCTION weir.context_config_error(p_context jsonb) OWNER TO weir_owner;

--
-- Name: max_cost(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.max_cost() RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 100000;


ALTER FUNCTION weir.max_cost() OWNER TO weir_owner;

--
-- Name: cost_error(numeric, text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.cost_error(p_cost numeric, p_path text, p_advice text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (p_cost > weir.max_cost()) THEN format('%s: costs each call up to %s steps, of at most %s: %s'::text, p_path, ceil(p_cost), weir.max_cost(), p_advice) ELSE NULL::text END;


ALTER FUNCTION weir.cost_error(p_cost numeric, p_path text, p_advice text) OWNER TO weir_owner;

--
-- Name: count_attempt(text, text, integer, interval); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.count_attempt(p_kind text, p_subject text, p_limit integer, p_window interval) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_attempts integer;
  v_window_ends timestamptz;
begin
  insert into weir.sign_in_attempts as a (kind, subject, window_ends, attempts)
  values (p_kind, sha256(convert_to(p_subject, 'UTF8')), clock_timestamp() + p_window, 1)
  on conflict (kind, subject) do update
    -- A window that is over begins again with this attempt.
    set attempts = case when a.window_ends <= clock_timestamp() then 1 else least(a.attempts + 1, p_limit + 1) end,
        window_ends = case when a.window_ends <= clock_timestamp() then excluded.window_ends else a.window_ends end
  returning a.attempts, a.window_ends into v_attempts, v_window_ends;
  return case when v_attempts <= p_limit then 0 else greatest(1, ceil(extract(epoch from v_window_ends - clock_timestamp()))::integer) end;
end;
$$;


ALTER FUNCTION weir.count_attempt(p_kind text, p_subject text, p_limit integer, p_window interval) OWNER TO weir_owner;

--
-- Name: count_change(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.count_change(p_organization_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into weir.change_versions as v (organization_id) values (p_organization_id)
  on conflict (organization_id) do update
    set version = v.version + 1, changed_in = pg_current_xact_id()
    where v.changed_in <> pg_current_xact_id();
  perform pg_notify('weir_changes', p_organization_id::text);
end;
$$;


ALTER FUNCTION weir.count_change(p_organization_id uuid) OWNER TO weir_owner;

--
-- Name: count_denials(weir.denial[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.count_denials(p_denials weir.denial[]) RETURNS integer[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_own_rows constant integer := coalesce(
    (select (s.value #>> '{}')::integer from weir.settings s where s.name = 'equal_denials'), 10);
  v_counted integer[];
begin
  -- place: the denial's place among its equals in this batch; calls: how many equals there are.
  with asked as materialized (
    select d.*, row_number() over equal as place, count(*) over equal as calls
    from unnest(p_denials) d
    window equal as (partition by d.organization_id, d.kind, d.reason, d.actor_kind, d.user_id, d.agent_id, d.key_id, d.instance_id
                     order by d.ordinal rows between unbounded preceding and unbounded following)
  ), counters as (
    -- The order of the inserts is the order of the row locks.
    insert into weir.denial_counts as c (
      organization_id, minute, kind, reason, actor_kind, user_id, agent_id, key_id, instance_id, occurrences, own_rows, last_at)
    select a.organization_id, date_trunc('minute', v_now, 'UTC'), a.kind, a.reason, a.actor_kind, a.user_id, a.agent_id, a.key_id,
           a.instance_id, a.calls, v_own_rows, v_now
    from asked a where a.place = 1
    order by a.organization_id, a.kind, a.reason, a.actor_kind, a.user_id, a.agent_id, a.key_id, a.instance_id
    on conflict on constraint denial_counts_one_for_equal_denials do update
      set occurrences = c.occurrences + excluded.occurrences, last_at = excluded.last_at
    returning c.*
  )
  -- The first own_rows denials of the minute get rows. Nulls must match, as in the unique constraint.
  select coalesce(array_agg(a.ordinal), '{}') into v_counted
  from asked a
  join counters c on c.organization_id = a.organization_id and c.kind::text = a.kind and c.reason::text = a.reason
    and c.actor_kind::text = a.actor_kind and c.user_id is not distinct from a.user_id and c.agent_id is not distinct from a.agent_id
    and c.key_id is not distinct from a.key_id and c.instance_id is not distinct from a.instance_id
  where c.occurrences - a.calls + a.place > c.own_rows;
  return v_counted;
end;
$$;


ALTER FUNCTION weir.count_denials(p_denials weir.denial[]) OWNER TO weir_owner;

--
-- Name: count_denied_calls(weir.call_decision[], text[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.count_denied_calls(p_calls weir.call_decision[], p_kinds text[]) RETURNS integer[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return weir.count_denials(array(
    select row(c.ordinal, c.organization_id, p_kinds[c.ordinal], c.failures[1], case when c.user_id is null then 'agent' else 'user' end,
               c.user_id, c.agent_id, c.key_id, c.instance_id)::weir.denial
    from unnest(p_calls) c where c.organization_id is not null and c.failures <> '{}'));
end;
$$;


ALTER FUNCTION weir.count_denied_calls(p_calls weir.call_decision[], p_kinds text[]) OWNER TO weir_owner;

--
-- Name: count_document(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.count_document() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if tg_op = 'INSERT' then
    update public.datastores d
    set document_count = d.document_count + 1, size_bytes = d.size_bytes + new.size_bytes,
        chunk_count = d.chunk_count + new.chunk_count, version = d.version + 1
    where d.id = new.datastore_id;
  else
    update public.datastores d
    set document_count = d.document_count - 1, size_bytes = d.size_bytes - old.size_bytes, chunk_count = d.chunk_count - old.chunk_count,
        version = d.version + 1, removal_version = d.version + 1
    where d.id = old.datastore_id;
  end if;
  return null;
end;
$$;


ALTER FUNCTION weir.count_document() OWNER TO weir_system;

--
-- Name: count_of(text, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.count_of(p_what text, p_organization_id uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return case p_what
    when 'workspaces' then (select count(*) from public.workspaces w where w.organization_id = p_organization_id)
    when 'agents' then (select count(*) from public.agents a where a.organization_id = p_organization_id)
    -- An invited person has a place until the invitation expires.
    when 'members' then (select count(*) from public.organization_members m
                         where m.organization_id = p_organization_id and m.status <> 'removed')
                      + (select count(*) from public.organization_invitations i
                         where i.organization_id = p_organization_id and i.accepted_at is null and i.revoked_at is null
                           and i.expires_at > now())
    when 'mcp_servers' then (select count(*) from public.mcp_server_instances i
                             where i.organization_id = p_organization_id and i.status <> 'deleted')
  end;
end;
$$;


ALTER FUNCTION weir.count_of(p_what text, p_organization_id uuid) OWNER TO weir_system;

--
-- Name: create_mcp_server(uuid, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.create_mcp_server(p_organization_id uuid, p_config jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_catalog public.mcp_server_catalog;
  v_error text;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create', p_organization_id => p_organization_id);
  v_error := weir.server_config_error(p_config, true);
  if v_error is null and p_config ? 'catalog' then
    select c.* into v_catalog from public.mcp_server_catalog c
    where c.slug = p_config ->> 'catalog' and c.is_published and c.version = coalesce(p_config ->> 'version', c.version)
    order by c.created_at desc, c.id desc limit 1;
    if v_catalog.id is null then
      return weir.refuse(v_act, 'WR004', 'there is no such catalog server');
    end if;
    v_error := weir.schema_error(v_catalog.configuration_schema, coalesce(p_config -> 'configuration', '{}'),
                                 'server_config.configuration');
  elsif v_error is null and not weir.is_allowed_url(p_config ->> 'url') then
    v_error := 'server_config.url: must be an https address';
  end if;
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  elsif weir.count_of('mcp_servers', p_organization_id)
        >= (select o.max_mcp_servers from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of servers');
  end if;
  insert into public.mcp_server_instances
    (id, organization_id, name, catalog_id, url, configuration, share, max_sessions, priority, region, pin_policy, chat_offline,
     context_resources, context_prompts, timeout_ms, max_retries, retry_backoff_ms, created_by)
  values
    (v_id, p_organization_id, p_config ->> 'name', v_catalog.id, p_config ->> 'url', coalesce(p_config -> 'configuration', '{}'),
     coalesce(p_config ->> 'share', v_catalog.default_share, 'instance'), nullif((p_config ->> 'max_sessions')::integer, 0),
     coalesce((p_config ->> 'priority')::integer, 100),
     p_config ->> 'region', coalesce(p_config ->> 'pin_policy', 'trust_first'),
     coalesce((select array_agg(g) from jsonb_array_elements_text(p_config -> 'chat' -> 'offline') g), '{}'),
     array(select jsonb_array_elements_text(p_config -> 'context' -> 'resources')),
     array(select jsonb_array_elements_text(p_config -> 'context' -> 'prompts')),
     (p_config ->> 'timeout_ms')::integer, coalesce((p_config ->> 'max_retries')::integer, 1),
     coalesce((p_config ->> 'retry_backoff_ms')::integer, 100), weir.actor_id());
  v_act.instance_id := v_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', v_id, 'status', 'pending');
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.create_mcp_server(p_organization_id uuid, p_config jsonb) OWNER TO weir_writer;

--
-- Name: create_user(text, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.create_user(p_email text, p_password_hash text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_id constant uuid := weir.uuid_v7();
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'the users of this database are Supabase''s: create them there';
  end if;
  -- The operator enters the address, so it counts as confirmed.
  insert into auth.users (id, email, email_confirmed_at, encrypted_password) values (v_id, lower(p_email), now(), p_password_hash);
  return v_id;
exception
  when unique_violation then
    raise exception using errcode = 'WR005', message = 'a user with this e-mail address exists';
end;
$$;


ALTER FUNCTION weir.create_user(p_email text, p_password_hash text) OWNER TO weir_system;

--
-- Name: cut(text, integer); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.cut(p_text text, p_bytes integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (octet_length(p_text) <= p_bytes) THEN p_text WHEN (octet_length("left"(p_text, p_bytes)) <= p_bytes) THEN "left"(p_text, p_bytes) ELSE "left"(p_text, (p_bytes / 4)) END;


ALTER FUNCTION weir.cut(p_text text, p_bytes integer) OWNER TO weir_owner;

--
-- Name: datastore_lexeme(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.datastore_lexeme(p_datastore_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (''::text || (p_datastore_id)::text);
END;


ALTER FUNCTION weir.datastore_lexeme(p_datastore_id uuid) OWNER TO weir_owner;

--
-- Name: decide(text[], bytea[], uuid[], uuid[], text[], uuid[], text[], text[], uuid[], boolean); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.decide(p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_locked uuid[], p_without_key boolean DEFAULT false) RETURNS weir.decisions
    LANGUAGE plpgsql STABLE
    AS $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_decisions weir.decisions;
begin
  -- Three levels: the innermost looks rows up and lists what fails, the middle one asks the argument rules where nothing
  -- else failed, and this one builds the answer.
  select array_agg(row(
           r.ordinal, case when r.path is null then r.failures else array_prepend('argument_rule', r.failures) end,
           case when r.path is not null then r.path when r.failures[1] = 'unavailable' then r.status end,
           r.organization_id, r.agent_id, r.agent_name, r.key_id, r.user_id, r.instance_id, r.instance_name,
           case when r.path is null and r.failures = '{}' then r.endpoint_url end, r.node_id, r.share, r.grant_id,
           r.limits, r.resets)::weir.call_decision),
         coalesce(bool_or(r.path is null and r.failures = '{}' and r.limits <> '{}'), false)
  into v_decisions.calls, v_decisions.limited
  from (
    -- Rules are asked only where all else permits the call, so that nobody pays for the rules of a grant that would not
    -- help. Whether the server is available is not a permission, and does not matter.
    select d.*, case when (d.failures = '{}' or d.failures = '{unavailable}') and d.entries <> '{}' and weir.has_argument_rule(d.entries)
                     then weir.argument_failure(d.entries, p_arguments[d.ordinal]) end as path
    from (
      select c.ordinal, a.organization_id, a.id as agent_id, a.name as agent_name, k.key_id, c.user_id,
             i.id as instance_id, i.name as instance_name, i.status, i.share, i.node_id, i.resets,
             weir.endpoint_url(i.url, n.api_url, i.id) as endpoint_url,
             g.id as grant_id, g.permissions -> 'limits' as limits, e.entries,
             array_remove(array[
        -- 1. who: the key, or the person and the agent
        case when a.id is null then 'key_unknown' end,
        case when not a.organization_id = any(p_locked) then 'changing' end,
        case when k.revoked_at is not null then 'key_revoked' when k.expires_at <= v_now then 'key_expired' end,
        case when not a.is_active then 'agent_inactive' end,
        case when not o.is_active then 'organization_inactive' end,
        -- 2. for whom: the agent's owner answers for it; a person who acts through it must be active too
        case when owner.status is distinct from 'active'
               or c.user_id is not null and person.status is distinct from 'active' then 'member_inactive' end,
        case when owner.role = 'viewer' or person.role = 'viewer'
               or c.user_id is not null and not weir.may_use_agent(c.user_id, a.id, a.owner_id)
               or k.key_id is not null and c.agent_id <> a.id then 'user_forbidden' end,
        -- 3. what: an instance of the agent's organization, not withdrawn by the platform
        case when c.instance_id is null then 'unknown'
             when i.id is null or not coalesce(cat.is_published, true) then 'instance_unknown' end,
        -- 4. by which grant
        case when g.id is null or g.not_before > v_now then 'no_grant' when g.expires_at <= v_now then 'grant_expired' end,
        case when e.entries is null then 'item_not_granted' end,
        -- 5. whether the definition that the server announces is approved
        case when pin.approved is null
               and (c.kind in ('tool_execution', 'prompt_get') or c.kind = 'context_request' and not weir.is_uri(c.item))
             then 'definition_not_approved' end,
        -- 6. the argument rules: the middle level asks them, where 1 to 5 permit the call
        -- 7. whether the server is available: not a permission, so it comes last
        case when i.status not in ('running', 'degraded') then 'unavailable' end], null) as failures
      from (select n as ordinal, p_key_ids[n] as key_id, p_secret_hashes[n] as secret_hash, p_user_ids[n] as user_id,
                   p_agent_ids[n] as agent_id, p_kinds[n] as kind, p_instance_ids[n] as instance_id, p_items[n] as item
            from generate_series(1, cardinality(p_kinds)) n offset 0) c
      -- The hash is compared here, so a known id with another secret is an unknown key.
      left join lateral (select x.key_id, x.agent_id, x.revoked_at, x.expires_at from public.agent_api_keys x
                         where x.key_id = c.key_id and x.secret_hash = c.secret_hash offset 0) k on true
      -- The agent is the key's, never the one that the caller names beside a key.
      left join lateral (select x.id, x.organization_id, x.name, x.owner_id, x.is_active from public.agents x
                         where x.id = case when c.key_id is not null then k.agent_id
                                           when c.user_id is not null or p_without_key then c.agent_id end
                         offset 0) a on true
      left join lateral (select x.is_active from public.organizations x where x.id = a.organization_id offset 0) o on true
      left join lateral (select x.role, x.status from public.organization_members x
                         where x.organization_id = a.organization_id and x.user_id = a.owner_id offset 0) owner on true
      left join lateral (select x.role, x.status from public.organization_members x
                         where x.organization_id = a.organization_id and x.user_id = c.user_id offset 0) person on true
      -- Of the agent's organization only, so another tenant's instance is one that does not exist.
      left join lateral (select x.id, x.name, x.status, x.share, x.node_id, x.url, x.catalog_id, x.resets from public.mcp_server_instances x
                         where x.id = c.instance_id and x.organization_id = a.organization_id
                           and x.status not in ('deleting', 'deleted') offset 0) i on true
      left join lateral (select x.is_published from public.mcp_server_catalog x where x.id = i.catalog_id offset 0) cat on true
      left join lateral (select x.api_url from weir.dtma_nodes x where x.id = i.node_id offset 0) n on true
      left join lateral (select x.id, x.permissions, x.not_before, x.expires_at from public.agent_mcp_permissions x
                         where x.agent_id = a.id and x.mcp_server_instance_id = i.id and x.revoked_at is null offset 0) g on true
      -- What is asked most is answered here, without calling a function: a tool by its exact name, and context as such.
      left join lateral (select case when c.kind = 'tool_execution' and g.permissions -> 'tools' -> c.item is not null
                                     then array[g.permissions -> 'tools' -> c.item]
                                     when c.kind = 'context_request' and c.item is null and jsonb_typeof(g.permissions) = 'object'
                                     then '{}'
                                     when g.id is not null
                                     then weir.granted_entries(g.permissions, c.kind, c.item) end as entries offset 0) e on true
      -- A join and not `exists`, which the planner would turn into one read of all pins of all tenants.
      left join lateral (select true as approved from public.mcp_server_tools x
                         where x.instance_id = i.id and x.kind = case c.kind when 'tool_execution' then 'tool' else 'prompt' end
                           and x.name = c.item and x.announced and x.status = 'approved' limit 1) pin on true
      offset 0) d
    offset 0) r;
  return v_decisions;
end;
$$;


ALTER FUNCTION weir.decide(p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_locked uuid[], p_without_key boolean) OWNER TO weir_owner;

--
-- Name: definition_diff(text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.definition_diff(p_old text, p_new text) RETURNS json
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_old jsonb;
  v_new jsonb;
begin
  begin
    v_old := p_old::jsonb;
    v_new := p_new::jsonb;
  exception
    when data_exception then
      return null;
  end;
  if jsonb_typeof(v_old) is distinct from 'object' or jsonb_typeof(v_new) is distinct from 'object'
     or weir.bounds_error(v_old, 1048576) is not null or weir.bounds_error(v_new, 1048576) is not null then
    return null;
  end if;
  return (
    select coalesce(json_object_agg(m.name, case when m.old is null then json_build_object('new', m.new)
                                                 when m.new is null then json_build_object('old', m.old)
                                                 else json_build_object('old', m.old, 'new', m.new) end order by m.name), '{}')
    from (select name, o.value as old, n.value as new
          -- Of a name that is there twice the last counts, as in jsonb.
          from (select distinct on (e.key) e.key as name, e.value
                from json_each(p_old::json) with ordinality e(key, value, place) order by e.key, e.place desc) o
          full join (select distinct on (e.key) e.key as name, e.value
                     from json_each(p_new::json) with ordinality e(key, value, place) order by e.key, e.place desc) n using (name)
          where v_old -> name is distinct from v_new -> name) m);
end;
$$;


ALTER FUNCTION weir.definition_diff(p_old text, p_new text) OWNER TO weir_owner;

--
-- Name: definitions(uuid[], text[], text[], bytea[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.definitions(p_instance_ids uuid[], p_kinds text[], p_names text[], p_hashes bytea[]) RETURNS TABLE(instance_id uuid, kind text, name text, definition_hash bytea, definition text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  return query
  select p.instance_id, p.kind, p.name, p.definition_hash, p.definition
  from unnest(p_instance_ids, p_kinds, p_names, p_hashes) w(instance_id, kind, name, hash)
  -- One index lookup for each; `offset 0` keeps the planner from reading all pins of all tenants.
  join lateral (select t.* from public.mcp_server_tools t
                where t.instance_id = w.instance_id and t.kind = w.kind and t.name = w.name and t.definition_hash = w.hash
                offset 0) p on true;
end;
$$;


ALTER FUNCTION weir.definitions(p_instance_ids uuid[], p_kinds text[], p_names text[], p_hashes bytea[]) OWNER TO weir_system;

--
-- Name: delete_mcp_server(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.delete_mcp_server(p_organization_id uuid, p_instance_id uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_answer constant jsonb := weir.request_operation(p_organization_id, p_instance_id, 'delete');
begin
  if not v_answer ? 'error' then
    update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
    where g.organization_id = p_organization_id and g.mcp_server_instance_id = p_instance_id and g.revoked_at is null;
    update public.permission_requests r set status = 'refused', decided_by = weir.actor_id(), decided_at = clock_timestamp()
    where r.organization_id = p_organization_id and r.mcp_server_instance_id = p_instance_id and r.status = 'open';
  end if;
  return v_answer;
end;
$$;


ALTER FUNCTION weir.delete_mcp_server(p_organization_id uuid, p_instance_id uuid) OWNER TO weir_writer;

--
-- Name: ed25519_blob(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.ed25519_blob(p_public_key text) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_blob bytea;
begin
  -- One line: the type, the key, and a comment that is not kept.
  if length(p_public_key) > 1000 or p_public_key !~ '^ssh-ed25519 [A-Za-z0-9+/]{68}( [^[:cntrl:]]*)?$' then
    return null;
  end if;
  v_blob := decode(split_part(p_public_key, ' ', 2), 'base64');
  return case when substr(v_blob, 1, 19) = '\x0000000b'::bytea || convert_to('ssh-ed25519', 'UTF8') || '\x00000020'::bytea then v_blob end;
end;
$_$;


ALTER FUNCTION weir.ed25519_blob(p_public_key text) OWNER TO weir_owner;

--
-- Name: embedded_text(text, text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.embedded_text(p_title text, p_heading text, p_content text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ((((p_title || '
'::text) || p_heading) || '

'::text) || p_content);
END;


ALTER FUNCTION weir.embedded_text(p_title text, p_heading text, p_content text) OWNER TO weir_owner;

--
-- Name: endpoint_url(text, text, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.endpoint_url(p_url text, p_node_api_url text, p_instance_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(p_url, (((p_node_api_url || '/v1/servers/'::text) || (p_instance_id)::text) || '/mcp'::text));


ALTER FUNCTION weir.endpoint_url(p_url text, p_node_api_url text, p_instance_id uuid) OWNER TO weir_owner;

--
-- Name: ensure_log_partitions(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.ensure_log_partitions() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
begin
  return (select (count(*) filter (where weir.make_log_partition(m.month)))::integer
          from generate_series(date_trunc('month', now()) - interval '1 month',
                               date_trunc('month', now()) + interval '12 months', interval '1 month') m(month));
end;
$$;


ALTER FUNCTION weir.ensure_log_partitions() OWNER TO weir_owner;

--
-- Name: rule_cost(jsonb, numeric, numeric); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.rule_cost(p_rule jsonb, p_values numeric DEFAULT 1, p_characters numeric DEFAULT 4096) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_each constant jsonb := p_rule -> 'each';
begin
  return p_values * (130 + pg_column_size(p_rule) * 0.2 + case when p_rule ?| '{min,max}' then 60 else 0 end
                     + case when p_rule ?| '{equals,in}' then 100 + pg_column_size(p_rule) * 0.8 else 0 end
                     -- Objects and arrays are compared whole, by a query.
                     + case when jsonb_path_exists(p_rule, 'strict $.in[*] ? (@.type() == "object" || @.type() == "array")', silent => true)
                            then 1500 else 0 end
                     + case when p_rule ? 'under' then 150 else 0 end)
    + case when p_rule ? 'under' then p_characters else 0 end
    + case when p_rule ? 'matches' then weir.pattern_cost(p_rule ->> 'matches', p_values, p_characters) else 0 end
    + case when v_each is null then 0
           when p_values = 1 then weir.rule_cost(v_each, 256, 8192)
           else weir.rule_cost(v_each, 256, 65536) end;
end;
$_$;


ALTER FUNCTION weir.rule_cost(p_rule jsonb, p_values numeric, p_characters numeric) OWNER TO weir_owner;

--
-- Name: entry_cost(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.entry_cost(p_entry jsonb) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT ((300)::numeric + COALESCE(sum(((1200)::numeric + weir.rule_cost(a.value))), (0)::numeric))
    FROM jsonb_each((entry_cost.p_entry -> 'args'::text)) a(key, value);
END;


ALTER FUNCTION weir.entry_cost(p_entry jsonb) OWNER TO weir_owner;

--
-- Name: error(text, text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.error(p_code text, p_message text, p_hint text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT jsonb_strip_nulls(jsonb_build_object('error', p_code, 'message', p_message, 'hint', p_hint)) AS jsonb_strip_nulls;
END;


ALTER FUNCTION weir.error(p_code text, p_message text, p_hint text) OWNER TO weir_owner;

--
-- Name: find_login(text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.find_login(p_email text) RETURNS TABLE(user_id uuid, password_hash text, disabled boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if exists (select from weir.installation i where i.embedded_issuer) then
    return query
      select u.id, u.encrypted_password::text, coalesce(u.banned_until > now(), false)
      from auth.users u where u.email = lower(p_email);
  end if;
end;
$$;


ALTER FUNCTION weir.find_login(p_email text) OWNER TO weir_system;

--
-- Name: find_tools(text, bytea, uuid, uuid, text, integer, text, text[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.find_tools(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer, p_era text DEFAULT NULL::text, p_abilities text[] DEFAULT NULL::text[]) RETURNS TABLE(instance_id uuid, instance_name text, status text, name text, definition_hash bytea, rank real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_text constant text := weir.search_words(left(coalesce(p_query, ''), 500));
  v_trigrams constant text[] := weir.trigrams(v_text);
  v_words tsquery;
  v_word text;
begin
  -- Words are joined by `or`. They are stemmed already, hence `simple`.
  foreach v_word in array tsvector_to_array(to_tsvector('pg_catalog.english', v_text)) loop
    v_words := coalesce(v_words || plainto_tsquery('pg_catalog.simple', v_word), plainto_tsquery('pg_catalog.simple', v_word));
  end loop;
  return query
  select c.instance_id, c.instance_name, c.status, c.item, c.definition_hash, s.rank
  from weir.agent_catalog(p_key_id, p_secret_hash, p_user_id, p_agent_id, null, array['tool']) with ordinality c
  -- Looked up by the primary key, one for each candidate. Shared trigrams are counted by ts_delete, which runs in C.
  cross join lateral (select t.terms, t.name_trigrams,
                             length(t.name_trigrams) - length(ts_delete(t.name_trigrams, v_trigrams)) as shared
                      from public.mcp_server_tools t
                      where t.instance_id = c.instance_id and t.kind = 'tool' and t.name = c.item
                        and t.definition_hash = c.definition_hash offset 0) t
  cross join lateral (select greatest(t.shared::real / nullif(length(t.name_trigrams), 0),
                                      t.shared::real / nullif(cardinality(v_trigrams), 0))
                      as likeness offset 0) l
  -- Likeness adds at most a tenth: a word that is there beats a name that looks like it.
  cross join lateral (select (coalesce(ts_rank('{0.05, 0.1, 0.4, 1}', t.terms, v_words), 0)
                              + coalesce(l.likeness, 0) * 0.1)::real as rank) s
  where c.kind = 'tool' and (p_era is null or p_era = any(c.eras)) and (p_abilities is null or c.needs <@ p_abilities)
    and (v_trigrams = '{}' or t.terms @@ v_words or l.likeness >= 0.5)
  -- Equal ranks keep the catalog's order.
  order by s.rank desc, c.ordinality
  limit least(greatest(coalesce(p_limit, 10), 1), 50);
end;
$$;


ALTER FUNCTION weir.find_tools(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer, p_era text, p_abilities text[]) OWNER TO weir_system;

--
-- Name: uuid_v7(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.uuid_v7() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (encode(set_bit(set_bit(OVERLAY(uuid_send(gen_random_uuid()) PLACING SUBSTRING(int8send(((EXTRACT(epoch FROM clock_timestamp()) * (1000)::numeric))::bigint) FROM 3) FROM 1 FOR 6), (52)::bigint, 1), (53)::bigint, 1), 'hex'::text))::uuid AS encode;
END;


ALTER FUNCTION weir.uuid_v7() OWNER TO weir_owner;

--
-- Name: document_chunks; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.document_chunks (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    datastore_id uuid NOT NULL,
    document_id uuid NOT NULL,
    ordinal integer NOT NULL,
    heading text DEFAULT ''::text NOT NULL,
    content text NOT NULL,
    content_hash bytea NOT NULL,
    terms tsvector NOT NULL,
    embedding real[],
    embedding_model text,
    embedded_version bigint,
    vector_index text,
    CONSTRAINT document_chunks_content_hash_is_sha256 CHECK ((octet_length(content_hash) = 32)),
    CONSTRAINT document_chunks_content_is_1_byte_to_16_kib CHECK (((octet_length(content) >= 1) AND (octet_length(content) <= 16384))),
    CONSTRAINT document_chunks_embedding_has_its_model CHECK (((num_nonnulls(embedding, vector_index) <= 1) AND ((num_nonnulls(embedding, vector_index) = 1) = (embedding_model IS NOT NULL)))),
    CONSTRAINT document_chunks_embedding_has_its_version CHECK (((embedding IS NULL) = (embedded_version IS NULL))),
    CONSTRAINT document_chunks_heading_is_at_most_1000_characters CHECK ((length(heading) <= 1000))
);
ALTER TABLE ONLY weir.document_chunks ALTER COLUMN embedding SET STORAGE EXTERNAL;

ALTER TABLE ONLY weir.document_chunks FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.document_chunks OWNER TO weir_owner;

--
-- Name: TABLE document_chunks; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.document_chunks IS 'tenant: pieces of documents, as they are found';


--
-- Name: first_chunks(uuid, uuid[], integer); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.first_chunks(p_organization_id uuid, p_datastore_ids uuid[], p_limit integer) RETURNS TABLE(id uuid, terms tsvector)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT c.id,
     c.terms
    FROM (unnest(first_chunks.p_datastore_ids) d(id)
      CROSS JOIN LATERAL ( SELECT c_1.id,
             c_1.terms
            FROM weir.document_chunks c_1
           WHERE ((c_1.organization_id = first_chunks.p_organization_id) AND (c_1.datastore_id = d.id))
           ORDER BY c_1.document_id
          LIMIT first_chunks.p_limit) c);
END;


ALTER FUNCTION weir.first_chunks(p_organization_id uuid, p_datastore_ids uuid[], p_limit integer) OWNER TO weir_owner;

--
-- Name: forget_vector_removals(uuid, text, uuid[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.forget_vector_removals(p_organization_id uuid, p_vector_index text, p_chunk_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  delete from weir.vector_removals r
  where r.organization_id = p_organization_id and r.vector_index = p_vector_index and r.chunk_id = any(p_chunk_ids);
end;
$$;


ALTER FUNCTION weir.forget_vector_removals(p_organization_id uuid, p_vector_index text, p_chunk_ids uuid[]) OWNER TO weir_system;

--
-- Name: glob_cost(text, integer); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.glob_cost(p_glob text, p_characters integer) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN (strpos(p_glob, '*'::text) = 0) THEN (60)::numeric
             ELSE ((150)::numeric + ((p_characters)::numeric * ((0.2 * (((length(p_glob) - length(replace(p_glob, '*'::text, ''::text))) -
             CASE
                 WHEN (p_glob ~~ '%*'::text) THEN 1
                 ELSE 0
             END))::numeric) + (0.14 * (length(replace(substr(p_glob, strpos(p_glob, '*'::text)), '*'::text, ''::text)))::numeric))))
         END AS "case";
END;


ALTER FUNCTION weir.glob_cost(p_glob text, p_characters integer) OWNER TO weir_owner;

--
-- Name: glob_error(text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.glob_error(p_glob text, p_path text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN ((p_glob IS NULL) OR ((length(p_glob) < 1) OR (length(p_glob) > 1024)) OR (p_glob ~ '[\x01-\x1f\x7f]'::text)) THEN (p_path || ': must be a text of 1 to 1024 characters'::text)
             WHEN ((length(p_glob) - length(replace(p_glob, '*'::text, ''::text))) > 4) THEN (p_path || ': may have at most four *'::text)
             ELSE NULL::text
         END AS "case";
END;


ALTER FUNCTION weir.glob_error(p_glob text, p_path text) OWNER TO weir_owner;

--
-- Name: globs_error(jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.globs_error(p_globs jsonb, p_path text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_glob text;
  v_n bigint;
  v_error text;
  v_sum numeric := 0::numeric;
begin
  for v_glob, v_n in select case when jsonb_typeof(g.value) = 'string' then g.value #>> '{}' end, g.ordinality
                     from jsonb_array_elements(p_globs) with ordinality g loop
    v_error := weir.glob_error(v_glob, format('%s[%s]', p_path, v_n - 1));
    if v_error is not null then
      return v_error;
    end if;
    v_sum := v_sum + weir.glob_cost(v_glob, 2048);
  end loop;
  return weir.cost_error(v_sum, p_path, 'use fewer, or let less text stand behind a *');
end;
$$;


ALTER FUNCTION weir.globs_error(p_globs jsonb, p_path text) OWNER TO weir_owner;

--
-- Name: granted_entries(jsonb, text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.granted_entries(p_permissions jsonb, p_kind text, p_item text) RETURNS jsonb[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
declare
  v_entry jsonb;
  v_entries jsonb[];
begin
  if p_kind = 'tool_execution' then
    v_entry := p_permissions -> 'tools' -> p_item;
    if v_entry is not null then
      return array[v_entry];
    elsif jsonb_typeof(p_permissions -> 'tools') = 'object' then
      select array_agg(t.value order by t.key) into v_entries
      from jsonb_each(p_permissions -> 'tools') t
      where strpos(t.key, '*') > 0 and weir.matches_glob(p_item, t.key);
    end if;
  -- Context as such (without an item) is granted by any grant.
  elsif p_kind = 'context_request' and p_item is null then
    if jsonb_typeof(p_permissions) = 'object' then
      return '{}'::jsonb[];
    end if;
  elsif p_kind = 'resource_read' or (p_kind = 'context_request' and weir.is_uri(p_item)) then
    v_entry := p_permissions -> 'resources';
    -- As matches_uri_glob for each, but weir.climbs is asked once.
    if jsonb_typeof(v_entry) = 'array'
       and (v_entry ?| array[p_item, '*']
            or (not weir.climbs(p_item) and exists (select from jsonb_array_elements_text(v_entry) g
                                                    where strpos(g, '*') > 0 and weir.matches_glob(p_item, g)))) then
      return '{}'::jsonb[];
    end if;
  elsif p_kind in ('prompt_get', 'context_request') then
    if jsonb_typeof(p_permissions -> 'prompts') = 'array'
       and exists (select from jsonb_array_elements_text(p_permissions -> 'prompts') g where weir.matches_glob(p_item, g)) then
      return '{}'::jsonb[];
    end if;
  end if;
  return v_entries;
end;
$$;


ALTER FUNCTION weir.granted_entries(p_permissions jsonb, p_kind text, p_item text) OWNER TO weir_owner;

--
-- Name: granted_patterns(jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.granted_patterns(p_permissions jsonb, p_member text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return array(
    -- The characters that `like` treats as special stand for themselves; only `*` is a wildcard of a grant.
    select replace(replace(replace(replace(n, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')
    from jsonb_path_query(
           p_permissions, case p_member when 'tools' then '$.tools.keyvalue().key' else '$.' || p_member || '[*]' end::jsonpath,
           silent => true) j,
         lateral (select j #>> '{}') s(n));
end;
$_$;


ALTER FUNCTION weir.granted_patterns(p_permissions jsonb, p_member text) OWNER TO weir_owner;

--
-- Name: guard_grant(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.guard_grant() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked grant stays revoked: make a new one';
  elsif (old.organization_id, old.agent_id, old.mcp_server_instance_id, old.permissions, old.not_before, old.expires_at,
         old.granted_by_id, old.granted_at)
     is distinct from (new.organization_id, new.agent_id, new.mcp_server_instance_id, new.permissions, new.not_before, new.expires_at,
         new.granted_by_id, new.granted_at)
     -- Null is a deleted user.
     or (new.granted_by is not null and new.granted_by is distinct from old.granted_by) then
    raise exception using errcode = 'WR005', message = 'a grant is not changed, only revoked: make a new one';
  end if;
  new.updated_at := clock_timestamp();
  return new;
end;
$$;


ALTER FUNCTION weir.guard_grant() OWNER TO weir_owner;

--
-- Name: guard_instance(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.guard_instance() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if new.organization_id <> old.organization_id then
    raise exception using errcode = 'WR005', message = 'an instance stays in its organization';
  end if;
  if new.status <> old.status
     and not exists (select from weir.instance_moves m where m.from_status = old.status and m.to_status = new.status) then
    raise exception using errcode = 'WR005',
      message = format('an instance cannot go from %s to %s', old.status, new.status);
  end if;
  new.updated_at := now();
  return new;
end;
$$;


ALTER FUNCTION weir.guard_instance() OWNER TO weir_owner;

--
-- Name: guard_invitation(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.guard_invitation() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if (old.organization_id, old.email, old.role, old.token_hash, old.expires_at, old.created_at)
     is distinct from (new.organization_id, new.email, new.role, new.token_hash, new.expires_at, new.created_at)
     or (old.accepted_at is not null and new.accepted_at is distinct from old.accepted_at)
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
     -- Null: that member's row was deleted.
     or (new.invited_by is not null and new.invited_by is distinct from old.invited_by) then
    raise exception using errcode = 'WR005', message = 'an invitation is not changed: revoke it and make a new one';
  end if;
  return new;
end;
$$;


ALTER FUNCTION weir.guard_invitation() OWNER TO weir_owner;

--
-- Name: guard_key(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.guard_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked key stays revoked: make a new one';
  elsif (old.organization_id, old.agent_id, old.key_id, old.secret_hash, old.expires_at, old.created_at)
     is distinct from (new.organization_id, new.agent_id, new.key_id, new.secret_hash, new.expires_at, new.created_at) then
    raise exception using errcode = 'WR005', message = 'a key is not changed, only revoked: make a new one';
  end if;
  return new;
end;
$$;


ALTER FUNCTION weir.guard_key() OWNER TO weir_owner;

--
-- Name: guard_last_owner(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.guard_last_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if tg_op = 'UPDATE' and new.role = 'owner' and new.status = 'active' and new.organization_id = old.organization_id
     and new.user_id = old.user_id then
    return null;
  end if;
  perform from public.organization_members m
  where m.organization_id = old.organization_id and m.role = 'owner' and m.status = 'active' and m.user_id <> old.user_id
  limit 1 for share;
  if not found and exists (select from public.organizations o where o.id = old.organization_id) then
    raise exception using errcode = 'WR005', message = 'an organization keeps an active owner: hand it over first, or delete it';
  end if;
  return null;
end;
$$;


ALTER FUNCTION weir.guard_last_owner() OWNER TO weir_system;

--
-- Name: guard_organization_key(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.guard_organization_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked key stays revoked: make a new one';
  elsif (old.organization_id, old.name, old.key_id, old.secret_hash, old.scopes, old.expires_at, old.created_at)
     is distinct from (new.organization_id, new.name, new.key_id, new.secret_hash, new.scopes, new.expires_at, new.created_at) then
    raise exception using errcode = 'WR005', message = 'a key is not changed, only revoked: make a new one';
  end if;
  return new;
end;
$$;


ALTER FUNCTION weir.guard_organization_key() OWNER TO weir_owner;

--
-- Name: guard_pin(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.guard_pin() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if (old.organization_id, old.instance_id, old.kind, old.name, old.definition_hash, old.definition)
     is distinct from (new.organization_id, new.instance_id, new.kind, new.name, new.definition_hash, new.definition) then
    raise exception using errcode = 'WR005', message = 'a pinned definition is not changed: a new one is pinned beside it';
  end if;
  return new;
end;
$$;


ALTER FUNCTION weir.guard_pin() OWNER TO weir_owner;

--
-- Name: guard_request(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.guard_request() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if (old.status <> 'open' and new.status <> old.status)
     or (old.organization_id, old.agent_id, old.mcp_server_instance_id, old.permissions, old.message, old.created_at)
        is distinct from (new.organization_id, new.agent_id, new.mcp_server_instance_id, new.permissions, new.message, new.created_at)
     -- Null: that user was deleted.
     or (new.requested_by is not null and new.requested_by is distinct from old.requested_by) then
    raise exception using errcode = 'WR005', message = 'a request is decided once, and not changed: make a new one';
  end if;
  return new;
end;
$$;


ALTER FUNCTION weir.guard_request() OWNER TO weir_owner;

--
-- Name: has_argument_rule(jsonb[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.has_argument_rule(p_entries jsonb[]) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
declare
  v_entry jsonb;
begin
  foreach v_entry in array p_entries loop
    if v_entry ? 'args' or v_entry ->> 'other' = 'deny' then
      return true;
    end if;
  end loop;
  return false;
end;
$$;


ALTER FUNCTION weir.has_argument_rule(p_entries jsonb[]) OWNER TO weir_owner;

--
-- Name: instance_endpoints(uuid[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.instance_endpoints(p_instance_ids uuid[]) RETURNS TABLE(instance_id uuid, instance_name text, endpoint_url text, node_id uuid, share text, resets bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  return query
  select i.id, i.name, weir.endpoint_url(i.url, n.api_url, i.id), i.node_id, i.share, i.resets
  from unnest(p_instance_ids) w(id)
  join lateral (select x.* from public.mcp_server_instances x where x.id = w.id and x.status in ('running', 'degraded') offset 0) i on true
  left join lateral (select x.api_url from weir.dtma_nodes x where x.id = i.node_id offset 0) n on true;
end;
$$;


ALTER FUNCTION weir.instance_endpoints(p_instance_ids uuid[]) OWNER TO weir_system;

--
-- Name: instances_to_refresh(uuid, integer, interval, interval, integer, uuid[], uuid[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.instances_to_refresh(p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer DEFAULT 8, p_running_organizations uuid[] DEFAULT '{}'::uuid[], p_running_nodes uuid[] DEFAULT '{}'::uuid[]) RETURNS TABLE(organization_id uuid, instance_id uuid, instance_name text, endpoint_url text, node_id uuid, share text, generation bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'on'
    AS $$
#variable_conflict use_column
begin
  return query
  with waiting as (
    select i.id, i.node_id, i.refreshed_at,
           i.organization_id,
           row_number() over (partition by i.organization_id, i.node_id order by i.refreshed_at nulls first, i.id) as turn
    from public.mcp_server_instances i
    where i.status in ('running', 'degraded')
      and (i.refreshed_generation is distinct from i.generation or i.refresh_at <= clock_timestamp()
           or i.refreshed_at < clock_timestamp() - p_max_age)
      and (i.refresh_lease_until is null or i.refresh_lease_until < clock_timestamp())
  -- Instances that this replica is asking already count against the organization's share.
  ), placed as (
    select w.*, row_number() over (partition by w.node_id order by w.turn, w.refreshed_at nulls first, w.id) as place
    from waiting w
    where w.turn <= p_share
      and w.turn + (select count(*) from unnest(p_running_organizations, p_running_nodes) r(organization_id, node_id)
                    where r.organization_id = w.organization_id and r.node_id is not distinct from w.node_id) <= p_share
  ), due as (
    select i.id, clock_timestamp() + p_lease as lease_until
    from placed p
    join public.mcp_server_instances i on i.id = p.id
    -- Looked at again: another replica may have taken it since.
    where (i.refresh_lease_until is null or i.refresh_lease_until < clock_timestamp())
      and (p.node_id is null
           or p.place + (select count(*) from unnest(p_running_nodes) r(node_id) where r.node_id = p.node_id) <= p_share * 2)
    order by p.turn, p.refreshed_at nulls first, i.id
    limit greatest(p_limit, 0)
    -- Never waits: refreshing is not worth a wait for somebody's change.
    for no key update of i skip locked
  ), leased as (
    update public.mcp_server_instances i
    set refresh_by = p_replica_id, refresh_lease_until = due.lease_until,
        -- If the replica dies, it is due again when the lease ends. refresh_soon sets an earlier time meanwhile.
        refresh_at = due.lease_until
    from due where i.id = due.id
    returning i.*
  )
  select l.organization_id, l.id, l.name, weir.endpoint_url(l.url, n.api_url, l.id), l.node_id, l.share, l.generation
  from leased l left join weir.dtma_nodes n on n.id = l.node_id
  order by l.id;
end;
$$;


ALTER FUNCTION weir.instances_to_refresh(p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) OWNER TO weir_system;

--
-- Name: is_allowed_url(text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.is_allowed_url(p_url text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return p_url ~ '^https://[^/?#@\s]+([/?][^#\s]*)?$'
      or (p_url ~ '^http://[^/?#@\s]+([/?][^#\s]*)?$'
          and exists (select from weir.settings s
                      where s.name = 'egress_allow' and s.value ? lower(substring(p_url from '^http://([^/?#]+)'))));
end;
$_$;


ALTER FUNCTION weir.is_allowed_url(p_url text) OWNER TO weir_system;

--
-- Name: is_banned(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.is_banned(p_user_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (select from auth.users u where u.id = p_user_id and u.banned_until > now());
end;
$$;


ALTER FUNCTION weir.is_banned(p_user_id uuid) OWNER TO weir_owner;

--
-- Name: is_clean_path(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.is_clean_path(p_path text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $_$
begin
  -- One expression and one search: this runs for each call.
  return case when starts_with(p_path, '/') then p_path else regexp_replace(p_path, '^[a-z][a-z0-9+.-]*:///?', '/') end
    !~ '^$|^[^/]|//|/\.{1,2}(/|$)|[\\%\x01-\x1f\x7f-\x9f\u2028\u2029]';
end;
$_$;


ALTER FUNCTION weir.is_clean_path(p_path text) OWNER TO weir_owner;

--
-- Name: is_keyring(bytea); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.is_keyring(p_fingerprint bytea) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (select i.keyring_fingerprint = p_fingerprint from weir.installation i);
end;
$$;


ALTER FUNCTION weir.is_keyring(p_fingerprint bytea) OWNER TO weir_system;

--
-- Name: is_under(text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.is_under(p_value text, p_base text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
begin
  return (starts_with(p_value, rtrim(p_base, '/') || '/') or rtrim(p_value, '/') = rtrim(p_base, '/')) and weir.is_clean_path(p_value);
end;
$$;


ALTER FUNCTION weir.is_under(p_value text, p_base text) OWNER TO weir_owner;

--
-- Name: is_uri(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.is_uri(p_item text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (p_item ~ '^[A-Za-z][A-Za-z0-9+.-]*:'::text);


ALTER FUNCTION weir.is_uri(p_item text) OWNER TO weir_owner;

--
-- Name: issue_node_token(text, text, bytea, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.issue_node_token(p_name text, p_region text, p_token_hash bytea, p_expires_at timestamp with time zone) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_id uuid;
begin
  insert into weir.dtma_nodes as n (id, name, region, token_hash, token_expires_at)
  values (weir.uuid_v7(), p_name, coalesce(p_region, 'default'), p_token_hash, p_expires_at)
  on conflict (name) do update
    set token_hash = excluded.token_hash, token_expires_at = excluded.token_expires_at, region = coalesce(p_region, n.region)
    where n.registered_at is null
  returning n.id into v_id;
  if v_id is null then
    raise exception using errcode = 'WR005', message = 'a node of this name is already known';
  end if;
  return v_id;
exception
  -- The table's constraints are the validation; a caller gets an error of the closed list.
  when check_violation or not_null_violation then
    raise exception using errcode = 'WR001', message = 'name, region, token hash or expiry is not valid';
end;
$$;


ALTER FUNCTION weir.issue_node_token(p_name text, p_region text, p_token_hash bytea, p_expires_at timestamp with time zone) OWNER TO weir_system;

--
-- Name: key_scope(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.key_scope(p_function text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE p_function WHEN 'read_audit'::text THEN 'audit.read'::text WHEN 'read_servers'::text THEN 'servers.read'::text WHEN 'read_usage'::text THEN 'usage.read'::text ELSE NULL::text END;


ALTER FUNCTION weir.key_scope(p_function text) OWNER TO weir_owner;

--
-- Name: lexeme_query(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.lexeme_query(p_lexeme text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (((''''::text || replace(replace(p_lexeme, '\'::text, '\\'::text), ''''::text, ''''''::text)) || ''''::text))::tsquery AS tsquery;
END;


ALTER FUNCTION weir.lexeme_query(p_lexeme text) OWNER TO weir_owner;

--
-- Name: limit_reached(uuid, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.limit_reached(p_grant_id uuid, p_limits jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (
    select from jsonb_each_text(case when jsonb_typeof(p_limits) = 'object' then p_limits else '{}' end) l(period, amount)
    left join weir.grant_usage u on u.grant_id = p_grant_id and u.period = l.period
         and u.window_start >= date_trunc(substr(l.period, 5), clock_timestamp(), 'UTC')
    where coalesce(u.used, 0) >= l.amount::bigint);
end;
$$;


ALTER FUNCTION weir.limit_reached(p_grant_id uuid, p_limits jsonb) OWNER TO weir_owner;

--
-- Name: live_replicas(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.live_replicas() RETURNS TABLE(id uuid, internal_url text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select r.id, r.internal_url from weir.replicas r where r.heartbeat_at > clock_timestamp() - interval '30 seconds' order by r.id;
end;
$$;


ALTER FUNCTION weir.live_replicas() OWNER TO weir_system;

--
-- Name: lock_for(weir.act, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.lock_for(p_act weir.act, p_error text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if p_error is not null then
    return weir.refuse(p_act, 'WR001', p_error);
  end if;
  perform weir.lock_organization(p_act.organization_id);
  if not weir.may(p_act, p_act.permission) then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  return null;
end;
$$;


ALTER FUNCTION weir.lock_for(p_act weir.act, p_error text) OWNER TO weir_owner;

--
-- Name: lock_key(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.lock_key(p_organization_id uuid) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT uuid_hash_extended(p_organization_id, (774957746)::bigint) AS uuid_hash_extended;
END;


ALTER FUNCTION weir.lock_key(p_organization_id uuid) OWNER TO weir_owner;

--
-- Name: lock_organization(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.lock_organization(p_organization_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform pg_advisory_xact_lock(weir.lock_key(p_organization_id));
end;
$$;


ALTER FUNCTION weir.lock_organization(p_organization_id uuid) OWNER TO weir_owner;

--
-- Name: make_counters(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.make_counters() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into weir.grant_usage (organization_id, grant_id, period, window_start, used)
  -- In the distant past, so that the first call begins a window.
  select new.organization_id, new.id, l.period, '-infinity', 0
  from jsonb_object_keys(new.permissions -> 'limits') l(period);
  return null;
end;
$$;


ALTER FUNCTION weir.make_counters() OWNER TO weir_system;

--
-- Name: make_log_partition(timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.make_log_partition(p_month timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  v_month constant timestamptz := date_trunc('month', p_month);
  v_name constant text := 'mcp_interaction_logs_' || to_char(v_month, 'YYYY_MM');
begin
  -- One at a time: several replicas may ask for the same month.
  perform pg_advisory_xact_lock(hashtextextended('weir.ensure_log_partitions', 0));
  if to_regclass('weir.' || v_name) is not null then
    return false;
  end if;
  execute format('create table weir.%I (like public.mcp_interaction_logs
                  including defaults including generated including constraints)', v_name);
  -- A partition has its own policies and not its parent's. It has none for the roles that run, so it is reached through its
  -- parent only.
  execute format('alter table weir.%I enable row level security, force row level security', v_name);
  execute format('revoke all on weir.%I from public, anon, authenticated, service_role', v_name);
  execute format('comment on table weir.%I is %L', v_name, 'tenant: one month of mcp_interaction_logs, reached through it only');
  -- pg_dump reads partitions and not their parent. Without a policy here its dump would have no row of the audit log, and
  -- no error.
  execute format('create policy everything_is_read_by_the_backup on weir.%I for select to weir_backup using (true)', v_name);
  execute format('grant select on weir.%I to weir_backup', v_name);
  execute format('create trigger log_is_not_truncated before truncate on weir.%I
                  for each statement execute function weir.refuse_truncate()', v_name);
  execute format('alter table public.mcp_interaction_logs attach partition weir.%I for values from (%L) to (%L)',
                 v_name, v_month, v_month + interval '1 month');
  return true;
end;
$$;


ALTER FUNCTION weir.make_log_partition(p_month timestamp with time zone) OWNER TO weir_owner;

--
-- Name: matches_glob(text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.matches_glob(p_value text, p_glob text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (p_value ~~ replace(replace(replace(replace(p_glob, '\'::text, '\\'::text), '%'::text, '\%'::text), '_'::text, '\_'::text), '*'::text, '%'::text));
END;


ALTER FUNCTION weir.matches_glob(p_value text, p_glob text) OWNER TO weir_owner;

--
-- Name: matches_uri_glob(text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.matches_uri_glob(p_uri text, p_glob text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ((p_uri = p_glob) OR (p_glob = '*'::text) OR ((strpos(p_glob, '*'::text) > 0) AND weir.matches_glob(p_uri, p_glob) AND (NOT weir.climbs(p_uri))));
END;


ALTER FUNCTION weir.matches_uri_glob(p_uri text, p_glob text) OWNER TO weir_owner;

--
-- Name: may(weir.act, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.may(p_act weir.act, p_permission text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if p_permission = 'signed_in' then
    return weir.actor_id() is not null;
  elsif p_act.organization_id is null then
    return false;
  elsif p_permission = 'see' then
    -- The function found the object, and with it the organization, under the caller's policies.
    return true;
  elsif p_permission in ('viewer', 'member', 'admin', 'owner') then
    -- This role or a higher one.
    return exists (select from weir.my_organizations(p_permission) o where o = p_act.organization_id);
  elsif p_permission = 'own_agent' then
    return exists (select from weir.my_agents() a where a = p_act.agent_id);
  elsif p_permission = 'manage_agent' then
    return weir.may_manage_agent(p_act.organization_id, p_act.agent_id);
  elsif p_permission = 'add_to_workspace' then
    return weir.may_add_to_workspace(p_act.organization_id, p_act.workspace_id, p_act.agent_id);
  elsif p_permission = 'choose_model' then
    return weir.may_choose_model(p_act.organization_id, p_act.agent_id);
  end if;
  raise exception 'there is no permission %', p_permission;
end;
$$;


ALTER FUNCTION weir.may(p_act weir.act, p_permission text) OWNER TO weir_owner;

--
-- Name: may_add_to_workspace(uuid, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.may_add_to_workspace(p_organization_id uuid, p_workspace_id uuid, p_agent_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or case when p_agent_id is not null then exists (select from weir.my_agents() a where a = p_agent_id)
              else exists (select from weir.my_organizations('member') o where o = p_organization_id)
                   and weir.may_manage_agents_of(p_workspace_id) end;
end;
$$;


ALTER FUNCTION weir.may_add_to_workspace(p_organization_id uuid, p_workspace_id uuid, p_agent_id uuid) OWNER TO weir_owner;

--
-- Name: may_choose_model(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.may_choose_model(p_organization_id uuid, p_agent_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or (p_agent_id is not null and exists (select from weir.my_agents() a where a = p_agent_id)
          and exists (select from weir.owners_may_choose_models() o where o = p_organization_id));
end;
$$;


ALTER FUNCTION weir.may_choose_model(p_organization_id uuid, p_agent_id uuid) OWNER TO weir_owner;

--
-- Name: may_manage_agent(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.may_manage_agent(p_organization_id uuid, p_agent_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or exists (select from weir.my_agents() a where a = p_agent_id);
end;
$$;


ALTER FUNCTION weir.may_manage_agent(p_organization_id uuid, p_agent_id uuid) OWNER TO weir_owner;

--
-- Name: may_manage_agents_of(uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.may_manage_agents_of(p_workspace_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return not exists (select from public.workspace_members m
                     where m.workspace_id = p_workspace_id and m.agent_id is not null
                       and m.agent_id <> all(array(select weir.my_agents())));
end;
$$;


ALTER FUNCTION weir.may_manage_agents_of(p_workspace_id uuid) OWNER TO weir_system;

--
-- Name: may_read(text, bytea, uuid, uuid, uuid[], text[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.may_read(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_ids uuid[], p_uris text[]) RETURNS boolean[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_each constant integer[] := array[cardinality(p_uris)];
begin
  if cardinality(p_uris) is distinct from cardinality(p_instance_ids) then
    raise exception using errcode = 'WR001', message = 'p_uris must have one element for each of p_instance_ids';
  end if;
  return array(
    select d.failures <@ '{unavailable}'
    from unnest((weir.decide(
      array_fill(p_key_id, v_each), array_fill(p_secret_hash, v_each), array_fill(p_user_id, v_each), array_fill(p_agent_id, v_each),
      array_fill('resource_read'::text, v_each), p_instance_ids, p_uris, array_fill(null::text, v_each), null)).calls) d
    -- weir.decide returns calls in no promised order.
    order by d.ordinal);
end;
$$;


ALTER FUNCTION weir.may_read(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_ids uuid[], p_uris text[]) OWNER TO weir_system;

--
-- Name: may_use_agent(uuid, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.may_use_agent(p_user_id uuid, p_agent_id uuid, p_owner_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    AS $$
begin
  return p_owner_id is not distinct from p_user_id and p_user_id is not null
      or exists (select from public.workspace_members a
                 join public.workspace_members u on u.workspace_id = a.workspace_id
                 where a.agent_id = p_agent_id and u.user_id = p_user_id);
end;
$$;


ALTER FUNCTION weir.may_use_agent(p_user_id uuid, p_agent_id uuid, p_owner_id uuid) OWNER TO weir_owner;

--
-- Name: model_is_offered(text, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.model_is_offered(p_provider text, p_model text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (p_provider = 'offline' and p_model = 'offline')
    or exists (select from weir.settings s where s.name = 'models' and s.value -> p_provider ? p_model);
end;
$$;


ALTER FUNCTION weir.model_is_offered(p_provider text, p_model text) OWNER TO weir_system;

--
-- Name: model_settings_error(jsonb, boolean); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.model_settings_error(p_settings jsonb, p_is_agent boolean) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_name constant jsonb := '{"type": "string", "minLength": 1, "maxLength": 200}'::jsonb;
  v_error constant text := weir.schema_error(jsonb_build_object('type', 'object', 'properties', jsonb_build_object(
    'provider', v_name, 'model', v_name,
    'fallback', jsonb_build_object('type', 'object', 'required', '["provider", "model"]'::jsonb,
                                   'properties', jsonb_build_object('provider', v_name, 'model', v_name)),
    'temperature', '{"type": "number", "minimum": 0, "maximum": 2}'::jsonb,
    'max_tokens', '{"type": "integer", "minimum": 1, "maximum": 1000000}'::jsonb,
    'timeout_ms', '{"type": "integer", "minimum": 100, "maximum": 600000}'::jsonb,
    'retries', '{"type": "integer", "minimum": 0, "maximum": 10}'::jsonb,
    'owners_may_choose', '{"type": "boolean"}'::jsonb)), p_settings, 'settings');
begin
  return case
    when v_error is not null then v_error
    when p_settings ? 'provider' <> p_settings ? 'model' then 'settings: provider and model come together'
    when p_settings ? 'model' and not weir.model_is_offered(p_settings ->> 'provider', p_settings ->> 'model')
      then 'settings: this Weir does not offer that model'
    when p_settings ? 'fallback' and not weir.model_is_offered(p_settings #>> '{fallback,provider}', p_settings #>> '{fallback,model}')
      then 'settings.fallback: this Weir does not offer that model'
    when p_is_agent and p_settings ? 'owners_may_choose' then 'settings.owners_may_choose: is the organization''s to set'
  end;
end;
$$;


ALTER FUNCTION weir.model_settings_error(p_settings jsonb, p_is_agent boolean) OWNER TO weir_owner;

--
-- Name: model_settings_for(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.model_settings_for(p_user_id uuid, p_agent_id uuid) RETURNS TABLE(provider text, model text, fallback_provider text, fallback_model text, temperature double precision, max_tokens integer, timeout_ms integer, retries integer)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select coalesce(a.provider, o.provider), coalesce(a.model, o.model), coalesce(a.fallback_provider, o.fallback_provider),
           coalesce(a.fallback_model, o.fallback_model), coalesce(a.temperature, o.temperature), coalesce(a.max_tokens, o.max_tokens),
           coalesce(a.timeout_ms, o.timeout_ms), coalesce(a.retries, o.retries)
    from public.agents g
    left join public.model_settings a on a.organization_id = g.organization_id and a.agent_id = g.id
    left join public.model_settings o on o.organization_id = g.organization_id and o.agent_id is null
    where g.id = p_agent_id and weir.may_use_agent(p_user_id, g.id, g.owner_id);
  if not found then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
end;
$$;


ALTER FUNCTION weir.model_settings_for(p_user_id uuid, p_agent_id uuid) OWNER TO weir_system;

--
-- Name: my_agents(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.my_agents() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select a.id
    from public.agents a
    where a.organization_id = any(array(select weir.my_organizations('member')))
      and a.owner_id = weir.actor_id();
end;
$$;


ALTER FUNCTION weir.my_agents() OWNER TO weir_system;

--
-- Name: my_datastores(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.my_datastores() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select d.id from public.datastores d
    where d.deleted_at is null and d.organization_id = any(array(select weir.my_organizations('admin')))
    union
    select d.id
    from public.datastores d
    join public.agent_datastores l on l.organization_id = d.organization_id and l.datastore_id = d.id
    join public.agents a on a.organization_id = l.organization_id and a.id = l.agent_id and a.is_active
    where d.deleted_at is null and d.organization_id = any(array(select weir.my_organizations()))
      and weir.may_use_agent(weir.actor_id(), a.id, a.owner_id);
end;
$$;


ALTER FUNCTION weir.my_datastores() OWNER TO weir_system;

--
-- Name: my_new_organizations(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.my_new_organizations() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select o.id
    from public.organizations o
    where o.created_by = weir.actor_id()
      and not exists (select from public.organization_members m where m.organization_id = o.id);
end;
$$;


ALTER FUNCTION weir.my_new_organizations() OWNER TO weir_system;

--
-- Name: my_organizations(text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.my_organizations(p_role text DEFAULT 'viewer'::text) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 3
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select m.organization_id
    from public.organization_members m
    join public.organizations o on o.id = m.organization_id
    where m.user_id = weir.actor_id()
      and m.status = 'active'
      and o.is_active
      and m.role = any(case p_role
            when 'viewer' then array['viewer', 'member', 'admin', 'owner']
            when 'member' then array['member', 'admin', 'owner']
            when 'admin' then array['admin', 'owner']
            when 'owner' then array['owner']
          end);
end;
$$;


ALTER FUNCTION weir.my_organizations(p_role text) OWNER TO weir_system;

--
-- Name: my_workspaces(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.my_workspaces() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select w.workspace_id
    from public.workspace_members w
    where w.user_id = weir.actor_id()
      and w.organization_id = any(array(select weir.my_organizations()));
end;
$$;


ALTER FUNCTION weir.my_workspaces() OWNER TO weir_system;

--
-- Name: name_error(text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.name_error(p_argument text, p_value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((p_value IS NULL) OR (length(p_value) > 1000) OR ((length(btrim(p_value)) < 1) OR (length(btrim(p_value)) > 100)) OR (p_value ~ '[[:cntrl:]]'::text)) THEN (p_argument || ' must be 1 to 100 characters'::text) ELSE NULL::text END;


ALTER FUNCTION weir.name_error(p_argument text, p_value text) OWNER TO weir_owner;

--
-- Name: network_of(inet); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.network_of(p_address inet) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN host((network(set_masklen(p_address, CASE family(p_address) WHEN 4 THEN 32 ELSE 64 END)))::inet);


ALTER FUNCTION weir.network_of(p_address inet) OWNER TO weir_owner;

--
-- Name: node_connections(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.node_connections() RETURNS TABLE(node_id uuid, name text, api_url text, sealed_api_key bytea, online boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query select n.id, n.name, n.api_url, n.sealed_api_key, n.is_online
               from weir.dtma_nodes n where n.registered_at is not null order by n.name;
end;
$$;


ALTER FUNCTION weir.node_connections() OWNER TO weir_system;

--
-- Name: node_heartbeat(bytea, text, jsonb, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.node_heartbeat(p_node_key_hash bytea, p_api_url text, p_status jsonb, p_servers jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_node_id uuid;
  v_applied integer := 0;
  v_server record;
  v_until constant timestamptz := clock_timestamp() + interval '500 milliseconds';
begin
  update weir.dtma_nodes n
  set api_url = coalesce(p_api_url, n.api_url), status = p_status, heartbeat_at = clock_timestamp(), is_online = true
  where n.key_hash = p_node_key_hash
  returning n.id into v_node_id;
  if v_node_id is null then
    return null;
  end if;
  -- A node's input is bounded like everything from outside.
  if coalesce(weir.bounds_error(p_status, 65536), weir.bounds_error(p_servers, 4194304)) is not null then
    raise exception using errcode = 'WR001', message = case when weir.bounds_error(p_status, 65536) is not null
      then 'status: ' || weir.bounds_error(p_status, 65536) else 'servers: ' || weir.bounds_error(p_servers, 4194304) end;
  end if;
  -- Reports of the current generation only; reconcile_node handles the others. Ids and generations are compared as text, so that
  -- malformed ones are no error.
  for v_server in
    select i.id, i.generation, s.value ->> 'state' as state, s.value ->> 'errorCode' as error_code, s.value ->> 'error' as error
    from jsonb_array_elements(case when jsonb_typeof(p_servers) = 'array' then p_servers else '[]' end) s
    join public.mcp_server_instances i on i.node_id = v_node_id and i.id::text = lower(s.value ->> 'id')
    where i.generation::text = s.value ->> 'generation'
    -- The order in which everybody takes several organizations' locks.
    order by i.organization_id, i.id
  loop
    if weir.apply_report(v_server.id, v_server.generation, v_server.state, v_server.error_code, v_server.error, v_until) then
      v_applied := v_applied + 1;
    end if;
    exit when clock_timestamp() > v_until;
  end loop;
  if jsonb_typeof(p_servers) = 'array' then
    perform weir.reconcile_node(v_node_id, p_servers, v_until);
  end if;
  return v_applied;
end;
$$;


ALTER FUNCTION weir.node_heartbeat(p_node_key_hash bytea, p_api_url text, p_status jsonb, p_servers jsonb) OWNER TO weir_system;

--
-- Name: node_of_key(bytea); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.node_of_key(p_node_key_hash bytea) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select n.id from weir.dtma_nodes n where n.key_hash = p_node_key_hash and n.registered_at is not null
$$;


ALTER FUNCTION weir.node_of_key(p_node_key_hash bytea) OWNER TO weir_system;

--
-- Name: not_placed(bytea, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.not_placed(p_node_key_hash bytea, p_servers jsonb) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_agg(jsonb_build_object('id', x.id, 'generation', x.generation)), '[]')
  from (
    select s.value -> 'id' as id, s.value -> 'generation' as generation
    from weir.dtma_nodes n
    cross join jsonb_array_elements(case when jsonb_typeof(p_servers) = 'array' then p_servers else '[]' end) s
    where n.key_hash = p_node_key_hash and s.value ->> 'state' is distinct from 'stopped'
      and jsonb_typeof(s.value -> 'id') = 'string' and jsonb_typeof(s.value -> 'generation') = 'number'
      and not exists (select from public.mcp_server_instances i where i.node_id = n.id and i.id::text = lower(s.value ->> 'id'))
    limit 100) x
$$;


ALTER FUNCTION weir.not_placed(p_node_key_hash bytea, p_servers jsonb) OWNER TO weir_system;

--
-- Name: on_catalog_change(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.on_catalog_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform weir.announce_change(weir.platform_id());
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;


ALTER FUNCTION weir.on_catalog_change() OWNER TO weir_system;

--
-- Name: on_instance_reset(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.on_instance_reset() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  new.refresh_at := clock_timestamp();
  new.refresh_lease_until := null;
  return new;
end;
$$;


ALTER FUNCTION weir.on_instance_reset() OWNER TO weir_owner;

--
-- Name: on_organization_change(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.on_organization_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform weir.announce_change(old.id);
  if tg_op = 'UPDATE' then
    return new;
  end if;
  return old;
end;
$$;


ALTER FUNCTION weir.on_organization_change() OWNER TO weir_system;

--
-- Name: on_permission_change(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.on_permission_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if tg_op in ('UPDATE', 'DELETE') then
    perform weir.announce_change(old.organization_id);
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    perform weir.announce_change(new.organization_id);
    return new;
  end if;
  return old;
end;
$$;


ALTER FUNCTION weir.on_permission_change() OWNER TO weir_system;

--
-- Name: open_sign_in(uuid, inet); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.open_sign_in(p_user_id uuid, p_address inet) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_id constant uuid := weir.uuid_v7();
  v_pair bytea;
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'people sign in at their own issuer';
  end if;
  v_pair := (select sha256(convert_to(u.email || ' ' || weir.network_of(p_address), 'UTF8')) from auth.users u where u.id = p_user_id);
  delete from weir.sign_in_attempts a where a.kind = 'pair' and a.subject = v_pair;
  insert into weir.sign_in_attempts as a (kind, subject, window_ends, attempts)
  select 'known', v_pair, clock_timestamp() + interval '30 days', 1 where v_pair is not null
  on conflict (kind, subject) do update set window_ends = excluded.window_ends;
  -- Ended families go a few at a time, so that no sign-in pays for many.
  delete from weir.sign_ins s
  where s.id in (select o.id from weir.sign_ins o where o.expires_at < clock_timestamp() - interval '1 day' limit 20 for update skip locked)
     or s.id in (select o.id from weir.sign_ins o where o.user_id = p_user_id order by o.created_at desc offset 49);
  insert into weir.sign_ins (id, user_id, expires_at) values (v_id, p_user_id, clock_timestamp() + interval '7 days');
  return v_id;
end;
$$;


ALTER FUNCTION weir.open_sign_in(p_user_id uuid, p_address inet) OWNER TO weir_system;

--
-- Name: mcp_server_instances; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.mcp_server_instances (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    catalog_id uuid,
    url text,
    configuration jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    share text DEFAULT 'instance'::text NOT NULL,
    max_sessions integer,
    priority integer DEFAULT 100 NOT NULL,
    region text,
    pin_policy text DEFAULT 'trust_first'::text NOT NULL,
    chat_offline text[] DEFAULT '{}'::text[] NOT NULL,
    node_id uuid,
    last_node_id uuid,
    generation bigint DEFAULT 1 NOT NULL,
    resets bigint DEFAULT 0 NOT NULL,
    reasserted_at timestamp with time zone,
    approved_generation bigint,
    last_error_code text,
    last_error text,
    first_running_at timestamp with time zone,
    server_info jsonb,
    refreshed_generation bigint,
    refreshed_at timestamp with time zone,
    refresh_at timestamp with time zone,
    refresh_by uuid,
    refresh_lease_until timestamp with time zone,
    context_resources text[] DEFAULT '{}'::text[] NOT NULL,
    context_prompts text[] DEFAULT '{}'::text[] NOT NULL,
    timeout_ms integer,
    max_retries integer DEFAULT 1 NOT NULL,
    retry_backoff_ms integer DEFAULT 100 NOT NULL,
    created_by uuid,
    deployed_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mcp_server_instances_backoff_is_at_most_ten_seconds CHECK (((retry_backoff_ms >= 0) AND (retry_backoff_ms <= 10000))),
    CONSTRAINT mcp_server_instances_catalog_or_url CHECK ((num_nonnulls(catalog_id, url) = 1)),
    CONSTRAINT mcp_server_instances_configuration_is_an_object CHECK ((jsonb_typeof(configuration) = 'object'::text)),
    CONSTRAINT mcp_server_instances_configuration_is_at_most_64_kib CHECK (
CASE
    WHEN (weir.bounds_error(configuration, 131072) IS NULL) THEN (octet_length((configuration)::text) <= 65536)
    ELSE false
END),
    CONSTRAINT mcp_server_instances_context_is_ten_of_each CHECK (((cardinality(context_resources) <= 10) AND (cardinality(context_prompts) <= 10))),
    CONSTRAINT mcp_server_instances_errors_are_short CHECK (((length(last_error_code) <= 100) AND (length(last_error) <= 2000))),
    CONSTRAINT mcp_server_instances_failed_says_why CHECK (((status <> 'failed'::text) OR (last_error_code IS NOT NULL))),
    CONSTRAINT mcp_server_instances_max_sessions_is_1_to_1024 CHECK (((max_sessions >= 1) AND (max_sessions <= 1024))),
    CONSTRAINT mcp_server_instances_name_is_1_to_20_of_a_z_0_9 CHECK ((name ~ '^[a-z0-9-]{1,20}$'::text)),
    CONSTRAINT mcp_server_instances_pin_policy_is_known CHECK ((pin_policy = ANY (ARRAY['trust_first'::text, 'manual'::text]))),
    CONSTRAINT mcp_server_instances_priority_is_0_to_1000 CHECK (((priority >= 0) AND (priority <= 1000))),
    CONSTRAINT mcp_server_instances_retries_are_0_to_5 CHECK (((max_retries >= 0) AND (max_retries <= 5))),
    CONSTRAINT mcp_server_instances_share_is_known CHECK ((share = ANY (ARRAY['instance'::text, 'credential'::text, 'session'::text]))),
    CONSTRAINT mcp_server_instances_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'deploying'::text, 'running'::text, 'degraded'::text, 'updating'::text, 'stopping'::text, 'stopped'::text, 'failed'::text, 'deleting'::text, 'deleted'::text]))),
    CONSTRAINT mcp_server_instances_timeout_is_at_most_an_hour CHECK (((timeout_ms >= 0) AND (timeout_ms <= 3600000))),
    CONSTRAINT mcp_server_instances_url_is_http CHECK (((url ~ '^https?://[^/?#@\s]+([/?][^#\s]*)?$'::text) AND (length(url) <= 2048)))
);

ALTER TABLE ONLY public.mcp_server_instances FORCE ROW LEVEL SECURITY;


ALTER TABLE public.mcp_server_instances OWNER TO weir_owner;

--
-- Name: TABLE mcp_server_instances; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.mcp_server_instances IS 'tenant: an organization''s MCP server, run by a node or remote by URL';


--
-- Name: dtma_nodes; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.dtma_nodes (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    name text NOT NULL,
    region text DEFAULT 'default'::text NOT NULL,
    token_hash bytea,
    token_expires_at timestamp with time zone,
    registered_at timestamp with time zone,
    key_hash bytea,
    api_url text,
    sealed_api_key bytea,
    capability_version integer,
    isolation text,
    runtimes text[] DEFAULT '{}'::text[] NOT NULL,
    is_online boolean DEFAULT false NOT NULL,
    heartbeat_at timestamp with time zone,
    status jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT dtma_nodes_api_url_is_http CHECK ((api_url ~ '^https?://[^/?#@]+$'::text)),
    CONSTRAINT dtma_nodes_hashes_are_sha256 CHECK (((octet_length(token_hash) = 32) AND (octet_length(key_hash) = 32))),
    CONSTRAINT dtma_nodes_isolation_is_known CHECK ((isolation = ANY (ARRAY['none'::text, 'user'::text, 'container'::text]))),
    CONSTRAINT dtma_nodes_name_is_plain CHECK ((name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'::text)),
    CONSTRAINT dtma_nodes_region_is_plain CHECK ((region ~ '^[a-z0-9][a-z0-9-]{0,49}$'::text)),
    CONSTRAINT dtma_nodes_registered_with_key CHECK (((registered_at IS NULL) OR (num_nulls(key_hash, sealed_api_key, isolation, capability_version) = 0))),
    CONSTRAINT dtma_nodes_token_expires CHECK (((token_hash IS NULL) OR (token_expires_at IS NOT NULL)))
);

ALTER TABLE ONLY weir.dtma_nodes FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.dtma_nodes OWNER TO weir_owner;

--
-- Name: TABLE dtma_nodes; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.dtma_nodes IS 'platform: hosts that run servers, with the sealed key of their API';


--
-- Name: COLUMN dtma_nodes.closed_at; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON COLUMN weir.dtma_nodes.closed_at IS 'when a replica last found its port closed and was believed';


--
-- Name: dtma_operations; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.dtma_operations (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    instance_id uuid NOT NULL,
    action text NOT NULL,
    generation bigint NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    finished_at timestamp with time zone,
    outcome text,
    error_code text,
    error text,
    CONSTRAINT dtma_operations_action_is_known CHECK ((action = ANY (ARRAY['deploy'::text, 'update'::text, 'restart'::text, 'stop'::text, 'delete'::text]))),
    CONSTRAINT dtma_operations_claimed_with_lease CHECK (((claimed_by IS NULL) = (lease_until IS NULL))),
    CONSTRAINT dtma_operations_errors_are_short CHECK (((length(error_code) <= 100) AND (length(error) <= 2000))),
    CONSTRAINT dtma_operations_finished_with_outcome CHECK (((finished_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT dtma_operations_outcome_is_known CHECK ((outcome = ANY (ARRAY['done'::text, 'failed'::text, 'superseded'::text])))
);

ALTER TABLE ONLY weir.dtma_operations FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.dtma_operations OWNER TO weir_owner;

--
-- Name: TABLE dtma_operations; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.dtma_operations IS 'tenant: outbox of what nodes are asked to do';


--
-- Name: operations_in_turn(integer, uuid[], uuid[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.operations_in_turn(p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) RETURNS TABLE(operation_id uuid, turn bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH due AS (
          SELECT o.id,
             o.organization_id,
             i.node_id,
             o.run_at,
             (o.generation <> i.generation) AS superseded,
             row_number() OVER (PARTITION BY o.organization_id, i.node_id, (o.generation <> i.generation) ORDER BY o.run_at, o.id) AS turn
            FROM ((weir.dtma_operations o
              JOIN public.mcp_server_instances i ON ((i.id = o.instance_id)))
              LEFT JOIN weir.dtma_nodes n ON ((n.id = COALESCE(i.node_id,
                 CASE o.action
                     WHEN 'delete'::text THEN i.last_node_id
                     ELSE NULL::uuid
                 END))))
           WHERE ((o.finished_at IS NULL) AND ((n.id IS NULL) OR (n.api_url IS NOT NULL) OR (o.generation <> i.generation)) AND ((o.run_at <= clock_timestamp()) OR (o.generation <> i.generation)) AND ((o.lease_until IS NULL) OR (o.lease_until < clock_timestamp())))
         ), placed AS (
          SELECT d.id,
             d.organization_id,
             d.node_id,
             d.run_at,
             d.superseded,
             d.turn,
             row_number() OVER (PARTITION BY d.node_id, d.superseded ORDER BY d.turn, d.run_at, d.id) AS place
            FROM due d
           WHERE (d.superseded OR ((d.turn <= operations_in_turn.p_share) AND ((d.turn + ( SELECT count(*) AS count
                    FROM UNNEST(operations_in_turn.p_running_organizations, operations_in_turn.p_running_nodes) r(organization_id, node_id)
                   WHERE ((r.organization_id = d.organization_id) AND (NOT (r.node_id IS DISTINCT FROM d.node_id))))) <= operations_in_turn.p_share)))
         )
  SELECT p.id,
         CASE
             WHEN p.superseded THEN (0)::bigint
             ELSE p.turn
         END AS turn
    FROM placed p
   WHERE (p.superseded OR (p.node_id IS NULL) OR ((p.place + ( SELECT count(*) AS count
            FROM unnest(operations_in_turn.p_running_nodes) r(node_id)
           WHERE (r.node_id = p.node_id))) <= (operations_in_turn.p_share * 2)));
END;


ALTER FUNCTION weir.operations_in_turn(p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) OWNER TO weir_owner;

--
-- Name: organizations_made_by(uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.organizations_made_by(p_user_id uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (select count(*) from public.organizations o where o.created_by = p_user_id);
end;
$$;


ALTER FUNCTION weir.organizations_made_by(p_user_id uuid) OWNER TO weir_system;

--
-- Name: over_limit(weir.call_decision[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.over_limit(p_calls weir.call_decision[]) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_over jsonb;
begin
  -- Allowed calls with limits, by grant. A denied call uses up nothing.
  with asked as materialized (
    select c.grant_id, (array_agg(c.limits))[1] as limits, array_agg(c.ordinal order by c.ordinal) as ordinals, count(*) as calls
    from unnest(p_calls) c where c.failures = '{}' and c.limits <> '{}' group by c.grant_id
  -- The rows exist: make_counters writes them with the grant. Here they are only locked.
  ), counters as materialized (
    select a.grant_id, u.period, u.window_start, u.used, a.limits, a.calls
    from asked a
    join weir.grant_usage u on u.grant_id = a.grant_id and a.limits ? u.period
    order by u.grant_id, u.period
    for update of u
  -- room: what the grant may still use in this window. A counter of an earlier window counts as zero.
  ), windows as materialized (
    select c.*, now.starts[w.n] as start, w.length,
           (c.limits ->> c.period)::bigint - case when c.window_start >= now.starts[w.n] then c.used else 0 end as room
    from (select array[date_trunc('minute', max(clock_timestamp()), 'UTC'), date_trunc('hour', max(clock_timestamp()), 'UTC'),
                       date_trunc('day', max(clock_timestamp()), 'UTC')] as starts from counters offset 0) now,
         counters c
    join (values ('per_minute', 1, interval '1 minute'), ('per_hour', 2, interval '1 hour'), ('per_day', 3, interval '1 day'))
      as w(period, n, length) on w.period = c.period
  ), fits as materialized (
    -- Of each grant's calls the first ones that fit into every window are allowed. None is where a counter is missing.
    select w.grant_id, case when w.limits - array_agg(w.period) = '{}' then least(greatest(min(w.room), 0), w.calls) else 0 end as calls,
           max(w.start + w.length) filter (where w.room < w.calls) as ends
    from windows w group by w.grant_id, w.limits, w.calls
  -- Calls that do not fit are not counted: retrying does not prolong the wait. window_start never goes back, so a clock that was
  -- set back gives nobody a new window.
  ), counted as (
    update weir.grant_usage u
    set used = case when u.window_start >= w.start then u.used else 0 end + f.calls, window_start = greatest(u.window_start, w.start)
    from windows w join fits f on f.grant_id = w.grant_id
    where u.grant_id = w.grant_id and u.period = w.period
  )
  -- The wait lasts until the last full window ends, and at least one second.
  select jsonb_object_agg(o.ordinal, greatest(ceil(extract(epoch from f.ends - clock_timestamp())), 1)::integer) into v_over
  from asked a
  left join fits f on f.grant_id = a.grant_id
  cross join lateral unnest(a.ordinals[coalesce(f.calls, 0) + 1 :]) o(ordinal);
  return v_over;
end;
$$;


ALTER FUNCTION weir.over_limit(p_calls weir.call_decision[]) OWNER TO weir_owner;

--
-- Name: overtake_generation(uuid, bigint, bigint); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.overtake_generation(p_instance_id uuid, p_generation bigint, p_known bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return p_known > p_generation
    and weir.reassert_instance(p_instance_id, p_generation, p_known, clock_timestamp() + interval '5 seconds');
end;
$$;


ALTER FUNCTION weir.overtake_generation(p_instance_id uuid, p_generation bigint, p_known bigint) OWNER TO weir_system;

--
-- Name: owners_may_choose_models(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.owners_may_choose_models() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 3
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select s.organization_id
    from public.model_settings s
    where s.agent_id is null and s.owners_may_choose and s.organization_id = any(array(select weir.my_organizations('member')));
end;
$$;


ALTER FUNCTION weir.owners_may_choose_models() OWNER TO weir_system;

--
-- Name: passages(uuid, uuid, uuid[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.passages(p_user_id uuid, p_agent_id uuid, p_chunk_ids uuid[]) RETURNS TABLE(chunk_id uuid, document_id uuid, datastore text, title text, source text, heading text, content text, ordinal integer)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_datastores constant uuid[] := array(select k.datastore_id from weir.agent_knowledge(p_user_id, p_agent_id) k);
begin
  return query
  select c.id, c.document_id, s.name, d.title, d.source, c.heading, c.content, c.ordinal
  from weir.document_chunks c
  join public.documents d on d.id = c.document_id
  join public.datastores s on s.id = c.datastore_id
  where c.id = any(p_chunk_ids) and c.datastore_id = any(v_datastores);
end;
$$;


ALTER FUNCTION weir.passages(p_user_id uuid, p_agent_id uuid, p_chunk_ids uuid[]) OWNER TO weir_system;

--
-- Name: pattern_choice(weir.pattern_part, weir.pattern_part); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.pattern_choice(a weir.pattern_part, b weir.pattern_part) RETURNS weir.pattern_part
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return row(a.empties or b.empties, a.first + b.first, a.last + b.last, a.kinds + b.kinds, a.moves + b.moves, a.arcs + b.arcs,
             case when a.longest is not null and b.longest is not null then greatest(a.longest, b.longest) end);
end;
$$;


ALTER FUNCTION weir.pattern_choice(a weir.pattern_part, b weir.pattern_part) OWNER TO weir_owner;

--
-- Name: pattern_cost(text, numeric, numeric); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.pattern_cost(p_pattern text, p_texts numeric, p_characters numeric) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_size constant record := weir.pattern_size(p_pattern);
begin
  return 1000 + 50 * length(p_pattern) + 600 * v_size.classes + 190 * v_size.moves + 17 * v_size.arcs
    + p_texts * 100
    -- No more of a text is read than the pattern can match, and one character.
    + least(p_characters, p_texts * (v_size.longest + 1)) * (1 + 0.06 * (v_size.arcs + v_size.kinds));
end;
$$;


ALTER FUNCTION weir.pattern_cost(p_pattern text, p_texts numeric, p_characters numeric) OWNER TO weir_owner;

--
-- Name: pattern_error(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.pattern_error(p_pattern text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_error text := (weir.pattern_size(p_pattern)).error;
  v_cost numeric;
begin
  if v_error is not null then
    return v_error;
  end if;
  v_cost := weir.pattern_cost(p_pattern, 0, 0);
  if v_cost > weir.max_cost() then
    return format('costs %s steps, of at most %s: use smaller repetitions and fewer that may match nothing', ceil(v_cost), weir.max_cost());
  end if;
  perform '' ~ p_pattern;
  return null;
exception
  when invalid_regular_expression then
    return 'is not a regular expression';
end;
$$;


ALTER FUNCTION weir.pattern_error(p_pattern text) OWNER TO weir_owner;

--
-- Name: pattern_repeat(weir.pattern_part, text, boolean); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.pattern_repeat(a weir.pattern_part, p_quantifier text, p_group boolean) RETURNS weir.pattern_part
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_loop weir.pattern_part := row(true, a.first, a.last, a.kinds, a.moves + a.last * a.first, a.arcs + a.last * a.kinds,
                                  case when a.longest = 0 then 0 end);
  v_least integer;
  v_most integer;
  v_ways numeric;
begin
  -- a?
  if p_quantifier like '?%' then
    return row(true, a.first, a.last, a.kinds, a.moves, a.arcs, a.longest);
  -- a*
  elsif p_quantifier like '*%' then
    return v_loop;
  -- A group's + is its text twice, the second time with *. For one character it is only a loop.
  elsif p_quantifier like '+%' and p_group then
    return weir.pattern_sequence(a, v_loop);  -- as PostgreSQL compiles it, at each level
  elsif p_quantifier like '+%' then
    v_loop.empties := false;
    return v_loop;
  end if;
  -- {n}, {n,} and {n,m}: a row of v_most positions. If n and m differ, each may be skipped, which doubles the moves.
  v_least := substring(p_quantifier from '^\{(\d+)')::integer;
  v_most := case when p_quantifier ~ ',\d' then substring(p_quantifier from ',(\d+)')::integer else greatest(v_least, 1) end;
  v_ways := v_most * case when v_least = v_most then 1::numeric else 2::numeric end;
  return row(v_least = 0, a.first, v_most - least(v_least, v_most) + 1::numeric, a.kinds, a.first * v_ways, a.kinds * v_ways,
             case when strpos(p_quantifier, ',}') = 0 then v_most end);
end;
$$;


ALTER FUNCTION weir.pattern_repeat(a weir.pattern_part, p_quantifier text, p_group boolean) OWNER TO weir_owner;

--
-- Name: pattern_sequence(weir.pattern_part, weir.pattern_part); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.pattern_sequence(a weir.pattern_part, b weir.pattern_part) RETURNS weir.pattern_part
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return row(a.empties and b.empties, a.first + case when a.empties then b.first else 0::numeric end,
             b.last + case when b.empties then a.last else 0::numeric end, a.kinds + case when a.empties then b.kinds else 0::numeric end,
             a.moves + b.moves + a.last * b.first, a.arcs + b.arcs + a.last * b.kinds, a.longest + b.longest);
end;
$$;


ALTER FUNCTION weir.pattern_sequence(a weir.pattern_part, b weir.pattern_part) OWNER TO weir_owner;

--
-- Name: pattern_size(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.pattern_size(p_pattern text, OUT error text, OUT classes integer, OUT kinds numeric, OUT moves numeric, OUT arcs numeric, OUT longest integer) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_nothing constant weir.pattern_part := row(true, 0::numeric, 0::numeric, 0::numeric, 0::numeric, 0::numeric, 0);
  v_tokens text[];
  v_token text;
  v_colors numeric;
  v_depth integer := 1;
  -- For each open group: its finished alternatives, and what precedes the last atom of the open one.
  v_alternatives weir.pattern_part[] := array[null::weir.pattern_part];
  v_before weir.pattern_part[] := array[v_nothing];
  v_atom weir.pattern_part;
  v_is_atom boolean := false;
  v_is_group boolean := false;
begin
  if length(p_pattern) not between 1 and 200 then
    error := 'must have 1 to 200 characters';
    return;
  end if;
  error := 'has a construct that is not supported';
  -- Tokens. What is no token is left out of the array, so the tokens joined differ from the pattern; that is the check of
  -- the whole alphabet.
  v_tokens := array(
    select m[1] from regexp_matches(p_pattern, '(\[\^?(?:\[:[a-z]{1,9}:\]|\\[dsw[:punct:]]|[^][\\])+\]|\\[dswDSW]|\\[[:punct:]]'
                                               '|[*+?]\??|\{\d{1,2}(?:,\d{0,2})?\}\??|[^][*+?{\\])', 'g') m);
  if array_to_string(v_tokens, '') is distinct from p_pattern then
    return;
  -- Braces multiply positions, so their number is bounded beside their size.
  elsif (select count(*) from unnest(v_tokens) t where t like '{%') > 8 then
    error := 'may repeat at most eight times with braces, each at most 99';
    return;
  end if;
  -- The kinds of characters that the pattern tells apart, at most: each literal is one, and each combination of sets and
  -- classes is one, of which there are no more than edges of ranges. The 1 is every other character.
  select 1 + count(distinct t) filter (where t !~ '^[{.[]|^\\[a-zA-Z]')
           + least(power(2::numeric, least(count(distinct t) filter (where t ~ '^\[|^\\[a-zA-Z]'), 9)),
                   2 * sum(length(t)) filter (where t ~ '^\[|^\\[a-zA-Z]')),
         (count(*) filter (where t ~ '^\\[a-zA-Z]|\[:|^\[.*\\[dsw]'))::integer
  into v_colors, classes from unnest(v_tokens) t;
  -- From left to right with one open atom: a quantifier changes it, everything else first closes it by appending it to the
  -- open sequence. Groups are a stack, v_depth deep.
  for v_n in 1 .. cardinality(v_tokens) loop
    v_token := v_tokens[v_n];
    if v_token ~ '^[*+?{]' then
      -- A quantifier with nothing before it, a second one, or braces after a group.
      if not v_is_atom or (v_is_group and v_token like '{%') then
        return;
      end if;
      v_atom := weir.pattern_repeat(v_atom, v_token, v_is_group);
    end if;
    if v_is_atom then
      v_before[v_depth] := weir.pattern_sequence(v_before[v_depth], v_atom);
      v_is_atom := false;
    end if;
    continue when v_token ~ '^[*+?{]';
    -- The alternative ends here.
    if v_token in ('|', ')') then
      v_alternatives[v_depth] := case when v_alternatives[v_depth] is null then v_before[v_depth]
                                      else weir.pattern_choice(v_alternatives[v_depth], v_before[v_depth]) end;
      v_before[v_depth] := v_nothing;
    end if;
    v_is_group := v_token = ')';
    if v_token = '(' then
      v_depth := v_depth + 1;
      v_alternatives[v_depth] := null;
      v_before[v_depth] := v_nothing;
    elsif v_token = ')' then
      if v_depth = 1 then
        return;
      end if;
      v_atom := v_alternatives[v_depth];
      v_is_atom := true;
      v_depth := v_depth - 1;
    elsif v_token in ('^', '$') then
      -- Allowed only where they change nothing, because the whole pattern is anchored at both ends anyway.
      if v_token = '^' and v_n > 1 or v_token = '$' and v_n < cardinality(v_tokens) then
        return;
      end if;
    elsif v_token <> '|' then
      -- One character: a single position. A set or class may be any of the kinds.
      v_atom := row(false, 1::numeric, 1::numeric, case when v_token ~ '^[.[]|^\\[a-zA-Z]' then v_colors else 1 end,
                    0::numeric, 0::numeric, 1);
      v_is_atom := true;
    end if;
  end loop;
  -- A group that was not closed.
  if v_depth > 1 then
    return;
  end if;
  v_atom := case when v_is_atom then weir.pattern_sequence(v_before[1], v_atom) else v_before[1] end;
  v_atom := case when v_alternatives[1] is null then v_atom else weir.pattern_choice(v_alternatives[1], v_atom) end;
  kinds := v_atom.kinds;
  moves := v_atom.moves;
  arcs := v_atom.arcs;
  longest := v_atom.longest;
  error := null;
end;
$_$;


ALTER FUNCTION weir.pattern_size(p_pattern text, OUT error text, OUT classes integer, OUT kinds numeric, OUT moves numeric, OUT arcs numeric, OUT longest integer) OWNER TO weir_owner;

--
-- Name: permissions_error(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.permissions_error(p_permissions jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_error text;
  v_key text;
  v_value jsonb;
begin
  if jsonb_typeof(p_permissions) is distinct from 'object' then
    return '$: must be an object with tools, resources, prompts or limits';
  -- Bounds come before the value becomes text.
  elsif weir.bounds_error(p_permissions, 131072) is not null then
    return '$: ' || weir.bounds_error(p_permissions, 131072);
  elsif octet_length(p_permissions::text) > 65536 then
    return '$: must be at most 64 KiB';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_permissions) e loop
    if v_key = 'tools' and jsonb_typeof(v_value) = 'object' then
      v_error := weir.tools_error(v_value);
    elsif v_key in ('resources', 'prompts') and jsonb_typeof(v_value) = 'array' then
      v_error := weir.globs_error(v_value, '$.' || v_key);
    elsif v_key = 'limits' and jsonb_typeof(v_value) = 'object' then
      select format('$.limits.%s: must be per_minute, per_hour or per_day with a whole number from 0 to 1000000000', left(l.key, 64))
      into v_error
      from jsonb_each(v_value) l
      where l.key not in ('per_minute', 'per_hour', 'per_day') or l.value::text !~ '^(0|[1-9][0-9]{0,8}|1000000000)$'
      limit 1;
    else
      v_error := '$.' || left(v_key, 64) || ': must be tools (object), resources (array), prompts (array) or limits (object)';
    end if;
    exit when v_error is not null;
  end loop;
  return v_error;
end;
$_$;


ALTER FUNCTION weir.permissions_error(p_permissions jsonb) OWNER TO weir_owner;

--
-- Name: platform_id(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.platform_id() RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN '00000000-0000-0000-0000-000000000000'::uuid;


ALTER FUNCTION weir.platform_id() OWNER TO weir_owner;

--
-- Name: principal_agent(text, bytea, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.principal_agent(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_agent_id uuid;
begin
  if p_key_id is not null then
    select k.agent_id into v_agent_id from weir.authenticate_key(p_key_id, p_secret_hash) k
    where p_agent_id is null or k.agent_id = p_agent_id;
    return v_agent_id;
  end if;
  select a.id into v_agent_id
  from public.agents a
  join public.organizations o on o.id = a.organization_id and o.is_active
  join public.organization_members owner on owner.organization_id = a.organization_id and owner.user_id = a.owner_id
  join public.organization_members person on person.organization_id = a.organization_id and person.user_id = p_user_id
  where a.id = p_agent_id and a.is_active and owner.status = 'active' and person.status = 'active'
    and weir.may_use_agent(p_user_id, a.id, a.owner_id);
  return v_agent_id;
end;
$$;


ALTER FUNCTION weir.principal_agent(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) OWNER TO weir_owner;

--
-- Name: principal_organization(text, bytea, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.principal_organization(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (select a.organization_id from public.agents a
          where a.id = weir.principal_agent(p_key_id, p_secret_hash, p_user_id, p_agent_id));
end;
$$;


ALTER FUNCTION weir.principal_organization(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) OWNER TO weir_system;

--
-- Name: printable(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.printable(p_text text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    RETURN regexp_replace("left"(p_text, 100), '[^[:alnum:][:punct:] ]'::text, '?'::text, 'g'::text);


ALTER FUNCTION weir.printable(p_text text) OWNER TO weir_owner;

--
-- Name: publish_catalog_server(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.publish_catalog_server(p_entry jsonb) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_key text;
  v_id uuid;
begin
  if jsonb_typeof(p_entry) is distinct from 'object' then
    raise exception using errcode = 'WR001', message = 'entry: must be an object';
  elsif weir.bounds_error(p_entry, 1048576) is not null then
    raise exception using errcode = 'WR001', message = 'entry: ' || weir.bounds_error(p_entry, 1048576);
  end if;
  select k into v_key from jsonb_object_keys(p_entry) k
  where k not in ('slug', 'name', 'description', 'transport', 'runtime', 'package', 'version', 'bin', 'args', 'env',
                  'configuration_schema', 'default_share', 'calls_at_once') limit 1;
  if v_key is not null then
    raise exception using errcode = 'WR001', message = format('entry.%s: is not known', v_key);
  elsif p_entry ->> 'calls_at_once' is not null
        and not (case when p_entry ->> 'calls_at_once' ~ '^[0-9]{1,4}$'
                      then (p_entry ->> 'calls_at_once')::integer between 1 and 1024 else false end) then
    raise exception using errcode = 'WR001', message = 'entry.calls_at_once: must be a number from 1 to 1024';
  end if;
  -- A schema that cannot be checked would let any configuration through.
  perform weir.check_schema(coalesce(p_entry -> 'configuration_schema', '{}'), 'entry.configuration_schema');
  insert into public.mcp_server_catalog as c
    (slug, version, name, description, transport, runtime, package, bin, args, env, configuration_schema, default_share, calls_at_once)
  values
    (p_entry ->> 'slug', p_entry ->> 'version', p_entry ->> 'name', coalesce(p_entry ->> 'description', ''), p_entry ->> 'transport',
     coalesce(p_entry ->> 'runtime', 'process'), p_entry ->> 'package', p_entry ->> 'bin', coalesce(p_entry -> 'args', '[]'),
     coalesce(p_entry -> 'env', '{}'), coalesce(p_entry -> 'configuration_schema', '{"type": "object", "properties": {}}'),
     coalesce(p_entry ->> 'default_share', 'instance'), (p_entry ->> 'calls_at_once')::integer)
  on conflict (slug, version) do update
    set name = excluded.name, description = excluded.description, transport = excluded.transport, runtime = excluded.runtime,
        package = excluded.package, bin = excluded.bin, args = excluded.args, env = excluded.env,
        configuration_schema = excluded.configuration_schema, default_share = excluded.default_share,
        calls_at_once = excluded.calls_at_once, is_published = true, updated_at = now()
  returning c.id into v_id;
  return v_id;
end;
$_$;


ALTER FUNCTION weir.publish_catalog_server(p_entry jsonb) OWNER TO weir_system;

--
-- Name: published_columns(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.published_columns() RETURNS TABLE(relation_name text, column_name text, column_type text, for_anon boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT (c.relname)::text AS relname,
     (a.attname)::text AS attname,
     format_type(a.atttypid, NULL::integer) AS format_type,
     has_column_privilege('anon'::name, c.oid, a.attnum, 'SELECT'::text) AS has_column_privilege
    FROM (pg_class c
      JOIN pg_attribute a ON (((a.attrelid = c.oid) AND (a.attnum > 0) AND (NOT a.attisdropped))))
   WHERE ((c.relnamespace = ( SELECT n.oid
            FROM pg_namespace n
           WHERE (n.nspname = 'public'::name))) AND
         CASE c.relkind
             WHEN 'v'::"char" THEN COALESCE((c.reloptions @> ARRAY['security_invoker=true'::text]), false)
             WHEN 'r'::"char" THEN (c.relrowsecurity AND c.relforcerowsecurity)
             WHEN 'p'::"char" THEN (c.relrowsecurity AND c.relforcerowsecurity)
             ELSE false
         END AND (NOT (EXISTS ( SELECT
            FROM pg_depend d
           WHERE ((d.classid = ('pg_class'::regclass)::oid) AND (d.objid = c.oid) AND (d.deptype = 'e'::"char"))))) AND (has_column_privilege('authenticated'::name, c.oid, a.attnum, 'SELECT'::text) OR has_column_privilege('anon'::name, c.oid, a.attnum, 'SELECT'::text)))
   ORDER BY c.relname, a.attnum;
END;


ALTER FUNCTION weir.published_columns() OWNER TO weir_owner;

--
-- Name: published_functions(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.published_functions() RETURNS TABLE(function_name text, argument_names text[], argument_types text[], required integer, returns_set boolean, result_type text, columns text[], column_types text[], for_anon boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT (p.proname)::text AS proname,
     COALESCE(p.proargnames[1:p.pronargs], '{}'::text[]) AS "coalesce",
     ARRAY( SELECT format_type(t.type, NULL::integer) AS format_type
            FROM unnest((p.proargtypes)::oid[]) WITH ORDINALITY t(type, n)
           ORDER BY t.n) AS "array",
     (p.pronargs - p.pronargdefaults),
     p.proretset,
     format_type(p.prorettype, NULL::integer) AS format_type,
     o.names,
     o.types,
     has_function_privilege('anon'::name, p.oid, 'EXECUTE'::text) AS has_function_privilege
    FROM (pg_proc p
      CROSS JOIN LATERAL ( SELECT array_agg(p.proargnames[m.n] ORDER BY m.n) AS names,
             array_agg(format_type(p.proallargtypes[m.n], NULL::integer) ORDER BY m.n) AS types
            FROM unnest(p.proargmodes) WITH ORDINALITY m(mode, n)
           WHERE (m.mode = 't'::"char")) o)
   WHERE ((p.pronamespace = ( SELECT n.oid
            FROM pg_namespace n
           WHERE (n.nspname = 'public'::name))) AND (p.prokind = 'f'::"char") AND (EXISTS ( SELECT
            FROM ((pg_depend d
              JOIN pg_proc f ON ((f.oid = d.refobjid)))
              JOIN pg_namespace n ON (((n.oid = f.pronamespace) AND (n.nspname = 'weir'::name))))
           WHERE ((d.classid = ('pg_proc'::regclass)::oid) AND (d.objid = p.oid) AND (d.refclassid = ('pg_proc'::regclass)::oid)))) AND (has_function_privilege('authenticated'::name, p.oid, 'EXECUTE'::text) OR has_function_privilege('anon'::name, p.oid, 'EXECUTE'::text)))
   ORDER BY p.proname;
END;


ALTER FUNCTION weir.published_functions() OWNER TO weir_owner;

--
-- Name: purge(interval, interval, interval, integer); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.purge(p_idempotency_keys interval, p_chat_turns interval, p_security_events interval, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'on'
    AS $$
declare
  v_limit constant integer := greatest(p_limit, 0);
  v_now constant timestamptz := clock_timestamp();
  v_count integer;
  v_purged integer := 0;
begin
  -- Less than an hour would delete what retries still need. A null would delete nothing and say nothing.
  if num_nulls(p_idempotency_keys, p_chat_turns, p_security_events) > 0
     or least(p_idempotency_keys, p_chat_turns, p_security_events) < interval '1 hour' then
    raise exception using errcode = 'WR001', message = 'what is kept is kept for an hour at least';
  end if;
  delete from weir.idempotency_keys k
  where (k.organization_id, k.key) in (
    select o.organization_id, o.key from weir.idempotency_keys o where o.created_at < v_now - p_idempotency_keys
    order by o.created_at limit v_limit);
  get diagnostics v_count = row_count;
  v_purged := v_purged + v_count;
  delete from weir.chat_turns t
  where (t.message_id, t.agent_id) in (
    select o.message_id, o.agent_id from weir.chat_turns o join public.chat_messages m on m.id = o.message_id
    -- A turn that a replica works on is not old, whenever its message was written.
    where o.leased_until < v_now and m.created_at < v_now - p_chat_turns
    limit v_limit for update of o skip locked);
  get diagnostics v_count = row_count;
  v_purged := v_purged + v_count;
  delete from weir.security_events e
  where (e.minute, e.reason, e.key_prefix, e.address) in (
    select o.minute, o.reason, o.key_prefix, o.address from weir.security_events o where o.minute < v_now - p_security_events
    order by o.minute limit v_limit for update skip locked);
  get diagnostics v_count = row_count;
  return v_purged + v_count;
end;
$$;


ALTER FUNCTION weir.purge(p_idempotency_keys interval, p_chat_turns interval, p_security_events interval, p_limit integer) OWNER TO weir_system;

--
-- Name: purge_datastores(integer); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.purge_datastores(p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'on'
    AS $$
declare
  -- A parameter for both statements: PostgreSQL keeps the plan of a statement that has none, whatever plan_cache_mode says.
  v_now constant timestamptz := clock_timestamp();
  v_count integer;
begin
  delete from public.documents d where d.id in (
    select x.id from public.documents x join public.datastores s on s.organization_id = x.organization_id and s.id = x.datastore_id
    where s.deleted_at <= v_now limit greatest(p_limit, 0) for update of x skip locked);
  get diagnostics v_count = row_count;
  delete from public.datastores s
  where s.deleted_at <= v_now
    and not exists (select from public.documents d where d.organization_id = s.organization_id and d.datastore_id = s.id);
  return v_count;
end;
$$;


ALTER FUNCTION weir.purge_datastores(p_limit integer) OWNER TO weir_system;

--
-- Name: read_with_key(text, bytea, text, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.read_with_key(p_key_id text, p_secret_hash bytea, p_function text, p_arguments jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_scope constant text := weir.key_scope(p_function);
  v_limit integer;
  v_organization_id uuid;
  v_scopes text[];
  v_filter jsonb;
  v_before jsonb;
  v_error text;
begin
  -- The key first: a caller without a good one learns nothing of what there is.
  select k.organization_id, k.scopes into v_organization_id, v_scopes from weir.authenticate_organization_key(p_key_id, p_secret_hash) k;
  if not found then
    return weir.error('WR002', 'the key is not valid');
  elsif v_scope is null then
    return weir.error('WR010', 'a key of an organization reads read_audit, read_servers and read_usage');
  elsif weir.bounds_error(p_arguments, 65536) is not null then
    return weir.error('WR001', 'the arguments: the value ' || weir.bounds_error(p_arguments, 65536));
  -- Another organization's id reads as one that does not exist.
  elsif (p_arguments ->> 'organization_id')::uuid <> v_organization_id then
    return weir.error('WR004', 'there is no such organization');
  elsif v_scope <> all(v_scopes) then
    -- The scope is asked last, so this row is in the key's own organization.
    perform weir.record_event('admin_read', v_organization_id, 'forbidden', p_item => p_function, p_key_id => p_key_id);
    return weir.error('WR003', format('this key has no scope %s', v_scope), 'An owner or admin makes another key with that scope.');
  elsif p_function = 'read_servers' then
    return weir.servers_of(v_organization_id);
  elsif p_function = 'read_usage' then
    return weir.usage_of(v_organization_id, (p_arguments ->> 'since')::timestamptz, (p_arguments ->> 'until')::timestamptz);
  end if;
  -- read_audit: an absent argument and a JSON null mean the same.
  v_filter := nullif(p_arguments -> 'filter', 'null');
  v_before := nullif(p_arguments -> 'before', 'null');
  v_limit := coalesce((p_arguments ->> 'limit')::integer, 100);
  v_error := coalesce(case when v_limit not between 1 and 1000 then 'limit must be 1 to 1000' end,
                      weir.audit_filter_error(v_filter), weir.audit_cursor_error(v_before));
  if v_error is not null then
    perform weir.record_event(
      'admin_read', v_organization_id, 'invalid_argument', p_item => p_function, p_detail => v_error, p_key_id => p_key_id);
    return weir.error('WR001', v_error);
  end if;
  -- Recorded before it is read, as for a person (weir.read_audit).
  perform weir.record_event(
    'admin_read', v_organization_id, p_item => p_function, p_detail => weir.cut(v_filter::text, 500), p_key_id => p_key_id);
  return weir.audit_page(v_organization_id, null, v_filter, v_before, v_limit);
end;
$$;


ALTER FUNCTION weir.read_with_key(p_key_id text, p_secret_hash bytea, p_function text, p_arguments jsonb) OWNER TO weir_system;

--
-- Name: reassert_instance(uuid, bigint, bigint, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.reassert_instance(p_instance_id uuid, p_generation bigint, p_known bigint, p_until timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_instance public.mcp_server_instances;
  v_status text;
  v_is_too_far constant boolean := p_known - p_generation > 1000000;
begin
  -- Everything that can refuse without the lock comes first; the lock is tried last.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id;
  if not found or p_known < p_generation or v_instance.reasserted_at > clock_timestamp() - interval '1 minute'
     or v_is_too_far and v_instance.last_error_code is not distinct from 'generation_refused'
     or not weir.try_lock_organization(v_instance.organization_id, p_until) then
    return false;
  end if;
  -- Looked at again under the lock: somebody may have wanted something else meanwhile.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update skip locked;
  if not found or v_instance.node_id is null or v_instance.generation <> p_generation
     or v_instance.status not in ('deploying', 'running', 'degraded', 'updating', 'failed', 'stopping', 'deleting') then
    return false;
  -- The error is shown; nothing is asked of the node.
  elsif v_is_too_far then
    update public.mcp_server_instances i
    set status = case i.status when 'running' then 'degraded' else i.status end, last_error_code = 'generation_refused',
        last_error = format('its node says that it knows generation %s, the database has %s: more than 1000000 ahead is not believed; '
                            'delete the instance at the node', p_known, p_generation)
    where i.id = p_instance_id;
    if v_instance.status = 'running' then
      perform weir.record_event('lifecycle', v_instance.organization_id, p_instance_id => p_instance_id, p_item => 'degraded',
                                p_detail => 'generation_refused');
    end if;
    return false;
  end if;
  -- A server that ran is updated; an operation that is under way is requested again.
  v_status := case when v_instance.status in ('running', 'degraded', 'failed') then 'updating' else v_instance.status end;
  update public.mcp_server_instances i
  set generation = p_known + 1, resets = i.resets + 1, status = v_status, last_error_code = null, last_error = null,
      reasserted_at = clock_timestamp()
  where i.id = p_instance_id;
  insert into weir.dtma_operations (organization_id, instance_id, action, generation)
  values (v_instance.organization_id, p_instance_id,
          case v_status when 'deploying' then 'deploy' when 'updating' then 'update' when 'stopping' then 'stop' else 'delete' end,
          p_known + 1);
  perform weir.record_event('lifecycle', v_instance.organization_id, p_instance_id => p_instance_id, p_item => v_status,
                            p_detail => format('its node knows generation %s, the database %s', p_known, p_generation));
  return true;
end;
$$;


ALTER FUNCTION weir.reassert_instance(p_instance_id uuid, p_generation bigint, p_known bigint, p_until timestamp with time zone) OWNER TO weir_owner;

--
-- Name: reconcile_node(uuid, jsonb, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.reconcile_node(p_node_id uuid, p_reported jsonb, p_until timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_instance record;
  -- Whether every entry names an instance and a generation.
  v_is_whole constant boolean := not exists (
    select from jsonb_array_elements(p_reported) r
    where jsonb_typeof(r.value -> 'id') is distinct from 'string' or jsonb_typeof(r.value -> 'generation') is distinct from 'number');
begin
  for v_instance in
    select i.id, i.generation, i.status, i.last_error_code, s.generation as known
    from public.mcp_server_instances i
    left join (
      select lower(r.value ->> 'id') as id,
             max(case when r.value ->> 'generation' ~ '^[0-9]{1,16}$' then (r.value ->> 'generation')::bigint else 0 end)
        as generation
      from jsonb_array_elements(p_reported) r group by 1) s on s.id = i.id::text
    where i.node_id = p_node_id
      -- Which differences need an action.
      and case
        when s.generation > i.generation then true
        when s.generation is not null or not v_is_whole then false
        when i.status in ('running', 'degraded') then true
        -- The operation has ended, yet the node does not have the instance.
        when i.status in ('deploying', 'updating', 'stopping') then
          (select coalesce(bool_and(o.finished_at < clock_timestamp() - interval '30 seconds'), false)
           from weir.dtma_operations o where o.instance_id = i.id and o.generation = i.generation and o.organization_id = i.organization_id)
        else false
      end
    -- The order in which everybody takes several organizations' locks.
    order by i.organization_id, i.id
  loop
    -- The first report without it degrades; the second one starts it again.
    if v_instance.known is null and v_instance.status in ('running', 'degraded')
       and v_instance.last_error_code is distinct from 'not_running' then
      perform weir.apply_report(v_instance.id, v_instance.generation, 'degraded', 'not_running', 'its node does not have it', p_until);
    else
      perform weir.reassert_instance(v_instance.id, v_instance.generation, coalesce(v_instance.known, v_instance.generation), p_until);
    end if;
    -- The rest is left for the next heartbeat.
    exit when clock_timestamp() > p_until;
  end loop;
end;
$_$;


ALTER FUNCTION weir.reconcile_node(p_node_id uuid, p_reported jsonb, p_until timestamp with time zone) OWNER TO weir_owner;

--
-- Name: record_act(weir.act, text, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.record_act(p_act weir.act, p_detail text DEFAULT NULL::text, p_grant_id uuid DEFAULT NULL::uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform weir.record_event(p_act.kind, p_act.organization_id, p_agent_id => p_act.agent_id, p_instance_id => p_act.instance_id,
                            p_item => p_act.item, p_detail => p_detail, p_grant_id => p_grant_id);
end;
$$;


ALTER FUNCTION weir.record_act(p_act weir.act, p_detail text, p_grant_id uuid) OWNER TO weir_owner;

--
-- Name: record_chat_answer(uuid, uuid, uuid, uuid, text, jsonb, jsonb, jsonb, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_chat_answer(p_user_id uuid, p_agent_id uuid, p_channel_id uuid, p_reply_to uuid, p_content text, p_tool_calls jsonb, p_usage jsonb, p_degraded jsonb, p_end jsonb) RETURNS TABLE(id uuid, is_new boolean)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_id uuid := weir.uuid_v7();
  v_organization_id uuid;
  v_is_new boolean;
  v_error text;
begin
  v_error := coalesce(weir.bounds_error(p_tool_calls, 8388608), weir.bounds_error(p_usage, 65536), weir.bounds_error(p_degraded, 4194304),
                      weir.bounds_error(p_end, 65536));
  if v_error is not null then
    raise exception using errcode = 'WR001', message = 'the answer ' || v_error;
  end if;
  -- The unique index on (reply_to, agent_id) decides between two replicas that answer the same message.
  insert into public.chat_messages as answer (id, organization_id, workspace_id, channel_id, sender, agent_id, content, reply_to,
                                    tool_calls, usage, degraded)
  select v_id, m.organization_id, m.workspace_id, m.channel_id, 'agent', a.id, p_content, m.id, p_tool_calls, p_usage, p_degraded
  from public.chat_messages m
  join public.agents a on a.id = p_agent_id and a.organization_id = m.organization_id
  where m.id = p_reply_to and m.channel_id = p_channel_id and m.sender = 'user' and m.user_id = p_user_id
    and m.deleted_at is null and weir.may_use_agent(p_user_id, a.id, a.owner_id)
    and exists (select from public.workspace_members w where w.workspace_id = m.workspace_id and w.agent_id = a.id)
  on conflict (reply_to, agent_id) where sender = 'agent' and reply_to is not null do nothing
  returning answer.organization_id into v_organization_id;
  v_is_new := found;
  if v_is_new then
    perform weir.audit_mcp_interactions(jsonb_build_array(p_end || jsonb_build_object(
      'kind', 'chat', 'organization_id', v_organization_id, 'user_id', p_user_id, 'agent_id', p_agent_id, 'item', p_channel_id,
      'request_id', p_reply_to, 'detail', format('answer %s, %s', v_id, p_end ->> 'detail'))));
  else
    select m.id into v_id
    from public.chat_messages m
    join public.chat_messages question on question.id = m.reply_to and question.user_id = p_user_id
    where m.reply_to = p_reply_to and m.agent_id = p_agent_id and m.channel_id = p_channel_id and m.sender = 'agent';
    if v_id is null then
      raise exception using errcode = 'WR004', message = 'there is no such message';
    end if;
  end if;
  delete from weir.chat_turns t where t.message_id = p_reply_to and t.agent_id = p_agent_id;
  return query select v_id, v_is_new;
end;
$$;


ALTER FUNCTION weir.record_chat_answer(p_user_id uuid, p_agent_id uuid, p_channel_id uuid, p_reply_to uuid, p_content text, p_tool_calls jsonb, p_usage jsonb, p_degraded jsonb, p_end jsonb) OWNER TO weir_system;

--
-- Name: record_chat_call(uuid, uuid, uuid, integer, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_chat_call(p_replica_id uuid, p_agent_id uuid, p_message_id uuid, p_place integer, p_call jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if weir.bounds_error(p_call, 4194304) is not null then
    raise exception using errcode = 'WR001', message = 'call ' || weir.bounds_error(p_call, 4194304);
  end if;
  update weir.chat_turns t set calls = t.calls || jsonb_build_object(p_place::text, p_call)
  from public.chat_messages m
  where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id and m.id = t.message_id
    and t.leased_until >= clock_timestamp()
    -- A call that has begun may always be ended: its outcome is known and belongs to the turn.
    and (t.calls ? p_place::text
         or weir.chat_has_tools(m.organization_id) and m.deleted_at is null
            and exists (select from public.workspace_members w where w.workspace_id = m.workspace_id and w.agent_id = t.agent_id));
  if found then
    return;
  -- Tells the two refusals apart.
  elsif exists (select from weir.chat_turns t
                where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id
                  and t.leased_until >= clock_timestamp() and not weir.chat_has_tools(t.organization_id)) then
    raise exception using errcode = 'WR003', message = 'tools are switched off';
  else
    raise exception using errcode = 'WR005', message = 'the turn is over';
  end if;
end;
$$;


ALTER FUNCTION weir.record_chat_call(p_replica_id uuid, p_agent_id uuid, p_message_id uuid, p_place integer, p_call jsonb) OWNER TO weir_system;

--
-- Name: record_definitions(uuid, bigint, text[], text[], bytea[], text[], jsonb, text[], text[], interval, text[], text[], text[], text[], text[], text[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_definitions(p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb, p_warnings text[] DEFAULT NULL::text[], p_listed text[] DEFAULT ARRAY['tool'::text, 'prompt'::text, 'template'::text, 'resource'::text], p_ttl interval DEFAULT NULL::interval, p_eras text[] DEFAULT NULL::text[], p_needs text[] DEFAULT NULL::text[], p_faults text[] DEFAULT NULL::text[], p_fault_paths text[] DEFAULT NULL::text[], p_fault_reasons text[] DEFAULT NULL::text[], p_keeps_needing text[] DEFAULT '{}'::text[]) RETURNS TABLE(new_pins integer, changed_pins integer, quarantined integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_instance public.mcp_server_instances;
  v_pins constant text[] := array_remove(p_listed, 'resource');
  v_items weir.announced_item[];
  v_resources boolean;
begin
  -- A name that is announced twice is the first of the two. What is left out may share its name with others, or have none.
  v_items := array(select row(a.kind, a.name, a.hash, a.definition, a.warning, a.eras, a.needs, a.fault, a.fault_path,
                              a.fault_reason)::weir.announced_item
                   from (select distinct on (i.kind, i.name, i.left_out) i.*
                         from (select u.kind, u.name, u.hash, u.definition, u.warning, u.fault, u.fault_path, u.fault_reason, u.n,
                                      string_to_array(coalesce(u.eras, 'legacy,modern'), ',') as eras,
                                      string_to_array(coalesce(u.needs, ''), ',') as needs,
                                      case when u.eras = '' and u.needs = '' then u.hash end as left_out
                               from unnest(p_kinds, p_names, p_hashes, p_definitions, p_warnings, p_eras, p_needs, p_faults, p_fault_paths,
                                           p_fault_reasons) with ordinality
                                    u(kind, name, hash, definition, warning, eras, needs, fault, fault_path, fault_reason, n)) i
                         order by i.kind, i.name, i.left_out, i.n) a);
  -- Kinds that could not be asked for such clients this time: what is stored for them counts as announced.
  if p_keeps_needing <> '{}' then
    v_items := v_items || array(
      select row(t.kind, t.name, t.definition_hash, t.definition, t.warning, t.eras, t.needs, t.fault, t.fault_path,
                 t.fault_reason)::weir.announced_item
      from public.mcp_server_tools t
      where t.instance_id = p_instance_id and t.announced and t.needs <> '{}' and t.kind = any(p_keeps_needing)
        and not exists (select from unnest(v_items) a where a.kind = t.kind and a.name = t.name));
  end if;
  -- The organization's lock blocks calls, so it is taken only where pins differ, and before the row's. New resources take it
  -- shared: no call waits, and this does not run beside a transaction that holds it exclusively.
  v_resources := 'resource' = any(p_listed) and weir.announces_otherwise(p_instance_id, array['resource'], v_items);
  if weir.announces_otherwise(p_instance_id, v_pins, v_items) then
    perform weir.lock_organization(i.organization_id) from public.mcp_server_instances i where i.id = p_instance_id;
  elsif v_resources then
    perform pg_advisory_xact_lock_shared(weir.lock_key(i.organization_id)) from public.mcp_server_instances i where i.id = p_instance_id;
  end if;
  -- An answer of an older generation is from a server that is not wanted any more.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update;
  if not found or v_instance.generation <> p_generation then
    return query select 0, 0, 0;
    return;
  end if;

  -- Trusted: the first ten minutes. Updated: the first answer in the generation that an admin's update of the catalog version
  -- began.
  return query select r.* from weir.record_pins(
    v_instance.organization_id, p_instance_id, v_pins, v_items,
    v_instance.pin_policy = 'trust_first' and coalesce(clock_timestamp() < v_instance.first_running_at + interval '10 minutes', false),
    v_instance.pin_policy = 'trust_first' and coalesce(v_instance.approved_generation = p_generation, false)
      and v_instance.refreshed_generation is distinct from p_generation) r;
  if v_resources then
    perform weir.record_resources(v_instance.organization_id, p_instance_id, v_items);
  end if;
  -- The lease ends, and the next time to ask is set. A server_info that is too large is ignored, and the last good one stays.
  update public.mcp_server_instances i
  set refreshed_generation = p_generation, refreshed_at = clock_timestamp(), refresh_by = null, refresh_lease_until = null,
      refresh_at = clock_timestamp() + case
        -- Somebody called refresh_soon while the lists were read.
        when i.refresh_at < i.refresh_lease_until then interval '500 milliseconds'
        when p_ttl < interval '5 seconds' then interval '5 seconds'
        else p_ttl end,
      server_info = coalesce(case when weir.bounds_error(p_server_info, 65536) is null then p_server_info end, i.server_info)
  where i.id = p_instance_id;
end;
$$;


ALTER FUNCTION weir.record_definitions(p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb, p_warnings text[], p_listed text[], p_ttl interval, p_eras text[], p_needs text[], p_faults text[], p_fault_paths text[], p_fault_reasons text[], p_keeps_needing text[]) OWNER TO weir_system;

--
-- Name: record_denials(uuid, uuid[], timestamp with time zone[], text[], bytea[], uuid[], uuid[], text[], text[], text[], text[], bigint[], bytea[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_denials(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_items text[], p_reasons text[], p_request_ids text[], p_request_bytes bigint[], p_request_hashes bytea[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_written integer;
  v_denials weir.denial[];
  v_counted integer[];
begin
  -- The other reasons are admission's, which records them itself.
  if not p_reasons <@ array['invalid_request', 'error', 'limit', 'undecided'] or array_position(p_reasons, null) is not null then
    raise exception using errcode = 'WR001', message = 'p_reasons: must be invalid_request, error, limit or undecided';
  end if;
  -- The same two identities as in admission: an agent by its valid key, or a person through an agent that they may use.
  v_denials := array(
    select row(c.ordinal, a.organization_id, c.kind, c.reason, case when c.user_id is null then 'agent' else 'user' end, c.user_id, a.id,
               k.key_id, null)::weir.denial
    from unnest(p_key_ids, p_secret_hashes, p_user_ids, p_agent_ids, p_kinds, p_reasons) with ordinality
         as c(key_id, secret_hash, user_id, agent_id, kind, reason, ordinal)
    left join lateral (select x.key_id, x.agent_id from public.agent_api_keys x
                       where x.key_id = c.key_id and x.secret_hash = c.secret_hash and x.revoked_at is null
                         and (x.expires_at is null or x.expires_at > clock_timestamp()) offset 0) k on true
    -- Somebody who does not belong to the organization (any more) writes nothing into its audit log.
    join lateral (select x.id, x.organization_id from public.agents x
                  where x.is_active
                    and (x.id = k.agent_id
                         or (c.key_id is null and x.id = c.agent_id and weir.may_use_agent(c.user_id, x.id, x.owner_id)
                             and exists (select from public.organization_members m
                                         where m.organization_id = x.organization_id and m.user_id = c.user_id and m.status = 'active')))
                  offset 0) a on true);
  v_counted := weir.count_denials(v_denials);
  -- A repeated batch changes nothing in the rows that are there.
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, replica_id, actor_kind, user_id, agent_id, agent_name, key_id,
    item, request_id, reason, request_bytes, request_hash)
  select p_created_at[d.ordinal], p_ids[d.ordinal], 'denied', d.organization_id, d.kind, 'denied', i.epoch, p_replica_id,
         d.actor_kind, d.user_id, d.agent_id, (select x.name from public.agents x where x.id = d.agent_id), d.key_id,
         weir.cut(p_items[d.ordinal], 4096), weir.cut(p_request_ids[d.ordinal], 256), d.reason, p_request_bytes[d.ordinal],
         p_request_hashes[d.ordinal]
  from unnest(v_denials) d cross join weir.installation i
  where d.ordinal <> all(v_counted)
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return v_written + cardinality(v_counted);
end;
$$;


ALTER FUNCTION weir.record_denials(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_items text[], p_reasons text[], p_request_ids text[], p_request_bytes bigint[], p_request_hashes bytea[]) OWNER TO weir_system;

--
-- Name: record_embedding_failure(uuid[], text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_embedding_failure(p_document_ids uuid[], p_detail text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update public.documents d
  set status = case when d.status = 'embedded' then d.status else 'embedding_failed' end, status_detail = weir.cut(p_detail, 500),
      embed_attempts = d.embed_attempts + 1,
      embed_after = clock_timestamp() + least(interval '1 hour', interval '5 seconds' * power(2, least(d.embed_attempts, 12)))
  where d.id = any(p_document_ids);
end;
$$;


ALTER FUNCTION weir.record_embedding_failure(p_document_ids uuid[], p_detail text) OWNER TO weir_system;

--
-- Name: record_embeddings(uuid, uuid, text, uuid[], real[], text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_embeddings(p_organization_id uuid, p_datastore_id uuid, p_model text, p_chunk_ids uuid[], p_values real[], p_vector_index text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_version bigint;
  v_size constant integer := cardinality(p_values) / nullif(cardinality(p_chunk_ids), 0);
begin
  -- Documents before their datastore, as in a deletion, whose trigger updates the datastore.
  perform from public.documents d
  where d.id in (select c.document_id from weir.document_chunks c where c.id = any(p_chunk_ids)) order by d.id for update;
  update public.datastores s set version = s.version + 1 where s.id = p_datastore_id returning s.version into v_version;
  -- The version is written with each vector, so that a replica finds what it has not read.
  if p_vector_index is null then
    update weir.document_chunks c
    set embedding = p_values[(n.n - 1) * v_size + 1 : n.n * v_size], embedding_model = p_model, embedded_version = v_version,
        vector_index = null
    from unnest(p_chunk_ids) with ordinality n(id, n)
    where c.id = n.id and c.datastore_id = p_datastore_id;
  else
    update weir.document_chunks c set embedding = null, embedding_model = p_model, embedded_version = null, vector_index = p_vector_index
    where c.id = any(p_chunk_ids) and c.datastore_id = p_datastore_id;
    -- Deleted since it was claimed: the foreign index has a vector without a chunk.
    insert into weir.vector_removals (organization_id, vector_index, chunk_id)
    select p_organization_id, p_vector_index, n from unnest(p_chunk_ids) n
    where not exists (select from weir.document_chunks c where c.id = n)
    on conflict do nothing;
  end if;
  update public.documents d
  set status = case when m.missing then d.status else 'embedded' end, status_detail = case when m.missing then d.status_detail end,
      embedding_model = case when m.missing then d.embedding_model else p_model end, embed_attempts = 0,
      embed_after = case when m.missing then clock_timestamp() else 'infinity' end
  from (select x.id, exists (select from weir.document_chunks c where c.document_id = x.id and c.embedding_model is distinct from p_model)
               as missing
        from public.documents x where x.id in (select c.document_id from weir.document_chunks c where c.id = any(p_chunk_ids))) m
  where d.id = m.id and d.datastore_id = p_datastore_id;
end;
$$;


ALTER FUNCTION weir.record_embeddings(p_organization_id uuid, p_datastore_id uuid, p_model text, p_chunk_ids uuid[], p_values real[], p_vector_index text) OWNER TO weir_system;

--
-- Name: record_event(text, uuid, text, uuid, uuid, text, text, uuid, text, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_event(p_kind text, p_organization_id uuid, p_reason text DEFAULT NULL::text, p_agent_id uuid DEFAULT NULL::uuid, p_instance_id uuid DEFAULT NULL::uuid, p_item text DEFAULT NULL::text, p_detail text DEFAULT NULL::text, p_grant_id uuid DEFAULT NULL::uuid, p_outcome text DEFAULT 'ok'::text, p_key_id text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_actor constant uuid := weir.actor_id();
  v_actor_kind constant text := case when p_key_id is not null then 'key' when v_actor is null then 'system' else 'user' end;
begin
  -- A denial is counted first; without a row of its own it ends here.
  if p_reason is not null and cardinality(weir.count_denials(array[row(
       1, p_organization_id, p_kind, p_reason, v_actor_kind, v_actor,
       -- Only ids of this organization count, so that invented ids cannot defeat the grouping of denials.
       (select a.id from public.agents a where a.id = p_agent_id and a.organization_id = p_organization_id), p_key_id,
       (select s.id from public.mcp_server_instances s
        where s.id = p_instance_id and s.organization_id = p_organization_id))::weir.denial])) > 0 then
    return;
  end if;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, key_id, agent_id, agent_name, instance_id,
    instance_name, item, grant_id, reason, detail, outcome)
  select clock_timestamp(), weir.uuid_v7(), case when p_reason is null then 'completed' else 'denied' end, p_organization_id, p_kind,
         case when p_reason is null then 'allowed' else 'denied' end, i.epoch,
         v_actor_kind, v_actor, p_key_id, p_agent_id,
         (select a.name from public.agents a where a.id = p_agent_id and a.organization_id = p_organization_id), p_instance_id,
         (select s.name from public.mcp_server_instances s where s.id = p_instance_id and s.organization_id = p_organization_id),
         weir.cut(p_item, 4096), p_grant_id, p_reason, weir.cut(p_detail, 500), case when p_reason is null then p_outcome end
  from weir.installation i;
end;
$$;


ALTER FUNCTION weir.record_event(p_kind text, p_organization_id uuid, p_reason text, p_agent_id uuid, p_instance_id uuid, p_item text, p_detail text, p_grant_id uuid, p_outcome text, p_key_id text) OWNER TO weir_system;

--
-- Name: record_instance_state(uuid, bigint, text, text, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_instance_state(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return weir.apply_report(p_instance_id, p_generation, p_state, p_error_code, p_error);
end;
$$;


ALTER FUNCTION weir.record_instance_state(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text) OWNER TO weir_system;

--
-- Name: record_model_usage(uuid, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_model_usage(p_agent_id uuid, p_usage jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if weir.bounds_error(p_usage, 65536) is not null then
    raise exception using errcode = 'WR001', message = 'usage ' || weir.bounds_error(p_usage, 65536);
  end if;
  -- Does not wait for the disk (decision 0059): a crash of PostgreSQL may lose the last moment's usage. Otherwise every turn of
  -- the agent would wait for the hour's row while another one waits for the disk.
  perform set_config('synchronous_commit', 'off', true);
  insert into public.model_usage_hourly as h (
    organization_id, hour, agent_id, provider, model, currency, turns, requests, failures, input_tokens,
    output_tokens, cost_micros, unpriced_turns)
  -- The organization is the agent's, not a parameter.
  select a.organization_id, date_trunc('hour', clock_timestamp(), 'UTC'), a.id, u.provider, u.model, u.currency, 1, u.requests, u.failures,
         u.input_tokens, u.output_tokens, coalesce(u.cost_micros, 0), (u.cost_micros is null)::integer
  from public.agents a,
       jsonb_to_recordset(p_usage) u(provider text, model text, currency text, requests bigint, failures bigint, input_tokens bigint,
                                     output_tokens bigint, cost_micros bigint)
  where a.id = p_agent_id
  order by u.provider, u.model
  on conflict (organization_id, hour, agent_id, provider, model, currency) do update set
    turns = h.turns + 1, requests = h.requests + excluded.requests, failures = h.failures + excluded.failures,
    input_tokens = h.input_tokens + excluded.input_tokens, output_tokens = h.output_tokens + excluded.output_tokens,
    cost_micros = h.cost_micros + excluded.cost_micros, unpriced_turns = h.unpriced_turns + excluded.unpriced_turns;
end;
$$;


ALTER FUNCTION weir.record_model_usage(p_agent_id uuid, p_usage jsonb) OWNER TO weir_system;

--
-- Name: record_operation(uuid, uuid, text, text, text, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_operation(p_operation_id uuid, p_replica_id uuid, p_outcome text, p_error_code text, p_error text, p_retry_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_operation weir.dtma_operations;
begin
  if p_outcome is null or p_outcome not in ('done', 'failed', 'retry') then
    raise exception using errcode = 'WR001', message = 'p_outcome: must be done, failed or retry';
  end if;
  -- A failure and a deletion change what admission decides by.
  perform weir.lock_organization(o.organization_id) from weir.dtma_operations o
  where o.id = p_operation_id and (p_outcome = 'failed' or o.action = 'delete');
  -- The condition on claimed_by refuses a replica that has lost its lease.
  update weir.dtma_operations o
  set claimed_by = null, lease_until = null, error_code = weir.cut(p_error_code, 100), error = weir.cut(p_error, 2000),
      finished_at = case when p_outcome <> 'retry' then clock_timestamp() end,
      outcome = nullif(p_outcome, 'retry'),
      run_at = case when p_outcome = 'retry' then coalesce(p_retry_at, clock_timestamp() + interval '5 seconds') else o.run_at end
  where o.id = p_operation_id and o.claimed_by = p_replica_id and o.finished_at is null
  returning o.* into v_operation;
  if v_operation.id is null then
    return false;
  end if;
  if v_operation.action = 'delete' and p_outcome = 'done' then
    perform weir.bury_instance(v_operation.instance_id, v_operation.generation);
  elsif p_outcome = 'done' then
    -- A restarted server may announce other lists. For a deployment its first running does the same.
    perform weir.refresh_now(v_operation.instance_id) where v_operation.action = 'restart';
  elsif p_outcome = 'failed' then
    update public.mcp_server_instances i
    -- After a failed deletion the instance stays `deleting`: an admin may ask for it again.
    set status = case when i.status = 'deleting' then i.status else 'failed' end,
        last_error_code = coalesce(weir.cut(p_error_code, 100), 'failed'), last_error = weir.cut(p_error, 2000)
    where i.id = v_operation.instance_id and i.generation = v_operation.generation
      and (i.status = 'deleting'
           or exists (select from weir.instance_moves m where m.from_status = i.status and m.to_status = 'failed'))
      -- A node that could not be reached for a restart has reported nothing about the server.
      and not (v_operation.action = 'restart' and p_error_code is not distinct from 'node_unreachable');
  else
    -- While a remote server is tried again, its instance says why. That is cleared when it runs.
    update public.mcp_server_instances i
    set last_error_code = weir.cut(p_error_code, 100), last_error = weir.cut(p_error, 2000)
    where p_outcome = 'retry' and i.id = v_operation.instance_id and i.generation = v_operation.generation
      and i.status in ('deploying', 'updating') and i.url is not null;
  end if;
  perform weir.record_event('lifecycle', v_operation.organization_id, p_instance_id => v_operation.instance_id,
                            p_item => v_operation.action, p_detail => coalesce(p_error_code, p_outcome),
                            p_outcome => case p_outcome when 'done' then 'ok' else 'failed' end);
  return true;
end;
$$;


ALTER FUNCTION weir.record_operation(p_operation_id uuid, p_replica_id uuid, p_outcome text, p_error_code text, p_error text, p_retry_at timestamp with time zone) OWNER TO weir_system;

--
-- Name: record_pins(uuid, uuid, text[], weir.announced_item[], boolean, boolean); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.record_pins(p_organization_id uuid, p_instance_id uuid, p_kinds text[], p_items weir.announced_item[], p_trusted boolean, p_updated boolean, OUT new_pins integer, OUT changed_pins integer, OUT quarantined integer) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_items weir.announced_item[];
  v_reasons text[];
begin
  -- Each announced definition with its approval, by what was known before this statement.
  with announced as materialized (
    select a.*, k.name_known, l.is_left_out,
           a.warning is null and not l.is_left_out and (p_updated or p_trusted and not k.name_known) as is_approved
    from unnest(p_items) a
    cross join lateral (select a.eras = '{}' and a.needs = '{}' as is_left_out) l
    cross join lateral (select exists (select from public.mcp_server_tools t
                                       where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name
                                         and (t.eras <> '{}' or t.needs <> '{}')) as name_known) k
    where a.kind = any(p_kinds)
  ), pinned as (
    insert into public.mcp_server_tools as t (organization_id, instance_id, kind, name, definition_hash, definition, status, warning,
                                              announced, eras, needs, fault, fault_path, fault_reason, approved_at)
    select p_organization_id, p_instance_id, a.kind, a.name, a.hash, a.definition,
           case when a.is_approved then 'approved' else 'quarantined' end, a.warning, true, a.eras, a.needs, a.fault, a.fault_path,
           a.fault_reason, case when a.is_approved then clock_timestamp() end
    from announced a
    -- Not by `on conflict`: the trigger that takes the organization's lock would run for what is there already.
    where not exists (select from public.mcp_server_tools t
                      where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name and t.definition_hash = a.hash)
    returning t.kind, t.name, t.definition_hash
  -- Whether a definition is announced, and to whom it is listed, may change without approval; only rows that differ are written.
  ), switched as (
    update public.mcp_server_tools t
    set announced = s.is_announced, eras = s.eras, needs = s.needs, fault = s.fault, fault_path = s.fault_path,
        fault_reason = s.fault_reason
    -- A definition that is no longer announced keeps its eras and faults.
    from (select x.kind, x.name, x.definition_hash, a.hash is not null as is_announced,
                 case when a.hash is null then x.eras else a.eras end as eras,
                 case when a.hash is null then x.needs else a.needs end as needs,
                 case when a.hash is null then x.fault else a.fault end as fault,
                 case when a.hash is null then x.fault_path else a.fault_path end as fault_path,
                 case when a.hash is null then x.fault_reason else a.fault_reason end as fault_reason
          from public.mcp_server_tools x
          left join announced a on a.kind = x.kind and a.name = x.name and a.hash = x.definition_hash
          where x.instance_id = p_instance_id and x.kind = any(p_kinds)) s
    where t.instance_id = p_instance_id and t.kind = s.kind and t.name = s.name and t.definition_hash = s.definition_hash
      and (t.announced, t.eras, t.needs, t.fault, t.fault_path, t.fault_reason)
          is distinct from (s.is_announced, s.eras, s.needs, s.fault, s.fault_path, s.fault_reason)
  )
  -- Counts and events are of new pins only; a repeated announcement records nothing.
  select count(*) filter (where not a.name_known and not a.is_left_out)::integer,
         count(*) filter (where a.name_known and not a.is_left_out)::integer,
         count(*) filter (where not a.is_approved and not a.is_left_out)::integer,
         array_agg(row(a.kind, a.name, a.hash, null, null, null, null, null, null, null)::weir.announced_item
                   order by a.kind, a.name, a.hash)
           filter (where not a.is_approved),
         array_agg(coalesce(case when a.is_left_out then concat_ws(' at ', a.fault, a.fault_path) end, a.warning,
                            case when a.name_known then 'changed' else 'new' end) order by a.kind, a.name, a.hash)
           filter (where not a.is_approved)
  into new_pins, changed_pins, quarantined, v_items, v_reasons
  from pinned p join announced a on a.kind = p.kind and a.name = p.name and a.hash = p.definition_hash;

  if v_items is not null then
    perform weir.record_quarantine(p_organization_id, p_instance_id, v_items, v_reasons);
    -- A server that announces something else each time must not fill the disk.
    delete from public.mcp_server_tools t
    using (select x.kind, x.name, x.definition_hash from public.mcp_server_tools x
           where x.instance_id = p_instance_id and x.kind = any(p_kinds) and x.status = 'quarantined' and not x.announced
           order by x.first_seen_at desc, x.kind, x.name, x.definition_hash offset 200) old
    where t.instance_id = p_instance_id and t.kind = old.kind and t.name = old.name and t.definition_hash = old.definition_hash;
  end if;
end;
$$;


ALTER FUNCTION weir.record_pins(p_organization_id uuid, p_instance_id uuid, p_kinds text[], p_items weir.announced_item[], p_trusted boolean, p_updated boolean, OUT new_pins integer, OUT changed_pins integer, OUT quarantined integer) OWNER TO weir_owner;

--
-- Name: record_quarantine(uuid, uuid, weir.announced_item[], text[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.record_quarantine(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[], p_reasons text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform weir.record_event('lifecycle', p_organization_id, p_instance_id => p_instance_id, p_item => 'quarantine',
                            p_detail => format('%s %s %s: %s', a.kind, encode(a.hash, 'hex'), p_reasons[a.n], weir.cut(a.name, 200)))
  from (select u.*, u.ordinality as n from unnest(p_items) with ordinality u) a where a.n <= 20;
  if cardinality(p_items) > 20 then
    perform weir.record_event('lifecycle', p_organization_id, p_instance_id => p_instance_id, p_item => 'quarantine',
                              p_detail => format('%s more', cardinality(p_items) - 20));
  end if;
end;
$$;


ALTER FUNCTION weir.record_quarantine(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[], p_reasons text[]) OWNER TO weir_owner;

--
-- Name: record_resources(uuid, uuid, weir.announced_item[]); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.record_resources(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_items weir.announced_item[];
begin
  -- Resources that are gone or are listed otherwise are deleted, except for those that were left out.
  delete from public.mcp_server_tools t
  where t.instance_id = p_instance_id and t.kind = 'resource'
    and not exists (select from unnest(p_items) a
                    where a.kind = 'resource' and a.name = t.name and a.hash = t.definition_hash
                      and (a.eras, a.needs, a.fault_reason) is not distinct from (t.eras, t.needs, t.fault_reason))
    and (t.eras <> '{}' or t.needs <> '{}'
         or exists (select from unnest(p_items) a
                    where a.kind = 'resource' and a.name = t.name
                      and a.hash = t.definition_hash));
  -- Resources that were left out before and are announced again, or the reverse.
  update public.mcp_server_tools t
  set announced = not t.announced
  where t.instance_id = p_instance_id and t.kind = 'resource'
    and t.announced <> exists (select from unnest(p_items) a
                               where a.kind = 'resource' and a.name = t.name and a.hash = t.definition_hash);
  -- Only the newest 200 are kept.
  delete from public.mcp_server_tools t
  using (select x.name, x.definition_hash from public.mcp_server_tools x
         where x.instance_id = p_instance_id and x.kind = 'resource' and not x.announced
         order by x.first_seen_at desc, x.name, x.definition_hash offset 200) old
  where t.instance_id = p_instance_id and t.kind = 'resource' and t.name = old.name and t.definition_hash = old.definition_hash;
  with added as (
    insert into public.mcp_server_tools as t (organization_id, instance_id, kind, name, definition_hash, definition, status, announced,
                                              eras, needs, fault, fault_path, fault_reason, approved_at)
    select p_organization_id, p_instance_id, a.kind, a.name, a.hash, a.definition, 'approved', true,
           a.eras, a.needs, a.fault, a.fault_path, a.fault_reason, clock_timestamp()
    from unnest(p_items) a
    where a.kind = 'resource'
      and not exists (select from public.mcp_server_tools t
                      where t.instance_id = p_instance_id and t.kind = 'resource'
                        and t.name = a.name and t.definition_hash = a.hash)
    returning t.name, t.definition_hash
  )
  -- Only what is new and left out is recorded.
  select array_agg(a order by a.name, a.hash) into v_items
  from added d join unnest(p_items) a on a.kind = 'resource' and a.name = d.name and a.hash = d.definition_hash
  where a.eras = '{}' and a.needs = '{}';
  if v_items is not null then
    perform weir.record_quarantine(p_organization_id, p_instance_id, v_items,
                                   array(select concat_ws(' at ', a.fault, a.fault_path)
                                         from unnest(v_items) with ordinality a order by a.ordinality));
  end if;
  perform weir.count_change(p_organization_id);
end;
$$;


ALTER FUNCTION weir.record_resources(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[]) OWNER TO weir_owner;

--
-- Name: record_security_events(text[], text[], inet[], integer[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.record_security_events(p_reasons text[], p_key_prefixes text[], p_addresses inet[], p_counts integer[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_minute constant timestamptz := date_trunc('minute', clock_timestamp());
  -- How many new rows this minute may still get. Two replicas at once can exceed this by one batch each.
  v_free constant bigint := 100 - (select count(*) from (
    select from weir.security_events s where s.minute = v_minute limit 100) t);
begin
  insert into weir.security_events as s (minute, reason, key_prefix, address, occurrences)
  -- Rows that are there may always grow. Of new ones the most frequent take the free places; the others fall into their reason's
  -- row.
  select v_minute, k.reason, k.key_prefix, k.address, sum(k.occurrences)
  from (
    select c.reason, c.occurrences, case when f.fits then c.key_prefix else '' end as key_prefix,
           case when f.fits then c.address else '0.0.0.0' end as address
    from (
      select c.*, row_number() over (partition by c.is_there order by c.occurrences desc, c.reason, c.key_prefix, c.address) as place
      from (
        select t.*, exists (select from weir.security_events s
                            where s.minute = v_minute and s.reason = t.reason and s.key_prefix = t.key_prefix
                              and s.address = t.address) as is_there
        from (
          select left(e.reason, 64) as reason, left(coalesce(e.key_prefix, ''), 8) as key_prefix,
                 coalesce(case family(e.address) when 6 then network(set_masklen(e.address, 64))::inet else e.address end,
                          '0.0.0.0') as address,
                 sum(greatest(e.count, 1)) as occurrences
          from unnest(p_reasons, p_key_prefixes, p_addresses, p_counts) e(reason, key_prefix, address, count)
          where e.reason <> ''
          group by 1, 2, 3) t) c) c
    cross join lateral (select c.is_there or c.place <= v_free as fits) f) k
  group by k.reason, k.key_prefix, k.address
  -- In the order of the key, so that two replicas never deadlock.
  order by 2, 3, 4
  on conflict on constraint security_events_pkey do update set occurrences = s.occurrences + excluded.occurrences;
end;
$$;


ALTER FUNCTION weir.record_security_events(p_reasons text[], p_key_prefixes text[], p_addresses inet[], p_counts integer[]) OWNER TO weir_system;

--
-- Name: refresh_now(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.refresh_now(p_instance_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update public.mcp_server_instances i set refresh_at = clock_timestamp(), refresh_lease_until = null where i.id = p_instance_id;
end;
$$;


ALTER FUNCTION weir.refresh_now(p_instance_id uuid) OWNER TO weir_owner;

--
-- Name: refresh_sign_in(uuid, integer); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.refresh_sign_in(p_id uuid, p_counter integer) RETURNS TABLE(problem text, counter integer, user_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_sign_in weir.sign_ins;
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'people sign in at their own issuer';
  end if;
  select s.* into v_sign_in from weir.sign_ins s where s.id = p_id for update;
  user_id := v_sign_in.user_id;
  counter := v_sign_in.counter;
  -- The first problem that holds is the answer.
  problem := case
    when v_sign_in.id is null or v_sign_in.revoked_at is not null then 'session_not_found'
    when v_sign_in.expires_at <= clock_timestamp() then 'session_expired'
    -- A ban takes effect with the next refresh.
    when (select u.banned_until > now() from auth.users u where u.id = v_sign_in.user_id) then 'user_banned'
    when p_counter > v_sign_in.counter then 'refresh_token_not_found'
    when p_counter < v_sign_in.counter - 1
         or (p_counter < v_sign_in.counter and v_sign_in.used_at <= clock_timestamp() - interval '10 seconds')
      then 'refresh_token_already_used'
  end;
  -- Returned and not raised, so that the revocation commits.
  if problem = 'refresh_token_already_used' then
    update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'reuse' where s.id = p_id;
  elsif problem is null and p_counter = v_sign_in.counter then
    counter := p_counter + 1;
    update weir.sign_ins s
    set counter = p_counter + 1, used_at = clock_timestamp(),
        expires_at = least(s.created_at + interval '30 days', clock_timestamp() + interval '7 days')
    where s.id = p_id;
  end if;
  return next;
end;
$$;


ALTER FUNCTION weir.refresh_sign_in(p_id uuid, p_counter integer) OWNER TO weir_system;

--
-- Name: refresh_soon(uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.refresh_soon(p_instance_id uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update public.mcp_server_instances i
  set refresh_at = s.moment
  from (select x.id, greatest(clock_timestamp(), x.refreshed_at + interval '500 milliseconds') as moment
        from public.mcp_server_instances x where x.id = p_instance_id) s
  where i.id = s.id and i.status in ('running', 'degraded') and coalesce(i.refresh_at > s.moment, true);
  return found;
end;
$$;


ALTER FUNCTION weir.refresh_soon(p_instance_id uuid) OWNER TO weir_system;

--
-- Name: refuse(weir.act, text, text, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.refuse(p_act weir.act, p_code text, p_message text, p_hint text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_reason constant text := case p_code
    when 'WR001' then 'invalid_argument' when 'WR002' then 'unauthenticated' when 'WR003' then 'forbidden'
    when 'WR004' then 'not_found' when 'WR005' then 'conflict' when 'WR006' then 'quota_exceeded'
    when 'WR008' then 'rate_limited' when 'WR010' then 'not_supported' else 'error' end;
begin
  if exists (select from public.organization_members m
             where m.organization_id = p_act.organization_id and m.user_id = weir.actor_id()
               and m.status in ('active', 'suspended')) then
    perform weir.record_event(p_act.kind, p_act.organization_id, v_reason, p_act.agent_id, p_act.instance_id, p_act.item, p_message);
  else
    perform weir.record_security_events(array[v_reason], array[''], array[null::inet], array[1]);
  end if;
  return weir.error(p_code, p_message, p_hint);
end;
$$;


ALTER FUNCTION weir.refuse(p_act weir.act, p_code text, p_message text, p_hint text) OWNER TO weir_system;

--
-- Name: refuse_change(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception using errcode = 'WR003', message = format('%I.%I can only be appended to', tg_table_schema, tg_table_name);
end;
$$;


ALTER FUNCTION weir.refuse_change() OWNER TO weir_owner;

--
-- Name: refuse_truncate(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.refuse_truncate() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception using errcode = 'WR003', message = format('%I.%I cannot be truncated', tg_table_schema, tg_table_name);
end;
$$;


ALTER FUNCTION weir.refuse_truncate() OWNER TO weir_owner;

--
-- Name: refuse_violation(weir.act, text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return case p_sqlstate
    when '23505' then weir.refuse(p_act, 'WR005', 'this is already there', p_constraint)
    when '23503' then weir.refuse(p_act, 'WR004', 'what this refers to does not exist')
    when '23514' then weir.refuse(p_act, 'WR001', replace(p_constraint, '_', ' '))
    when '23502' then weir.refuse(p_act, 'WR001', 'a required value is missing')
    else weir.refuse(p_act, 'WR003', 'this is not allowed')
  end;
end;
$$;


ALTER FUNCTION weir.refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text) OWNER TO weir_owner;

--
-- Name: register_node(bytea, bytea, text, bytea, integer, text, text[]); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.register_node(p_token_hash bytea, p_node_key_hash bytea, p_api_url text, p_sealed_api_key bytea, p_capability_version integer, p_isolation text, p_runtimes text[]) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_id uuid;
begin
  update weir.dtma_nodes n
  set token_hash = null, registered_at = now(), key_hash = p_node_key_hash, api_url = p_api_url, sealed_api_key = p_sealed_api_key,
      capability_version = p_capability_version, isolation = p_isolation, runtimes = coalesce(p_runtimes, '{}'),
      is_online = true, heartbeat_at = now()
  where n.token_hash = p_token_hash and n.token_expires_at > clock_timestamp()
  returning n.id into v_id;
  return v_id;
end;
$$;


ALTER FUNCTION weir.register_node(p_token_hash bytea, p_node_key_hash bytea, p_api_url text, p_sealed_api_key bytea, p_capability_version integer, p_isolation text, p_runtimes text[]) OWNER TO weir_system;

--
-- Name: release_chat_turn(uuid, uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.release_chat_turn(p_replica_id uuid, p_agent_id uuid, p_message_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update weir.chat_turns t set leased_until = '-infinity'
  where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id;
end;
$$;


ALTER FUNCTION weir.release_chat_turn(p_replica_id uuid, p_agent_id uuid, p_message_id uuid) OWNER TO weir_system;

--
-- Name: remember_removal(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.remember_removal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into weir.vector_removals (organization_id, vector_index, chunk_id) values (old.organization_id, old.vector_index, old.id)
  on conflict do nothing;
  return null;
end;
$$;


ALTER FUNCTION weir.remember_removal() OWNER TO weir_system;

--
-- Name: reopen_embeddings(text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.reopen_embeddings(p_model text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count integer;
begin
  update public.documents d set embed_after = clock_timestamp(), embed_attempts = 0
  where d.embed_after = 'infinity' and d.embedding_model is distinct from p_model;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;


ALTER FUNCTION weir.reopen_embeddings(p_model text) OWNER TO weir_system;

--
-- Name: replica_heartbeat(uuid, text, bytea, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_fingerprint bytea;
begin
  select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  -- Of two first replicas at once one sets the fingerprint; both compare themselves with it.
  if v_fingerprint is null then
    update weir.installation i set keyring_fingerprint = p_keyring_fingerprint where i.keyring_fingerprint is null;
    select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  end if;
  if v_fingerprint is distinct from p_keyring_fingerprint then
    raise exception using errcode = 'WR005', message = 'the keyring is not the one that this database was written with';
  end if;
  insert into weir.replicas as r (id, internal_url, version) values (p_replica_id, p_internal_url, p_version)
  on conflict (id) do update set internal_url = excluded.internal_url, version = excluded.version, heartbeat_at = now();
  delete from weir.replicas r where r.heartbeat_at < now() - interval '1 hour';
end;
$$;


ALTER FUNCTION weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) OWNER TO weir_system;

--
-- Name: report_closed_node(uuid, text, interval, interval); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.report_closed_node(p_node_id uuid, p_api_url text, p_ago interval, p_quiet interval) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update weir.dtma_nodes n set is_online = false, closed_at = clock_timestamp()
  where n.id = p_node_id and n.is_online and n.api_url = p_api_url
    and n.heartbeat_at < clock_timestamp() - p_ago
    and (n.closed_at is null or n.closed_at < clock_timestamp() - interval '10 minutes' or n.heartbeat_at < clock_timestamp() - p_quiet);
  if not found then
    return false;
  end if;
  -- Degrades what runs on offline nodes. No online node is silent for a day, so no other node is marked by this.
  perform weir.sweep_nodes('1 day');
  return true;
end;
$$;


ALTER FUNCTION weir.report_closed_node(p_node_id uuid, p_api_url text, p_ago interval, p_quiet interval) OWNER TO weir_system;

--
-- Name: request_hash(text, jsonb, uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.request_hash(p_action text, p_server_config jsonb, p_server_id uuid) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN sha256(convert_to((jsonb_build_array(p_action, p_server_config, p_server_id))::text, 'UTF8'::name));


ALTER FUNCTION weir.request_hash(p_action text, p_server_config jsonb, p_server_id uuid) OWNER TO weir_owner;

--
-- Name: request_operation(uuid, uuid, text); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.request_operation(p_organization_id uuid, p_instance_id uuid, p_action text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_operation_id constant uuid := weir.uuid_v7();
  v_status text := case p_action when 'deploy' then 'deploying' when 'update' then 'updating' when 'stop' then 'stopping'
                                 when 'delete' then 'deleting' end;
  v_instance public.mcp_server_instances;
  v_open boolean;
begin
  v_act := weir.act('lifecycle', p_action, p_organization_id => p_organization_id, p_instance_id => p_instance_id);
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.organization_id = p_organization_id and i.status <> 'deleted' for no key update;
  v_status := coalesce(v_status, v_instance.status);
  v_open := exists (select from weir.dtma_operations o where o.organization_id = p_organization_id and o.instance_id = p_instance_id
                      and o.action = p_action and o.finished_at is null);
  if v_instance.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  elsif not (case
      when p_action = 'restart' then v_instance.status in ('running', 'degraded', 'failed') and not v_open
                                     and num_nonnulls(v_instance.url, v_instance.node_id) = 1
      -- A deletion that its node refused may be asked for again.
      when v_instance.status = 'deleting' then p_action = 'delete' and not v_open
      else exists (select from weir.instance_moves m where m.from_status = v_instance.status and m.to_status = v_status)
    end) then
    return weir.refuse(v_act, 'WR005', format('the server is %s', v_instance.status));
  elsif p_action in ('deploy', 'update', 'restart') and v_instance.catalog_id is not null
        and not exists (select from public.mcp_server_catalog c where c.id = v_instance.catalog_id and c.is_published) then
    return weir.refuse(v_act, 'WR005', 'the catalog server was withdrawn');
  end if;
  if p_action = 'restart' then
    update public.mcp_server_instances i set resets = i.resets + 1
    where i.id = p_instance_id and i.organization_id = p_organization_id;
  else
    update public.mcp_server_instances i
    set status = v_status, generation = i.generation + 1, resets = i.resets + 1, last_error_code = null, last_error = null,
        deployed_by = case when p_action in ('deploy', 'update') then weir.actor_id() else i.deployed_by end
    where i.id = p_instance_id and i.organization_id = p_organization_id
    returning i.generation into v_instance.generation;
  end if;
  insert into weir.dtma_operations (id, organization_id, instance_id, action, generation, created_by)
  values (v_operation_id, p_organization_id, p_instance_id, p_action, v_instance.generation, weir.actor_id());
  perform weir.record_act(v_act, v_operation_id::text);
  return jsonb_build_object('id', p_instance_id, 'status', v_status, 'operation_id', v_operation_id);
end;
$$;


ALTER FUNCTION weir.request_operation(p_organization_id uuid, p_instance_id uuid, p_action text) OWNER TO weir_writer;

--
-- Name: require_sign_in(); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.require_sign_in() RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if weir.actor_id() is null then
    raise exception using errcode = 'WR002', message = 'sign in first';
  end if;
end;
$$;


ALTER FUNCTION weir.require_sign_in() OWNER TO weir_owner;

--
-- Name: resolve_identity(text, text, text, boolean); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.resolve_identity(p_issuer text, p_subject text, p_email text, p_email_verified boolean) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_user_id uuid;
  v_email constant text := case when length(p_email) <= 320 then lower(p_email) end;
  v_verified constant boolean := v_email is not null and coalesce(p_email_verified, false);
begin
  if p_issuer is null or length(p_issuer) > 2000 or p_issuer !~ '^https?://[^\s]+$' then
    raise exception using errcode = 'WR001', message = 'issuer must be a URL';
  elsif p_subject is null or length(p_subject) not between 1 and 255 then
    raise exception using errcode = 'WR001', message = 'subject must be 1 to 255 characters';
  end if;
  -- Two replicas may see a person for the first time at once.
  perform pg_advisory_xact_lock(hashtextextended(p_issuer || ' ' || p_subject, 440));
  update weir.identities d set email = v_email, email_verified = v_verified, updated_at = now()
  where d.issuer = p_issuer and d.subject = p_subject and (d.email, d.email_verified) is distinct from (v_email, v_verified);
  select d.user_id into v_user_id from weir.identities d where d.issuer = p_issuer and d.subject = p_subject;
  if v_user_id is null
     and exists (select from weir.installation i where i.embedded_issuer)
     and exists (select from weir.settings s where s.name = 'identity_issuers' and jsonb_typeof(s.value) = 'array'
                   and s.value ? p_issuer) then
    v_user_id := weir.uuid_v7();
    -- Without the address, which is only another issuer's word and could be somebody else's login here.
    insert into auth.users (id) values (v_user_id);
    insert into weir.identities (issuer, subject, user_id, email, email_verified)
    values (p_issuer, p_subject, v_user_id, v_email, v_verified);
  end if;
  return case when not weir.is_banned(v_user_id) then v_user_id end;
end;
$_$;


ALTER FUNCTION weir.resolve_identity(p_issuer text, p_subject text, p_email text, p_email_verified boolean) OWNER TO weir_system;

--
-- Name: revoke_again(text, text, text, uuid, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.revoke_again(p_kind text, p_key text, p_state text, p_organization_id uuid, p_label text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- An ordinary update of each, so that the triggers fire: locks are taken, replicas are told, and the guards hold.
  case p_kind
    when 'organization' then update public.organizations o set is_active = false where o.id::text = p_key;
    when 'member' then
      update public.organization_members m
      set role = coalesce(p_state, m.role), status = case when p_state is null then 'removed' else m.status end
      where m.organization_id || '/' || m.user_id = p_key;
    when 'workspace member' then delete from public.workspace_members w where w.id::text = p_key;
    when 'agent' then update public.agents a set is_active = false where a.id::text = p_key;
    when 'agent key' then update public.agent_api_keys k set revoked_at = clock_timestamp() where k.id::text = p_key;
    when 'organization key' then update public.organization_api_keys k set revoked_at = clock_timestamp() where k.id::text = p_key;
    when 'grant' then update public.agent_mcp_permissions g set revoked_at = clock_timestamp() where g.id::text = p_key;
    when 'invitation' then update public.organization_invitations i set revoked_at = clock_timestamp() where i.id::text = p_key;
    when 'node' then
      update weir.dtma_nodes n set registered_at = null, key_hash = null, sealed_api_key = null, is_online = false where n.id::text = p_key;
    when 'platform admin' then delete from weir.platform_admins p where p.user_id::text = p_key;
    when 'person' then
      -- Another password since: that one is good and not the old one. Nobody there, or banned: banned.
      update auth.users u
      set encrypted_password = nullif(p_state, ''), banned_until = case when p_state is null then 'infinity' else u.banned_until end
      where u.id::text = p_key;
    when 'definition' then
      update public.mcp_server_tools t set status = 'quarantined'
      where t.instance_id::text = split_part(p_key, '/', 1) and t.kind = split_part(p_key, '/', 2)
        and encode(sha256(convert_to(t.name, 'UTF8')), 'hex') = split_part(p_key, '/', 3)
        and encode(t.definition_hash, 'hex') = split_part(p_key, '/', 4);
    when 'catalog server' then update public.mcp_server_catalog c set is_published = false where c.id::text = p_key;
    -- Stopped as by an admin: a new generation, and an operation that asks the node.
    when 'running server' then
      with stopped as (
        update public.mcp_server_instances i
        set status = 'stopping', generation = i.generation + 1, resets = i.resets + 1, last_error_code = null, last_error = null
        where i.id::text = p_key returning i.organization_id, i.id, i.generation)
      insert into weir.dtma_operations (organization_id, instance_id, action, generation)
      select s.organization_id, s.id, 'stop', s.generation from stopped s;
    when 'datastore' then update public.datastores d set deleted_at = clock_timestamp() where d.id::text = p_key;
    when 'datastore link' then
      delete from public.agent_datastores l where l.agent_id || '/' || l.datastore_id = p_key;
    when 'document' then delete from public.documents d where d.id::text = p_key;
  end case;
  perform weir.record_event('lifecycle', o.id, p_item => 'revoke_again', p_detail => p_kind || ' ' || p_label)
  from public.organizations o
  where o.id = p_organization_id
     or p_kind = 'person' and exists (select from public.organization_members m where m.organization_id = o.id and m.user_id::text = p_key);
  return null;
exception
  -- The last owner of an organization, whose successor is not in the backup.
  when sqlstate 'WR005' then
    return sqlerrm;
end;
$$;


ALTER FUNCTION weir.revoke_again(p_kind text, p_key text, p_state text, p_organization_id uuid, p_label text) OWNER TO weir_owner;

--
-- Name: rewrap_user_data_key(uuid, integer, bytea); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.rewrap_user_data_key(p_user_id uuid, p_version integer, p_wrapped_key bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update public.user_secrets s set wrapped_key = p_wrapped_key, version = s.version + 1, updated_at = now()
  where s.user_id = p_user_id and s.version = p_version;
  return found;
exception
  when check_violation or not_null_violation then
    raise exception using errcode = 'WR001', message = 'wrapped_key is not a wrapped key';
end;
$$;


ALTER FUNCTION weir.rewrap_user_data_key(p_user_id uuid, p_version integer, p_wrapped_key bytea) OWNER TO weir_system;

--
-- Name: roll_up_usage(interval); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.roll_up_usage(p_grace interval) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'on'
    AS $$
declare
  v_hour timestamptz;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('weir.roll_up_usage', 0)) then
    return false;
  end if;
  select p.rolled_up_to into v_hour from weir.usage_progress p;
  if v_hour is null then
    -- The first time: from the audit log's first row, or from now on.
    insert into weir.usage_progress (rolled_up_to)
    select date_trunc('hour', coalesce((select min(l.created_at) from public.mcp_interaction_logs l), clock_timestamp()), 'UTC')
    on conflict do nothing;
    return true;
  elsif v_hour + interval '1 hour' + greatest(p_grace, interval '5 minutes') > clock_timestamp() then
    return false;
  end if;
  insert into public.usage_hourly (organization_id, hour, agent_id, instance_id, calls, denied, failed, duration_us)
  -- A denial row may stand for many denials; requests and outcomes are a row each.
  select l.organization_id, v_hour, l.agent_id, coalesce(l.instance_id, weir.platform_id()),
         count(*) filter (where l.phase = 'requested'), coalesce(sum(l.occurrences) filter (where l.phase = 'denied'), 0),
         count(*) filter (where l.phase = 'completed' and l.outcome <> 'ok'), coalesce(sum(l.duration_us), 0)
  from public.mcp_interaction_logs l
  -- An organization that was deleted meanwhile has no usage any more.
  join public.organizations o on o.id = l.organization_id
  where l.created_at >= v_hour and l.created_at < v_hour + interval '1 hour' and l.agent_id is not null
    and l.kind in ('tool_execution', 'resource_read', 'prompt_get', 'context_request', 'error')
  group by l.organization_id, l.agent_id, coalesce(l.instance_id, weir.platform_id())
  on conflict do nothing;
  update weir.usage_progress p set rolled_up_to = v_hour + interval '1 hour';
  return true;
end;
$$;


ALTER FUNCTION weir.roll_up_usage(p_grace interval) OWNER TO weir_system;

--
-- Name: rule_error(jsonb, text, integer); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.rule_error(p_rule jsonb, p_path text, p_depth integer DEFAULT 0) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_key text;
  v_value jsonb;
  v_type text;
  v_error text;
begin
  if jsonb_typeof(p_rule) is distinct from 'object' then
    return p_path || ': must be an object';
  elsif p_depth > 3 then
    return p_path || ': each may be nested at most three times';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_rule) e loop
    v_type := jsonb_typeof(v_value);
    v_error := case
      when v_key = 'type' then
        case when v_value <@ '["string", "number", "integer", "boolean", "array", "object", "null"]' and v_type = 'string'
          then null else 'must be the name of a JSON type or integer' end
      when v_key = 'equals' then null
      when v_key = 'in' then
        case when v_type = 'array' and jsonb_array_length(v_value) between 1 and 100
          then null else 'must be an array of 1 to 100 values' end
      -- Within these bounds comparing is cheap and no number prints as more than 600 digits.
      when v_key in ('min', 'max') then
        case when v_type = 'number' and v_value between '-1e300' and '1e300' and scale(v_value::numeric) <= 300
          then null else 'must be a number of at most 300 digits on either side of the point' end
      when v_key = 'prefix' then
        case when v_type = 'string' and length(v_value #>> '{}') between 1 and 1024
          then null else 'must be a text of 1 to 1024 characters' end
      when v_key = 'under' then
        case when v_type = 'string' and weir.is_clean_path(v_value #>> '{}') and length(v_value #>> '{}') <= 1024
          then null else 'must be an absolute path or a URI without . or .. segments, backslash, % or control characters' end
      when v_key = 'matches' then
        case when v_type <> 'string' then 'must be a text' else weir.pattern_error(v_value #>> '{}') end
      when v_key = 'each' then weir.rule_error(v_value, p_path || '.each', p_depth + 1)
      else 'is not a rule: type, equals, in, min, max, prefix, under, matches, each'
    end;
    if v_error is not null then
      return case when v_key = 'each' then v_error else p_path || '.' || left(v_key, 64) || ': ' || v_error end;
    end if;
  end loop;
  return null;
end;
$$;


ALTER FUNCTION weir.rule_error(p_rule jsonb, p_path text, p_depth integer) OWNER TO weir_owner;

--
-- Name: rule_failure(jsonb, jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.rule_failure(p_rule jsonb, p_value jsonb, p_path text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $_$
declare
  v_type constant text := jsonb_typeof(p_value);
  v_holds boolean := p_rule - '{type,equals,in,min,max,prefix,under,matches,each}'::text[] = '{}';
  v_text text;
  v_failure text;
begin
  if p_rule ? 'type' then
    v_holds := v_holds and (p_rule ->> 'type' = v_type
      or (p_rule ->> 'type' = 'integer' and v_type = 'number' and p_value::numeric = trunc(p_value::numeric)));
  end if;
  if p_rule ? 'equals' then
    v_holds := v_holds and p_value = p_rule -> 'equals';
  end if;
  if p_rule ?| '{min,max}' then
    v_holds := v_holds and case when v_type = 'number' then
      p_value::numeric between coalesce((p_rule -> 'min')::numeric, '-infinity') and coalesce((p_rule -> 'max')::numeric, 'infinity') end;
  end if;
  -- Texts only; `under` and `matches` look at 4,096 characters at most, which is what weir.rule_cost counts with.
  if p_rule ?| '{prefix,under,matches}' then
    v_text := case when v_type = 'string' then p_value #>> '{}' end;
    v_holds := v_holds and v_text is not null
      and case when p_rule ? 'under' then length(v_text) <= 4096 and weir.is_under(v_text, p_rule ->> 'under') else true end
      and case when p_rule ? 'prefix' then starts_with(v_text, p_rule ->> 'prefix') else true end
      and case when p_rule ? 'matches' then length(v_text) <= 4096 and v_text ~ ('^(?:' || (p_rule ->> 'matches') || ')$') else true end;
  end if;
  if p_rule ? 'in' then
    -- `@>` finds a scalar in an array only as an element. For objects and arrays it would accept a part, so these are
    -- compared whole as well.
    v_holds := v_holds and case when v_type in ('object', 'array')
                                then p_rule -> 'in' @> jsonb_build_array(p_value)
                                     and exists (select from jsonb_array_elements(p_rule -> 'in') i where i = p_value)
                                else p_rule -> 'in' @> p_value end;
  end if;
  if p_rule ? 'each' then
    -- Bounds the work that one call can cause; weir.rule_cost counts with these numbers.
    v_holds := v_holds and case when v_type = 'array' then
      jsonb_array_length(p_value) <= 256 and (pg_column_size(p_value) <= 8192 or not p_rule -> 'each' ?| '{under,matches}') end;
    for v_n in 0 .. case when v_holds then jsonb_array_length(p_value) else 0 end - 1 loop
      v_failure := weir.rule_failure(p_rule -> 'each', p_value -> v_n, p_path || '[' || v_n || ']');
      exit when v_failure is not null;
    end loop;
  end if;
  return case when v_holds then v_failure else p_path end;
end;
$_$;


ALTER FUNCTION weir.rule_failure(p_rule jsonb, p_value jsonb, p_path text) OWNER TO weir_owner;

--
-- Name: schema_error(jsonb, jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.schema_error(p_schema jsonb, p_value jsonb, p_path text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_type constant text := jsonb_typeof(p_value);
  v_key text;
  v_rule jsonb;
  v_error text;
begin
  if jsonb_typeof(p_schema) is distinct from 'object' then
    return p_path || ': the schema is not an object';
  end if;
  for v_key, v_rule in select e.key, e.value from jsonb_each(p_schema) e loop
    v_error := case
      when v_key in ('title', 'description', 'default', 'examples', '$schema', 'additionalProperties') then null
      when v_key = 'type' then
        case when v_rule #>> '{}' = v_type
               or (v_rule = '"integer"' and v_type = 'number' and (p_value #>> '{}')::numeric % 1 = 0) then null
             else 'must be of type ' || (v_rule #>> '{}') end
      when v_key = 'enum' then
        case when exists (select from jsonb_array_elements(v_rule) i where i = p_value) then null
             else 'is not one of the allowed values' end
      when v_key = 'const' then case when p_value = v_rule then null else 'is not the allowed value' end
      when v_key = 'minLength' then
        case when v_type <> 'string' or length(p_value #>> '{}') >= (v_rule #>> '{}')::integer then null else 'is too short' end
      when v_key = 'maxLength' then
        case when v_type <> 'string' or length(p_value #>> '{}') <= (v_rule #>> '{}')::integer then null else 'is too long' end
      when v_key = 'pattern' then
        case when v_type <> 'string' or (length(p_value #>> '{}') <= 4096 and weir.pattern_error(v_rule #>> '{}') is null
                                         and (p_value #>> '{}') ~ ('^(?:' || (v_rule #>> '{}') || ')$')) then null
             else 'does not have the required form' end
      when v_key = 'minimum' then
        case when v_type <> 'number' or (p_value #>> '{}')::numeric >= (v_rule #>> '{}')::numeric then null else 'is too small' end
      when v_key = 'maximum' then
        case when v_type <> 'number' or (p_value #>> '{}')::numeric <= (v_rule #>> '{}')::numeric then null else 'is too large' end
      when v_key = 'minItems' then
        case when v_type <> 'array' or jsonb_array_length(p_value) >= (v_rule #>> '{}')::integer then null else 'has too few items' end
      when v_key = 'maxItems' then
        case when v_type <> 'array' or jsonb_array_length(p_value) <= (v_rule #>> '{}')::integer then null else 'has too many items' end
      when v_key = 'required' and v_type = 'object' then
        (select 'is missing ' || r.name from jsonb_array_elements_text(v_rule) r(name) where not p_value ? r.name limit 1)
      when v_key in ('properties', 'required', 'items') then null
      else 'cannot be checked: the schema has the unknown keyword ' || left(v_key, 64)
    end;
    if v_error is not null then
      return p_path || ': ' || v_error;
    end if;
  end loop;
  if v_type = 'object' then
    for v_key, v_rule in select e.key, e.value from jsonb_each(p_value) e loop
      v_error := case when p_schema -> 'properties' ? v_key
                      then weir.schema_error(p_schema -> 'properties' -> v_key, v_rule, p_path || '.' || v_key)
                      else p_path || '.' || left(v_key, 64) || ': is not a known setting' end;
      exit when v_error is not null;
    end loop;
  elsif v_type = 'array' and p_schema ? 'items' then
    select e.error into v_error
    from jsonb_array_elements(p_value) with ordinality a(item, n),
         lateral (select weir.schema_error(p_schema -> 'items', a.item, p_path || '[' || (a.n - 1) || ']') as error) e
    where e.error is not null limit 1;
  end if;
  return v_error;
end;
$_$;


ALTER FUNCTION weir.schema_error(p_schema jsonb, p_value jsonb, p_path text) OWNER TO weir_owner;

--
-- Name: search_documents(uuid, uuid, text, integer); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.search_documents(p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer) RETURNS TABLE(chunk_id uuid, document_id uuid, datastore text, title text, source text, heading text, content text, ordinal integer, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid;
  v_datastores uuid[];
  v_limit constant integer := least(greatest(coalesce(p_limit, 10), 1), 100);
  v_text constant text := left(coalesce(p_query, ''), 1000);
  -- The query without what it excludes, and what it excludes.
  v_wanted constant text := regexp_replace(v_text, '(^|\s)-\S+', ' ', 'g');
  v_unwanted constant text := (select string_agg(m[1], ' ') from regexp_matches(v_text, '(?:^|\s)-(\S+)', 'g') m);
  v_config regconfig := 'pg_catalog.english'::regconfig;
  v_scope tsquery;
  v_all tsquery;
  v_any tsquery;
  v_not tsquery;
  v_words text[] := tsvector_to_array(to_tsvector(v_config, v_wanted));
  v_sample tsvector[];
  v_frequent text[];
  v_found uuid[];
begin
  -- An agent's datastores are all of one organization.
  select (array_agg(k.organization_id))[1], coalesce(array_agg(k.datastore_id), '{}') into v_organization_id, v_datastores
  from weir.agent_knowledge(p_user_id, p_agent_id) k;
  if v_words = '{}' then
    -- Only words that are in every sentence: a title may be made of them.
    v_config := 'pg_catalog.simple'::regconfig;
    v_words := tsvector_to_array(to_tsvector(v_config, v_wanted));
  end if;
  if v_datastores = '{}' or v_words = '{}' then
    return;
  end if;
  -- Long words are usually rare, so the twelve longest are used.
  v_words := array(select w from unnest(v_words) w order by length(w) desc, w limit 12);
  -- Every term has its datastore's lexeme: the index itself keeps other tenants' rows out.
  v_scope := weir.any_lexeme(array(select weir.datastore_lexeme(d) from unnest(v_datastores) d));
  v_all := v_scope && websearch_to_tsquery(v_config, v_text);
  v_any := weir.any_lexeme(v_words);
  -- Excluded words are excluded from partial matches too.
  v_not := weir.any_lexeme(tsvector_to_array(to_tsvector(v_config, coalesce(v_unwanted, ''))));
  -- How frequent each word is, by a sample of 100 chunks.
  v_sample := array(select c.terms from weir.first_chunks(v_organization_id, v_datastores, 100) c);
  v_frequent := array(select q.word from unnest(v_words) q(word)
                      where 0.1 < (select avg((s.terms @@ weir.lexeme_query(q.word))::integer) from unnest(v_sample) s(terms)));
  -- All words, by the texts or by the index. 300 chunks are enough to rank.
  if cardinality(v_frequent) = cardinality(v_words) and 0.1 < (select avg((s.terms @@ v_all)::integer) from unnest(v_sample) s(terms)) then
    v_found := array(select c.id from weir.first_chunks(v_organization_id, v_datastores, 2000) c where c.terms @@ v_all limit 300);
  else
    v_found := array(select c.id from weir.document_chunks c
                     where c.terms @@ v_all and c.datastore_id = any(v_datastores) limit 300);
  end if;
  -- Any word: frequent ones by the texts, rare ones by the index.
  if cardinality(v_found) < v_limit then
    v_found := v_found
      || array(select w.id
               from unnest(v_frequent) q(word)
               cross join lateral (select c.id from weir.first_chunks(v_organization_id, v_datastores, 2000) c
                                   where c.terms @@ weir.lexeme_query(q.word) and (v_not is null or not c.terms @@ v_not) limit 150) w)
      || array(select w.id
               from unnest(v_words) q(word)
               cross join lateral (select c.id from weir.document_chunks c
                                   where c.terms @@ (v_scope && weir.lexeme_query(q.word)) and c.datastore_id = any(v_datastores)
                                     and (v_not is null or not c.terms @@ v_not) limit 150) w
               where q.word <> all(v_frequent));
  end if;
  return query
  -- Ranked first; titles and texts are fetched for what is shown only.
  with best as materialized (
    select c.id, r.score
    from weir.document_chunks c
    cross join lateral (select ts_rank('{0.05, 0.2, 0.4, 1}', c.terms, v_any, 32) as rank,
                               (length(c.terms) - length(ts_delete(c.terms, v_words)))::real / cardinality(v_words) as share offset 0) m
    cross join lateral (select (case when c.terms @@ v_all then 0.5 + m.rank / 2
                                     else m.share * 0.4 + m.rank * 0.1 end)::real as score offset 0) r
    where c.id = any(v_found)
    order by r.score desc, c.id
    limit v_limit)
  select c.id, c.document_id, s.name, d.title, d.source, c.heading, c.content, c.ordinal, b.score
  from best b
  join weir.document_chunks c on c.id = b.id
  join public.documents d on d.id = c.document_id
  join public.datastores s on s.id = c.datastore_id
  order by b.score desc, c.id;
end;
$$;


ALTER FUNCTION weir.search_documents(p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer) OWNER TO weir_system;

--
-- Name: search_vectors(uuid, uuid, text, real[], integer); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.search_vectors(p_user_id uuid, p_agent_id uuid, p_model text, p_vector real[], p_limit integer) RETURNS TABLE(chunk_id uuid, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_schema constant text := weir.vector_schema();
  v_datastores constant uuid[] := array(
    select k.datastore_id from weir.agent_knowledge(p_user_id, p_agent_id) k where k.backend = 'postgres');
begin
  if v_schema is null then
    raise exception using errcode = 'WR010', message = 'pgvector is not installed';
  end if;
  for chunk_id, score in execute format($statement$
    select c.id, (1 - (c.embedding::%1$I.vector operator(%1$I.<=>) $1::%1$I.vector))::real
    from weir.document_chunks c
    where c.datastore_id = any($2) and c.embedding is not null and c.embedding_model = $3 and cardinality(c.embedding) = cardinality($1)
    order by c.embedding::%1$I.vector operator(%1$I.<=>) $1::%1$I.vector, c.id
    limit $4$statement$, v_schema) using p_vector, v_datastores, p_model, least(greatest(p_limit, 1), 200) loop
    return next;
  end loop;
end;
$_$;


ALTER FUNCTION weir.search_vectors(p_user_id uuid, p_agent_id uuid, p_model text, p_vector real[], p_limit integer) OWNER TO weir_system;

--
-- Name: search_words(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.search_words(p_text text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return translate(regexp_replace(regexp_replace(p_text, '([[:lower:][:digit:]])([[:upper:]])', '\1 \2', 'g'),
                                  '([[:upper:]]+)([[:upper:]][[:lower:]])', '\1 \2', 'g'), '_-./:', '     ');
end;
$$;


ALTER FUNCTION weir.search_words(p_text text) OWNER TO weir_owner;

--
-- Name: server_config_error(jsonb, boolean); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.server_config_error(p_config jsonb, p_is_whole boolean) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_key text;
  v_value jsonb;
  v_type text;
begin
  if jsonb_typeof(p_config) is distinct from 'object' then
    return 'server_config: must be an object';
  elsif p_is_whole and not p_config ? 'name' then
    return 'server_config.name: is missing';
  elsif p_is_whole and (p_config ? 'catalog') = (p_config ? 'url') then
    return 'server_config: give catalog or url';
  elsif p_config ? 'url' and (coalesce(p_config -> 'configuration', '{}') <> '{}' or p_config ?| array['version', 'max_sessions']) then
    return format('server_config.%s: a remote server has none',
                  case when p_config ? 'version' then 'version' when p_config ? 'max_sessions' then 'max_sessions'
                       else 'configuration' end);
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_config) e loop
    v_type := jsonb_typeof(v_value);
    if not (case
      when v_key = 'name' then v_type = 'string' and v_value #>> '{}' ~ '^[a-z0-9-]{1,20}$'
      when v_key = 'version' then v_type = 'string' and length(v_value #>> '{}') between 1 and 64
      when v_key in ('catalog', 'url') then v_type = 'string' and length(v_value #>> '{}') between 1 and 2048
      when v_key = 'configuration' then v_type = 'object'
      when v_key = 'share' then v_type = 'string' and v_value #>> '{}' in ('instance', 'credential', 'session')
      when v_key = 'max_sessions' then v_type = 'number' and v_value::text ~ '^[0-9]{1,4}$' and (v_value::text)::integer <= 1024
      when v_key = 'priority' then v_type = 'number' and v_value::text ~ '^[0-9]{1,4}$' and (v_value::text)::integer <= 1000
      when v_key = 'region' then v_type = 'string' and v_value #>> '{}' ~ '^[a-z0-9][a-z0-9-]{0,49}$'
      when v_key = 'pin_policy' then v_type = 'string' and v_value #>> '{}' in ('trust_first', 'manual')
      when v_key = 'idempotency_key' then v_type = 'string' and length(v_value #>> '{}') between 1 and 100
      when v_key = 'chat' then v_type = 'object' and (v_value - 'offline') = '{}'
        and case when jsonb_typeof(v_value -> 'offline') = 'array' then jsonb_array_length(v_value -> 'offline') <= 100
                      and not exists (select from jsonb_array_elements(v_value -> 'offline') g
                                      where jsonb_typeof(g) <> 'string' or weir.glob_error(g #>> '{}', '') is not null)
                 else not v_value ? 'offline' end
      when v_key = 'context' then true
      -- Zero is a value and not a default: no time, no second try, no pause.
      when v_key = 'timeout_ms' then v_type = 'number' and v_value::text ~ '^[0-9]{1,7}$' and (v_value::text)::integer <= 3600000
      when v_key = 'max_retries' then v_type = 'number' and v_value::text ~ '^[0-5]$'
      when v_key = 'retry_backoff_ms' then v_type = 'number' and v_value::text ~ '^[0-9]{1,5}$' and (v_value::text)::integer <= 10000
      else false
    end) then
      return 'server_config.' || left(v_key, 64) || ': is not known or not valid';
    end if;
  end loop;
  return weir.context_config_error(p_config -> 'context');
end;
$_$;


ALTER FUNCTION weir.server_config_error(p_config jsonb, p_is_whole boolean) OWNER TO weir_owner;

--
-- Name: servers_of(uuid); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.servers_of(p_organization_id uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    select jsonb_build_object('rows', coalesce(jsonb_agg(to_jsonb(r) order by r.priority, r.id), '[]'))
    from (
      select i.id, i.name, i.status, c.slug as catalog_slug, c.version as catalog_version, i.priority, i.region, i.share,
             i.last_error_code, i.created_at, i.updated_at
      from public.mcp_server_instances i
      left join public.mcp_server_catalog c on c.id = i.catalog_id
      where i.organization_id = p_organization_id and i.status <> 'deleted') r);
end;
$$;


ALTER FUNCTION weir.servers_of(p_organization_id uuid) OWNER TO weir_owner;

--
-- Name: set_setting(text, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.set_setting(p_name text, p_value jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into weir.settings as s (name, value) values (p_name, p_value)
  on conflict (name) do update set value = excluded.value, updated_at = now();
end;
$$;


ALTER FUNCTION weir.set_setting(p_name text, p_value jsonb) OWNER TO weir_system;

--
-- Name: sign_up(text, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.sign_up(p_email text, p_password_hash text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_id constant uuid := weir.uuid_v7();
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'the users of this database are Supabase''s: they sign up there';
  end if;
  insert into auth.users (id, email, encrypted_password) values (v_id, lower(p_email), p_password_hash);
  return v_id;
exception
  when unique_violation then
    return null;
end;
$$;


ALTER FUNCTION weir.sign_up(p_email text, p_password_hash text) OWNER TO weir_system;

--
-- Name: signed_in_user(uuid, uuid); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.signed_in_user(p_user_id uuid, p_sign_in_id uuid) RETURNS TABLE(email text, email_confirmed_at timestamp with time zone, created_at timestamp with time zone, updated_at timestamp with time zone, signed_in_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  return query
    select u.email::text, u.email_confirmed_at, u.created_at, u.updated_at, s.created_at
    from auth.users u left join weir.sign_ins s on s.id = p_sign_in_id and s.user_id = u.id
    where u.id = p_user_id and not coalesce(u.banned_until > now(), false)
      and (p_sign_in_id is null or (s.revoked_at is null and s.expires_at > clock_timestamp()));
end;
$$;


ALTER FUNCTION weir.signed_in_user(p_user_id uuid, p_sign_in_id uuid) OWNER TO weir_system;

--
-- Name: sweep_nodes(interval); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.sweep_nodes(p_stale interval) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_nodes uuid[];
  v_instance record;
  v_until constant timestamptz := clock_timestamp() + interval '500 milliseconds';
begin
  with lost as (
    update weir.dtma_nodes n set is_online = false
    where n.is_online and n.heartbeat_at < clock_timestamp() - p_stale
    returning n.id)
  select coalesce(array_agg(l.id), '{}') into v_nodes from lost l;
  -- In the order of organizations, the order of their locks.
  for v_instance in
    select i.id, i.generation from public.mcp_server_instances i
    join weir.dtma_nodes n on n.id = i.node_id and not n.is_online
    where i.status = 'running' order by i.organization_id, i.id
  loop
    perform weir.apply_report(v_instance.id, v_instance.generation, 'degraded', 'node_lost', null, v_until);
    exit when clock_timestamp() > v_until;
  end loop;
  return cardinality(v_nodes);
end;
$$;


ALTER FUNCTION weir.sweep_nodes(p_stale interval) OWNER TO weir_system;

--
-- Name: template_is_granted(jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.template_is_granted(p_permissions jsonb, p_template text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_example constant text := regexp_replace(p_template, '\{[^}]*\}', 'x', 'g');
  v_begin constant text := split_part(p_template, '{', 1);
  v_end constant text := regexp_replace(p_template, '^.*\}', '');
begin
  return jsonb_typeof(p_permissions -> 'resources') = 'array' and exists (
    select from jsonb_array_elements_text(p_permissions -> 'resources') g
    cross join lateral (select split_part(g, '*', 1) as begins, reverse(split_part(reverse(g), '*', 1)) as ends) glob
    where weir.matches_uri_glob(v_example, g)
       or (v_example <> p_template and starts_with(glob.begins, v_begin)
           and (right(glob.ends, length(v_end)) = v_end or right(v_end, length(glob.ends)) = glob.ends and strpos(g, '*') > 0)));
end;
$$;


ALTER FUNCTION weir.template_is_granted(p_permissions jsonb, p_template text) OWNER TO weir_owner;

--
-- Name: tool_grant_error(jsonb, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.tool_grant_error(p_entry jsonb, p_path text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_key text;
  v_value jsonb;
  v_error text;
begin
  if jsonb_typeof(p_entry) is distinct from 'object' then
    return p_path || ': must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_entry) e loop
    if v_key = 'args' and jsonb_typeof(v_value) = 'object' then
      for v_key, v_value in select e.key, e.value from jsonb_each(v_value) e loop
        v_error := coalesce(v_error, weir.rule_error(v_value, p_path || '.args.' || left(v_key, 64)));
      end loop;
    elsif not (v_key = 'other' and v_value in ('"deny"', '"allow"')) then
      v_error := p_path || '.' || left(v_key, 64) || ': must be args (an object of rules) or other (deny or allow)';
    end if;
    exit when v_error is not null;
  end loop;
  return v_error;
end;
$$;


ALTER FUNCTION weir.tool_grant_error(p_entry jsonb, p_path text) OWNER TO weir_owner;

--
-- Name: tool_terms(text, text, text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.tool_terms(p_kind text, p_name text, p_definition text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_definition jsonb := '{}'::jsonb;
begin
  if p_kind <> 'tool' then
    return null;
  end if;
  begin
    v_definition := p_definition::jsonb;
  exception
    when data_exception then
      null;  -- found by its name
  end;
  -- A definition that is too large or too deep is found by its name only.
  if weir.bounds_error(v_definition, 1048576) is not null then
    v_definition := '{}'::jsonb;
  end if;
  return setweight(to_tsvector('pg_catalog.english', weir.search_words(p_name)), 'A')
    || setweight(to_tsvector('pg_catalog.english', weir.search_words(coalesce(left((
         select string_agg(k, ' ') from jsonb_object_keys(
           case when jsonb_typeof(v_definition #> '{inputSchema,properties}') = 'object' then v_definition #> '{inputSchema,properties}'
                else '{}' end) k), 16384), ''))), 'B')
    || setweight(to_tsvector('pg_catalog.english',
                             left(concat_ws(' ', v_definition ->> 'title', v_definition ->> 'description'), 16384)), 'C');
end;
$$;


ALTER FUNCTION weir.tool_terms(p_kind text, p_name text, p_definition text) OWNER TO weir_owner;

--
-- Name: tools_error(jsonb); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.tools_error(p_tools jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_name text;
  v_entry jsonb;
  v_path text;
  v_error text;
  v_cost numeric;
  v_globs integer := 0;
  v_sum numeric := 0::numeric;
begin
  -- Bounds what this check itself costs: each pattern is compiled once by it.
  if (select count(*) from jsonb_path_query(p_tools, '$.*.args.*.**{0 to 4}.matches')) > 100 then
    return '$.tools: at most 100 rules may have matches';
  end if;
  for v_name, v_entry in select t.key, t.value from jsonb_each(p_tools) t loop
    v_path := '$.tools.' || left(v_name, 64);
    v_error := coalesce(weir.glob_error(v_name, v_path), weir.tool_grant_error(v_entry, v_path));
    if v_error is not null then
      return v_error;
    end if;
    v_cost := weir.entry_cost(v_entry);
    v_error := weir.cost_error(v_cost, v_path, 'use fewer rules, smaller patterns or fewer values');
    if v_error is not null then
      return v_error;
    end if;
    v_sum := v_sum + weir.glob_cost(v_name, 256) + case when strpos(v_name, '*') > 0 then v_cost else 0 end;
    v_globs := v_globs + case when strpos(v_name, '*') > 0 then 1 else 0 end;
  end loop;
  if v_globs > 16 then
    return '$.tools: at most 16 names may have a *';
  end if;
  return weir.cost_error(v_sum, '$.tools, all names with a * together', 'use fewer of these, or fewer rules in them');
end;
$_$;


ALTER FUNCTION weir.tools_error(p_tools jsonb) OWNER TO weir_owner;

--
-- Name: trigrams(text); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.trigrams(p_text text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_word text;
  v_trigrams text[] := '{}'::text[];
begin
  foreach v_word in array regexp_split_to_array(lower(weir.search_words(left(p_text, 500))), '[^[:alnum:]]+') loop
    for v_n in 1 .. case v_word when '' then 0 else length(v_word) + 1 end loop
      v_trigrams := v_trigrams || substr('  ' || v_word || ' ', v_n, 3);
    end loop;
  end loop;
  -- Sorted, and each once.
  return tsvector_to_array(array_to_tsvector(v_trigrams));
end;
$$;


ALTER FUNCTION weir.trigrams(p_text text) OWNER TO weir_owner;

--
-- Name: try_lock_organization(uuid, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.try_lock_organization(p_organization_id uuid, p_until timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '50ms'
    AS $$
begin
  if pg_try_advisory_xact_lock(weir.lock_key(p_organization_id)) then
    return true;
  -- No time is left to wait.
  elsif clock_timestamp() >= p_until then
    return false;
  end if;
  perform weir.lock_organization(p_organization_id);
  return true;
exception
  when lock_not_available then
    return false;
end;
$$;


ALTER FUNCTION weir.try_lock_organization(p_organization_id uuid, p_until timestamp with time zone) OWNER TO weir_owner;

--
-- Name: update_mcp_server(uuid, uuid, jsonb); Type: FUNCTION; Schema: weir; Owner: weir_writer
--

CREATE FUNCTION weir.update_mcp_server(p_organization_id uuid, p_instance_id uuid, p_config jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_act weir.act;
  v_instance public.mcp_server_instances;
  v_new public.mcp_server_instances;
  v_catalog public.mcp_server_catalog;
  v_error text;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'update', p_organization_id => p_organization_id, p_instance_id => p_instance_id);
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.organization_id = p_organization_id and i.status not in ('deleting', 'deleted') for no key update;
  v_new := v_instance;
  v_error := weir.server_config_error(p_config, false);
  if v_instance.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  elsif v_error is null and v_instance.url is not null and p_config ?| array['catalog', 'version', 'configuration', 'max_sessions'] then
    v_error := 'server_config: a remote server has no catalog, version, configuration or max_sessions';
  elsif v_error is null and v_instance.url is null then
    select c.* into v_catalog from public.mcp_server_catalog c where c.id = v_instance.catalog_id;
    if p_config ? 'url' then
      v_error := 'server_config.url: a server of the catalog has none';
    elsif p_config ->> 'catalog' <> v_catalog.slug then
      v_error := 'server_config.catalog: a server stays of its catalog entry';
    elsif p_config ? 'version' and v_catalog.version <> p_config ->> 'version' then
      select c.* into v_catalog from public.mcp_server_catalog c
      where c.slug = v_catalog.slug and c.version = p_config ->> 'version' and c.is_published;
      if v_catalog.id is null then
        return weir.refuse(v_act, 'WR004', 'there is no such version in the catalog');
      end if;
    end if;
    v_new.catalog_id := v_catalog.id;
    v_new.configuration := coalesce(p_config -> 'configuration', v_instance.configuration);
    v_error := coalesce(v_error, weir.schema_error(v_catalog.configuration_schema, v_new.configuration, 'server_config.configuration'));
  elsif v_error is null and p_config ? 'url' and not weir.is_allowed_url(p_config ->> 'url') then
    v_error := 'server_config.url: must be an https address';
  end if;
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  elsif v_instance.status in ('deploying', 'updating', 'stopping') then
    return weir.refuse(v_act, 'WR005', format('the server is %s', v_instance.status));
  end if;
  v_new.url := coalesce(p_config ->> 'url', v_instance.url);
  v_new.share := coalesce(p_config ->> 'share', v_instance.share);
  v_new.max_sessions := case when p_config ? 'max_sessions' then nullif((p_config ->> 'max_sessions')::integer, 0)
                             else v_instance.max_sessions end;
  update public.mcp_server_instances i
  set name = coalesce(p_config ->> 'name', i.name), catalog_id = v_new.catalog_id, url = v_new.url, configuration = v_new.configuration,
      share = v_new.share, max_sessions = v_new.max_sessions, priority = coalesce((p_config ->> 'priority')::integer, i.priority),
      region = coalesce(p_config ->> 'region', i.region), pin_policy = coalesce(p_config ->> 'pin_policy', i.pin_policy),
      chat_offline = case when p_config -> 'chat' ? 'offline'
                          then array(select jsonb_array_elements_text(p_config -> 'chat' -> 'offline')) else i.chat_offline end,
      context_resources = case when p_config -> 'context' ? 'resources'
                               then array(select jsonb_array_elements_text(p_config -> 'context' -> 'resources'))
                               else i.context_resources end,
      context_prompts = case when p_config -> 'context' ? 'prompts'
                             then array(select jsonb_array_elements_text(p_config -> 'context' -> 'prompts')) else i.context_prompts end,
      timeout_ms = coalesce((p_config ->> 'timeout_ms')::integer, i.timeout_ms),
      max_retries = coalesce((p_config ->> 'max_retries')::integer, i.max_retries),
      retry_backoff_ms = coalesce((p_config ->> 'retry_backoff_ms')::integer, i.retry_backoff_ms),
      resets = i.resets + 1,
      -- An admin who chooses a version approves what it announces first.
      approved_generation = case when v_new.catalog_id is distinct from i.catalog_id then i.generation + 1 else i.approved_generation end
  where i.id = p_instance_id and i.organization_id = p_organization_id;
  if v_instance.status in ('running', 'degraded', 'failed')
     and (v_new.catalog_id, v_new.url, v_new.configuration, v_new.share, case when v_new.share = 'session' then v_new.max_sessions end)
         is distinct from (v_instance.catalog_id, v_instance.url, v_instance.configuration, v_instance.share,
                           case when v_instance.share = 'session' then v_instance.max_sessions end) then
    return weir.request_operation(p_organization_id, p_instance_id, 'update');
  end if;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', p_instance_id, 'status', v_instance.status);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;


ALTER FUNCTION weir.update_mcp_server(p_organization_id uuid, p_instance_id uuid, p_config jsonb) OWNER TO weir_writer;

--
-- Name: usage_of(uuid, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: weir_owner
--

CREATE FUNCTION weir.usage_of(p_organization_id uuid, p_since timestamp with time zone, p_until timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_until constant timestamptz := coalesce(p_until, clock_timestamp());
  v_since constant timestamptz := coalesce(p_since, v_until - interval '1 day');
  v_rows jsonb;
begin
  if not isfinite(v_since) or not isfinite(v_until) or v_until - v_since not between interval '0' and interval '31 days' then
    return weir.error('WR001', 'since must be before until, and at most 31 days');
  end if;
  select coalesce(jsonb_agg(to_jsonb(r) order by r.hour, r.agent_id, r.instance_id), '[]') into v_rows
  from (
    select u.hour, u.agent_id, u.instance_id, u.calls, u.denied, u.failed, u.duration_us
    from public.usage_hourly u
    where u.organization_id = p_organization_id and u.hour >= v_since and u.hour < v_until
    -- One more than is allowed tells that there are more.
    limit 10001) r;
  if jsonb_array_length(v_rows) > 10000 then
    return weir.error('WR001', 'since and until: that is more than 10,000 rows; ask for less time');
  end if;
  return jsonb_build_object('rows', v_rows);
end;
$$;


ALTER FUNCTION weir.usage_of(p_organization_id uuid, p_since timestamp with time zone, p_until timestamp with time zone) OWNER TO weir_owner;

--
-- Name: user_data_key(uuid, bytea); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.user_data_key(p_user_id uuid, p_wrapped_key bytea) RETURNS TABLE(wrapped_key bytea, version integer)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  if p_wrapped_key is not null then
    insert into public.user_secrets (user_id, wrapped_key) values (p_user_id, p_wrapped_key) on conflict do nothing;
  end if;
  return query select s.wrapped_key, s.version from public.user_secrets s where s.user_id = p_user_id;
exception
  when check_violation then
    raise exception using errcode = 'WR001', message = 'wrapped_key is not a wrapped key';
  when foreign_key_violation or not_null_violation then
    raise exception using errcode = 'WR004', message = 'there is no such user';
end;
$$;


ALTER FUNCTION weir.user_data_key(p_user_id uuid, p_wrapped_key bytea) OWNER TO weir_system;

--
-- Name: user_of_token(text, text, text, boolean); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.user_of_token(p_issuer text, p_subject text, p_email text, p_email_verified boolean) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if p_issuer like 'https://%/auth/v1' and p_subject ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
     and not exists (select from weir.installation i where i.embedded_issuer) then
    return case when not weir.is_banned(p_subject::uuid) then p_subject::uuid end;
  end if;
  return weir.resolve_identity(p_issuer, p_subject, p_email, p_email_verified);
end;
$_$;


ALTER FUNCTION weir.user_of_token(p_issuer text, p_subject text, p_email text, p_email_verified boolean) OWNER TO weir_system;

--
-- Name: vector_schema(); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.vector_schema() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace
          where e.extname = 'vector' and has_schema_privilege('weir_system', n.oid, 'usage'));
end;
$$;


ALTER FUNCTION weir.vector_schema() OWNER TO weir_system;

--
-- Name: withdraw_catalog_server(text, text); Type: FUNCTION; Schema: weir; Owner: weir_system
--

CREATE FUNCTION weir.withdraw_catalog_server(p_slug text, p_version text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count integer;
begin
  update public.mcp_server_catalog c set is_published = false, updated_at = now()
  where c.slug = p_slug and (p_version is null or c.version = p_version) and c.is_published;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;


ALTER FUNCTION weir.withdraw_catalog_server(p_slug text, p_version text) OWNER TO weir_system;

--
-- Name: users; Type: TABLE; Schema: auth; Owner: weir_owner
--

CREATE TABLE auth.users (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    email text,
    email_confirmed_at timestamp with time zone,
    encrypted_password text,
    banned_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_email_is_lower_case CHECK (((email = lower(email)) AND (email ~~ '%_@_%'::text) AND (length(email) <= 320)))
);

ALTER TABLE ONLY auth.users FORCE ROW LEVEL SECURITY;


ALTER TABLE auth.users OWNER TO weir_owner;

--
-- Name: TABLE users; Type: COMMENT; Schema: auth; Owner: weir_owner
--

COMMENT ON TABLE auth.users IS 'user: logins of the embedded issuer; columns have the names of Supabase''s auth.users';


--
-- Name: agent_api_keys; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.agent_api_keys (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    name text NOT NULL,
    key_id text NOT NULL,
    secret_hash bytea NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    revoked_by uuid,
    CONSTRAINT agent_api_keys_key_id_is_random_text CHECK ((key_id ~ '^[a-z0-9]{16}$'::text)),
    CONSTRAINT agent_api_keys_name_is_1_to_100_characters CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT agent_api_keys_secret_is_sha256 CHECK ((octet_length(secret_hash) = 32))
);

ALTER TABLE ONLY public.agent_api_keys FORCE ROW LEVEL SECURITY;


ALTER TABLE public.agent_api_keys OWNER TO weir_owner;

--
-- Name: TABLE agent_api_keys; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.agent_api_keys IS 'tenant: keys by which an agent presents itself; the secret''s hash, never the secret';


--
-- Name: agent_datastores; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.agent_datastores (
    organization_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    datastore_id uuid NOT NULL,
    linked_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.agent_datastores FORCE ROW LEVEL SECURITY;


ALTER TABLE public.agent_datastores OWNER TO weir_owner;

--
-- Name: TABLE agent_datastores; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.agent_datastores IS 'tenant: which datastores an agent searches';


--
-- Name: agent_mcp_permissions; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.agent_mcp_permissions (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    mcp_server_instance_id uuid NOT NULL,
    permissions jsonb NOT NULL,
    not_before timestamp with time zone,
    expires_at timestamp with time zone,
    granted_by uuid,
    granted_by_id uuid NOT NULL,
    granted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    revoked_at timestamp with time zone,
    revoked_by uuid,
    is_active boolean GENERATED ALWAYS AS ((revoked_at IS NULL)) STORED NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT agent_mcp_permissions_follow_the_grammar CHECK ((weir.permissions_error(permissions) IS NULL)),
    CONSTRAINT agent_mcp_permissions_revoked_by_someone_at_a_time CHECK (((revoked_by IS NULL) OR (revoked_at IS NOT NULL))),
    CONSTRAINT agent_mcp_permissions_start_before_they_end CHECK ((not_before < expires_at))
);

ALTER TABLE ONLY public.agent_mcp_permissions FORCE ROW LEVEL SECURITY;


ALTER TABLE public.agent_mcp_permissions OWNER TO weir_owner;

--
-- Name: TABLE agent_mcp_permissions; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.agent_mcp_permissions IS 'tenant: what an agent may use of an instance; history is kept';


--
-- Name: agents; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.agents (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    instructions text,
    owner_id uuid,
    is_active boolean DEFAULT true NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT agents_instructions_are_at_most_32_kib CHECK ((octet_length(instructions) <= 32768)),
    CONSTRAINT agents_name_is_1_to_100_characters CHECK ((((length(name) >= 1) AND (length(name) <= 100)) AND (name = btrim(name))))
);

ALTER TABLE ONLY public.agents FORCE ROW LEVEL SECURITY;


ALTER TABLE public.agents OWNER TO weir_owner;

--
-- Name: TABLE agents; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.agents IS 'tenant: an AI agent of an organization';


--
-- Name: chat_channels; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.chat_channels (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    user_id uuid,
    agent_id uuid,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT chat_channels_direct_one_has_a_person CHECK (((agent_id IS NULL) OR (user_id IS NOT NULL))),
    CONSTRAINT chat_channels_name_is_1_to_100_characters CHECK ((((length(name) >= 1) AND (length(name) <= 100)) AND (name = btrim(name))))
);

ALTER TABLE ONLY public.chat_channels FORCE ROW LEVEL SECURITY;


ALTER TABLE public.chat_channels OWNER TO weir_owner;

--
-- Name: TABLE chat_channels; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.chat_channels IS 'tenant: a channel of a workspace, or the direct conversation of a person with an agent';


--
-- Name: chat_messages; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.chat_messages (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    sender text NOT NULL,
    user_id uuid,
    agent_id uuid,
    content text NOT NULL,
    client_message_id text,
    reply_to uuid,
    tool_calls jsonb,
    usage jsonb,
    degraded jsonb,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT chat_messages_client_message_id_is_short CHECK (((length(client_message_id) >= 1) AND (length(client_message_id) <= 100))),
    CONSTRAINT chat_messages_content_is_at_most_64_kib CHECK ((octet_length(content) <= 65536)),
    CONSTRAINT chat_messages_deleted_says_nothing CHECK (((deleted_at IS NULL) OR (content = ''::text))),
    CONSTRAINT chat_messages_has_no_other_sender CHECK ((((sender = 'user'::text) AND (agent_id IS NULL)) OR ((sender = 'agent'::text) AND (client_message_id IS NULL)))),
    CONSTRAINT chat_messages_sender_is_user_or_agent CHECK ((sender = ANY (ARRAY['user'::text, 'agent'::text])))
);

ALTER TABLE ONLY public.chat_messages FORCE ROW LEVEL SECURITY;


ALTER TABLE public.chat_messages OWNER TO weir_owner;

--
-- Name: TABLE chat_messages; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.chat_messages IS 'tenant: what people and agents said in a channel';


--
-- Name: datastores; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.datastores (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    backend text DEFAULT 'postgres'::text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    document_count integer DEFAULT 0 NOT NULL,
    size_bytes bigint DEFAULT 0 NOT NULL,
    chunk_count bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    removal_version bigint DEFAULT 0 NOT NULL,
    deleted_at timestamp with time zone,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT datastores_backend_is_known CHECK ((backend = ANY (ARRAY['postgres'::text, 'pinecone'::text]))),
    CONSTRAINT datastores_name_is_1_to_100_characters CHECK ((((length(name) >= 1) AND (length(name) <= 100)) AND (name = btrim(name)))),
    CONSTRAINT datastores_settings_are_those_of_the_backend CHECK (
CASE
    WHEN ((weir.bounds_error(settings, 4096) IS NOT NULL) OR (jsonb_typeof(settings) <> 'object'::text)) THEN false
    WHEN (backend = 'postgres'::text) THEN (settings = '{}'::jsonb)
    ELSE (((settings - 'index'::text) = '{}'::jsonb) AND (NOT (jsonb_typeof((settings -> 'index'::text)) IS DISTINCT FROM 'string'::text)) AND ((settings ->> 'index'::text) ~ '^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$'::text))
END)
);

ALTER TABLE ONLY public.datastores FORCE ROW LEVEL SECURITY;


ALTER TABLE public.datastores OWNER TO weir_owner;

--
-- Name: TABLE datastores; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.datastores IS 'tenant: documents that belong together, and where their vectors are';


--
-- Name: documents; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.documents (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    datastore_id uuid NOT NULL,
    title text NOT NULL,
    source text,
    media_type text NOT NULL,
    content_hash bytea NOT NULL,
    size_bytes integer NOT NULL,
    chunk_count integer NOT NULL,
    status text DEFAULT 'indexed'::text NOT NULL,
    status_detail text,
    embedding_model text,
    embed_after timestamp with time zone DEFAULT now() NOT NULL,
    embed_attempts integer DEFAULT 0 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT documents_content_hash_is_sha256 CHECK ((octet_length(content_hash) = 32)),
    CONSTRAINT documents_embedded_by_a_model CHECK (((status <> 'embedded'::text) OR (embedding_model IS NOT NULL))),
    CONSTRAINT documents_have_1_to_10000_chunks CHECK (((chunk_count >= 1) AND (chunk_count <= 10000))),
    CONSTRAINT documents_media_type_is_known CHECK ((media_type = ANY (ARRAY['text/plain'::text, 'text/markdown'::text, 'text/html'::text]))),
    CONSTRAINT documents_source_is_1_to_2000_characters CHECK (((length(source) >= 1) AND (length(source) <= 2000))),
    CONSTRAINT documents_status_is_known CHECK ((status = ANY (ARRAY['indexed'::text, 'embedded'::text, 'embedding_failed'::text]))),
    CONSTRAINT documents_title_is_1_to_300_characters CHECK ((((length(title) >= 1) AND (length(title) <= 300)) AND (title = btrim(title))))
);

ALTER TABLE ONLY public.documents FORCE ROW LEVEL SECURITY;


ALTER TABLE public.documents OWNER TO weir_owner;

--
-- Name: TABLE documents; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.documents IS 'tenant: a document of a datastore; its text is in weir.document_chunks';


--
-- Name: mcp_server_catalog; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.mcp_server_catalog (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    slug text NOT NULL,
    version text NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    transport text NOT NULL,
    runtime text DEFAULT 'process'::text NOT NULL,
    package text NOT NULL,
    bin text NOT NULL,
    args jsonb DEFAULT '[]'::jsonb NOT NULL,
    env jsonb DEFAULT '{}'::jsonb NOT NULL,
    configuration_schema jsonb DEFAULT '{"type": "object", "properties": {}}'::jsonb NOT NULL,
    default_share text DEFAULT 'instance'::text NOT NULL,
    calls_at_once integer,
    is_published boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mcp_server_catalog_args_is_an_array CHECK ((jsonb_typeof(args) = 'array'::text)),
    CONSTRAINT mcp_server_catalog_bin_is_a_name CHECK ((bin ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'::text)),
    CONSTRAINT mcp_server_catalog_calls_at_once_is_1_to_1024 CHECK (((calls_at_once >= 1) AND (calls_at_once <= 1024))),
    CONSTRAINT mcp_server_catalog_env_is_an_object CHECK ((jsonb_typeof(env) = 'object'::text)),
    CONSTRAINT mcp_server_catalog_package_is_a_name CHECK ((package ~ '^(@[a-z0-9][a-z0-9._-]{0,99}/)?[a-z0-9][a-z0-9._-]{0,99}$'::text)),
    CONSTRAINT mcp_server_catalog_runtime_is_known CHECK ((runtime = 'process'::text)),
    CONSTRAINT mcp_server_catalog_schema_is_an_object CHECK ((jsonb_typeof(configuration_schema) = 'object'::text)),
    CONSTRAINT mcp_server_catalog_share_is_known CHECK ((default_share = ANY (ARRAY['instance'::text, 'credential'::text, 'session'::text]))),
    CONSTRAINT mcp_server_catalog_slug_is_lower_case CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
    CONSTRAINT mcp_server_catalog_transport_is_known CHECK ((transport = ANY (ARRAY['stdio'::text, 'http'::text]))),
    CONSTRAINT mcp_server_catalog_version_is_exact CHECK ((version ~ '^[0-9][0-9A-Za-z.+-]{0,63}$'::text))
);

ALTER TABLE ONLY public.mcp_server_catalog FORCE ROW LEVEL SECURITY;


ALTER TABLE public.mcp_server_catalog OWNER TO weir_owner;

--
-- Name: TABLE mcp_server_catalog; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.mcp_server_catalog IS 'global: servers that an organization may instantiate; written by the platform only';


--
-- Name: mcp_server_tools; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.mcp_server_tools (
    organization_id uuid NOT NULL,
    instance_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    definition_hash bytea NOT NULL,
    definition text NOT NULL,
    status text NOT NULL,
    warning text,
    announced boolean NOT NULL,
    eras text[] DEFAULT '{legacy,modern}'::text[] NOT NULL,
    needs text[] DEFAULT '{}'::text[] NOT NULL,
    fault text,
    fault_path text,
    fault_reason text,
    first_seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    approved_at timestamp with time zone,
    approved_by uuid,
    terms tsvector GENERATED ALWAYS AS (weir.tool_terms(kind, name, definition)) STORED,
    name_trigrams tsvector GENERATED ALWAYS AS (
CASE
    WHEN (kind = 'tool'::text) THEN array_to_tsvector(weir.trigrams(name))
    ELSE NULL::tsvector
END) STORED,
    CONSTRAINT mcp_server_tools_approved_with_time CHECK (((status <> 'approved'::text) OR (approved_at IS NOT NULL))),
    CONSTRAINT mcp_server_tools_definition_is_at_most_256_kib CHECK ((octet_length(definition) <= 262144)),
    CONSTRAINT mcp_server_tools_eras_are_known CHECK ((eras <@ '{legacy,modern}'::text[])),
    CONSTRAINT mcp_server_tools_fault_has_a_reason CHECK (
CASE
    WHEN (fault IS NULL) THEN (num_nonnulls(fault_path, fault_reason) = 0)
    ELSE ((fault = ANY (ARRAY['malformed'::text, 'unsupported'::text])) AND (fault_reason IS NOT NULL))
END),
    CONSTRAINT mcp_server_tools_fault_is_short CHECK (((length(fault_path) <= 300) AND (length(fault_reason) <= 600))),
    CONSTRAINT mcp_server_tools_hash_is_sha256 CHECK ((octet_length(definition_hash) = 32)),
    CONSTRAINT mcp_server_tools_kind_is_known CHECK ((kind = ANY (ARRAY['tool'::text, 'prompt'::text, 'template'::text, 'resource'::text]))),
    CONSTRAINT mcp_server_tools_name_is_at_most_1_kib_and_a_uri_2 CHECK (((octet_length(name) >= 1) AND (octet_length(name) <=
CASE kind
    WHEN 'resource'::text THEN 2048
    ELSE 1024
END))),
    CONSTRAINT mcp_server_tools_resource_is_no_pin CHECK (((kind <> 'resource'::text) OR ((status = 'approved'::text) AND (warning IS NULL)))),
    CONSTRAINT mcp_server_tools_status_is_known CHECK ((status = ANY (ARRAY['approved'::text, 'quarantined'::text, 'rejected'::text]))),
    CONSTRAINT mcp_server_tools_warning_is_short CHECK (((length(warning) >= 1) AND (length(warning) <= 500)))
);

ALTER TABLE ONLY public.mcp_server_tools FORCE ROW LEVEL SECURITY;


ALTER TABLE public.mcp_server_tools OWNER TO weir_owner;

--
-- Name: TABLE mcp_server_tools; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.mcp_server_tools IS 'tenant: pinned definitions of an instance''s tools, prompts and templates, and its resources';


--
-- Name: model_settings; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.model_settings (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    agent_id uuid,
    provider text,
    model text,
    fallback_provider text,
    fallback_model text,
    temperature double precision,
    max_tokens integer,
    timeout_ms integer,
    retries integer,
    owners_may_choose boolean DEFAULT false NOT NULL,
    updated_by uuid,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_settings_choice_of_owners_is_the_organization_s CHECK (((agent_id IS NULL) OR (NOT owners_may_choose))),
    CONSTRAINT model_settings_max_tokens_is_1_to_1000000 CHECK (((max_tokens >= 1) AND (max_tokens <= 1000000))),
    CONSTRAINT model_settings_name_a_fallback_with_its_provider CHECK ((num_nulls(fallback_provider, fallback_model) <> 1)),
    CONSTRAINT model_settings_name_a_model_with_its_provider CHECK ((num_nulls(provider, model) <> 1)),
    CONSTRAINT model_settings_retries_are_0_to_10 CHECK (((retries >= 0) AND (retries <= 10))),
    CONSTRAINT model_settings_temperature_is_0_to_2 CHECK (((temperature >= (0)::double precision) AND (temperature <= (2)::double precision))),
    CONSTRAINT model_settings_timeout_is_100_ms_to_10_minutes CHECK (((timeout_ms >= 100) AND (timeout_ms <= 600000)))
);

ALTER TABLE ONLY public.model_settings FORCE ROW LEVEL SECURITY;


ALTER TABLE public.model_settings OWNER TO weir_owner;

--
-- Name: TABLE model_settings; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.model_settings IS 'tenant: which model answers for an organization (agent_id null) and for an agent';


--
-- Name: model_usage_hourly; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.model_usage_hourly (
    organization_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    agent_id uuid NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    currency text NOT NULL,
    turns bigint DEFAULT 0 NOT NULL,
    requests bigint DEFAULT 0 NOT NULL,
    failures bigint DEFAULT 0 NOT NULL,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cost_micros bigint DEFAULT 0 NOT NULL,
    unpriced_turns bigint DEFAULT 0 NOT NULL,
    CONSTRAINT model_usage_hourly_is_not_negative CHECK ((LEAST(turns, requests, failures, input_tokens, output_tokens, cost_micros, unpriced_turns) >= 0))
);

ALTER TABLE ONLY public.model_usage_hourly FORCE ROW LEVEL SECURITY;


ALTER TABLE public.model_usage_hourly OWNER TO weir_owner;

--
-- Name: TABLE model_usage_hourly; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.model_usage_hourly IS 'tenant: tokens and cost of models by the hour; cost in millionths of the currency (agent is a copied id)';


--
-- Name: organization_api_keys; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.organization_api_keys (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    key_id text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    revoked_by uuid,
    CONSTRAINT organization_api_keys_key_id_is_random_text CHECK ((key_id ~ '^[a-z0-9]{16}$'::text)),
    CONSTRAINT organization_api_keys_name_is_1_to_100_characters CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT organization_api_keys_scopes_are_known CHECK (((scopes <@ ARRAY['audit.read'::text, 'servers.read'::text, 'usage.read'::text]) AND (cardinality(scopes) > 0))),
    CONSTRAINT organization_api_keys_secret_is_sha256 CHECK ((octet_length(secret_hash) = 32))
);

ALTER TABLE ONLY public.organization_api_keys FORCE ROW LEVEL SECURITY;


ALTER TABLE public.organization_api_keys OWNER TO weir_owner;

--
-- Name: TABLE organization_api_keys; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.organization_api_keys IS 'tenant: keys of the organization itself, for its own automation';


--
-- Name: organization_invitations; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.organization_invitations (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    token_hash bytea NOT NULL,
    invited_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    accepted_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT organization_invitations_accepted_or_revoked CHECK (((accepted_at IS NULL) OR (revoked_at IS NULL))),
    CONSTRAINT organization_invitations_email_is_lower_case CHECK (((email = lower(email)) AND (length(email) <= 320))),
    CONSTRAINT organization_invitations_role_is_known CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text, 'viewer'::text]))),
    CONSTRAINT organization_invitations_token_is_sha256 CHECK ((octet_length(token_hash) = 32))
);

ALTER TABLE ONLY public.organization_invitations FORCE ROW LEVEL SECURITY;


ALTER TABLE public.organization_invitations OWNER TO weir_owner;

--
-- Name: TABLE organization_invitations; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.organization_invitations IS 'tenant: who was asked to join, by e-mail';


--
-- Name: organization_members; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.organization_members (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    invited_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT organization_members_role_is_known CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text, 'viewer'::text]))),
    CONSTRAINT organization_members_status_is_known CHECK ((status = ANY (ARRAY['active'::text, 'invited'::text, 'suspended'::text, 'removed'::text])))
);

ALTER TABLE ONLY public.organization_members FORCE ROW LEVEL SECURITY;


ALTER TABLE public.organization_members OWNER TO weir_owner;

--
-- Name: TABLE organization_members; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.organization_members IS 'tenant: a person''s role and status in an organization';


--
-- Name: organizations; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.organizations (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    max_mcp_servers integer DEFAULT 25 NOT NULL,
    max_agents integer DEFAULT 200 NOT NULL,
    max_members integer DEFAULT 500 NOT NULL,
    max_workspaces integer DEFAULT 200 NOT NULL,
    max_concurrent_connections integer DEFAULT 200 NOT NULL,
    max_chat_messages_per_minute integer DEFAULT 2400 NOT NULL,
    max_datastores integer DEFAULT 50 NOT NULL,
    max_documents integer DEFAULT 10000 NOT NULL,
    max_document_bytes bigint DEFAULT 1073741824 NOT NULL,
    max_document_chunks integer DEFAULT 250000 NOT NULL,
    chat_tools boolean DEFAULT true NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT organizations_chat_limit_is_0_to_a_million CHECK (((max_chat_messages_per_minute >= 0) AND (max_chat_messages_per_minute <= 1000000))),
    CONSTRAINT organizations_knowledge_limits_are_not_negative CHECK ((LEAST((max_datastores)::bigint, (max_documents)::bigint, max_document_bytes, (max_document_chunks)::bigint) >= 0)),
    CONSTRAINT organizations_limits_are_not_negative CHECK ((LEAST(max_mcp_servers, max_agents, max_members, max_workspaces, max_concurrent_connections) >= 0)),
    CONSTRAINT organizations_name_is_1_to_100_characters CHECK ((((length(name) >= 1) AND (length(name) <= 100)) AND (name = btrim(name)))),
    CONSTRAINT organizations_slug_is_lower_case CHECK ((slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'::text))
);

ALTER TABLE ONLY public.organizations FORCE ROW LEVEL SECURITY;


ALTER TABLE public.organizations OWNER TO weir_owner;

--
-- Name: TABLE organizations; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.organizations IS 'tenant: the organization itself; its id is the organization_id of every tenant row';


--
-- Name: permission_requests; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.permission_requests (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    mcp_server_instance_id uuid NOT NULL,
    permissions jsonb NOT NULL,
    message text,
    status text DEFAULT 'open'::text NOT NULL,
    requested_by uuid,
    grant_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    decided_by uuid,
    decided_at timestamp with time zone,
    CONSTRAINT permission_requests_decided_at_a_time CHECK (((status = 'open'::text) = (decided_at IS NULL))),
    CONSTRAINT permission_requests_follow_the_grammar CHECK ((weir.permissions_error(permissions) IS NULL)),
    CONSTRAINT permission_requests_granted_by_a_grant CHECK (((status = 'granted'::text) = (grant_id IS NOT NULL))),
    CONSTRAINT permission_requests_message_is_short CHECK ((length(message) <= 1000)),
    CONSTRAINT permission_requests_status_is_known CHECK ((status = ANY (ARRAY['open'::text, 'granted'::text, 'refused'::text, 'withdrawn'::text])))
);

ALTER TABLE ONLY public.permission_requests FORCE ROW LEVEL SECURITY;


ALTER TABLE public.permission_requests OWNER TO weir_owner;

--
-- Name: TABLE permission_requests; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.permission_requests IS 'tenant: access that an agent''s owner asked for';


--
-- Name: usage_hourly; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.usage_hourly (
    organization_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    agent_id uuid NOT NULL,
    instance_id uuid NOT NULL,
    calls bigint DEFAULT 0 NOT NULL,
    denied bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    duration_us bigint DEFAULT 0 NOT NULL,
    CONSTRAINT usage_hourly_is_not_negative CHECK ((LEAST(calls, denied, failed, duration_us) >= 0))
);

ALTER TABLE ONLY public.usage_hourly FORCE ROW LEVEL SECURITY;


ALTER TABLE public.usage_hourly OWNER TO weir_owner;

--
-- Name: TABLE usage_hourly; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.usage_hourly IS 'tenant: calls by the hour, rolled up from the record (agent and instance are copied ids)';


--
-- Name: user_profiles; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.user_profiles (
    user_id uuid NOT NULL,
    display_name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_profiles_display_name_is_1_to_100_characters CHECK ((((length(display_name) >= 1) AND (length(display_name) <= 100)) AND (display_name = btrim(display_name))))
);

ALTER TABLE ONLY public.user_profiles FORCE ROW LEVEL SECURITY;


ALTER TABLE public.user_profiles OWNER TO weir_owner;

--
-- Name: TABLE user_profiles; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.user_profiles IS 'user: what a person is called';


--
-- Name: user_secrets; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.user_secrets (
    user_id uuid NOT NULL,
    wrapped_key bytea NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_secrets_key_is_wrapped CHECK (((octet_length(wrapped_key) >= 60) AND (octet_length(wrapped_key) <= 512))),
    CONSTRAINT user_secrets_version_is_positive CHECK ((version > 0))
);

ALTER TABLE ONLY public.user_secrets FORCE ROW LEVEL SECURITY;


ALTER TABLE public.user_secrets OWNER TO weir_owner;

--
-- Name: TABLE user_secrets; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.user_secrets IS 'user: a person''s data key, wrapped by the keyring';


--
-- Name: user_ssh_keys; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.user_ssh_keys (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    public_key text NOT NULL,
    fingerprint text NOT NULL,
    private_key_secret_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_ssh_keys_fingerprint_is_sha256 CHECK ((fingerprint ~ '^SHA256:[A-Za-z0-9+/]{43}$'::text)),
    CONSTRAINT user_ssh_keys_name_is_1_to_100_characters CHECK ((((length(name) >= 1) AND (length(name) <= 100)) AND (name = btrim(name)))),
    CONSTRAINT user_ssh_keys_public_key_is_ed25519 CHECK ((public_key ~ '^ssh-ed25519 [A-Za-z0-9+/]{68}$'::text))
);

ALTER TABLE ONLY public.user_ssh_keys FORCE ROW LEVEL SECURITY;


ALTER TABLE public.user_ssh_keys OWNER TO weir_owner;

--
-- Name: TABLE user_ssh_keys; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.user_ssh_keys IS 'user: a person''s SSH keys; the private part by reference to the vault only';


--
-- Name: workspace_members; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.workspace_members (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    user_id uuid,
    agent_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workspace_members_person_or_agent CHECK ((num_nonnulls(user_id, agent_id) = 1))
);

ALTER TABLE ONLY public.workspace_members FORCE ROW LEVEL SECURITY;


ALTER TABLE public.workspace_members OWNER TO weir_owner;

--
-- Name: TABLE workspace_members; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.workspace_members IS 'tenant: a person or an agent in a workspace; sharing one lets the person use the agent';


--
-- Name: workspaces; Type: TABLE; Schema: public; Owner: weir_owner
--

CREATE TABLE public.workspaces (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workspaces_name_is_1_to_100_characters CHECK ((((length(name) >= 1) AND (length(name) <= 100)) AND (name = btrim(name))))
);

ALTER TABLE ONLY public.workspaces FORCE ROW LEVEL SECURITY;


ALTER TABLE public.workspaces OWNER TO weir_owner;

--
-- Name: TABLE workspaces; Type: COMMENT; Schema: public; Owner: weir_owner
--

COMMENT ON TABLE public.workspaces IS 'tenant: a place where people and agents of one organization talk';


--
-- Name: audit_checkpoints; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.audit_checkpoints (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    content text NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE ONLY weir.audit_checkpoints FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.audit_checkpoints OWNER TO weir_owner;

--
-- Name: TABLE audit_checkpoints; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.audit_checkpoints IS 'platform: signed heads of all chains';


--
-- Name: audit_seals; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.audit_seals (
    organization_id uuid NOT NULL,
    sequence bigint NOT NULL,
    partition_start timestamp with time zone NOT NULL,
    previous_hash bytea,
    merkle_root bytea NOT NULL,
    row_count bigint NOT NULL,
    first_xid xid8 NOT NULL,
    last_xid xid8 NOT NULL,
    epoch integer NOT NULL,
    canon_version smallint NOT NULL,
    seal_hash bytea NOT NULL,
    sealed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT audit_seals_are_linked CHECK (((sequence = 1) = (previous_hash IS NULL))),
    CONSTRAINT audit_seals_hashes_are_sha256 CHECK (((octet_length(merkle_root) = 32) AND (octet_length(seal_hash) = 32) AND (octet_length(previous_hash) = 32))),
    CONSTRAINT audit_seals_have_rows CHECK ((row_count > 0))
);

ALTER TABLE ONLY weir.audit_seals FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.audit_seals OWNER TO weir_owner;

--
-- Name: TABLE audit_seals; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.audit_seals IS 'tenant: links of each organization''s audit chain (no foreign keys: a seal outlives its organization)';


--
-- Name: change_versions; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.change_versions (
    organization_id uuid NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    changed_in xid8 DEFAULT pg_current_xact_id() NOT NULL
);

ALTER TABLE ONLY weir.change_versions FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.change_versions OWNER TO weir_owner;

--
-- Name: TABLE change_versions; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.change_versions IS 'tenant: change counters, a hint for replicas (no foreign key: the platform has a row, and a deleted organization still counts)';


--
-- Name: chat_rates; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.chat_rates (
    organization_id uuid NOT NULL,
    used_until timestamp with time zone NOT NULL
);

ALTER TABLE ONLY weir.chat_rates FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.chat_rates OWNER TO weir_owner;

--
-- Name: TABLE chat_rates; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.chat_rates IS 'tenant: how much of its chat messages a minute an organization has used';


--
-- Name: chat_turns; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.chat_turns (
    organization_id uuid NOT NULL,
    message_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    replica_id uuid NOT NULL,
    leased_until timestamp with time zone NOT NULL,
    calls jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT chat_turns_calls_is_an_object CHECK ((jsonb_typeof(calls) = 'object'::text))
);

ALTER TABLE ONLY weir.chat_turns FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.chat_turns OWNER TO weir_owner;

--
-- Name: TABLE chat_turns; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.chat_turns IS 'tenant: turns that wait for their answer, and what they have called';


--
-- Name: denial_counts; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.denial_counts (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    organization_id uuid NOT NULL,
    minute timestamp with time zone NOT NULL,
    kind weir.log_kind NOT NULL,
    reason weir.log_reason NOT NULL,
    actor_kind weir.log_actor NOT NULL,
    user_id uuid,
    agent_id uuid,
    key_id text,
    instance_id uuid,
    occurrences integer NOT NULL,
    own_rows integer NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT denial_counts_are_counted CHECK (((occurrences > 0) AND (own_rows > 0)))
);

ALTER TABLE ONLY weir.denial_counts FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.denial_counts OWNER TO weir_owner;

--
-- Name: TABLE denial_counts; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.denial_counts IS 'tenant: equal denials of a running minute, one row of the audit log each (no foreign keys: a count outlives what it names)';


--
-- Name: grant_usage; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.grant_usage (
    organization_id uuid NOT NULL,
    grant_id uuid NOT NULL,
    period text NOT NULL,
    window_start timestamp with time zone NOT NULL,
    used bigint NOT NULL,
    CONSTRAINT grant_usage_is_not_negative CHECK ((used >= 0)),
    CONSTRAINT grant_usage_period_is_known CHECK ((period = ANY (ARRAY['per_minute'::text, 'per_hour'::text, 'per_day'::text])))
);

ALTER TABLE ONLY weir.grant_usage FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.grant_usage OWNER TO weir_owner;

--
-- Name: TABLE grant_usage; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.grant_usage IS 'tenant: counters of limited grants (no foreign key: checking it would wait for whoever deletes the grant)';


--
-- Name: idempotency_keys; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.idempotency_keys (
    organization_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_key_is_1_to_100_characters CHECK (((length(key) >= 1) AND (length(key) <= 100))),
    CONSTRAINT idempotency_keys_request_is_sha256 CHECK ((octet_length(request_hash) = 32))
);

ALTER TABLE ONLY weir.idempotency_keys FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.idempotency_keys OWNER TO weir_owner;

--
-- Name: TABLE idempotency_keys; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.idempotency_keys IS 'tenant: answers that a repeated request of manage_mcp_servers gets again';


--
-- Name: identities; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    email text,
    email_verified boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT identities_email_is_lower_case CHECK (((email = lower(email)) AND (length(email) <= 320))),
    CONSTRAINT identities_issuer_is_a_url CHECK (((issuer ~ '^https?://[^\s]+$'::text) AND (length(issuer) <= 2000))),
    CONSTRAINT identities_subject_is_1_to_255_characters CHECK (((length(subject) >= 1) AND (length(subject) <= 255))),
    CONSTRAINT identities_verified_is_an_email CHECK (((email IS NOT NULL) OR (NOT email_verified)))
);

ALTER TABLE ONLY weir.identities FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.identities OWNER TO weir_owner;

--
-- Name: TABLE identities; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.identities IS 'user: who a subject of another issuer is here';


--
-- Name: instance_moves; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.instance_moves (
    from_status text NOT NULL,
    to_status text NOT NULL
);

ALTER TABLE ONLY weir.instance_moves FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.instance_moves OWNER TO weir_owner;

--
-- Name: TABLE instance_moves; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.instance_moves IS 'global: the allowed moves of an instance''s state';


--
-- Name: platform_admins; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.platform_admins (
    user_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY weir.platform_admins FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.platform_admins OWNER TO weir_owner;

--
-- Name: TABLE platform_admins; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.platform_admins IS 'platform: who publishes the catalog and registers nodes';


--
-- Name: replicas; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.replicas (
    id uuid NOT NULL,
    internal_url text NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT replicas_internal_url_is_http CHECK ((internal_url ~ '^https?://[^/?#@]+$'::text))
);

ALTER TABLE ONLY weir.replicas FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.replicas OWNER TO weir_owner;

--
-- Name: TABLE replicas; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.replicas IS 'platform: the gateway''s processes and where they listen for each other';


--
-- Name: security_events; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.security_events (
    minute timestamp with time zone NOT NULL,
    reason text NOT NULL,
    key_prefix text DEFAULT ''::text NOT NULL,
    address inet DEFAULT '0.0.0.0'::inet NOT NULL,
    occurrences bigint NOT NULL,
    CONSTRAINT security_events_are_counted CHECK ((occurrences > 0)),
    CONSTRAINT security_events_key_prefix_is_short CHECK ((length(key_prefix) <= 8)),
    CONSTRAINT security_events_reason_is_short CHECK (((length(reason) >= 1) AND (length(reason) <= 64)))
);

ALTER TABLE ONLY weir.security_events FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.security_events OWNER TO weir_owner;

--
-- Name: TABLE security_events; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.security_events IS 'platform: counted failures of callers that no organization knows';


--
-- Name: settings; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.settings (
    name text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT settings_chat_tools_is_true_or_false CHECK (((name <> 'chat_tools'::text) OR (jsonb_typeof(value) = 'boolean'::text))),
    CONSTRAINT settings_equal_denials_is_1_to_1000 CHECK (((name <> 'equal_denials'::text) OR
CASE jsonb_typeof(value)
    WHEN 'number'::text THEN (((value)::numeric >= (1)::numeric) AND ((value)::numeric <= (1000)::numeric))
    ELSE false
END)),
    CONSTRAINT settings_name_is_known CHECK ((name = ANY (ARRAY['chat_tools'::text, 'egress_allow'::text, 'equal_denials'::text, 'identity_issuers'::text, 'models'::text])))
);

ALTER TABLE ONLY weir.settings FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.settings OWNER TO weir_owner;

--
-- Name: TABLE settings; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.settings IS 'platform: the operator''s settings that SQL decides by; written by the owner only';


--
-- Name: sign_in_attempts; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.sign_in_attempts (
    kind text NOT NULL,
    subject bytea NOT NULL,
    window_ends timestamp with time zone NOT NULL,
    attempts integer NOT NULL,
    CONSTRAINT sign_in_attempts_are_capped CHECK (((attempts >= 1) AND (attempts <= 1000))),
    CONSTRAINT sign_in_attempts_kind_is_known CHECK ((kind = ANY (ARRAY['address'::text, 'pair'::text, 'email'::text, 'known'::text]))),
    CONSTRAINT sign_in_attempts_subject_is_sha256 CHECK ((octet_length(subject) = 32))
);

ALTER TABLE ONLY weir.sign_in_attempts FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.sign_in_attempts OWNER TO weir_owner;

--
-- Name: TABLE sign_in_attempts; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.sign_in_attempts IS 'platform: how often was tried to sign in of late';


--
-- Name: sign_ins; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.sign_ins (
    id uuid DEFAULT weir.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    counter integer DEFAULT 0 NOT NULL,
    used_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    revoked_by text,
    CONSTRAINT sign_ins_are_revoked_for_a_reason CHECK ((((revoked_at IS NULL) = (revoked_by IS NULL)) AND (revoked_by = ANY (ARRAY['logout'::text, 'reuse'::text, 'restore'::text])))),
    CONSTRAINT sign_ins_counter_is_not_negative CHECK ((counter >= 0))
);

ALTER TABLE ONLY weir.sign_ins FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.sign_ins OWNER TO weir_owner;

--
-- Name: TABLE sign_ins; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.sign_ins IS 'user: sign-ins of the embedded issuer; the count of the one refresh token that is good, never a token';


--
-- Name: usage_progress; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.usage_progress (
    only_row boolean DEFAULT true NOT NULL,
    rolled_up_to timestamp with time zone NOT NULL,
    CONSTRAINT usage_progress_has_one_row CHECK (only_row),
    CONSTRAINT usage_progress_is_an_hour CHECK ((rolled_up_to = date_trunc('hour'::text, rolled_up_to, 'UTC'::text)))
);

ALTER TABLE ONLY weir.usage_progress FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.usage_progress OWNER TO weir_owner;

--
-- Name: TABLE usage_progress; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.usage_progress IS 'platform: up to which hour the record is in usage_hourly';


--
-- Name: vector_removals; Type: TABLE; Schema: weir; Owner: weir_owner
--

CREATE TABLE weir.vector_removals (
    organization_id uuid NOT NULL,
    vector_index text NOT NULL,
    chunk_id uuid NOT NULL,
    remove_after timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY weir.vector_removals FORCE ROW LEVEL SECURITY;


ALTER TABLE weir.vector_removals OWNER TO weir_owner;

--
-- Name: TABLE vector_removals; Type: COMMENT; Schema: weir; Owner: weir_owner
--

COMMENT ON TABLE weir.vector_removals IS 'tenant: vectors to delete elsewhere (no foreign key: they outlive what they are of)';


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: auth; Owner: weir_owner
--

ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: agent_api_keys agent_api_keys_key_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_api_keys
    ADD CONSTRAINT agent_api_keys_key_id_key UNIQUE (key_id);


--
-- Name: agent_api_keys agent_api_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_api_keys
    ADD CONSTRAINT agent_api_keys_pkey PRIMARY KEY (id);


--
-- Name: agent_datastores agent_datastores_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_datastores
    ADD CONSTRAINT agent_datastores_pkey PRIMARY KEY (agent_id, datastore_id);


--
-- Name: agent_mcp_permissions agent_mcp_permissions_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_mcp_permissions
    ADD CONSTRAINT agent_mcp_permissions_pkey PRIMARY KEY (id);


--
-- Name: agents agents_organization_id_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_organization_id_id_key UNIQUE (organization_id, id);


--
-- Name: agents agents_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (id);


--
-- Name: chat_channels chat_channels_organization_workspace_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_organization_workspace_id_key UNIQUE (organization_id, workspace_id, id);


--
-- Name: chat_channels chat_channels_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_pkey PRIMARY KEY (id);


--
-- Name: chat_channels chat_channels_workspace_id_user_id_agent_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_workspace_id_user_id_agent_id_key UNIQUE (workspace_id, user_id, agent_id);


--
-- Name: chat_messages chat_messages_channel_id_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_channel_id_id_key UNIQUE (channel_id, id);


--
-- Name: chat_messages chat_messages_organization_id_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_organization_id_id_key UNIQUE (organization_id, id);


--
-- Name: chat_messages chat_messages_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_pkey PRIMARY KEY (id);


--
-- Name: datastores datastores_organization_id_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.datastores
    ADD CONSTRAINT datastores_organization_id_id_key UNIQUE (organization_id, id);


--
-- Name: datastores datastores_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.datastores
    ADD CONSTRAINT datastores_pkey PRIMARY KEY (id);


--
-- Name: documents documents_content_is_there_once; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_content_is_there_once UNIQUE (datastore_id, content_hash);


--
-- Name: documents documents_organization_datastore_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_organization_datastore_id_key UNIQUE (organization_id, datastore_id, id);


--
-- Name: documents documents_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (id);


--
-- Name: mcp_interaction_logs mcp_interaction_logs_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_interaction_logs
    ADD CONSTRAINT mcp_interaction_logs_pkey PRIMARY KEY (created_at, id, phase);


--
-- Name: mcp_server_catalog mcp_server_catalog_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_catalog
    ADD CONSTRAINT mcp_server_catalog_pkey PRIMARY KEY (id);


--
-- Name: mcp_server_catalog mcp_server_catalog_slug_version_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_catalog
    ADD CONSTRAINT mcp_server_catalog_slug_version_key UNIQUE (slug, version);


--
-- Name: mcp_server_instances mcp_server_instances_organization_id_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_organization_id_id_key UNIQUE (organization_id, id);


--
-- Name: mcp_server_instances mcp_server_instances_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_pkey PRIMARY KEY (id);


--
-- Name: mcp_server_tools mcp_server_tools_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_tools
    ADD CONSTRAINT mcp_server_tools_pkey PRIMARY KEY (instance_id, kind, name, definition_hash);


--
-- Name: model_settings model_settings_are_set_once; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.model_settings
    ADD CONSTRAINT model_settings_are_set_once UNIQUE NULLS NOT DISTINCT (organization_id, agent_id);


--
-- Name: model_settings model_settings_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.model_settings
    ADD CONSTRAINT model_settings_pkey PRIMARY KEY (id);


--
-- Name: model_usage_hourly model_usage_hourly_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.model_usage_hourly
    ADD CONSTRAINT model_usage_hourly_pkey PRIMARY KEY (organization_id, hour, agent_id, provider, model, currency);


--
-- Name: organization_api_keys organization_api_keys_key_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_api_keys
    ADD CONSTRAINT organization_api_keys_key_id_key UNIQUE (key_id);


--
-- Name: organization_api_keys organization_api_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_api_keys
    ADD CONSTRAINT organization_api_keys_pkey PRIMARY KEY (id);


--
-- Name: organization_invitations organization_invitations_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_invitations
    ADD CONSTRAINT organization_invitations_pkey PRIMARY KEY (id);


--
-- Name: organization_invitations organization_invitations_token_hash_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_invitations
    ADD CONSTRAINT organization_invitations_token_hash_key UNIQUE (token_hash);


--
-- Name: organization_members organization_members_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_members
    ADD CONSTRAINT organization_members_pkey PRIMARY KEY (organization_id, user_id);


--
-- Name: organizations organizations_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT organizations_pkey PRIMARY KEY (id);


--
-- Name: organizations organizations_slug_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT organizations_slug_key UNIQUE (slug);


--
-- Name: permission_requests permission_requests_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.permission_requests
    ADD CONSTRAINT permission_requests_pkey PRIMARY KEY (id);


--
-- Name: usage_hourly usage_hourly_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.usage_hourly
    ADD CONSTRAINT usage_hourly_pkey PRIMARY KEY (organization_id, hour, agent_id, instance_id);


--
-- Name: user_profiles user_profiles_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT user_profiles_pkey PRIMARY KEY (user_id);


--
-- Name: user_secrets user_secrets_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.user_secrets
    ADD CONSTRAINT user_secrets_pkey PRIMARY KEY (user_id);


--
-- Name: user_ssh_keys user_ssh_keys_fingerprint_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.user_ssh_keys
    ADD CONSTRAINT user_ssh_keys_fingerprint_key UNIQUE (user_id, fingerprint);


--
-- Name: user_ssh_keys user_ssh_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.user_ssh_keys
    ADD CONSTRAINT user_ssh_keys_pkey PRIMARY KEY (id);


--
-- Name: workspace_members workspace_members_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_pkey PRIMARY KEY (id);


--
-- Name: workspaces workspaces_organization_id_id_key; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_organization_id_id_key UNIQUE (organization_id, id);


--
-- Name: workspaces workspaces_pkey; Type: CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_pkey PRIMARY KEY (id);


--
-- Name: audit_checkpoints audit_checkpoints_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.audit_checkpoints
    ADD CONSTRAINT audit_checkpoints_pkey PRIMARY KEY (id);


--
-- Name: audit_seals audit_seals_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.audit_seals
    ADD CONSTRAINT audit_seals_pkey PRIMARY KEY (organization_id, sequence);


--
-- Name: change_versions change_versions_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.change_versions
    ADD CONSTRAINT change_versions_pkey PRIMARY KEY (organization_id);


--
-- Name: chat_rates chat_rates_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.chat_rates
    ADD CONSTRAINT chat_rates_pkey PRIMARY KEY (organization_id);


--
-- Name: chat_turns chat_turns_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.chat_turns
    ADD CONSTRAINT chat_turns_pkey PRIMARY KEY (message_id, agent_id);


--
-- Name: denial_counts denial_counts_one_for_equal_denials; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.denial_counts
    ADD CONSTRAINT denial_counts_one_for_equal_denials UNIQUE NULLS NOT DISTINCT (organization_id, minute, kind, reason, actor_kind, user_id, agent_id, key_id, instance_id);


--
-- Name: denial_counts denial_counts_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.denial_counts
    ADD CONSTRAINT denial_counts_pkey PRIMARY KEY (id);


--
-- Name: document_chunks document_chunks_ordinal_key; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.document_chunks
    ADD CONSTRAINT document_chunks_ordinal_key UNIQUE (document_id, ordinal);


--
-- Name: document_chunks document_chunks_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.document_chunks
    ADD CONSTRAINT document_chunks_pkey PRIMARY KEY (id);


--
-- Name: dtma_nodes dtma_nodes_key_hash_key; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.dtma_nodes
    ADD CONSTRAINT dtma_nodes_key_hash_key UNIQUE (key_hash);


--
-- Name: dtma_nodes dtma_nodes_name_key; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.dtma_nodes
    ADD CONSTRAINT dtma_nodes_name_key UNIQUE (name);


--
-- Name: dtma_nodes dtma_nodes_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.dtma_nodes
    ADD CONSTRAINT dtma_nodes_pkey PRIMARY KEY (id);


--
-- Name: dtma_nodes dtma_nodes_token_hash_key; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.dtma_nodes
    ADD CONSTRAINT dtma_nodes_token_hash_key UNIQUE (token_hash);


--
-- Name: dtma_operations dtma_operations_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.dtma_operations
    ADD CONSTRAINT dtma_operations_pkey PRIMARY KEY (id);


--
-- Name: grant_usage grant_usage_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.grant_usage
    ADD CONSTRAINT grant_usage_pkey PRIMARY KEY (grant_id, period);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (organization_id, key);


--
-- Name: identities identities_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (issuer, subject);


--
-- Name: installation installation_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (only_row);


--
-- Name: instance_moves instance_moves_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.instance_moves
    ADD CONSTRAINT instance_moves_pkey PRIMARY KEY (from_status, to_status);


--
-- Name: platform_admins platform_admins_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.platform_admins
    ADD CONSTRAINT platform_admins_pkey PRIMARY KEY (user_id);


--
-- Name: replicas replicas_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.replicas
    ADD CONSTRAINT replicas_pkey PRIMARY KEY (id);


--
-- Name: security_events security_events_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.security_events
    ADD CONSTRAINT security_events_pkey PRIMARY KEY (minute, reason, key_prefix, address);


--
-- Name: settings settings_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);


--
-- Name: sign_in_attempts sign_in_attempts_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.sign_in_attempts
    ADD CONSTRAINT sign_in_attempts_pkey PRIMARY KEY (kind, subject);


--
-- Name: sign_ins sign_ins_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.sign_ins
    ADD CONSTRAINT sign_ins_pkey PRIMARY KEY (id);


--
-- Name: usage_progress usage_progress_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.usage_progress
    ADD CONSTRAINT usage_progress_pkey PRIMARY KEY (only_row);


--
-- Name: vector_removals vector_removals_pkey; Type: CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.vector_removals
    ADD CONSTRAINT vector_removals_pkey PRIMARY KEY (organization_id, vector_index, chunk_id);


--
-- Name: users_email_key; Type: INDEX; Schema: auth; Owner: weir_owner
--

CREATE UNIQUE INDEX users_email_key ON auth.users USING btree (email);


--
-- Name: agent_api_keys_agent_id_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_api_keys_agent_id_idx ON public.agent_api_keys USING btree (agent_id);


--
-- Name: agent_api_keys_agent_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_api_keys_agent_idx ON public.agent_api_keys USING btree (organization_id, agent_id);


--
-- Name: agent_api_keys_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_api_keys_created_by_idx ON public.agent_api_keys USING btree (created_by);


--
-- Name: agent_api_keys_revoked_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_api_keys_revoked_by_idx ON public.agent_api_keys USING btree (revoked_by);


--
-- Name: agent_datastores_agent_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_datastores_agent_idx ON public.agent_datastores USING btree (organization_id, agent_id);


--
-- Name: agent_datastores_datastore_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_datastores_datastore_idx ON public.agent_datastores USING btree (organization_id, datastore_id);


--
-- Name: agent_datastores_linked_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_datastores_linked_by_idx ON public.agent_datastores USING btree (linked_by);


--
-- Name: agent_mcp_permissions_active_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX agent_mcp_permissions_active_key ON public.agent_mcp_permissions USING btree (agent_id, mcp_server_instance_id) WHERE (revoked_at IS NULL);


--
-- Name: agent_mcp_permissions_agent_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_mcp_permissions_agent_idx ON public.agent_mcp_permissions USING btree (organization_id, agent_id);


--
-- Name: agent_mcp_permissions_granted_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_mcp_permissions_granted_by_idx ON public.agent_mcp_permissions USING btree (granted_by);


--
-- Name: agent_mcp_permissions_instance_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_mcp_permissions_instance_idx ON public.agent_mcp_permissions USING btree (organization_id, mcp_server_instance_id);


--
-- Name: agent_mcp_permissions_revoked_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agent_mcp_permissions_revoked_by_idx ON public.agent_mcp_permissions USING btree (revoked_by);


--
-- Name: agents_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agents_created_by_idx ON public.agents USING btree (created_by);


--
-- Name: agents_name_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX agents_name_key ON public.agents USING btree (organization_id, lower(name));


--
-- Name: agents_owner_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX agents_owner_idx ON public.agents USING btree (organization_id, owner_id);


--
-- Name: chat_channels_agent_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_channels_agent_idx ON public.chat_channels USING btree (organization_id, agent_id);


--
-- Name: chat_channels_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_channels_created_by_idx ON public.chat_channels USING btree (created_by);


--
-- Name: chat_channels_name_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX chat_channels_name_key ON public.chat_channels USING btree (workspace_id, lower(name)) WHERE (user_id IS NULL);


--
-- Name: chat_channels_user_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_channels_user_idx ON public.chat_channels USING btree (user_id);


--
-- Name: chat_messages_agent_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_messages_agent_idx ON public.chat_messages USING btree (organization_id, agent_id);


--
-- Name: chat_messages_answer_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX chat_messages_answer_key ON public.chat_messages USING btree (reply_to, agent_id) WHERE ((sender = 'agent'::text) AND (reply_to IS NOT NULL));


--
-- Name: chat_messages_channel_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_messages_channel_idx ON public.chat_messages USING btree (organization_id, workspace_id, channel_id);


--
-- Name: chat_messages_client_message_id_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX chat_messages_client_message_id_key ON public.chat_messages USING btree (channel_id, user_id, client_message_id) WHERE (client_message_id IS NOT NULL);


--
-- Name: chat_messages_reply_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_messages_reply_idx ON public.chat_messages USING btree (channel_id, reply_to);


--
-- Name: chat_messages_user_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_messages_user_idx ON public.chat_messages USING btree (user_id);


--
-- Name: chat_messages_workspace_id_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX chat_messages_workspace_id_idx ON public.chat_messages USING btree (workspace_id);


--
-- Name: datastores_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX datastores_created_by_idx ON public.datastores USING btree (created_by);


--
-- Name: datastores_deleted_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX datastores_deleted_idx ON public.datastores USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);


--
-- Name: datastores_name_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX datastores_name_key ON public.datastores USING btree (organization_id, lower(name)) WHERE (deleted_at IS NULL);


--
-- Name: documents_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX documents_created_by_idx ON public.documents USING btree (created_by);


--
-- Name: documents_embed_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX documents_embed_idx ON public.documents USING btree (organization_id, embed_after) WHERE (embed_after < 'infinity'::timestamp with time zone);


--
-- Name: mcp_interaction_logs_organization_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_interaction_logs_organization_idx ON ONLY public.mcp_interaction_logs USING btree (organization_id, created_at, agent_id, instance_id, user_id);


--
-- Name: mcp_server_instances_catalog_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_instances_catalog_idx ON public.mcp_server_instances USING btree (catalog_id);


--
-- Name: mcp_server_instances_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_instances_created_by_idx ON public.mcp_server_instances USING btree (created_by);


--
-- Name: mcp_server_instances_deployed_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_instances_deployed_by_idx ON public.mcp_server_instances USING btree (deployed_by);


--
-- Name: mcp_server_instances_last_node_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_instances_last_node_idx ON public.mcp_server_instances USING btree (last_node_id);


--
-- Name: mcp_server_instances_name_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX mcp_server_instances_name_key ON public.mcp_server_instances USING btree (organization_id, name) WHERE (status <> ALL (ARRAY['deleting'::text, 'deleted'::text]));


--
-- Name: mcp_server_instances_node_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_instances_node_idx ON public.mcp_server_instances USING btree (node_id);


--
-- Name: mcp_server_instances_status_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_instances_status_idx ON public.mcp_server_instances USING btree (organization_id, status);


--
-- Name: mcp_server_tools_approved_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_tools_approved_by_idx ON public.mcp_server_tools USING btree (approved_by);


--
-- Name: mcp_server_tools_instance_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX mcp_server_tools_instance_idx ON public.mcp_server_tools USING btree (organization_id, instance_id);


--
-- Name: model_settings_updated_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX model_settings_updated_by_idx ON public.model_settings USING btree (updated_by);


--
-- Name: organization_api_keys_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX organization_api_keys_created_by_idx ON public.organization_api_keys USING btree (organization_id, created_by);


--
-- Name: organization_api_keys_revoked_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX organization_api_keys_revoked_by_idx ON public.organization_api_keys USING btree (revoked_by);


--
-- Name: organization_invitations_invited_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX organization_invitations_invited_by_idx ON public.organization_invitations USING btree (organization_id, invited_by);


--
-- Name: organization_invitations_open_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX organization_invitations_open_key ON public.organization_invitations USING btree (organization_id, email) WHERE ((accepted_at IS NULL) AND (revoked_at IS NULL));


--
-- Name: organization_members_invited_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX organization_members_invited_by_idx ON public.organization_members USING btree (invited_by);


--
-- Name: organization_members_user_id_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX organization_members_user_id_idx ON public.organization_members USING btree (user_id);


--
-- Name: organizations_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX organizations_created_by_idx ON public.organizations USING btree (created_by);


--
-- Name: permission_requests_agent_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX permission_requests_agent_idx ON public.permission_requests USING btree (organization_id, agent_id);


--
-- Name: permission_requests_decided_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX permission_requests_decided_by_idx ON public.permission_requests USING btree (decided_by);


--
-- Name: permission_requests_instance_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX permission_requests_instance_idx ON public.permission_requests USING btree (organization_id, mcp_server_instance_id);


--
-- Name: permission_requests_open_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX permission_requests_open_key ON public.permission_requests USING btree (agent_id, mcp_server_instance_id) WHERE (status = 'open'::text);


--
-- Name: permission_requests_requested_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX permission_requests_requested_by_idx ON public.permission_requests USING btree (requested_by);


--
-- Name: user_ssh_keys_name_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX user_ssh_keys_name_key ON public.user_ssh_keys USING btree (user_id, lower(name));


--
-- Name: workspace_members_agent_id_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX workspace_members_agent_id_idx ON public.workspace_members USING btree (agent_id);


--
-- Name: workspace_members_agent_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX workspace_members_agent_idx ON public.workspace_members USING btree (organization_id, agent_id);


--
-- Name: workspace_members_agent_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX workspace_members_agent_key ON public.workspace_members USING btree (workspace_id, agent_id) WHERE (agent_id IS NOT NULL);


--
-- Name: workspace_members_user_id_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX workspace_members_user_id_idx ON public.workspace_members USING btree (user_id);


--
-- Name: workspace_members_user_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX workspace_members_user_idx ON public.workspace_members USING btree (organization_id, user_id);


--
-- Name: workspace_members_user_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX workspace_members_user_key ON public.workspace_members USING btree (workspace_id, user_id) WHERE (user_id IS NOT NULL);


--
-- Name: workspace_members_workspace_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX workspace_members_workspace_idx ON public.workspace_members USING btree (organization_id, workspace_id);


--
-- Name: workspaces_created_by_idx; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE INDEX workspaces_created_by_idx ON public.workspaces USING btree (created_by);


--
-- Name: workspaces_name_key; Type: INDEX; Schema: public; Owner: weir_owner
--

CREATE UNIQUE INDEX workspaces_name_key ON public.workspaces USING btree (organization_id, lower(name));


--
-- Name: chat_turns_agent_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX chat_turns_agent_idx ON weir.chat_turns USING btree (organization_id, agent_id);


--
-- Name: chat_turns_message_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX chat_turns_message_idx ON weir.chat_turns USING btree (organization_id, message_id);


--
-- Name: denial_counts_minute_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX denial_counts_minute_idx ON weir.denial_counts USING btree (minute);


--
-- Name: document_chunks_document_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX document_chunks_document_idx ON weir.document_chunks USING btree (organization_id, datastore_id, document_id);


--
-- Name: document_chunks_embedded_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX document_chunks_embedded_idx ON weir.document_chunks USING btree (datastore_id, embedded_version) WHERE (embedding IS NOT NULL);


--
-- Name: document_chunks_known_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX document_chunks_known_idx ON weir.document_chunks USING btree (organization_id, content_hash) WHERE (embedding IS NOT NULL);


--
-- Name: document_chunks_terms_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX document_chunks_terms_idx ON weir.document_chunks USING gin (terms);


--
-- Name: dtma_operations_created_by_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX dtma_operations_created_by_idx ON weir.dtma_operations USING btree (created_by);


--
-- Name: dtma_operations_generation_key; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE UNIQUE INDEX dtma_operations_generation_key ON weir.dtma_operations USING btree (instance_id, generation, action) WHERE (action <> 'restart'::text);


--
-- Name: dtma_operations_instance_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX dtma_operations_instance_idx ON weir.dtma_operations USING btree (organization_id, instance_id);


--
-- Name: dtma_operations_open_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX dtma_operations_open_idx ON weir.dtma_operations USING btree (run_at) WHERE (finished_at IS NULL);


--
-- Name: dtma_operations_restart_key; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE UNIQUE INDEX dtma_operations_restart_key ON weir.dtma_operations USING btree (instance_id) WHERE ((action = 'restart'::text) AND (finished_at IS NULL));


--
-- Name: grant_usage_organization_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX grant_usage_organization_idx ON weir.grant_usage USING btree (organization_id);


--
-- Name: idempotency_keys_created_at_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX idempotency_keys_created_at_idx ON weir.idempotency_keys USING btree (created_at);


--
-- Name: identities_user_id_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX identities_user_id_idx ON weir.identities USING btree (user_id);


--
-- Name: sign_in_attempts_window_ends_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX sign_in_attempts_window_ends_idx ON weir.sign_in_attempts USING btree (window_ends);


--
-- Name: sign_ins_expires_at_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX sign_ins_expires_at_idx ON weir.sign_ins USING btree (expires_at);


--
-- Name: sign_ins_user_id_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX sign_ins_user_id_idx ON weir.sign_ins USING btree (user_id, created_at DESC);


--
-- Name: vector_removals_after_idx; Type: INDEX; Schema: weir; Owner: weir_owner
--

CREATE INDEX vector_removals_after_idx ON weir.vector_removals USING btree (remove_after);


--
-- Name: agent_mcp_permissions a_guard_grant; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER a_guard_grant BEFORE UPDATE ON public.agent_mcp_permissions FOR EACH ROW EXECUTE FUNCTION weir.guard_grant();


--
-- Name: mcp_server_instances a_guard_instance; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER a_guard_instance BEFORE UPDATE ON public.mcp_server_instances FOR EACH ROW EXECUTE FUNCTION weir.guard_instance();


--
-- Name: organization_invitations a_guard_invitation; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER a_guard_invitation BEFORE UPDATE ON public.organization_invitations FOR EACH ROW EXECUTE FUNCTION weir.guard_invitation();


--
-- Name: agent_api_keys a_guard_key; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER a_guard_key BEFORE UPDATE ON public.agent_api_keys FOR EACH ROW EXECUTE FUNCTION weir.guard_key();


--
-- Name: organization_api_keys a_guard_organization_key; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER a_guard_organization_key BEFORE UPDATE ON public.organization_api_keys FOR EACH ROW EXECUTE FUNCTION weir.guard_organization_key();


--
-- Name: mcp_server_tools a_guard_pin; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER a_guard_pin BEFORE UPDATE ON public.mcp_server_tools FOR EACH ROW EXECUTE FUNCTION weir.guard_pin();


--
-- Name: permission_requests a_guard_request; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER a_guard_request BEFORE UPDATE ON public.permission_requests FOR EACH ROW EXECUTE FUNCTION weir.guard_request();


--
-- Name: agents b_agent_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_agent_change BEFORE INSERT OR DELETE OR UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: mcp_server_catalog b_catalog_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_catalog_change BEFORE INSERT OR DELETE OR UPDATE ON public.mcp_server_catalog FOR EACH ROW EXECUTE FUNCTION weir.on_catalog_change();


--
-- Name: agent_mcp_permissions b_grant_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_grant_change BEFORE INSERT OR DELETE OR UPDATE ON public.agent_mcp_permissions FOR EACH ROW EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: mcp_server_instances b_instance_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_instance_change BEFORE INSERT OR DELETE ON public.mcp_server_instances FOR EACH ROW EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: mcp_server_instances b_instance_timeout_update; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_instance_timeout_update BEFORE UPDATE ON public.mcp_server_instances FOR EACH ROW WHEN ((old.timeout_ms IS DISTINCT FROM new.timeout_ms)) EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: mcp_server_instances b_instance_update; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_instance_update BEFORE UPDATE ON public.mcp_server_instances FOR EACH ROW WHEN (((((((((((old.organization_id IS DISTINCT FROM new.organization_id) OR (old.name IS DISTINCT FROM new.name)) OR (old.catalog_id IS DISTINCT FROM new.catalog_id)) OR (old.url IS DISTINCT FROM new.url)) OR (old.status IS DISTINCT FROM new.status)) OR (old.share IS DISTINCT FROM new.share)) OR (old.priority IS DISTINCT FROM new.priority)) OR (old.node_id IS DISTINCT FROM new.node_id)) OR (old.chat_offline IS DISTINCT FROM new.chat_offline)) OR (old.resets IS DISTINCT FROM new.resets))) EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: agent_api_keys b_key_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_key_change BEFORE INSERT OR DELETE OR UPDATE ON public.agent_api_keys FOR EACH ROW EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: organization_members b_member_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_member_change BEFORE INSERT OR DELETE OR UPDATE ON public.organization_members FOR EACH ROW EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: organizations b_organization_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_organization_change BEFORE DELETE OR UPDATE ON public.organizations FOR EACH ROW EXECUTE FUNCTION weir.on_organization_change();


--
-- Name: mcp_server_tools b_pin_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_pin_change BEFORE INSERT OR UPDATE ON public.mcp_server_tools FOR EACH ROW WHEN ((new.kind <> 'resource'::text)) EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: mcp_server_tools b_pin_removal; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_pin_removal BEFORE DELETE ON public.mcp_server_tools FOR EACH ROW WHEN ((old.kind <> 'resource'::text)) EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: workspace_members b_workspace_member_change; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER b_workspace_member_change BEFORE INSERT OR DELETE OR UPDATE ON public.workspace_members FOR EACH ROW EXECUTE FUNCTION weir.on_permission_change();


--
-- Name: organization_members c_guard_last_owner; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER c_guard_last_owner AFTER DELETE OR UPDATE ON public.organization_members FOR EACH ROW WHEN (((old.role = 'owner'::text) AND (old.status = 'active'::text))) EXECUTE FUNCTION weir.guard_last_owner();


--
-- Name: mcp_server_instances c_instance_reset; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER c_instance_reset BEFORE UPDATE ON public.mcp_server_instances FOR EACH ROW WHEN ((new.resets IS DISTINCT FROM old.resets)) EXECUTE FUNCTION weir.on_instance_reset();


--
-- Name: agent_mcp_permissions c_limited_grant; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER c_limited_grant AFTER INSERT ON public.agent_mcp_permissions FOR EACH ROW WHEN (((new.permissions -> 'limits'::text) <> '{}'::jsonb)) EXECUTE FUNCTION weir.make_counters();


--
-- Name: documents count_document; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER count_document AFTER INSERT OR DELETE ON public.documents FOR EACH ROW EXECUTE FUNCTION weir.count_document();


--
-- Name: mcp_interaction_logs log_is_append_only; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER log_is_append_only BEFORE DELETE OR UPDATE ON public.mcp_interaction_logs FOR EACH ROW EXECUTE FUNCTION weir.refuse_change();


--
-- Name: mcp_interaction_logs log_is_not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER log_is_not_truncated BEFORE TRUNCATE ON public.mcp_interaction_logs FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: agent_api_keys not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.agent_api_keys FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: agent_mcp_permissions not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.agent_mcp_permissions FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: agents not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.agents FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: mcp_server_catalog not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.mcp_server_catalog FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: mcp_server_instances not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.mcp_server_instances FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: mcp_server_tools not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.mcp_server_tools FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: organization_members not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.organization_members FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: organizations not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.organizations FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: workspace_members not_truncated; Type: TRIGGER; Schema: public; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON public.workspace_members FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: audit_checkpoints checkpoints_are_append_only; Type: TRIGGER; Schema: weir; Owner: weir_owner
--

CREATE TRIGGER checkpoints_are_append_only BEFORE DELETE OR UPDATE ON weir.audit_checkpoints FOR EACH ROW EXECUTE FUNCTION weir.refuse_change();


--
-- Name: audit_checkpoints checkpoints_are_not_truncated; Type: TRIGGER; Schema: weir; Owner: weir_owner
--

CREATE TRIGGER checkpoints_are_not_truncated BEFORE TRUNCATE ON weir.audit_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: grant_usage not_truncated; Type: TRIGGER; Schema: weir; Owner: weir_owner
--

CREATE TRIGGER not_truncated BEFORE TRUNCATE ON weir.grant_usage FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: document_chunks remember_removal; Type: TRIGGER; Schema: weir; Owner: weir_owner
--

CREATE TRIGGER remember_removal AFTER DELETE ON weir.document_chunks FOR EACH ROW WHEN ((old.vector_index IS NOT NULL)) EXECUTE FUNCTION weir.remember_removal();


--
-- Name: audit_seals seals_are_append_only; Type: TRIGGER; Schema: weir; Owner: weir_owner
--

CREATE TRIGGER seals_are_append_only BEFORE DELETE OR UPDATE ON weir.audit_seals FOR EACH ROW EXECUTE FUNCTION weir.refuse_change();


--
-- Name: audit_seals seals_are_not_truncated; Type: TRIGGER; Schema: weir; Owner: weir_owner
--

CREATE TRIGGER seals_are_not_truncated BEFORE TRUNCATE ON weir.audit_seals FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_truncate();


--
-- Name: agent_api_keys agent_api_keys_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_api_keys
    ADD CONSTRAINT agent_api_keys_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE CASCADE;


--
-- Name: agent_api_keys agent_api_keys_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_api_keys
    ADD CONSTRAINT agent_api_keys_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: agent_api_keys agent_api_keys_revoked_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_api_keys
    ADD CONSTRAINT agent_api_keys_revoked_by FOREIGN KEY (revoked_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: agent_datastores agent_datastores_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_datastores
    ADD CONSTRAINT agent_datastores_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE CASCADE;


--
-- Name: agent_datastores agent_datastores_datastore_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_datastores
    ADD CONSTRAINT agent_datastores_datastore_of_the_organization FOREIGN KEY (organization_id, datastore_id) REFERENCES public.datastores(organization_id, id) ON DELETE CASCADE;


--
-- Name: agent_datastores agent_datastores_linked_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_datastores
    ADD CONSTRAINT agent_datastores_linked_by FOREIGN KEY (linked_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: agent_mcp_permissions agent_mcp_permissions_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_mcp_permissions
    ADD CONSTRAINT agent_mcp_permissions_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE CASCADE;


--
-- Name: agent_mcp_permissions agent_mcp_permissions_granted_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_mcp_permissions
    ADD CONSTRAINT agent_mcp_permissions_granted_by FOREIGN KEY (granted_by) REFERENCES auth.users(id) ON DELETE SET NULL (granted_by);


--
-- Name: agent_mcp_permissions agent_mcp_permissions_instance_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_mcp_permissions
    ADD CONSTRAINT agent_mcp_permissions_instance_of_the_organization FOREIGN KEY (organization_id, mcp_server_instance_id) REFERENCES public.mcp_server_instances(organization_id, id) ON DELETE CASCADE;


--
-- Name: agent_mcp_permissions agent_mcp_permissions_revoked_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agent_mcp_permissions
    ADD CONSTRAINT agent_mcp_permissions_revoked_by FOREIGN KEY (revoked_by) REFERENCES auth.users(id) ON DELETE SET NULL (revoked_by);


--
-- Name: agents agents_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: agents agents_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: agents agents_owner_is_a_member; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_owner_is_a_member FOREIGN KEY (organization_id, owner_id) REFERENCES public.organization_members(organization_id, user_id) ON DELETE SET NULL (owner_id);


--
-- Name: chat_channels chat_channels_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE SET NULL (agent_id);


--
-- Name: chat_channels chat_channels_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: chat_channels chat_channels_user; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: chat_channels chat_channels_workspace_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_workspace_of_the_organization FOREIGN KEY (organization_id, workspace_id) REFERENCES public.workspaces(organization_id, id) ON DELETE CASCADE;


--
-- Name: chat_messages chat_messages_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE SET NULL (agent_id);


--
-- Name: chat_messages chat_messages_channel_of_the_workspace; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_channel_of_the_workspace FOREIGN KEY (organization_id, workspace_id, channel_id) REFERENCES public.chat_channels(organization_id, workspace_id, id) ON DELETE CASCADE;


--
-- Name: chat_messages chat_messages_reply_in_the_channel; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_reply_in_the_channel FOREIGN KEY (channel_id, reply_to) REFERENCES public.chat_messages(channel_id, id) ON DELETE SET NULL (reply_to);


--
-- Name: chat_messages chat_messages_user; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: datastores datastores_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.datastores
    ADD CONSTRAINT datastores_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: datastores datastores_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.datastores
    ADD CONSTRAINT datastores_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: documents documents_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: documents documents_datastore_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_datastore_of_the_organization FOREIGN KEY (organization_id, datastore_id) REFERENCES public.datastores(organization_id, id) ON DELETE CASCADE;


--
-- Name: mcp_server_instances mcp_server_instances_catalog; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_catalog FOREIGN KEY (catalog_id) REFERENCES public.mcp_server_catalog(id);


--
-- Name: mcp_server_instances mcp_server_instances_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: mcp_server_instances mcp_server_instances_deployed_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_deployed_by FOREIGN KEY (deployed_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: mcp_server_instances mcp_server_instances_last_node; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_last_node FOREIGN KEY (last_node_id) REFERENCES weir.dtma_nodes(id);


--
-- Name: mcp_server_instances mcp_server_instances_node; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_node FOREIGN KEY (node_id) REFERENCES weir.dtma_nodes(id);


--
-- Name: mcp_server_instances mcp_server_instances_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_instances
    ADD CONSTRAINT mcp_server_instances_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: mcp_server_tools mcp_server_tools_approved_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_tools
    ADD CONSTRAINT mcp_server_tools_approved_by FOREIGN KEY (approved_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: mcp_server_tools mcp_server_tools_instance_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.mcp_server_tools
    ADD CONSTRAINT mcp_server_tools_instance_of_the_organization FOREIGN KEY (organization_id, instance_id) REFERENCES public.mcp_server_instances(organization_id, id) ON DELETE CASCADE;


--
-- Name: model_settings model_settings_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.model_settings
    ADD CONSTRAINT model_settings_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE CASCADE;


--
-- Name: model_settings model_settings_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.model_settings
    ADD CONSTRAINT model_settings_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: model_settings model_settings_updated_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.model_settings
    ADD CONSTRAINT model_settings_updated_by FOREIGN KEY (updated_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: model_usage_hourly model_usage_hourly_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.model_usage_hourly
    ADD CONSTRAINT model_usage_hourly_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: organization_api_keys organization_api_keys_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_api_keys
    ADD CONSTRAINT organization_api_keys_created_by FOREIGN KEY (organization_id, created_by) REFERENCES public.organization_members(organization_id, user_id) ON DELETE SET NULL (created_by);


--
-- Name: organization_api_keys organization_api_keys_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_api_keys
    ADD CONSTRAINT organization_api_keys_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: organization_api_keys organization_api_keys_revoked_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_api_keys
    ADD CONSTRAINT organization_api_keys_revoked_by FOREIGN KEY (revoked_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: organization_invitations organization_invitations_invited_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_invitations
    ADD CONSTRAINT organization_invitations_invited_by FOREIGN KEY (organization_id, invited_by) REFERENCES public.organization_members(organization_id, user_id) ON DELETE SET NULL (invited_by);


--
-- Name: organization_invitations organization_invitations_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_invitations
    ADD CONSTRAINT organization_invitations_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: organization_members organization_members_invited_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_members
    ADD CONSTRAINT organization_members_invited_by FOREIGN KEY (invited_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: organization_members organization_members_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_members
    ADD CONSTRAINT organization_members_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: organization_members organization_members_user; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organization_members
    ADD CONSTRAINT organization_members_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: organizations organizations_created_by_a_user; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT organizations_created_by_a_user FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: permission_requests permission_requests_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.permission_requests
    ADD CONSTRAINT permission_requests_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE CASCADE;


--
-- Name: permission_requests permission_requests_decided_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.permission_requests
    ADD CONSTRAINT permission_requests_decided_by FOREIGN KEY (decided_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: permission_requests permission_requests_instance_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.permission_requests
    ADD CONSTRAINT permission_requests_instance_of_the_organization FOREIGN KEY (organization_id, mcp_server_instance_id) REFERENCES public.mcp_server_instances(organization_id, id) ON DELETE CASCADE;


--
-- Name: permission_requests permission_requests_requested_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.permission_requests
    ADD CONSTRAINT permission_requests_requested_by FOREIGN KEY (requested_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: usage_hourly usage_hourly_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.usage_hourly
    ADD CONSTRAINT usage_hourly_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: user_profiles user_profiles_user; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT user_profiles_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: user_secrets user_secrets_user; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.user_secrets
    ADD CONSTRAINT user_secrets_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: user_ssh_keys user_ssh_keys_user; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.user_ssh_keys
    ADD CONSTRAINT user_ssh_keys_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: workspace_members workspace_members_agent_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE CASCADE;


--
-- Name: workspace_members workspace_members_user_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_user_of_the_organization FOREIGN KEY (organization_id, user_id) REFERENCES public.organization_members(organization_id, user_id) ON DELETE CASCADE;


--
-- Name: workspace_members workspace_members_workspace_of_the_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_workspace_of_the_organization FOREIGN KEY (organization_id, workspace_id) REFERENCES public.workspaces(organization_id, id) ON DELETE CASCADE;


--
-- Name: workspaces workspaces_created_by; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: workspaces workspaces_organization; Type: FK CONSTRAINT; Schema: public; Owner: weir_owner
--

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: chat_rates chat_rates_organization; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.chat_rates
    ADD CONSTRAINT chat_rates_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: chat_turns chat_turns_agent_of_the_organization; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.chat_turns
    ADD CONSTRAINT chat_turns_agent_of_the_organization FOREIGN KEY (organization_id, agent_id) REFERENCES public.agents(organization_id, id) ON DELETE CASCADE;


--
-- Name: chat_turns chat_turns_message_of_the_organization; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.chat_turns
    ADD CONSTRAINT chat_turns_message_of_the_organization FOREIGN KEY (organization_id, message_id) REFERENCES public.chat_messages(organization_id, id) ON DELETE CASCADE;


--
-- Name: document_chunks document_chunks_document_of_the_datastore; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.document_chunks
    ADD CONSTRAINT document_chunks_document_of_the_datastore FOREIGN KEY (organization_id, datastore_id, document_id) REFERENCES public.documents(organization_id, datastore_id, id) ON DELETE CASCADE;


--
-- Name: dtma_operations dtma_operations_created_by; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.dtma_operations
    ADD CONSTRAINT dtma_operations_created_by FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: dtma_operations dtma_operations_instance_of_the_organization; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.dtma_operations
    ADD CONSTRAINT dtma_operations_instance_of_the_organization FOREIGN KEY (organization_id, instance_id) REFERENCES public.mcp_server_instances(organization_id, id) ON DELETE CASCADE;


--
-- Name: idempotency_keys idempotency_keys_organization; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.idempotency_keys
    ADD CONSTRAINT idempotency_keys_organization FOREIGN KEY (organization_id) REFERENCES public.organizations(id) ON DELETE CASCADE;


--
-- Name: identities identities_user; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.identities
    ADD CONSTRAINT identities_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: platform_admins platform_admins_user; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.platform_admins
    ADD CONSTRAINT platform_admins_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: sign_ins sign_ins_user; Type: FK CONSTRAINT; Schema: weir; Owner: weir_owner
--

ALTER TABLE ONLY weir.sign_ins
    ADD CONSTRAINT sign_ins_user FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: users everything_is_read_by_the_backup; Type: POLICY; Schema: auth; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON auth.users FOR SELECT TO weir_backup USING (true);


--
-- Name: users; Type: ROW SECURITY; Schema: auth; Owner: weir_owner
--

ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;

--
-- Name: users users_are_read_by_the_issuer; Type: POLICY; Schema: auth; Owner: weir_owner
--

CREATE POLICY users_are_read_by_the_issuer ON auth.users TO weir_system USING (true) WITH CHECK (true);


--
-- Name: users users_are_read_by_their_owner; Type: POLICY; Schema: auth; Owner: weir_owner
--

CREATE POLICY users_are_read_by_their_owner ON auth.users FOR SELECT TO weir_owner USING (true);


--
-- Name: agent_api_keys; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.agent_api_keys ENABLE ROW LEVEL SECURITY;

--
-- Name: agent_datastores; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.agent_datastores ENABLE ROW LEVEL SECURITY;

--
-- Name: agent_api_keys agent_keys_are_made_by_admins_and_the_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY agent_keys_are_made_by_admins_and_the_owner ON public.agent_api_keys FOR INSERT TO weir_writer WITH CHECK (((created_by = ( SELECT weir.actor_id() AS actor_id)) AND ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))))));


--
-- Name: agent_api_keys agent_keys_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY agent_keys_are_read_by_the_engine ON public.agent_api_keys TO weir_system USING (true) WITH CHECK (true);


--
-- Name: agent_api_keys agent_keys_are_revoked_by_admins_and_the_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY agent_keys_are_revoked_by_admins_and_the_owner ON public.agent_api_keys FOR UPDATE TO weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))))) WITH CHECK ((revoked_by = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: agent_api_keys agent_keys_are_seen_by_admins_and_the_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY agent_keys_are_seen_by_admins_and_the_owner ON public.agent_api_keys FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))))));


--
-- Name: agent_mcp_permissions; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.agent_mcp_permissions ENABLE ROW LEVEL SECURITY;

--
-- Name: agents; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.agents ENABLE ROW LEVEL SECURITY;

--
-- Name: agents agents_are_created_by_their_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY agents_are_created_by_their_owner ON public.agents FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('member'::text) AS my_organizations))) AND (owner_id = ( SELECT weir.actor_id() AS actor_id)) AND (created_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: agents agents_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY agents_are_read_by_the_engine ON public.agents TO weir_system USING (true) WITH CHECK (true);


--
-- Name: agents agents_are_seen_by_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY agents_are_seen_by_members ON public.agents FOR SELECT TO authenticated, weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))));


--
-- Name: mcp_server_catalog catalog_is_kept_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY catalog_is_kept_by_the_engine ON public.mcp_server_catalog TO weir_system USING (true) WITH CHECK (true);


--
-- Name: mcp_server_catalog catalog_is_read_by_the_writer; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY catalog_is_read_by_the_writer ON public.mcp_server_catalog FOR SELECT TO weir_writer USING (true);


--
-- Name: mcp_server_catalog catalog_is_seen_where_published; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY catalog_is_seen_where_published ON public.mcp_server_catalog FOR SELECT TO authenticated USING (is_published);


--
-- Name: chat_channels channels_are_created_by_workspace_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY channels_are_created_by_workspace_members ON public.chat_channels FOR INSERT TO weir_writer WITH CHECK (((workspace_id = ANY (ARRAY( SELECT weir.my_workspaces() AS my_workspaces))) AND (organization_id = ANY (ARRAY( SELECT weir.my_organizations('member'::text) AS my_organizations))) AND (created_by = ( SELECT weir.actor_id() AS actor_id)) AND ((user_id IS NULL) OR (user_id = ( SELECT weir.actor_id() AS actor_id)))));


--
-- Name: chat_channels channels_are_seen_by_workspace_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY channels_are_seen_by_workspace_members ON public.chat_channels FOR SELECT TO authenticated, weir_writer USING (((workspace_id = ANY (ARRAY( SELECT weir.my_workspaces() AS my_workspaces))) AND ((user_id IS NULL) OR (user_id = ( SELECT weir.actor_id() AS actor_id)))));


--
-- Name: chat_channels; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.chat_channels ENABLE ROW LEVEL SECURITY;

--
-- Name: chat_messages; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.chat_messages ENABLE ROW LEVEL SECURITY;

--
-- Name: datastores; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.datastores ENABLE ROW LEVEL SECURITY;

--
-- Name: datastores datastores_are_created_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY datastores_are_created_by_admins ON public.datastores FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (created_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: datastores datastores_are_deleted_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY datastores_are_deleted_by_admins ON public.datastores FOR UPDATE TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations)))) WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (deleted_at IS NOT NULL)));


--
-- Name: datastores datastores_are_kept_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY datastores_are_kept_by_the_engine ON public.datastores TO weir_system USING (true) WITH CHECK (true);


--
-- Name: datastores datastores_are_seen_by_admins_and_users_of_their_agents; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY datastores_are_seen_by_admins_and_users_of_their_agents ON public.datastores FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (id = ANY (ARRAY( SELECT weir.my_datastores() AS my_datastores))))));


--
-- Name: documents; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.documents ENABLE ROW LEVEL SECURITY;

--
-- Name: documents documents_are_deleted_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY documents_are_deleted_by_admins ON public.documents FOR DELETE TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: documents documents_are_ingested_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY documents_are_ingested_by_admins ON public.documents FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (datastore_id = ANY (ARRAY( SELECT weir.my_datastores() AS my_datastores))) AND (created_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: documents documents_are_kept_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY documents_are_kept_by_the_engine ON public.documents TO weir_system USING (true) WITH CHECK (true);


--
-- Name: documents documents_are_seen_with_their_datastore; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY documents_are_seen_with_their_datastore ON public.documents FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND (datastore_id = ANY (ARRAY( SELECT weir.my_datastores() AS my_datastores)))));


--
-- Name: agent_api_keys everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.agent_api_keys FOR SELECT TO weir_backup USING (true);


--
-- Name: agent_datastores everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.agent_datastores FOR SELECT TO weir_backup USING (true);


--
-- Name: agent_mcp_permissions everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.agent_mcp_permissions FOR SELECT TO weir_backup USING (true);


--
-- Name: agents everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.agents FOR SELECT TO weir_backup USING (true);


--
-- Name: chat_channels everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.chat_channels FOR SELECT TO weir_backup USING (true);


--
-- Name: chat_messages everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.chat_messages FOR SELECT TO weir_backup USING (true);


--
-- Name: datastores everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.datastores FOR SELECT TO weir_backup USING (true);


--
-- Name: documents everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.documents FOR SELECT TO weir_backup USING (true);


--
-- Name: mcp_interaction_logs everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.mcp_interaction_logs FOR SELECT TO weir_backup USING (true);


--
-- Name: mcp_server_catalog everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.mcp_server_catalog FOR SELECT TO weir_backup USING (true);


--
-- Name: mcp_server_instances everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.mcp_server_instances FOR SELECT TO weir_backup USING (true);


--
-- Name: mcp_server_tools everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.mcp_server_tools FOR SELECT TO weir_backup USING (true);


--
-- Name: model_settings everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.model_settings FOR SELECT TO weir_backup USING (true);


--
-- Name: model_usage_hourly everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.model_usage_hourly FOR SELECT TO weir_backup USING (true);


--
-- Name: organization_api_keys everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.organization_api_keys FOR SELECT TO weir_backup USING (true);


--
-- Name: organization_invitations everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.organization_invitations FOR SELECT TO weir_backup USING (true);


--
-- Name: organization_members everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.organization_members FOR SELECT TO weir_backup USING (true);


--
-- Name: organizations everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.organizations FOR SELECT TO weir_backup USING (true);


--
-- Name: permission_requests everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.permission_requests FOR SELECT TO weir_backup USING (true);


--
-- Name: usage_hourly everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.usage_hourly FOR SELECT TO weir_backup USING (true);


--
-- Name: user_profiles everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.user_profiles FOR SELECT TO weir_backup USING (true);


--
-- Name: user_secrets everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.user_secrets FOR SELECT TO weir_backup USING (true);


--
-- Name: user_ssh_keys everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.user_ssh_keys FOR SELECT TO weir_backup USING (true);


--
-- Name: workspace_members everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.workspace_members FOR SELECT TO weir_backup USING (true);


--
-- Name: workspaces everything_is_read_by_the_backup; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON public.workspaces FOR SELECT TO weir_backup USING (true);


--
-- Name: agent_mcp_permissions grants_are_made_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY grants_are_made_by_admins ON public.agent_mcp_permissions FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (granted_by = ( SELECT weir.actor_id() AS actor_id)) AND (granted_by_id = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: agent_mcp_permissions grants_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY grants_are_read_by_the_engine ON public.agent_mcp_permissions TO weir_system USING (true) WITH CHECK (true);


--
-- Name: agent_mcp_permissions grants_are_revoked_by_admins_and_the_agent_s_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY grants_are_revoked_by_admins_and_the_agent_s_owner ON public.agent_mcp_permissions FOR UPDATE TO weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))))) WITH CHECK (((revoked_at IS NOT NULL) AND (revoked_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: agent_mcp_permissions grants_are_seen_by_admins_and_the_agent_s_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY grants_are_seen_by_admins_and_the_agent_s_owner ON public.agent_mcp_permissions FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))))));


--
-- Name: mcp_server_instances instances_are_changed_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY instances_are_changed_by_admins ON public.mcp_server_instances FOR UPDATE TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations)))) WITH CHECK ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: mcp_server_instances instances_are_created_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY instances_are_created_by_admins ON public.mcp_server_instances FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (created_by = ( SELECT weir.actor_id() AS actor_id)) AND (status = 'pending'::text)));


--
-- Name: mcp_server_instances instances_are_kept_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY instances_are_kept_by_the_engine ON public.mcp_server_instances TO weir_system USING (true) WITH CHECK (true);


--
-- Name: mcp_server_instances instances_are_seen_by_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY instances_are_seen_by_members ON public.mcp_server_instances FOR SELECT TO authenticated, weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))));


--
-- Name: organization_invitations invitations_are_accepted_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY invitations_are_accepted_by_the_engine ON public.organization_invitations TO weir_system USING (true) WITH CHECK (true);


--
-- Name: organization_invitations invitations_are_made_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY invitations_are_made_by_admins ON public.organization_invitations FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (invited_by = ( SELECT weir.actor_id() AS actor_id)) AND ((role <> 'owner'::text) OR (organization_id = ANY (ARRAY( SELECT weir.my_organizations('owner'::text) AS my_organizations))))));


--
-- Name: organization_invitations invitations_are_revoked_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY invitations_are_revoked_by_admins ON public.organization_invitations FOR UPDATE TO weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND ((role <> 'owner'::text) OR (organization_id = ANY (ARRAY( SELECT weir.my_organizations('owner'::text) AS my_organizations)))))) WITH CHECK ((revoked_at IS NOT NULL));


--
-- Name: organization_invitations invitations_are_seen_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY invitations_are_seen_by_admins ON public.organization_invitations FOR SELECT TO authenticated, weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: agent_datastores links_are_made_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY links_are_made_by_admins ON public.agent_datastores FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (linked_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: agent_datastores links_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY links_are_read_by_the_engine ON public.agent_datastores TO weir_system USING (true) WITH CHECK (true);


--
-- Name: agent_datastores links_are_seen_with_their_datastore; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY links_are_seen_with_their_datastore ON public.agent_datastores FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND (datastore_id = ANY (ARRAY( SELECT weir.my_datastores() AS my_datastores)))));


--
-- Name: agent_datastores links_are_undone_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY links_are_undone_by_admins ON public.agent_datastores FOR DELETE TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: mcp_interaction_logs log_is_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY log_is_read_by_the_engine ON public.mcp_interaction_logs FOR SELECT TO weir_system USING (true);


--
-- Name: mcp_interaction_logs log_is_written_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY log_is_written_by_the_engine ON public.mcp_interaction_logs FOR INSERT TO weir_system WITH CHECK (true);


--
-- Name: mcp_interaction_logs; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.mcp_interaction_logs ENABLE ROW LEVEL SECURITY;

--
-- Name: mcp_server_catalog; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.mcp_server_catalog ENABLE ROW LEVEL SECURITY;

--
-- Name: mcp_server_instances; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.mcp_server_instances ENABLE ROW LEVEL SECURITY;

--
-- Name: mcp_server_tools; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.mcp_server_tools ENABLE ROW LEVEL SECURITY;

--
-- Name: organization_members members_are_changed_by_admins_and_leave_by_themselves; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY members_are_changed_by_admins_and_leave_by_themselves ON public.organization_members FOR UPDATE TO weir_writer USING ((((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND ((role <> 'owner'::text) OR (organization_id = ANY (ARRAY( SELECT weir.my_organizations('owner'::text) AS my_organizations))))) OR ((user_id = ( SELECT weir.actor_id() AS actor_id)) AND (organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations)))))) WITH CHECK ((((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND ((role <> 'owner'::text) OR (organization_id = ANY (ARRAY( SELECT weir.my_organizations('owner'::text) AS my_organizations))))) OR ((user_id = ( SELECT weir.actor_id() AS actor_id)) AND (status = 'removed'::text))));


--
-- Name: organization_members members_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY members_are_read_by_the_engine ON public.organization_members TO weir_system USING (true) WITH CHECK (true);


--
-- Name: organization_members members_are_seen_by_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY members_are_seen_by_members ON public.organization_members FOR SELECT TO authenticated, weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))));


--
-- Name: organization_members members_begin_with_their_first_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY members_begin_with_their_first_owner ON public.organization_members FOR INSERT TO weir_writer WITH CHECK (((user_id = ( SELECT weir.actor_id() AS actor_id)) AND (role = 'owner'::text) AND (status = 'active'::text) AND (organization_id = ANY (ARRAY( SELECT weir.my_new_organizations() AS my_new_organizations)))));


--
-- Name: chat_messages messages_are_answered_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY messages_are_answered_by_the_engine ON public.chat_messages TO weir_system USING (true) WITH CHECK (true);


--
-- Name: chat_messages messages_are_deleted_by_their_author; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY messages_are_deleted_by_their_author ON public.chat_messages FOR UPDATE TO weir_writer USING (((sender = 'user'::text) AND (user_id = ( SELECT weir.actor_id() AS actor_id)) AND (channel_id = ANY (ARRAY( SELECT c.id
   FROM public.chat_channels c))))) WITH CHECK (((sender = 'user'::text) AND (user_id = ( SELECT weir.actor_id() AS actor_id)) AND (deleted_at IS NOT NULL)));


--
-- Name: chat_messages messages_are_seen_by_workspace_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY messages_are_seen_by_workspace_members ON public.chat_messages FOR SELECT TO authenticated, weir_writer USING ((channel_id = ANY (ARRAY( SELECT c.id
   FROM public.chat_channels c))));


--
-- Name: chat_messages messages_are_written_by_workspace_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY messages_are_written_by_workspace_members ON public.chat_messages FOR INSERT TO weir_writer WITH CHECK (((channel_id = ANY (ARRAY( SELECT c.id
   FROM public.chat_channels c))) AND (organization_id = ANY (ARRAY( SELECT weir.my_organizations('member'::text) AS my_organizations))) AND (sender = 'user'::text) AND (user_id = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: model_settings; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.model_settings ENABLE ROW LEVEL SECURITY;

--
-- Name: model_settings model_settings_are_changed_by_admins_and_owners; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY model_settings_are_changed_by_admins_and_owners ON public.model_settings FOR UPDATE TO weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR ((organization_id = ANY (ARRAY( SELECT weir.owners_may_choose_models() AS owners_may_choose_models))) AND (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents)))))) WITH CHECK ((updated_by = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: model_settings model_settings_are_made_by_admins_and_owners; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY model_settings_are_made_by_admins_and_owners ON public.model_settings FOR INSERT TO weir_writer WITH CHECK (((updated_by = ( SELECT weir.actor_id() AS actor_id)) AND ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR ((organization_id = ANY (ARRAY( SELECT weir.owners_may_choose_models() AS owners_may_choose_models))) AND (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents)))))));


--
-- Name: model_settings model_settings_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY model_settings_are_read_by_the_engine ON public.model_settings FOR SELECT TO weir_system USING (true);


--
-- Name: model_settings model_settings_are_removed_by_admins_and_owners; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY model_settings_are_removed_by_admins_and_owners ON public.model_settings FOR DELETE TO weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR ((organization_id = ANY (ARRAY( SELECT weir.owners_may_choose_models() AS owners_may_choose_models))) AND (agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))))));


--
-- Name: model_settings model_settings_are_seen_by_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY model_settings_are_seen_by_members ON public.model_settings FOR SELECT TO authenticated, weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))));


--
-- Name: model_usage_hourly; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.model_usage_hourly ENABLE ROW LEVEL SECURITY;

--
-- Name: model_usage_hourly model_usage_is_added_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY model_usage_is_added_by_the_engine ON public.model_usage_hourly TO weir_system USING (true) WITH CHECK (true);


--
-- Name: model_usage_hourly model_usage_is_seen_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY model_usage_is_seen_by_admins ON public.model_usage_hourly FOR SELECT TO authenticated USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: mcp_server_tools only_what_nobody_decided_is_forgotten; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY only_what_nobody_decided_is_forgotten ON public.mcp_server_tools AS RESTRICTIVE FOR DELETE TO weir_system USING (((kind = 'resource'::text) OR ((status = 'quarantined'::text) AND (NOT announced))));


--
-- Name: organization_api_keys; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.organization_api_keys ENABLE ROW LEVEL SECURITY;

--
-- Name: organization_invitations; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.organization_invitations ENABLE ROW LEVEL SECURITY;

--
-- Name: organization_api_keys organization_keys_are_made_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organization_keys_are_made_by_admins ON public.organization_api_keys FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (created_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: organization_api_keys organization_keys_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organization_keys_are_read_by_the_engine ON public.organization_api_keys FOR SELECT TO weir_system USING (true);


--
-- Name: organization_api_keys organization_keys_are_revoked_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organization_keys_are_revoked_by_admins ON public.organization_api_keys FOR UPDATE TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations)))) WITH CHECK ((revoked_by = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: organization_api_keys organization_keys_are_seen_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organization_keys_are_seen_by_admins ON public.organization_api_keys FOR SELECT TO authenticated, weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: organization_members; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.organization_members ENABLE ROW LEVEL SECURITY;

--
-- Name: organizations; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.organizations ENABLE ROW LEVEL SECURITY;

--
-- Name: organizations organizations_are_created_by_the_caller; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organizations_are_created_by_the_caller ON public.organizations FOR INSERT TO weir_writer WITH CHECK ((created_by = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: organizations organizations_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organizations_are_read_by_the_engine ON public.organizations TO weir_system USING (true) WITH CHECK (true);


--
-- Name: organizations organizations_are_seen_by_their_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organizations_are_seen_by_their_members ON public.organizations FOR SELECT TO authenticated, weir_writer USING ((id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))));


--
-- Name: organizations organizations_are_switched_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY organizations_are_switched_by_admins ON public.organizations FOR UPDATE TO weir_writer USING ((id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations)))) WITH CHECK ((id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: permission_requests; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.permission_requests ENABLE ROW LEVEL SECURITY;

--
-- Name: mcp_server_tools pins_are_decided_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY pins_are_decided_by_admins ON public.mcp_server_tools FOR UPDATE TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations)))) WITH CHECK ((((status = 'approved'::text) AND (approved_by = ( SELECT weir.actor_id() AS actor_id))) OR ((status = 'rejected'::text) AND (approved_by IS NULL))));


--
-- Name: mcp_server_tools pins_are_kept_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY pins_are_kept_by_the_engine ON public.mcp_server_tools TO weir_system USING (true) WITH CHECK (true);


--
-- Name: mcp_server_tools pins_are_seen_by_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY pins_are_seen_by_members ON public.mcp_server_tools FOR SELECT TO authenticated, weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))));


--
-- Name: user_profiles profiles_are_changed_by_the_person; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY profiles_are_changed_by_the_person ON public.user_profiles FOR UPDATE TO weir_writer USING ((user_id = ( SELECT weir.actor_id() AS actor_id))) WITH CHECK ((user_id = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: user_profiles profiles_are_made_by_the_person; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY profiles_are_made_by_the_person ON public.user_profiles FOR INSERT TO weir_writer WITH CHECK ((user_id = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: user_profiles profiles_are_seen_by_the_person_and_fellow_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY profiles_are_seen_by_the_person_and_fellow_members ON public.user_profiles FOR SELECT TO authenticated, weir_writer USING (((user_id = ( SELECT weir.actor_id() AS actor_id)) OR (user_id = ANY (ARRAY( SELECT m.user_id
   FROM public.organization_members m
  WHERE (m.status <> 'removed'::text))))));


--
-- Name: permission_requests requests_are_decided_by_admins_and_withdrawn_by_who_asked; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY requests_are_decided_by_admins_and_withdrawn_by_who_asked ON public.permission_requests FOR UPDATE TO weir_writer USING (((status = 'open'::text) AND ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (requested_by = ( SELECT weir.actor_id() AS actor_id))))) WITH CHECK (((decided_by = ( SELECT weir.actor_id() AS actor_id)) AND (((status = ANY (ARRAY['granted'::text, 'refused'::text])) AND (organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations)))) OR ((status = 'withdrawn'::text) AND (requested_by = ( SELECT weir.actor_id() AS actor_id))))));


--
-- Name: permission_requests requests_are_made_by_the_agent_s_owner; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY requests_are_made_by_the_agent_s_owner ON public.permission_requests FOR INSERT TO weir_writer WITH CHECK (((agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))) AND (requested_by = ( SELECT weir.actor_id() AS actor_id)) AND (status = 'open'::text)));


--
-- Name: permission_requests requests_are_seen_by_admins_and_who_asked; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY requests_are_seen_by_admins_and_who_asked ON public.permission_requests FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR ((requested_by = ( SELECT weir.actor_id() AS actor_id)) AND (organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))))));


--
-- Name: user_secrets secrets_are_kept_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY secrets_are_kept_by_the_engine ON public.user_secrets TO weir_system USING (true) WITH CHECK (true);


--
-- Name: user_secrets secrets_are_known_to_the_person; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY secrets_are_known_to_the_person ON public.user_secrets FOR SELECT TO authenticated USING ((user_id = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: user_ssh_keys ssh_keys_are_deleted_by_the_person; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY ssh_keys_are_deleted_by_the_person ON public.user_ssh_keys FOR DELETE TO weir_writer USING ((user_id = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: user_ssh_keys ssh_keys_are_made_by_the_person; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY ssh_keys_are_made_by_the_person ON public.user_ssh_keys FOR INSERT TO weir_writer WITH CHECK ((user_id = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: user_ssh_keys ssh_keys_are_seen_by_the_person; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY ssh_keys_are_seen_by_the_person ON public.user_ssh_keys FOR SELECT TO authenticated, weir_writer USING ((user_id = ( SELECT weir.actor_id() AS actor_id)));


--
-- Name: usage_hourly; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.usage_hourly ENABLE ROW LEVEL SECURITY;

--
-- Name: usage_hourly usage_is_rolled_up_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY usage_is_rolled_up_by_the_engine ON public.usage_hourly TO weir_system USING (true) WITH CHECK (true);


--
-- Name: usage_hourly usage_is_seen_by_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY usage_is_seen_by_admins ON public.usage_hourly FOR SELECT TO authenticated USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: user_profiles; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.user_profiles ENABLE ROW LEVEL SECURITY;

--
-- Name: user_secrets; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.user_secrets ENABLE ROW LEVEL SECURITY;

--
-- Name: user_ssh_keys; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.user_ssh_keys ENABLE ROW LEVEL SECURITY;

--
-- Name: workspace_members; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.workspace_members ENABLE ROW LEVEL SECURITY;

--
-- Name: workspace_members workspace_members_are_added_inside; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY workspace_members_are_added_inside ON public.workspace_members FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('member'::text) AS my_organizations))) AND ((agent_id = ANY (ARRAY( SELECT weir.my_agents() AS my_agents))) OR ((agent_id IS NULL) AND weir.may_manage_agents_of(workspace_id))) AND ((workspace_id = ANY (ARRAY( SELECT weir.my_workspaces() AS my_workspaces))) OR ((user_id = ( SELECT weir.actor_id() AS actor_id)) AND (workspace_id = ANY (ARRAY( SELECT w.id
   FROM public.workspaces w
  WHERE (w.created_by = ( SELECT weir.actor_id() AS actor_id))))))))));


--
-- Name: workspace_members workspace_members_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY workspace_members_are_read_by_the_engine ON public.workspace_members TO weir_system USING (true) WITH CHECK (true);


--
-- Name: workspace_members workspace_members_are_seen_inside; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY workspace_members_are_seen_inside ON public.workspace_members FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND ((workspace_id = ANY (ARRAY( SELECT weir.my_workspaces() AS my_workspaces))) OR (organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))))));


--
-- Name: workspace_members workspace_members_leave_with_the_organization; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY workspace_members_leave_with_the_organization ON public.workspace_members FOR DELETE TO weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (user_id = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: workspaces; Type: ROW SECURITY; Schema: public; Owner: weir_owner
--

ALTER TABLE public.workspaces ENABLE ROW LEVEL SECURITY;

--
-- Name: workspaces workspaces_are_created_by_members; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY workspaces_are_created_by_members ON public.workspaces FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('member'::text) AS my_organizations))) AND (created_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: workspaces workspaces_are_read_by_the_engine; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY workspaces_are_read_by_the_engine ON public.workspaces TO weir_system USING (true) WITH CHECK (true);


--
-- Name: workspaces workspaces_are_seen_by_their_members_and_admins; Type: POLICY; Schema: public; Owner: weir_owner
--

CREATE POLICY workspaces_are_seen_by_their_members_and_admins ON public.workspaces FOR SELECT TO authenticated, weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND ((id = ANY (ARRAY( SELECT weir.my_workspaces() AS my_workspaces))) OR (organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) OR (created_by = ( SELECT weir.actor_id() AS actor_id)))));


--
-- Name: sign_in_attempts attempts_are_counted_by_the_issuer; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY attempts_are_counted_by_the_issuer ON weir.sign_in_attempts TO weir_system USING (true) WITH CHECK (true);


--
-- Name: audit_checkpoints; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.audit_checkpoints ENABLE ROW LEVEL SECURITY;

--
-- Name: audit_seals; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.audit_seals ENABLE ROW LEVEL SECURITY;

--
-- Name: change_versions; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.change_versions ENABLE ROW LEVEL SECURITY;

--
-- Name: change_versions changes_are_counted_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY changes_are_counted_by_the_engine ON weir.change_versions TO weir_system USING (true) WITH CHECK (true);


--
-- Name: chat_rates; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.chat_rates ENABLE ROW LEVEL SECURITY;

--
-- Name: chat_turns; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.chat_turns ENABLE ROW LEVEL SECURITY;

--
-- Name: document_chunks chunks_are_ingested_by_admins; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY chunks_are_ingested_by_admins ON weir.document_chunks FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (datastore_id = ANY (ARRAY( SELECT weir.my_datastores() AS my_datastores)))));


--
-- Name: document_chunks chunks_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY chunks_are_kept_by_the_engine ON weir.document_chunks TO weir_system USING (true) WITH CHECK (true);


--
-- Name: document_chunks chunks_are_seen_with_their_datastore; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY chunks_are_seen_with_their_datastore ON weir.document_chunks FOR SELECT TO weir_writer USING (((organization_id = ANY (ARRAY( SELECT weir.my_organizations() AS my_organizations))) AND (datastore_id = ANY (ARRAY( SELECT weir.my_datastores() AS my_datastores)))));


--
-- Name: denial_counts; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.denial_counts ENABLE ROW LEVEL SECURITY;

--
-- Name: denial_counts denials_are_counted_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY denials_are_counted_by_the_engine ON weir.denial_counts TO weir_system USING (true) WITH CHECK (true);


--
-- Name: document_chunks; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.document_chunks ENABLE ROW LEVEL SECURITY;

--
-- Name: dtma_nodes; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.dtma_nodes ENABLE ROW LEVEL SECURITY;

--
-- Name: dtma_operations; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.dtma_operations ENABLE ROW LEVEL SECURITY;

--
-- Name: audit_checkpoints everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.audit_checkpoints FOR SELECT TO weir_backup USING (true);


--
-- Name: audit_seals everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.audit_seals FOR SELECT TO weir_backup USING (true);


--
-- Name: change_versions everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.change_versions FOR SELECT TO weir_backup USING (true);


--
-- Name: chat_rates everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.chat_rates FOR SELECT TO weir_backup USING (true);


--
-- Name: chat_turns everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.chat_turns FOR SELECT TO weir_backup USING (true);


--
-- Name: denial_counts everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.denial_counts FOR SELECT TO weir_backup USING (true);


--
-- Name: document_chunks everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.document_chunks FOR SELECT TO weir_backup USING (true);


--
-- Name: dtma_nodes everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.dtma_nodes FOR SELECT TO weir_backup USING (true);


--
-- Name: dtma_operations everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.dtma_operations FOR SELECT TO weir_backup USING (true);


--
-- Name: grant_usage everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.grant_usage FOR SELECT TO weir_backup USING (true);


--
-- Name: idempotency_keys everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.idempotency_keys FOR SELECT TO weir_backup USING (true);


--
-- Name: identities everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.identities FOR SELECT TO weir_backup USING (true);


--
-- Name: installation everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.installation FOR SELECT TO weir_backup USING (true);


--
-- Name: instance_moves everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.instance_moves FOR SELECT TO weir_backup USING (true);


--
-- Name: platform_admins everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.platform_admins FOR SELECT TO weir_backup USING (true);


--
-- Name: replicas everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.replicas FOR SELECT TO weir_backup USING (true);


--
-- Name: security_events everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.security_events FOR SELECT TO weir_backup USING (true);


--
-- Name: settings everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.settings FOR SELECT TO weir_backup USING (true);


--
-- Name: sign_in_attempts everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.sign_in_attempts FOR SELECT TO weir_backup USING (true);


--
-- Name: sign_ins everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.sign_ins FOR SELECT TO weir_backup USING (true);


--
-- Name: usage_progress everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.usage_progress FOR SELECT TO weir_backup USING (true);


--
-- Name: vector_removals everything_is_read_by_the_backup; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY everything_is_read_by_the_backup ON weir.vector_removals FOR SELECT TO weir_backup USING (true);


--
-- Name: grant_usage; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.grant_usage ENABLE ROW LEVEL SECURITY;

--
-- Name: idempotency_keys; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.idempotency_keys ENABLE ROW LEVEL SECURITY;

--
-- Name: idempotency_keys idempotency_keys_are_purged_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY idempotency_keys_are_purged_by_the_engine ON weir.idempotency_keys TO weir_system USING (true) WITH CHECK (true);


--
-- Name: idempotency_keys idempotency_keys_are_read_by_admins; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY idempotency_keys_are_read_by_admins ON weir.idempotency_keys FOR SELECT TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: idempotency_keys idempotency_keys_are_written_by_admins; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY idempotency_keys_are_written_by_admins ON weir.idempotency_keys FOR INSERT TO weir_writer WITH CHECK ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: identities; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.identities ENABLE ROW LEVEL SECURITY;

--
-- Name: identities identities_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY identities_are_kept_by_the_engine ON weir.identities TO weir_system USING (true) WITH CHECK (true);


--
-- Name: installation; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.installation ENABLE ROW LEVEL SECURITY;

--
-- Name: installation installation_is_read_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY installation_is_read_by_the_engine ON weir.installation TO weir_system USING (true) WITH CHECK (true);


--
-- Name: instance_moves; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.instance_moves ENABLE ROW LEVEL SECURITY;

--
-- Name: instance_moves moves_are_read; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY moves_are_read ON weir.instance_moves FOR SELECT TO weir_writer, weir_system USING (true);


--
-- Name: dtma_nodes nodes_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY nodes_are_kept_by_the_engine ON weir.dtma_nodes TO weir_system USING (true) WITH CHECK (true);


--
-- Name: dtma_operations operations_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY operations_are_kept_by_the_engine ON weir.dtma_operations TO weir_system USING (true) WITH CHECK (true);


--
-- Name: dtma_operations operations_are_seen_by_admins; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY operations_are_seen_by_admins ON weir.dtma_operations FOR SELECT TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))));


--
-- Name: dtma_operations operations_are_written_by_admins; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY operations_are_written_by_admins ON weir.dtma_operations FOR INSERT TO weir_writer WITH CHECK (((organization_id = ANY (ARRAY( SELECT weir.my_organizations('admin'::text) AS my_organizations))) AND (created_by = ( SELECT weir.actor_id() AS actor_id))));


--
-- Name: platform_admins; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.platform_admins ENABLE ROW LEVEL SECURITY;

--
-- Name: platform_admins platform_admins_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY platform_admins_are_kept_by_the_engine ON weir.platform_admins TO weir_system USING (true) WITH CHECK (true);


--
-- Name: chat_rates rates_are_used_by_who_may_write; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY rates_are_used_by_who_may_write ON weir.chat_rates TO weir_writer USING ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('member'::text) AS my_organizations)))) WITH CHECK ((organization_id = ANY (ARRAY( SELECT weir.my_organizations('member'::text) AS my_organizations))));


--
-- Name: vector_removals removals_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY removals_are_kept_by_the_engine ON weir.vector_removals TO weir_system USING (true) WITH CHECK (true);


--
-- Name: replicas; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.replicas ENABLE ROW LEVEL SECURITY;

--
-- Name: replicas replicas_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY replicas_are_kept_by_the_engine ON weir.replicas TO weir_system USING (true) WITH CHECK (true);


--
-- Name: security_events; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.security_events ENABLE ROW LEVEL SECURITY;

--
-- Name: security_events security_events_are_counted_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY security_events_are_counted_by_the_engine ON weir.security_events TO weir_system USING (true) WITH CHECK (true);


--
-- Name: settings; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.settings ENABLE ROW LEVEL SECURITY;

--
-- Name: settings settings_are_read_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY settings_are_read_by_the_engine ON weir.settings TO weir_system USING (true) WITH CHECK (true);


--
-- Name: sign_in_attempts; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.sign_in_attempts ENABLE ROW LEVEL SECURITY;

--
-- Name: sign_ins; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.sign_ins ENABLE ROW LEVEL SECURITY;

--
-- Name: sign_ins sign_ins_are_kept_by_the_issuer; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY sign_ins_are_kept_by_the_issuer ON weir.sign_ins TO weir_system USING (true) WITH CHECK (true);


--
-- Name: chat_turns turns_are_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY turns_are_kept_by_the_engine ON weir.chat_turns TO weir_system USING (true) WITH CHECK (true);


--
-- Name: grant_usage usage_is_counted_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY usage_is_counted_by_the_engine ON weir.grant_usage TO weir_system USING (true) WITH CHECK (true);


--
-- Name: usage_progress; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.usage_progress ENABLE ROW LEVEL SECURITY;

--
-- Name: usage_progress usage_progress_is_kept_by_the_engine; Type: POLICY; Schema: weir; Owner: weir_owner
--

CREATE POLICY usage_progress_is_kept_by_the_engine ON weir.usage_progress TO weir_system USING (true) WITH CHECK (true);


--
-- Name: vector_removals; Type: ROW SECURITY; Schema: weir; Owner: weir_owner
--

ALTER TABLE weir.vector_removals ENABLE ROW LEVEL SECURITY;

--
-- Name: SCHEMA auth; Type: ACL; Schema: -; Owner: weir_owner
--

GRANT USAGE ON SCHEMA auth TO anon;
GRANT USAGE ON SCHEMA auth TO authenticated;
GRANT USAGE ON SCHEMA auth TO weir_system;
GRANT USAGE ON SCHEMA auth TO weir_backup;


--
-- Name: SCHEMA weir; Type: ACL; Schema: -; Owner: weir_owner
--

GRANT USAGE ON SCHEMA weir TO weir_system;
GRANT USAGE ON SCHEMA weir TO weir_writer;
GRANT USAGE ON SCHEMA weir TO weir_engine;
GRANT USAGE ON SCHEMA weir TO weir_backup;


--
-- Name: TYPE act; Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON TYPE weir.act FROM PUBLIC;
GRANT ALL ON TYPE weir.act TO weir_writer;
GRANT ALL ON TYPE weir.act TO weir_system;


--
-- Name: TYPE announced_item; Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON TYPE weir.announced_item FROM PUBLIC;
GRANT ALL ON TYPE weir.announced_item TO weir_system;


--
-- Name: TYPE call_decision; Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON TYPE weir.call_decision FROM PUBLIC;
GRANT ALL ON TYPE weir.call_decision TO weir_system;


--
-- Name: TYPE decisions; Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON TYPE weir.decisions FROM PUBLIC;
GRANT ALL ON TYPE weir.decisions TO weir_system;


--
-- Name: TYPE denial; Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON TYPE weir.denial FROM PUBLIC;
GRANT ALL ON TYPE weir.denial TO weir_system;


--
-- Name: TYPE pattern_part; Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON TYPE weir.pattern_part FROM PUBLIC;
GRANT ALL ON TYPE weir.pattern_part TO weir_writer;
GRANT ALL ON TYPE weir.pattern_part TO weir_system;


--
-- Name: FUNCTION jwt(); Type: ACL; Schema: auth; Owner: weir_owner
--

REVOKE ALL ON FUNCTION auth.jwt() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.jwt() TO anon;
GRANT ALL ON FUNCTION auth.jwt() TO authenticated;


--
-- Name: FUNCTION role(); Type: ACL; Schema: auth; Owner: weir_owner
--

REVOKE ALL ON FUNCTION auth.role() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.role() TO anon;
GRANT ALL ON FUNCTION auth.role() TO authenticated;


--
-- Name: FUNCTION uid(); Type: ACL; Schema: auth; Owner: weir_owner
--

REVOKE ALL ON FUNCTION auth.uid() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.uid() TO anon;
GRANT ALL ON FUNCTION auth.uid() TO authenticated;


--
-- Name: FUNCTION accept_invitation(p_token text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.accept_invitation(p_token text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.accept_invitation(p_token text) TO authenticated;


--
-- Name: FUNCTION accept_invitation(token text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.accept_invitation(token text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.accept_invitation(token text) TO authenticated;


--
-- Name: FUNCTION add_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.add_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.add_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid) TO authenticated;


--
-- Name: FUNCTION add_workspace_member(workspace_id uuid, user_id uuid, agent_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.add_workspace_member(workspace_id uuid, user_id uuid, agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.add_workspace_member(workspace_id uuid, user_id uuid, agent_id uuid) TO authenticated;


--
-- Name: FUNCTION decide_tool_change(p_server_id uuid, p_kind text, p_name text, p_definition_hash text, p_status text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.decide_tool_change(p_server_id uuid, p_kind text, p_name text, p_definition_hash text, p_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.decide_tool_change(p_server_id uuid, p_kind text, p_name text, p_definition_hash text, p_status text) TO authenticated;


--
-- Name: FUNCTION approve_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.approve_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.approve_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) TO authenticated;


--
-- Name: FUNCTION audit_mcp_interactions(p_interactions jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.audit_mcp_interactions(p_interactions jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.audit_mcp_interactions(p_interactions jsonb) TO weir_engine;


--
-- Name: FUNCTION audit_mcp_interactions(interactions jsonb); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.audit_mcp_interactions(interactions jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.audit_mcp_interactions(interactions jsonb) TO weir_engine;


--
-- Name: FUNCTION call_dtma_api(p_request jsonb); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.call_dtma_api(p_request jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.call_dtma_api(p_request jsonb) TO authenticated;


--
-- Name: FUNCTION call_dtma_api(request jsonb); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.call_dtma_api(request jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.call_dtma_api(request jsonb) TO authenticated;


--
-- Name: FUNCTION chat_context(p_agent_id uuid, p_workspace_id uuid, p_channel_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.chat_context(p_agent_id uuid, p_workspace_id uuid, p_channel_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.chat_context(p_agent_id uuid, p_workspace_id uuid, p_channel_id uuid) TO authenticated;


--
-- Name: FUNCTION chat_context(agent_id uuid, workspace_id uuid, channel_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.chat_context(agent_id uuid, workspace_id uuid, channel_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.chat_context(agent_id uuid, workspace_id uuid, channel_id uuid) TO authenticated;


--
-- Name: FUNCTION create_agent(p_organization_id uuid, p_name text, p_instructions text, p_workspace_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_agent(p_organization_id uuid, p_name text, p_instructions text, p_workspace_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_agent(p_organization_id uuid, p_name text, p_instructions text, p_workspace_id uuid) TO authenticated;


--
-- Name: FUNCTION create_agent(organization_id uuid, name text, instructions text, workspace_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_agent(organization_id uuid, name text, instructions text, workspace_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_agent(organization_id uuid, name text, instructions text, workspace_id uuid) TO authenticated;


--
-- Name: FUNCTION create_agent_key(p_agent_id uuid, p_name text, p_key_id text, p_secret text, p_expires_at timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_agent_key(p_agent_id uuid, p_name text, p_key_id text, p_secret text, p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_agent_key(p_agent_id uuid, p_name text, p_key_id text, p_secret text, p_expires_at timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION create_agent_key(agent_id uuid, name text, key_id text, secret text, expires_at timestamp with time zone); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_agent_key(agent_id uuid, name text, key_id text, secret text, expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_agent_key(agent_id uuid, name text, key_id text, secret text, expires_at timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION create_channel(p_workspace_id uuid, p_name text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_channel(p_workspace_id uuid, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_channel(p_workspace_id uuid, p_name text) TO authenticated;


--
-- Name: FUNCTION create_channel(workspace_id uuid, name text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_channel(workspace_id uuid, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_channel(workspace_id uuid, name text) TO authenticated;


--
-- Name: FUNCTION create_datastore(p_organization_id uuid, p_name text, p_backend text, p_settings jsonb); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_datastore(p_organization_id uuid, p_name text, p_backend text, p_settings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_datastore(p_organization_id uuid, p_name text, p_backend text, p_settings jsonb) TO authenticated;


--
-- Name: FUNCTION create_datastore(organization_id uuid, name text, backend text, settings jsonb); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_datastore(organization_id uuid, name text, backend text, settings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_datastore(organization_id uuid, name text, backend text, settings jsonb) TO authenticated;


--
-- Name: FUNCTION create_organization(p_name text, p_slug text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_organization(p_name text, p_slug text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_organization(p_name text, p_slug text) TO authenticated;


--
-- Name: FUNCTION create_organization(name text, slug text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_organization(name text, slug text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_organization(name text, slug text) TO authenticated;


--
-- Name: FUNCTION create_organization_api_key(p_organization_id uuid, p_name text, p_key_id text, p_secret text, p_scopes text[], p_expires_at timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_organization_api_key(p_organization_id uuid, p_name text, p_key_id text, p_secret text, p_scopes text[], p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_organization_api_key(p_organization_id uuid, p_name text, p_key_id text, p_secret text, p_scopes text[], p_expires_at timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION create_organization_api_key(organization_id uuid, name text, key_id text, secret text, scopes text[], expires_at timestamp with time zone); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_organization_api_key(organization_id uuid, name text, key_id text, secret text, scopes text[], expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_organization_api_key(organization_id uuid, name text, key_id text, secret text, scopes text[], expires_at timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION create_user_ssh_key(p_name text, p_public_key text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_user_ssh_key(p_name text, p_public_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_user_ssh_key(p_name text, p_public_key text) TO authenticated;


--
-- Name: FUNCTION create_user_ssh_key(name text, public_key text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_user_ssh_key(name text, public_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_user_ssh_key(name text, public_key text) TO authenticated;


--
-- Name: FUNCTION create_workspace(p_organization_id uuid, p_name text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_workspace(p_organization_id uuid, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_workspace(p_organization_id uuid, p_name text) TO authenticated;


--
-- Name: FUNCTION create_workspace(organization_id uuid, name text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.create_workspace(organization_id uuid, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_workspace(organization_id uuid, name text) TO authenticated;


--
-- Name: FUNCTION close_request(p_request_id uuid, p_status text, p_expires_at timestamp with time zone, p_not_before timestamp with time zone, p_permissions jsonb); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.close_request(p_request_id uuid, p_status text, p_expires_at timestamp with time zone, p_not_before timestamp with time zone, p_permissions jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.close_request(p_request_id uuid, p_status text, p_expires_at timestamp with time zone, p_not_before timestamp with time zone, p_permissions jsonb) TO authenticated;


--
-- Name: FUNCTION decide_permission_request(request_id uuid, "grant" boolean, expires_at timestamp with time zone, not_before timestamp with time zone, permissions jsonb); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.decide_permission_request(request_id uuid, "grant" boolean, expires_at timestamp with time zone, not_before timestamp with time zone, permissions jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decide_permission_request(request_id uuid, "grant" boolean, expires_at timestamp with time zone, not_before timestamp with time zone, permissions jsonb) TO authenticated;


--
-- Name: FUNCTION delete_chat_message(p_message_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.delete_chat_message(p_message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.delete_chat_message(p_message_id uuid) TO authenticated;


--
-- Name: FUNCTION delete_chat_message(message_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.delete_chat_message(message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.delete_chat_message(message_id uuid) TO authenticated;


--
-- Name: FUNCTION delete_datastore(p_datastore_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.delete_datastore(p_datastore_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.delete_datastore(p_datastore_id uuid) TO authenticated;


--
-- Name: FUNCTION delete_datastore(datastore_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.delete_datastore(datastore_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.delete_datastore(datastore_id uuid) TO authenticated;


--
-- Name: FUNCTION delete_document(p_document_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.delete_document(p_document_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.delete_document(p_document_id uuid) TO authenticated;


--
-- Name: FUNCTION delete_document(document_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.delete_document(document_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.delete_document(document_id uuid) TO authenticated;


--
-- Name: FUNCTION delete_user_ssh_key(p_ssh_key_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.delete_user_ssh_key(p_ssh_key_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.delete_user_ssh_key(p_ssh_key_id uuid) TO authenticated;


--
-- Name: FUNCTION delete_user_ssh_key(ssh_key_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.delete_user_ssh_key(ssh_key_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.delete_user_ssh_key(ssh_key_id uuid) TO authenticated;


--
-- Name: FUNCTION manage_server_by_id(p_action text, p_instance_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.manage_server_by_id(p_action text, p_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.manage_server_by_id(p_action text, p_instance_id uuid) TO authenticated;


--
-- Name: FUNCTION deploy_mcp_server_to_dtma(server_instance_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.deploy_mcp_server_to_dtma(server_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.deploy_mcp_server_to_dtma(server_instance_id uuid) TO authenticated;


--
-- Name: FUNCTION explain_mcp_access(p_agent_id uuid, p_instance_id uuid, p_tool text, p_arguments jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.explain_mcp_access(p_agent_id uuid, p_instance_id uuid, p_tool text, p_arguments jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.explain_mcp_access(p_agent_id uuid, p_instance_id uuid, p_tool text, p_arguments jsonb) TO authenticated;


--
-- Name: FUNCTION explain_mcp_access(agent_id uuid, mcp_server_instance_id uuid, tool text, arguments jsonb); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.explain_mcp_access(agent_id uuid, mcp_server_instance_id uuid, tool text, arguments jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.explain_mcp_access(agent_id uuid, mcp_server_instance_id uuid, tool text, arguments jsonb) TO authenticated;


--
-- Name: FUNCTION get_chat_answer(p_message_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.get_chat_answer(p_message_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.get_chat_answer(p_message_id uuid, p_agent_id uuid) TO authenticated;


--
-- Name: FUNCTION get_chat_answer(message_id uuid, agent_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.get_chat_answer(message_id uuid, agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.get_chat_answer(message_id uuid, agent_id uuid) TO authenticated;


--
-- Name: FUNCTION get_chat_messages_with_details(p_channel_id uuid, p_before uuid, p_limit integer); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.get_chat_messages_with_details(p_channel_id uuid, p_before uuid, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.get_chat_messages_with_details(p_channel_id uuid, p_before uuid, p_limit integer) TO authenticated;


--
-- Name: FUNCTION get_chat_messages_with_details(p_channel_id uuid, before uuid, "limit" integer); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.get_chat_messages_with_details(p_channel_id uuid, before uuid, "limit" integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.get_chat_messages_with_details(p_channel_id uuid, before uuid, "limit" integer) TO authenticated;


--
-- Name: FUNCTION get_document_chunks(p_document_id uuid, p_after integer, p_limit integer); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.get_document_chunks(p_document_id uuid, p_after integer, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.get_document_chunks(p_document_id uuid, p_after integer, p_limit integer) TO authenticated;


--
-- Name: FUNCTION get_document_chunks(document_id uuid, after integer, "limit" integer); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.get_document_chunks(document_id uuid, after integer, "limit" integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.get_document_chunks(document_id uuid, after integer, "limit" integer) TO authenticated;


--
-- Name: FUNCTION get_mcp_tool_changes(p_server_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.get_mcp_tool_changes(p_server_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.get_mcp_tool_changes(p_server_id uuid) TO authenticated;


--
-- Name: FUNCTION get_mcp_tool_changes(server_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.get_mcp_tool_changes(server_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.get_mcp_tool_changes(server_id uuid) TO authenticated;


--
-- Name: FUNCTION get_organization_mcp_configs(p_organization_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.get_organization_mcp_configs(p_organization_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.get_organization_mcp_configs(p_organization_id uuid, p_agent_id uuid) TO authenticated;


--
-- Name: FUNCTION get_organization_mcp_configs(org_id uuid, agent_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.get_organization_mcp_configs(org_id uuid, agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.get_organization_mcp_configs(org_id uuid, agent_id uuid) TO authenticated;


--
-- Name: FUNCTION grant_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_expires_at timestamp with time zone, p_not_before timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.grant_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_expires_at timestamp with time zone, p_not_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.grant_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_expires_at timestamp with time zone, p_not_before timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION grant_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, expires_at timestamp with time zone, not_before timestamp with time zone); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.grant_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, expires_at timestamp with time zone, not_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.grant_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, expires_at timestamp with time zone, not_before timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION ingest_document(p_datastore_id uuid, p_title text, p_chunks jsonb, p_source text, p_media_type text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.ingest_document(p_datastore_id uuid, p_title text, p_chunks jsonb, p_source text, p_media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.ingest_document(p_datastore_id uuid, p_title text, p_chunks jsonb, p_source text, p_media_type text) TO authenticated;


--
-- Name: FUNCTION ingest_document(datastore_id uuid, title text, chunks jsonb, source text, media_type text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.ingest_document(datastore_id uuid, title text, chunks jsonb, source text, media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ingest_document(datastore_id uuid, title text, chunks jsonb, source text, media_type text) TO authenticated;


--
-- Name: FUNCTION invite_member(p_organization_id uuid, p_email text, p_role text, p_token text, p_expires_at timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.invite_member(p_organization_id uuid, p_email text, p_role text, p_token text, p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.invite_member(p_organization_id uuid, p_email text, p_role text, p_token text, p_expires_at timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION invite_member(organization_id uuid, email text, role text, token text, expires_at timestamp with time zone); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.invite_member(organization_id uuid, email text, role text, token text, expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.invite_member(organization_id uuid, email text, role text, token text, expires_at timestamp with time zone) TO authenticated;


--
-- Name: FUNCTION actor_id(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.actor_id() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.actor_id() TO weir_writer;
GRANT ALL ON FUNCTION weir.actor_id() TO weir_system;
GRANT ALL ON FUNCTION weir.actor_id() TO authenticated;


--
-- Name: FUNCTION change_member(p_act text, p_organization_id uuid, p_user_id uuid, p_role text, p_status text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.change_member(p_act text, p_organization_id uuid, p_user_id uuid, p_role text, p_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.change_member(p_act text, p_organization_id uuid, p_user_id uuid, p_role text, p_status text) TO authenticated;


--
-- Name: FUNCTION leave_organization(organization_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.leave_organization(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.leave_organization(organization_id uuid) TO authenticated;


--
-- Name: FUNCTION link_datastore(p_datastore_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.link_datastore(p_datastore_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.link_datastore(p_datastore_id uuid, p_agent_id uuid) TO authenticated;


--
-- Name: FUNCTION link_datastore(datastore_id uuid, agent_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.link_datastore(datastore_id uuid, agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.link_datastore(datastore_id uuid, agent_id uuid) TO authenticated;


--
-- Name: FUNCTION manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid) TO authenticated;


--
-- Name: FUNCTION manage_mcp_servers(action text, organization_id uuid, server_config jsonb, server_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.manage_mcp_servers(action text, organization_id uuid, server_config jsonb, server_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.manage_mcp_servers(action text, organization_id uuid, server_config jsonb, server_id uuid) TO authenticated;


--
-- Name: FUNCTION open_direct_channel(p_agent_id uuid, p_workspace_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.open_direct_channel(p_agent_id uuid, p_workspace_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.open_direct_channel(p_agent_id uuid, p_workspace_id uuid) TO authenticated;


--
-- Name: FUNCTION open_direct_channel(agent_id uuid, workspace_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.open_direct_channel(agent_id uuid, workspace_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_direct_channel(agent_id uuid, workspace_id uuid) TO authenticated;


--
-- Name: FUNCTION post_chat_message(p_channel_id uuid, p_content text, p_client_message_id text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.post_chat_message(p_channel_id uuid, p_content text, p_client_message_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.post_chat_message(p_channel_id uuid, p_content text, p_client_message_id text) TO authenticated;


--
-- Name: FUNCTION post_chat_message(channel_id uuid, content text, client_message_id text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.post_chat_message(channel_id uuid, content text, client_message_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.post_chat_message(channel_id uuid, content text, client_message_id text) TO authenticated;


--
-- Name: FUNCTION read_audit(p_organization_id uuid, p_filter jsonb, p_before jsonb, p_limit integer); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.read_audit(p_organization_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.read_audit(p_organization_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) TO authenticated;


--
-- Name: FUNCTION read_audit(organization_id uuid, filter jsonb, before jsonb, "limit" integer); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.read_audit(organization_id uuid, filter jsonb, before jsonb, "limit" integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.read_audit(organization_id uuid, filter jsonb, before jsonb, "limit" integer) TO authenticated;


--
-- Name: FUNCTION reject_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.reject_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.reject_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) TO authenticated;


--
-- Name: FUNCTION request_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_message text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.request_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_message text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.request_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_message text) TO authenticated;


--
-- Name: FUNCTION request_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, message text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.request_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, message text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.request_mcp_access(agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, message text) TO authenticated;


--
-- Name: FUNCTION revoke_agent_key(p_key_id text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.revoke_agent_key(p_key_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.revoke_agent_key(p_key_id text) TO authenticated;


--
-- Name: FUNCTION revoke_agent_key(key_id text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.revoke_agent_key(key_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_agent_key(key_id text) TO authenticated;


--
-- Name: FUNCTION revoke_invitation(p_invitation_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.revoke_invitation(p_invitation_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.revoke_invitation(p_invitation_id uuid) TO authenticated;


--
-- Name: FUNCTION revoke_invitation(invitation_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.revoke_invitation(invitation_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_invitation(invitation_id uuid) TO authenticated;


--
-- Name: FUNCTION revoke_mcp_access(p_agent_id uuid, p_instance_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.revoke_mcp_access(p_agent_id uuid, p_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.revoke_mcp_access(p_agent_id uuid, p_instance_id uuid) TO authenticated;


--
-- Name: FUNCTION revoke_mcp_access(agent_id uuid, mcp_server_instance_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.revoke_mcp_access(agent_id uuid, mcp_server_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_mcp_access(agent_id uuid, mcp_server_instance_id uuid) TO authenticated;


--
-- Name: FUNCTION revoke_organization_api_key(p_key_id text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.revoke_organization_api_key(p_key_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.revoke_organization_api_key(p_key_id text) TO authenticated;


--
-- Name: FUNCTION revoke_organization_api_key(key_id text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.revoke_organization_api_key(key_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_organization_api_key(key_id text) TO authenticated;


--
-- Name: FUNCTION set_chat_tools(p_organization_id uuid, p_enabled boolean); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.set_chat_tools(p_organization_id uuid, p_enabled boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.set_chat_tools(p_organization_id uuid, p_enabled boolean) TO authenticated;


--
-- Name: FUNCTION set_chat_tools(organization_id uuid, enabled boolean); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.set_chat_tools(organization_id uuid, enabled boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_chat_tools(organization_id uuid, enabled boolean) TO authenticated;


--
-- Name: FUNCTION set_member_role(organization_id uuid, user_id uuid, role text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.set_member_role(organization_id uuid, user_id uuid, role text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_member_role(organization_id uuid, user_id uuid, role text) TO authenticated;


--
-- Name: FUNCTION set_member_status(organization_id uuid, user_id uuid, status text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.set_member_status(organization_id uuid, user_id uuid, status text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_member_status(organization_id uuid, user_id uuid, status text) TO authenticated;


--
-- Name: FUNCTION set_model_settings(p_organization_id uuid, p_settings jsonb, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.set_model_settings(p_organization_id uuid, p_settings jsonb, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.set_model_settings(p_organization_id uuid, p_settings jsonb, p_agent_id uuid) TO authenticated;


--
-- Name: FUNCTION set_model_settings(organization_id uuid, settings jsonb, agent_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.set_model_settings(organization_id uuid, settings jsonb, agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_model_settings(organization_id uuid, settings jsonb, agent_id uuid) TO authenticated;


--
-- Name: FUNCTION set_user_profile(p_display_name text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.set_user_profile(p_display_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.set_user_profile(p_display_name text) TO authenticated;


--
-- Name: FUNCTION set_user_profile(display_name text); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.set_user_profile(display_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_user_profile(display_name text) TO authenticated;


--
-- Name: FUNCTION stop_mcp_server_instance(server_instance_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.stop_mcp_server_instance(server_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.stop_mcp_server_instance(server_instance_id uuid) TO authenticated;


--
-- Name: FUNCTION transfer_ownership(p_organization_id uuid, p_user_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.transfer_ownership(p_organization_id uuid, p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.transfer_ownership(p_organization_id uuid, p_user_id uuid) TO authenticated;


--
-- Name: FUNCTION transfer_ownership(organization_id uuid, user_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.transfer_ownership(organization_id uuid, user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.transfer_ownership(organization_id uuid, user_id uuid) TO authenticated;


--
-- Name: FUNCTION unlink_datastore(p_datastore_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.unlink_datastore(p_datastore_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.unlink_datastore(p_datastore_id uuid, p_agent_id uuid) TO authenticated;


--
-- Name: FUNCTION unlink_datastore(datastore_id uuid, agent_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.unlink_datastore(datastore_id uuid, agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.unlink_datastore(datastore_id uuid, agent_id uuid) TO authenticated;


--
-- Name: FUNCTION validate_mcp_access(p_agent_id uuid, p_instance_id uuid, p_user_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.validate_mcp_access(p_agent_id uuid, p_instance_id uuid, p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.validate_mcp_access(p_agent_id uuid, p_instance_id uuid, p_user_id uuid) TO authenticated;


--
-- Name: FUNCTION validate_mcp_access(agent_id uuid, mcp_server_instance_id uuid, user_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.validate_mcp_access(agent_id uuid, mcp_server_instance_id uuid, user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.validate_mcp_access(agent_id uuid, mcp_server_instance_id uuid, user_id uuid) TO authenticated;


--
-- Name: FUNCTION withdraw_permission_request(request_id uuid); Type: ACL; Schema: public; Owner: weir_owner
--

REVOKE ALL ON FUNCTION public.withdraw_permission_request(request_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.withdraw_permission_request(request_id uuid) TO authenticated;


--
-- Name: FUNCTION act(p_kind text, p_item text, p_permission text, p_denial text, p_organization_id uuid, p_agent_id uuid, p_instance_id uuid, p_workspace_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.act(p_kind text, p_item text, p_permission text, p_denial text, p_organization_id uuid, p_agent_id uuid, p_instance_id uuid, p_workspace_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.act(p_kind text, p_item text, p_permission text, p_denial text, p_organization_id uuid, p_agent_id uuid, p_instance_id uuid, p_workspace_id uuid) TO weir_writer;
GRANT ALL ON FUNCTION weir.act(p_kind text, p_item text, p_permission text, p_denial text, p_organization_id uuid, p_agent_id uuid, p_instance_id uuid, p_workspace_id uuid) TO weir_system;


--
-- Name: FUNCTION bounds_error(p_value jsonb, p_max_bytes integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.bounds_error(p_value jsonb, p_max_bytes integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.bounds_error(p_value jsonb, p_max_bytes integer) TO weir_writer;
GRANT ALL ON FUNCTION weir.bounds_error(p_value jsonb, p_max_bytes integer) TO weir_system;


--
-- Name: FUNCTION action_error(p_action text, p_server_config jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.action_error(p_action text, p_server_config jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.action_error(p_action text, p_server_config jsonb) TO weir_writer;


--
-- Name: FUNCTION add_platform_admin(p_user_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.add_platform_admin(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.add_platform_admin(p_user_id uuid) TO weir_owner;


--
-- Name: FUNCTION admit(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_request_ids text[], p_attempts integer[], p_request_bytes bigint[], p_request_hashes bytea[], p_request_copies text[], p_organization_ids uuid[], p_at_limit boolean[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.admit(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_request_ids text[], p_attempts integer[], p_request_bytes bigint[], p_request_hashes bytea[], p_request_copies text[], p_organization_ids uuid[], p_at_limit boolean[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.admit(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_request_ids text[], p_attempts integer[], p_request_bytes bigint[], p_request_hashes bytea[], p_request_copies text[], p_organization_ids uuid[], p_at_limit boolean[]) TO weir_engine;


--
-- Name: FUNCTION agent_catalog(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_name text, p_kinds text[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.agent_catalog(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_name text, p_kinds text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.agent_catalog(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_name text, p_kinds text[]) TO weir_engine;


--
-- Name: FUNCTION agent_knowledge(p_user_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.agent_knowledge(p_user_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.agent_knowledge(p_user_id uuid, p_agent_id uuid) TO weir_engine;


--
-- Name: FUNCTION announce_change(p_organization_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.announce_change(p_organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.announce_change(p_organization_id uuid) TO weir_writer;


--
-- Name: FUNCTION announces_otherwise(p_instance_id uuid, p_kinds text[], p_items weir.announced_item[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.announces_otherwise(p_instance_id uuid, p_kinds text[], p_items weir.announced_item[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.announces_otherwise(p_instance_id uuid, p_kinds text[], p_items weir.announced_item[]) TO weir_system;


--
-- Name: FUNCTION answered(p_organization_id uuid, p_key text, p_action text, p_server_config jsonb, p_server_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.answered(p_organization_id uuid, p_key text, p_action text, p_server_config jsonb, p_server_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.answered(p_organization_id uuid, p_key text, p_action text, p_server_config jsonb, p_server_id uuid) TO weir_writer;


--
-- Name: FUNCTION any_lexeme(p_lexemes text[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.any_lexeme(p_lexemes text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.any_lexeme(p_lexemes text[]) TO weir_system;


--
-- Name: FUNCTION apply_report(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text, p_until timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.apply_report(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text, p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.apply_report(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text, p_until timestamp with time zone) TO weir_system;


--
-- Name: FUNCTION argument_failure(p_entries jsonb[], p_arguments text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.argument_failure(p_entries jsonb[], p_arguments text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.argument_failure(p_entries jsonb[], p_arguments text) TO weir_writer;
GRANT ALL ON FUNCTION weir.argument_failure(p_entries jsonb[], p_arguments text) TO weir_system;


--
-- Name: FUNCTION is_time(p_value jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.is_time(p_value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.is_time(p_value jsonb) TO weir_system;


--
-- Name: FUNCTION audit_cursor_error(p_before jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.audit_cursor_error(p_before jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.audit_cursor_error(p_before jsonb) TO weir_system;


--
-- Name: FUNCTION audit_filter_error(p_filter jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.audit_filter_error(p_filter jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.audit_filter_error(p_filter jsonb) TO weir_system;


--
-- Name: FUNCTION audit_page(p_organization_id uuid, p_user_id uuid, p_filter jsonb, p_before jsonb, p_limit integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.audit_page(p_organization_id uuid, p_user_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.audit_page(p_organization_id uuid, p_user_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) TO weir_system;


--
-- Name: FUNCTION authenticate_key(p_key_id text, p_secret_hash bytea); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.authenticate_key(p_key_id text, p_secret_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.authenticate_key(p_key_id text, p_secret_hash bytea) TO weir_engine;


--
-- Name: FUNCTION authenticate_organization_key(p_key_id text, p_secret_hash bytea); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.authenticate_organization_key(p_key_id text, p_secret_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.authenticate_organization_key(p_key_id text, p_secret_hash bytea) TO weir_engine;


--
-- Name: FUNCTION authorities(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.authorities() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.authorities() TO weir_backup;


--
-- Name: FUNCTION authorize(p_act weir.act, p_missing text, p_found boolean); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.authorize(p_act weir.act, p_missing text, p_found boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.authorize(p_act weir.act, p_missing text, p_found boolean) TO weir_writer;
GRANT ALL ON FUNCTION weir.authorize(p_act weir.act, p_missing text, p_found boolean) TO weir_system;


--
-- Name: FUNCTION log_leaf(p_canon_version integer, p_epoch integer, p_xid xid8, p_organization_id uuid, p_created_at timestamp with time zone, p_id uuid, p_phase text, p_kind text, p_decision text, p_recorded_at timestamp with time zone, p_replica_id uuid, p_actor_kind text, p_user_id uuid, p_agent_id uuid, p_agent_name text, p_key_id text, p_instance_id uuid, p_instance_name text, p_item text, p_grant_id uuid, p_request_id text, p_attempt integer, p_reason text, p_detail text, p_outcome text, p_error_code text, p_duration_us bigint, p_request_bytes bigint, p_response_bytes bigint, p_request_hash bytea, p_response_hash bytea, p_request_copy text, p_response_copy text, p_occurrences integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.log_leaf(p_canon_version integer, p_epoch integer, p_xid xid8, p_organization_id uuid, p_created_at timestamp with time zone, p_id uuid, p_phase text, p_kind text, p_decision text, p_recorded_at timestamp with time zone, p_replica_id uuid, p_actor_kind text, p_user_id uuid, p_agent_id uuid, p_agent_name text, p_key_id text, p_instance_id uuid, p_instance_name text, p_item text, p_grant_id uuid, p_request_id text, p_attempt integer, p_reason text, p_detail text, p_outcome text, p_error_code text, p_duration_us bigint, p_request_bytes bigint, p_response_bytes bigint, p_request_hash bytea, p_response_hash bytea, p_request_copy text, p_response_copy text, p_occurrences integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.log_leaf(p_canon_version integer, p_epoch integer, p_xid xid8, p_organization_id uuid, p_created_at timestamp with time zone, p_id uuid, p_phase text, p_kind text, p_decision text, p_recorded_at timestamp with time zone, p_replica_id uuid, p_actor_kind text, p_user_id uuid, p_agent_id uuid, p_agent_name text, p_key_id text, p_instance_id uuid, p_instance_name text, p_item text, p_grant_id uuid, p_request_id text, p_attempt integer, p_reason text, p_detail text, p_outcome text, p_error_code text, p_duration_us bigint, p_request_bytes bigint, p_response_bytes bigint, p_request_hash bytea, p_response_hash bytea, p_request_copy text, p_response_copy text, p_occurrences integer) TO weir_system;


--
-- Name: TABLE mcp_interaction_logs; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT,INSERT ON TABLE public.mcp_interaction_logs TO weir_system;
GRANT SELECT ON TABLE public.mcp_interaction_logs TO weir_backup;


--
-- Name: FUNCTION log_summary(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.log_summary() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.log_summary() TO weir_backup;


--
-- Name: TABLE installation; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.installation TO weir_system;
GRANT SELECT ON TABLE weir.installation TO weir_backup;


--
-- Name: COLUMN installation.epoch; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(epoch) ON TABLE weir.installation TO weir_system;


--
-- Name: COLUMN installation.keyring_fingerprint; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(keyring_fingerprint) ON TABLE weir.installation TO weir_system;


--
-- Name: FUNCTION backup_facts(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.backup_facts() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.backup_facts() TO weir_backup;


--
-- Name: FUNCTION backup_tables(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.backup_tables() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.backup_tables() TO weir_backup;


--
-- Name: FUNCTION begin_chat_turn(p_replica_id uuid, p_user_id uuid, p_agent_id uuid, p_message_id uuid, p_lease interval); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.begin_chat_turn(p_replica_id uuid, p_user_id uuid, p_agent_id uuid, p_message_id uuid, p_lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.begin_chat_turn(p_replica_id uuid, p_user_id uuid, p_agent_id uuid, p_message_id uuid, p_lease interval) TO weir_engine;


--
-- Name: FUNCTION begin_epoch(p_detail text, p_keyring_is_lost boolean); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.begin_epoch(p_detail text, p_keyring_is_lost boolean) FROM PUBLIC;


--
-- Name: FUNCTION begin_sign_in(p_email text, p_address inet); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.begin_sign_in(p_email text, p_address inet) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.begin_sign_in(p_email text, p_address inet) TO weir_engine;


--
-- Name: FUNCTION bury_instance(p_instance_id uuid, p_generation bigint); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.bury_instance(p_instance_id uuid, p_generation bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.bury_instance(p_instance_id uuid, p_generation bigint) TO weir_system;


--
-- Name: FUNCTION change_version(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.change_version() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.change_version() TO weir_engine;


--
-- Name: FUNCTION chat_has_tools(p_organization_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.chat_has_tools(p_organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.chat_has_tools(p_organization_id uuid) TO weir_system;


--
-- Name: FUNCTION chat_turn_settings(p_user_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.chat_turn_settings(p_user_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.chat_turn_settings(p_user_id uuid, p_agent_id uuid) TO weir_engine;


--
-- Name: FUNCTION check_schema(p_schema jsonb, p_path text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.check_schema(p_schema jsonb, p_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.check_schema(p_schema jsonb, p_path text) TO weir_system;


--
-- Name: FUNCTION choose_node(p_organization_id uuid, p_region text, p_runtime text, p_last_node_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.choose_node(p_organization_id uuid, p_region text, p_runtime text, p_last_node_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.choose_node(p_organization_id uuid, p_region text, p_runtime text, p_last_node_id uuid) TO weir_system;


--
-- Name: FUNCTION chunk_terms(p_datastore_id uuid, p_title text, p_heading text, p_content text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.chunk_terms(p_datastore_id uuid, p_title text, p_heading text, p_content text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.chunk_terms(p_datastore_id uuid, p_title text, p_heading text, p_content text) TO weir_writer;


--
-- Name: FUNCTION chunk_vectors(p_user_id uuid, p_agent_id uuid, p_datastore_id uuid, p_model text, p_after bigint, p_until bigint, p_limit bigint); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.chunk_vectors(p_user_id uuid, p_agent_id uuid, p_datastore_id uuid, p_model text, p_after bigint, p_until bigint, p_limit bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.chunk_vectors(p_user_id uuid, p_agent_id uuid, p_datastore_id uuid, p_model text, p_after bigint, p_until bigint, p_limit bigint) TO weir_engine;


--
-- Name: FUNCTION chunks_error(p_chunks jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.chunks_error(p_chunks jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.chunks_error(p_chunks jsonb) TO weir_writer;


--
-- Name: FUNCTION claim_embeddings(p_model text, p_limit integer, p_lease interval); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.claim_embeddings(p_model text, p_limit integer, p_lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.claim_embeddings(p_model text, p_limit integer, p_lease interval) TO weir_engine;


--
-- Name: FUNCTION claim_operations(p_replica_id uuid, p_limit integer, p_lease interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.claim_operations(p_replica_id uuid, p_limit integer, p_lease interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.claim_operations(p_replica_id uuid, p_limit integer, p_lease interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) TO weir_engine;


--
-- Name: FUNCTION claim_vector_removals(p_limit integer, p_lease interval); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.claim_vector_removals(p_limit integer, p_lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.claim_vector_removals(p_limit integer, p_lease interval) TO weir_engine;


--
-- Name: FUNCTION climbs(p_uri text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.climbs(p_uri text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.climbs(p_uri text) TO weir_writer;
GRANT ALL ON FUNCTION weir.climbs(p_uri text) TO weir_system;


--
-- Name: FUNCTION close_denial_counts(p_limit integer); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.close_denial_counts(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.close_denial_counts(p_limit integer) TO weir_engine;


--
-- Name: FUNCTION close_sign_ins(p_user_id uuid, p_sign_in_id uuid, p_scope text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.close_sign_ins(p_user_id uuid, p_sign_in_id uuid, p_scope text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.close_sign_ins(p_user_id uuid, p_sign_in_id uuid, p_scope text) TO weir_engine;


--
-- Name: FUNCTION complete(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_outcomes text[], p_error_codes text[], p_durations_us bigint[], p_response_bytes bigint[], p_response_hashes bytea[], p_response_copies text[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.complete(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_outcomes text[], p_error_codes text[], p_durations_us bigint[], p_response_bytes bigint[], p_response_hashes bytea[], p_response_copies text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.complete(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_outcomes text[], p_error_codes text[], p_durations_us bigint[], p_response_bytes bigint[], p_response_hashes bytea[], p_response_copies text[]) TO weir_engine;


--
-- Name: FUNCTION confirmed_email(p_user_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.confirmed_email(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.confirmed_email(p_user_id uuid) TO weir_system;


--
-- Name: FUNCTION context_config_error(p_context jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.context_config_error(p_context jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.context_config_error(p_context jsonb) TO weir_writer;


--
-- Name: FUNCTION max_cost(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.max_cost() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.max_cost() TO weir_writer;
GRANT ALL ON FUNCTION weir.max_cost() TO weir_system;


--
-- Name: FUNCTION cost_error(p_cost numeric, p_path text, p_advice text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.cost_error(p_cost numeric, p_path text, p_advice text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.cost_error(p_cost numeric, p_path text, p_advice text) TO weir_writer;
GRANT ALL ON FUNCTION weir.cost_error(p_cost numeric, p_path text, p_advice text) TO weir_system;


--
-- Name: FUNCTION count_attempt(p_kind text, p_subject text, p_limit integer, p_window interval); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.count_attempt(p_kind text, p_subject text, p_limit integer, p_window interval) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.count_attempt(p_kind text, p_subject text, p_limit integer, p_window interval) TO weir_system;


--
-- Name: FUNCTION count_change(p_organization_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.count_change(p_organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.count_change(p_organization_id uuid) TO weir_system;


--
-- Name: FUNCTION count_denials(p_denials weir.denial[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.count_denials(p_denials weir.denial[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.count_denials(p_denials weir.denial[]) TO weir_system;


--
-- Name: FUNCTION count_denied_calls(p_calls weir.call_decision[], p_kinds text[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.count_denied_calls(p_calls weir.call_decision[], p_kinds text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.count_denied_calls(p_calls weir.call_decision[], p_kinds text[]) TO weir_system;


--
-- Name: FUNCTION count_document(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.count_document() FROM PUBLIC;


--
-- Name: FUNCTION count_of(p_what text, p_organization_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.count_of(p_what text, p_organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.count_of(p_what text, p_organization_id uuid) TO weir_writer;


--
-- Name: FUNCTION create_mcp_server(p_organization_id uuid, p_config jsonb); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.create_mcp_server(p_organization_id uuid, p_config jsonb) FROM PUBLIC;


--
-- Name: FUNCTION create_user(p_email text, p_password_hash text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.create_user(p_email text, p_password_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.create_user(p_email text, p_password_hash text) TO weir_owner;


--
-- Name: FUNCTION cut(p_text text, p_bytes integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.cut(p_text text, p_bytes integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.cut(p_text text, p_bytes integer) TO weir_system;


--
-- Name: FUNCTION datastore_lexeme(p_datastore_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.datastore_lexeme(p_datastore_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.datastore_lexeme(p_datastore_id uuid) TO weir_writer;
GRANT ALL ON FUNCTION weir.datastore_lexeme(p_datastore_id uuid) TO weir_system;


--
-- Name: FUNCTION decide(p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_locked uuid[], p_without_key boolean); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.decide(p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_locked uuid[], p_without_key boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.decide(p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[], p_items text[], p_arguments text[], p_locked uuid[], p_without_key boolean) TO weir_system;


--
-- Name: FUNCTION definition_diff(p_old text, p_new text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.definition_diff(p_old text, p_new text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.definition_diff(p_old text, p_new text) TO weir_writer;


--
-- Name: FUNCTION definitions(p_instance_ids uuid[], p_kinds text[], p_names text[], p_hashes bytea[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.definitions(p_instance_ids uuid[], p_kinds text[], p_names text[], p_hashes bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.definitions(p_instance_ids uuid[], p_kinds text[], p_names text[], p_hashes bytea[]) TO weir_engine;


--
-- Name: FUNCTION delete_mcp_server(p_organization_id uuid, p_instance_id uuid); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.delete_mcp_server(p_organization_id uuid, p_instance_id uuid) FROM PUBLIC;


--
-- Name: FUNCTION ed25519_blob(p_public_key text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.ed25519_blob(p_public_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.ed25519_blob(p_public_key text) TO weir_writer;


--
-- Name: FUNCTION embedded_text(p_title text, p_heading text, p_content text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.embedded_text(p_title text, p_heading text, p_content text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.embedded_text(p_title text, p_heading text, p_content text) TO weir_writer;
GRANT ALL ON FUNCTION weir.embedded_text(p_title text, p_heading text, p_content text) TO weir_system;


--
-- Name: FUNCTION endpoint_url(p_url text, p_node_api_url text, p_instance_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.endpoint_url(p_url text, p_node_api_url text, p_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.endpoint_url(p_url text, p_node_api_url text, p_instance_id uuid) TO weir_system;


--
-- Name: FUNCTION ensure_log_partitions(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.ensure_log_partitions() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.ensure_log_partitions() TO weir_engine;


--
-- Name: FUNCTION rule_cost(p_rule jsonb, p_values numeric, p_characters numeric); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.rule_cost(p_rule jsonb, p_values numeric, p_characters numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.rule_cost(p_rule jsonb, p_values numeric, p_characters numeric) TO weir_writer;
GRANT ALL ON FUNCTION weir.rule_cost(p_rule jsonb, p_values numeric, p_characters numeric) TO weir_system;


--
-- Name: FUNCTION entry_cost(p_entry jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.entry_cost(p_entry jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.entry_cost(p_entry jsonb) TO weir_writer;
GRANT ALL ON FUNCTION weir.entry_cost(p_entry jsonb) TO weir_system;


--
-- Name: FUNCTION error(p_code text, p_message text, p_hint text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.error(p_code text, p_message text, p_hint text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.error(p_code text, p_message text, p_hint text) TO weir_writer;
GRANT ALL ON FUNCTION weir.error(p_code text, p_message text, p_hint text) TO weir_system;


--
-- Name: FUNCTION find_login(p_email text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.find_login(p_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.find_login(p_email text) TO weir_engine;


--
-- Name: FUNCTION find_tools(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer, p_era text, p_abilities text[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.find_tools(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer, p_era text, p_abilities text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.find_tools(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer, p_era text, p_abilities text[]) TO weir_engine;


--
-- Name: FUNCTION uuid_v7(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.uuid_v7() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.uuid_v7() TO weir_writer;
GRANT ALL ON FUNCTION weir.uuid_v7() TO weir_system;


--
-- Name: TABLE document_chunks; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.document_chunks TO weir_system;
GRANT SELECT ON TABLE weir.document_chunks TO weir_backup;


--
-- Name: COLUMN document_chunks.id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT(id) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.organization_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.datastore_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT(datastore_id),INSERT(datastore_id) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.document_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT(document_id),INSERT(document_id) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.ordinal; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT(ordinal),INSERT(ordinal) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.heading; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT(heading),INSERT(heading) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.content; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT(content),INSERT(content) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.content_hash; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(content_hash) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.terms; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(terms) ON TABLE weir.document_chunks TO weir_writer;


--
-- Name: COLUMN document_chunks.embedding; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(embedding) ON TABLE weir.document_chunks TO weir_system;


--
-- Name: COLUMN document_chunks.embedding_model; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(embedding_model) ON TABLE weir.document_chunks TO weir_system;


--
-- Name: COLUMN document_chunks.embedded_version; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(embedded_version) ON TABLE weir.document_chunks TO weir_system;


--
-- Name: COLUMN document_chunks.vector_index; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(vector_index) ON TABLE weir.document_chunks TO weir_system;


--
-- Name: FUNCTION first_chunks(p_organization_id uuid, p_datastore_ids uuid[], p_limit integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.first_chunks(p_organization_id uuid, p_datastore_ids uuid[], p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.first_chunks(p_organization_id uuid, p_datastore_ids uuid[], p_limit integer) TO weir_system;


--
-- Name: FUNCTION forget_vector_removals(p_organization_id uuid, p_vector_index text, p_chunk_ids uuid[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.forget_vector_removals(p_organization_id uuid, p_vector_index text, p_chunk_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.forget_vector_removals(p_organization_id uuid, p_vector_index text, p_chunk_ids uuid[]) TO weir_engine;


--
-- Name: FUNCTION glob_cost(p_glob text, p_characters integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.glob_cost(p_glob text, p_characters integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.glob_cost(p_glob text, p_characters integer) TO weir_writer;
GRANT ALL ON FUNCTION weir.glob_cost(p_glob text, p_characters integer) TO weir_system;


--
-- Name: FUNCTION glob_error(p_glob text, p_path text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.glob_error(p_glob text, p_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.glob_error(p_glob text, p_path text) TO weir_writer;
GRANT ALL ON FUNCTION weir.glob_error(p_glob text, p_path text) TO weir_system;


--
-- Name: FUNCTION globs_error(p_globs jsonb, p_path text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.globs_error(p_globs jsonb, p_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.globs_error(p_globs jsonb, p_path text) TO weir_writer;
GRANT ALL ON FUNCTION weir.globs_error(p_globs jsonb, p_path text) TO weir_system;


--
-- Name: FUNCTION granted_entries(p_permissions jsonb, p_kind text, p_item text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.granted_entries(p_permissions jsonb, p_kind text, p_item text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.granted_entries(p_permissions jsonb, p_kind text, p_item text) TO weir_writer;
GRANT ALL ON FUNCTION weir.granted_entries(p_permissions jsonb, p_kind text, p_item text) TO weir_system;


--
-- Name: FUNCTION granted_patterns(p_permissions jsonb, p_member text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.granted_patterns(p_permissions jsonb, p_member text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.granted_patterns(p_permissions jsonb, p_member text) TO weir_system;


--
-- Name: FUNCTION guard_grant(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.guard_grant() FROM PUBLIC;


--
-- Name: FUNCTION guard_instance(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.guard_instance() FROM PUBLIC;


--
-- Name: FUNCTION guard_invitation(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.guard_invitation() FROM PUBLIC;


--
-- Name: FUNCTION guard_key(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.guard_key() FROM PUBLIC;


--
-- Name: FUNCTION guard_last_owner(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.guard_last_owner() FROM PUBLIC;


--
-- Name: FUNCTION guard_organization_key(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.guard_organization_key() FROM PUBLIC;


--
-- Name: FUNCTION guard_pin(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.guard_pin() FROM PUBLIC;


--
-- Name: FUNCTION guard_request(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.guard_request() FROM PUBLIC;


--
-- Name: FUNCTION has_argument_rule(p_entries jsonb[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.has_argument_rule(p_entries jsonb[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.has_argument_rule(p_entries jsonb[]) TO weir_writer;
GRANT ALL ON FUNCTION weir.has_argument_rule(p_entries jsonb[]) TO weir_system;


--
-- Name: FUNCTION instance_endpoints(p_instance_ids uuid[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.instance_endpoints(p_instance_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.instance_endpoints(p_instance_ids uuid[]) TO weir_engine;


--
-- Name: FUNCTION instances_to_refresh(p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.instances_to_refresh(p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.instances_to_refresh(p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) TO weir_engine;


--
-- Name: FUNCTION is_allowed_url(p_url text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.is_allowed_url(p_url text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.is_allowed_url(p_url text) TO weir_writer;


--
-- Name: FUNCTION is_banned(p_user_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.is_banned(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.is_banned(p_user_id uuid) TO weir_system;


--
-- Name: FUNCTION is_clean_path(p_path text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.is_clean_path(p_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.is_clean_path(p_path text) TO weir_writer;
GRANT ALL ON FUNCTION weir.is_clean_path(p_path text) TO weir_system;


--
-- Name: FUNCTION is_keyring(p_fingerprint bytea); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.is_keyring(p_fingerprint bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.is_keyring(p_fingerprint bytea) TO weir_engine;


--
-- Name: FUNCTION is_under(p_value text, p_base text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.is_under(p_value text, p_base text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.is_under(p_value text, p_base text) TO weir_writer;
GRANT ALL ON FUNCTION weir.is_under(p_value text, p_base text) TO weir_system;


--
-- Name: FUNCTION is_uri(p_item text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.is_uri(p_item text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.is_uri(p_item text) TO weir_writer;
GRANT ALL ON FUNCTION weir.is_uri(p_item text) TO weir_system;


--
-- Name: FUNCTION issue_node_token(p_name text, p_region text, p_token_hash bytea, p_expires_at timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.issue_node_token(p_name text, p_region text, p_token_hash bytea, p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.issue_node_token(p_name text, p_region text, p_token_hash bytea, p_expires_at timestamp with time zone) TO weir_engine;


--
-- Name: FUNCTION key_scope(p_function text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.key_scope(p_function text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.key_scope(p_function text) TO weir_system;


--
-- Name: FUNCTION lexeme_query(p_lexeme text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.lexeme_query(p_lexeme text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.lexeme_query(p_lexeme text) TO weir_system;


--
-- Name: FUNCTION limit_reached(p_grant_id uuid, p_limits jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.limit_reached(p_grant_id uuid, p_limits jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.limit_reached(p_grant_id uuid, p_limits jsonb) TO weir_system;


--
-- Name: FUNCTION live_replicas(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.live_replicas() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.live_replicas() TO weir_engine;


--
-- Name: FUNCTION lock_for(p_act weir.act, p_error text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.lock_for(p_act weir.act, p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.lock_for(p_act weir.act, p_error text) TO weir_writer;


--
-- Name: FUNCTION lock_key(p_organization_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.lock_key(p_organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.lock_key(p_organization_id uuid) TO weir_system;
GRANT ALL ON FUNCTION weir.lock_key(p_organization_id uuid) TO weir_writer;


--
-- Name: FUNCTION lock_organization(p_organization_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.lock_organization(p_organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.lock_organization(p_organization_id uuid) TO weir_system;
GRANT ALL ON FUNCTION weir.lock_organization(p_organization_id uuid) TO weir_writer;


--
-- Name: FUNCTION make_counters(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.make_counters() FROM PUBLIC;


--
-- Name: FUNCTION make_log_partition(p_month timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.make_log_partition(p_month timestamp with time zone) FROM PUBLIC;


--
-- Name: FUNCTION matches_glob(p_value text, p_glob text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.matches_glob(p_value text, p_glob text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.matches_glob(p_value text, p_glob text) TO weir_writer;
GRANT ALL ON FUNCTION weir.matches_glob(p_value text, p_glob text) TO weir_system;


--
-- Name: FUNCTION matches_uri_glob(p_uri text, p_glob text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.matches_uri_glob(p_uri text, p_glob text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.matches_uri_glob(p_uri text, p_glob text) TO weir_writer;
GRANT ALL ON FUNCTION weir.matches_uri_glob(p_uri text, p_glob text) TO weir_system;


--
-- Name: FUNCTION may(p_act weir.act, p_permission text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.may(p_act weir.act, p_permission text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.may(p_act weir.act, p_permission text) TO weir_writer;
GRANT ALL ON FUNCTION weir.may(p_act weir.act, p_permission text) TO weir_system;


--
-- Name: FUNCTION may_add_to_workspace(p_organization_id uuid, p_workspace_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.may_add_to_workspace(p_organization_id uuid, p_workspace_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.may_add_to_workspace(p_organization_id uuid, p_workspace_id uuid, p_agent_id uuid) TO weir_writer;


--
-- Name: FUNCTION may_choose_model(p_organization_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.may_choose_model(p_organization_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.may_choose_model(p_organization_id uuid, p_agent_id uuid) TO weir_writer;


--
-- Name: FUNCTION may_manage_agent(p_organization_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.may_manage_agent(p_organization_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.may_manage_agent(p_organization_id uuid, p_agent_id uuid) TO weir_writer;
GRANT ALL ON FUNCTION weir.may_manage_agent(p_organization_id uuid, p_agent_id uuid) TO weir_system;


--
-- Name: FUNCTION may_manage_agents_of(p_workspace_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.may_manage_agents_of(p_workspace_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.may_manage_agents_of(p_workspace_id uuid) TO weir_writer;


--
-- Name: FUNCTION may_read(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_ids uuid[], p_uris text[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.may_read(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_ids uuid[], p_uris text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.may_read(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_ids uuid[], p_uris text[]) TO weir_engine;


--
-- Name: FUNCTION may_use_agent(p_user_id uuid, p_agent_id uuid, p_owner_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.may_use_agent(p_user_id uuid, p_agent_id uuid, p_owner_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.may_use_agent(p_user_id uuid, p_agent_id uuid, p_owner_id uuid) TO weir_system;
GRANT ALL ON FUNCTION weir.may_use_agent(p_user_id uuid, p_agent_id uuid, p_owner_id uuid) TO weir_writer;


--
-- Name: FUNCTION model_is_offered(p_provider text, p_model text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.model_is_offered(p_provider text, p_model text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.model_is_offered(p_provider text, p_model text) TO weir_writer;


--
-- Name: FUNCTION model_settings_error(p_settings jsonb, p_is_agent boolean); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.model_settings_error(p_settings jsonb, p_is_agent boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.model_settings_error(p_settings jsonb, p_is_agent boolean) TO weir_writer;


--
-- Name: FUNCTION model_settings_for(p_user_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.model_settings_for(p_user_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.model_settings_for(p_user_id uuid, p_agent_id uuid) TO weir_engine;


--
-- Name: FUNCTION my_agents(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.my_agents() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.my_agents() TO authenticated;
GRANT ALL ON FUNCTION weir.my_agents() TO weir_writer;


--
-- Name: FUNCTION my_datastores(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.my_datastores() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.my_datastores() TO authenticated;
GRANT ALL ON FUNCTION weir.my_datastores() TO weir_writer;


--
-- Name: FUNCTION my_new_organizations(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.my_new_organizations() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.my_new_organizations() TO weir_writer;


--
-- Name: FUNCTION my_organizations(p_role text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.my_organizations(p_role text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.my_organizations(p_role text) TO authenticated;
GRANT ALL ON FUNCTION weir.my_organizations(p_role text) TO weir_writer;


--
-- Name: FUNCTION my_workspaces(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.my_workspaces() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.my_workspaces() TO authenticated;
GRANT ALL ON FUNCTION weir.my_workspaces() TO weir_writer;


--
-- Name: FUNCTION name_error(p_argument text, p_value text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.name_error(p_argument text, p_value text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.name_error(p_argument text, p_value text) TO weir_writer;
GRANT ALL ON FUNCTION weir.name_error(p_argument text, p_value text) TO weir_system;


--
-- Name: FUNCTION network_of(p_address inet); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.network_of(p_address inet) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.network_of(p_address inet) TO weir_system;


--
-- Name: FUNCTION node_connections(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.node_connections() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.node_connections() TO weir_engine;


--
-- Name: FUNCTION node_heartbeat(p_node_key_hash bytea, p_api_url text, p_status jsonb, p_servers jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.node_heartbeat(p_node_key_hash bytea, p_api_url text, p_status jsonb, p_servers jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.node_heartbeat(p_node_key_hash bytea, p_api_url text, p_status jsonb, p_servers jsonb) TO weir_engine;


--
-- Name: FUNCTION node_of_key(p_node_key_hash bytea); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.node_of_key(p_node_key_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.node_of_key(p_node_key_hash bytea) TO weir_engine;


--
-- Name: FUNCTION not_placed(p_node_key_hash bytea, p_servers jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.not_placed(p_node_key_hash bytea, p_servers jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.not_placed(p_node_key_hash bytea, p_servers jsonb) TO weir_engine;


--
-- Name: FUNCTION on_catalog_change(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.on_catalog_change() FROM PUBLIC;


--
-- Name: FUNCTION on_instance_reset(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.on_instance_reset() FROM PUBLIC;


--
-- Name: FUNCTION on_organization_change(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.on_organization_change() FROM PUBLIC;


--
-- Name: FUNCTION on_permission_change(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.on_permission_change() FROM PUBLIC;


--
-- Name: FUNCTION open_sign_in(p_user_id uuid, p_address inet); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.open_sign_in(p_user_id uuid, p_address inet) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.open_sign_in(p_user_id uuid, p_address inet) TO weir_engine;


--
-- Name: TABLE mcp_server_instances; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.mcp_server_instances TO weir_writer;
GRANT SELECT ON TABLE public.mcp_server_instances TO weir_system;
GRANT SELECT ON TABLE public.mcp_server_instances TO weir_backup;


--
-- Name: COLUMN mcp_server_instances.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(id) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(id) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(organization_id) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(organization_id) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(name) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(name),UPDATE(name) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.catalog_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(catalog_id) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(catalog_id),UPDATE(catalog_id) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.url; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(url),UPDATE(url) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.configuration; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(configuration),UPDATE(configuration) ON TABLE public.mcp_server_instances TO weir_writer;
GRANT UPDATE(configuration) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.status; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(status) ON TABLE public.mcp_server_instances TO authenticated;
GRANT UPDATE(status) ON TABLE public.mcp_server_instances TO weir_writer;
GRANT UPDATE(status) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.share; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(share) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(share),UPDATE(share) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.max_sessions; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(max_sessions) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(max_sessions),UPDATE(max_sessions) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.priority; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(priority) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(priority),UPDATE(priority) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.region; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(region) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(region),UPDATE(region) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.pin_policy; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(pin_policy) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(pin_policy),UPDATE(pin_policy) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.chat_offline; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(chat_offline),UPDATE(chat_offline) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.node_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(node_id) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.last_node_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(last_node_id) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.generation; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(generation) ON TABLE public.mcp_server_instances TO weir_writer;
GRANT UPDATE(generation) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.resets; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(resets) ON TABLE public.mcp_server_instances TO weir_writer;
GRANT UPDATE(resets) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.reasserted_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(reasserted_at) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.approved_generation; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(approved_generation) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.last_error_code; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(last_error_code) ON TABLE public.mcp_server_instances TO authenticated;
GRANT UPDATE(last_error_code) ON TABLE public.mcp_server_instances TO weir_writer;
GRANT UPDATE(last_error_code) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.last_error; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(last_error) ON TABLE public.mcp_server_instances TO weir_writer;
GRANT UPDATE(last_error) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.first_running_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(first_running_at) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.server_info; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(server_info) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.refreshed_generation; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(refreshed_generation) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.refreshed_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(refreshed_at) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.refresh_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(refresh_at) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.refresh_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(refresh_by) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.refresh_lease_until; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(refresh_lease_until) ON TABLE public.mcp_server_instances TO weir_system;


--
-- Name: COLUMN mcp_server_instances.context_resources; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(context_resources),UPDATE(context_resources) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.context_prompts; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(context_prompts),UPDATE(context_prompts) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.timeout_ms; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(timeout_ms),UPDATE(timeout_ms) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.max_retries; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(max_retries),UPDATE(max_retries) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.retry_backoff_ms; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(retry_backoff_ms),UPDATE(retry_backoff_ms) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_by) ON TABLE public.mcp_server_instances TO authenticated;
GRANT INSERT(created_by) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.deployed_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(deployed_by) ON TABLE public.mcp_server_instances TO weir_writer;


--
-- Name: COLUMN mcp_server_instances.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.mcp_server_instances TO authenticated;


--
-- Name: COLUMN mcp_server_instances.updated_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(updated_at) ON TABLE public.mcp_server_instances TO authenticated;


--
-- Name: TABLE dtma_nodes; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.dtma_nodes TO weir_system;
GRANT SELECT ON TABLE weir.dtma_nodes TO weir_backup;


--
-- Name: COLUMN dtma_nodes.id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.name; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(name) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.region; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(region),UPDATE(region) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.token_hash; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(token_hash),UPDATE(token_hash) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.token_expires_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(token_expires_at),UPDATE(token_expires_at) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.registered_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(registered_at) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.key_hash; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(key_hash) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.api_url; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(api_url) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.sealed_api_key; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(sealed_api_key) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.capability_version; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(capability_version) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.isolation; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(isolation) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.runtimes; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(runtimes) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.is_online; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(is_online) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.heartbeat_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(heartbeat_at) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.status; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(status) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: COLUMN dtma_nodes.closed_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(closed_at) ON TABLE weir.dtma_nodes TO weir_system;


--
-- Name: TABLE dtma_operations; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.dtma_operations TO weir_writer;
GRANT SELECT ON TABLE weir.dtma_operations TO weir_system;
GRANT SELECT ON TABLE weir.dtma_operations TO weir_backup;


--
-- Name: COLUMN dtma_operations.id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE weir.dtma_operations TO weir_writer;


--
-- Name: COLUMN dtma_operations.organization_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE weir.dtma_operations TO weir_writer;
GRANT INSERT(organization_id) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.instance_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(instance_id) ON TABLE weir.dtma_operations TO weir_writer;
GRANT INSERT(instance_id) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.action; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(action) ON TABLE weir.dtma_operations TO weir_writer;
GRANT INSERT(action) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.generation; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(generation) ON TABLE weir.dtma_operations TO weir_writer;
GRANT INSERT(generation) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.created_by; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(created_by) ON TABLE weir.dtma_operations TO weir_writer;


--
-- Name: COLUMN dtma_operations.attempt; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(attempt) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.run_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(run_at) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.claimed_by; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(claimed_by) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.lease_until; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(lease_until) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.finished_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(finished_at) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.outcome; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(outcome) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.error_code; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(error_code) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: COLUMN dtma_operations.error; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(error) ON TABLE weir.dtma_operations TO weir_system;


--
-- Name: FUNCTION operations_in_turn(p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.operations_in_turn(p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.operations_in_turn(p_share integer, p_running_organizations uuid[], p_running_nodes uuid[]) TO weir_system;


--
-- Name: FUNCTION organizations_made_by(p_user_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.organizations_made_by(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.organizations_made_by(p_user_id uuid) TO weir_writer;


--
-- Name: FUNCTION over_limit(p_calls weir.call_decision[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.over_limit(p_calls weir.call_decision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.over_limit(p_calls weir.call_decision[]) TO weir_system;


--
-- Name: FUNCTION overtake_generation(p_instance_id uuid, p_generation bigint, p_known bigint); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.overtake_generation(p_instance_id uuid, p_generation bigint, p_known bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.overtake_generation(p_instance_id uuid, p_generation bigint, p_known bigint) TO weir_engine;


--
-- Name: FUNCTION owners_may_choose_models(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.owners_may_choose_models() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.owners_may_choose_models() TO weir_writer;


--
-- Name: FUNCTION passages(p_user_id uuid, p_agent_id uuid, p_chunk_ids uuid[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.passages(p_user_id uuid, p_agent_id uuid, p_chunk_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.passages(p_user_id uuid, p_agent_id uuid, p_chunk_ids uuid[]) TO weir_engine;


--
-- Name: FUNCTION pattern_choice(a weir.pattern_part, b weir.pattern_part); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.pattern_choice(a weir.pattern_part, b weir.pattern_part) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.pattern_choice(a weir.pattern_part, b weir.pattern_part) TO weir_writer;
GRANT ALL ON FUNCTION weir.pattern_choice(a weir.pattern_part, b weir.pattern_part) TO weir_system;


--
-- Name: FUNCTION pattern_cost(p_pattern text, p_texts numeric, p_characters numeric); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.pattern_cost(p_pattern text, p_texts numeric, p_characters numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.pattern_cost(p_pattern text, p_texts numeric, p_characters numeric) TO weir_writer;
GRANT ALL ON FUNCTION weir.pattern_cost(p_pattern text, p_texts numeric, p_characters numeric) TO weir_system;


--
-- Name: FUNCTION pattern_error(p_pattern text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.pattern_error(p_pattern text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.pattern_error(p_pattern text) TO weir_writer;
GRANT ALL ON FUNCTION weir.pattern_error(p_pattern text) TO weir_system;


--
-- Name: FUNCTION pattern_repeat(a weir.pattern_part, p_quantifier text, p_group boolean); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.pattern_repeat(a weir.pattern_part, p_quantifier text, p_group boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.pattern_repeat(a weir.pattern_part, p_quantifier text, p_group boolean) TO weir_writer;
GRANT ALL ON FUNCTION weir.pattern_repeat(a weir.pattern_part, p_quantifier text, p_group boolean) TO weir_system;


--
-- Name: FUNCTION pattern_sequence(a weir.pattern_part, b weir.pattern_part); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.pattern_sequence(a weir.pattern_part, b weir.pattern_part) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.pattern_sequence(a weir.pattern_part, b weir.pattern_part) TO weir_writer;
GRANT ALL ON FUNCTION weir.pattern_sequence(a weir.pattern_part, b weir.pattern_part) TO weir_system;


--
-- Name: FUNCTION pattern_size(p_pattern text, OUT error text, OUT classes integer, OUT kinds numeric, OUT moves numeric, OUT arcs numeric, OUT longest integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.pattern_size(p_pattern text, OUT error text, OUT classes integer, OUT kinds numeric, OUT moves numeric, OUT arcs numeric, OUT longest integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.pattern_size(p_pattern text, OUT error text, OUT classes integer, OUT kinds numeric, OUT moves numeric, OUT arcs numeric, OUT longest integer) TO weir_writer;
GRANT ALL ON FUNCTION weir.pattern_size(p_pattern text, OUT error text, OUT classes integer, OUT kinds numeric, OUT moves numeric, OUT arcs numeric, OUT longest integer) TO weir_system;


--
-- Name: FUNCTION permissions_error(p_permissions jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.permissions_error(p_permissions jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.permissions_error(p_permissions jsonb) TO weir_writer;
GRANT ALL ON FUNCTION weir.permissions_error(p_permissions jsonb) TO weir_system;


--
-- Name: FUNCTION platform_id(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.platform_id() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.platform_id() TO weir_system;
GRANT ALL ON FUNCTION weir.platform_id() TO weir_writer;


--
-- Name: FUNCTION principal_agent(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.principal_agent(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.principal_agent(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) TO weir_system;


--
-- Name: FUNCTION principal_organization(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.principal_organization(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.principal_organization(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) TO weir_engine;


--
-- Name: FUNCTION printable(p_text text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.printable(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.printable(p_text text) TO weir_backup;


--
-- Name: FUNCTION publish_catalog_server(p_entry jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.publish_catalog_server(p_entry jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.publish_catalog_server(p_entry jsonb) TO weir_owner;


--
-- Name: FUNCTION published_columns(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.published_columns() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.published_columns() TO weir_engine;


--
-- Name: FUNCTION published_functions(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.published_functions() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.published_functions() TO weir_engine;


--
-- Name: FUNCTION purge(p_idempotency_keys interval, p_chat_turns interval, p_security_events interval, p_limit integer); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.purge(p_idempotency_keys interval, p_chat_turns interval, p_security_events interval, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.purge(p_idempotency_keys interval, p_chat_turns interval, p_security_events interval, p_limit integer) TO weir_engine;


--
-- Name: FUNCTION purge_datastores(p_limit integer); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.purge_datastores(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.purge_datastores(p_limit integer) TO weir_engine;


--
-- Name: FUNCTION read_with_key(p_key_id text, p_secret_hash bytea, p_function text, p_arguments jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.read_with_key(p_key_id text, p_secret_hash bytea, p_function text, p_arguments jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.read_with_key(p_key_id text, p_secret_hash bytea, p_function text, p_arguments jsonb) TO weir_engine;


--
-- Name: FUNCTION reassert_instance(p_instance_id uuid, p_generation bigint, p_known bigint, p_until timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.reassert_instance(p_instance_id uuid, p_generation bigint, p_known bigint, p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.reassert_instance(p_instance_id uuid, p_generation bigint, p_known bigint, p_until timestamp with time zone) TO weir_system;


--
-- Name: FUNCTION reconcile_node(p_node_id uuid, p_reported jsonb, p_until timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.reconcile_node(p_node_id uuid, p_reported jsonb, p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.reconcile_node(p_node_id uuid, p_reported jsonb, p_until timestamp with time zone) TO weir_system;


--
-- Name: FUNCTION record_act(p_act weir.act, p_detail text, p_grant_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.record_act(p_act weir.act, p_detail text, p_grant_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_act(p_act weir.act, p_detail text, p_grant_id uuid) TO weir_writer;
GRANT ALL ON FUNCTION weir.record_act(p_act weir.act, p_detail text, p_grant_id uuid) TO weir_system;


--
-- Name: FUNCTION record_chat_answer(p_user_id uuid, p_agent_id uuid, p_channel_id uuid, p_reply_to uuid, p_content text, p_tool_calls jsonb, p_usage jsonb, p_degraded jsonb, p_end jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_chat_answer(p_user_id uuid, p_agent_id uuid, p_channel_id uuid, p_reply_to uuid, p_content text, p_tool_calls jsonb, p_usage jsonb, p_degraded jsonb, p_end jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_chat_answer(p_user_id uuid, p_agent_id uuid, p_channel_id uuid, p_reply_to uuid, p_content text, p_tool_calls jsonb, p_usage jsonb, p_degraded jsonb, p_end jsonb) TO weir_engine;


--
-- Name: FUNCTION record_chat_call(p_replica_id uuid, p_agent_id uuid, p_message_id uuid, p_place integer, p_call jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_chat_call(p_replica_id uuid, p_agent_id uuid, p_message_id uuid, p_place integer, p_call jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_chat_call(p_replica_id uuid, p_agent_id uuid, p_message_id uuid, p_place integer, p_call jsonb) TO weir_engine;


--
-- Name: FUNCTION record_definitions(p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb, p_warnings text[], p_listed text[], p_ttl interval, p_eras text[], p_needs text[], p_faults text[], p_fault_paths text[], p_fault_reasons text[], p_keeps_needing text[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_definitions(p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb, p_warnings text[], p_listed text[], p_ttl interval, p_eras text[], p_needs text[], p_faults text[], p_fault_paths text[], p_fault_reasons text[], p_keeps_needing text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_definitions(p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb, p_warnings text[], p_listed text[], p_ttl interval, p_eras text[], p_needs text[], p_faults text[], p_fault_paths text[], p_fault_reasons text[], p_keeps_needing text[]) TO weir_engine;


--
-- Name: FUNCTION record_denials(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_items text[], p_reasons text[], p_request_ids text[], p_request_bytes bigint[], p_request_hashes bytea[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_denials(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_items text[], p_reasons text[], p_request_ids text[], p_request_bytes bigint[], p_request_hashes bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_denials(p_replica_id uuid, p_ids uuid[], p_created_at timestamp with time zone[], p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_items text[], p_reasons text[], p_request_ids text[], p_request_bytes bigint[], p_request_hashes bytea[]) TO weir_engine;


--
-- Name: FUNCTION record_embedding_failure(p_document_ids uuid[], p_detail text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_embedding_failure(p_document_ids uuid[], p_detail text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_embedding_failure(p_document_ids uuid[], p_detail text) TO weir_engine;


--
-- Name: FUNCTION record_embeddings(p_organization_id uuid, p_datastore_id uuid, p_model text, p_chunk_ids uuid[], p_values real[], p_vector_index text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_embeddings(p_organization_id uuid, p_datastore_id uuid, p_model text, p_chunk_ids uuid[], p_values real[], p_vector_index text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_embeddings(p_organization_id uuid, p_datastore_id uuid, p_model text, p_chunk_ids uuid[], p_values real[], p_vector_index text) TO weir_engine;


--
-- Name: FUNCTION record_event(p_kind text, p_organization_id uuid, p_reason text, p_agent_id uuid, p_instance_id uuid, p_item text, p_detail text, p_grant_id uuid, p_outcome text, p_key_id text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_event(p_kind text, p_organization_id uuid, p_reason text, p_agent_id uuid, p_instance_id uuid, p_item text, p_detail text, p_grant_id uuid, p_outcome text, p_key_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_event(p_kind text, p_organization_id uuid, p_reason text, p_agent_id uuid, p_instance_id uuid, p_item text, p_detail text, p_grant_id uuid, p_outcome text, p_key_id text) TO weir_writer;


--
-- Name: FUNCTION record_instance_state(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_instance_state(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_instance_state(p_instance_id uuid, p_generation bigint, p_state text, p_error_code text, p_error text) TO weir_engine;


--
-- Name: FUNCTION record_model_usage(p_agent_id uuid, p_usage jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_model_usage(p_agent_id uuid, p_usage jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_model_usage(p_agent_id uuid, p_usage jsonb) TO weir_engine;


--
-- Name: FUNCTION record_operation(p_operation_id uuid, p_replica_id uuid, p_outcome text, p_error_code text, p_error text, p_retry_at timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_operation(p_operation_id uuid, p_replica_id uuid, p_outcome text, p_error_code text, p_error text, p_retry_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_operation(p_operation_id uuid, p_replica_id uuid, p_outcome text, p_error_code text, p_error text, p_retry_at timestamp with time zone) TO weir_engine;


--
-- Name: FUNCTION record_pins(p_organization_id uuid, p_instance_id uuid, p_kinds text[], p_items weir.announced_item[], p_trusted boolean, p_updated boolean, OUT new_pins integer, OUT changed_pins integer, OUT quarantined integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.record_pins(p_organization_id uuid, p_instance_id uuid, p_kinds text[], p_items weir.announced_item[], p_trusted boolean, p_updated boolean, OUT new_pins integer, OUT changed_pins integer, OUT quarantined integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_pins(p_organization_id uuid, p_instance_id uuid, p_kinds text[], p_items weir.announced_item[], p_trusted boolean, p_updated boolean, OUT new_pins integer, OUT changed_pins integer, OUT quarantined integer) TO weir_system;


--
-- Name: FUNCTION record_quarantine(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[], p_reasons text[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.record_quarantine(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[], p_reasons text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_quarantine(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[], p_reasons text[]) TO weir_system;


--
-- Name: FUNCTION record_resources(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[]); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.record_resources(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_resources(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[]) TO weir_system;


--
-- Name: FUNCTION record_security_events(p_reasons text[], p_key_prefixes text[], p_addresses inet[], p_counts integer[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.record_security_events(p_reasons text[], p_key_prefixes text[], p_addresses inet[], p_counts integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.record_security_events(p_reasons text[], p_key_prefixes text[], p_addresses inet[], p_counts integer[]) TO weir_engine;


--
-- Name: FUNCTION refresh_now(p_instance_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.refresh_now(p_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.refresh_now(p_instance_id uuid) TO weir_system;


--
-- Name: FUNCTION refresh_sign_in(p_id uuid, p_counter integer); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.refresh_sign_in(p_id uuid, p_counter integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.refresh_sign_in(p_id uuid, p_counter integer) TO weir_engine;


--
-- Name: FUNCTION refresh_soon(p_instance_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.refresh_soon(p_instance_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.refresh_soon(p_instance_id uuid) TO weir_engine;


--
-- Name: FUNCTION refuse(p_act weir.act, p_code text, p_message text, p_hint text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.refuse(p_act weir.act, p_code text, p_message text, p_hint text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.refuse(p_act weir.act, p_code text, p_message text, p_hint text) TO weir_writer;


--
-- Name: FUNCTION refuse_change(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.refuse_change() FROM PUBLIC;


--
-- Name: FUNCTION refuse_truncate(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.refuse_truncate() FROM PUBLIC;


--
-- Name: FUNCTION refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text) TO weir_writer;


--
-- Name: FUNCTION register_node(p_token_hash bytea, p_node_key_hash bytea, p_api_url text, p_sealed_api_key bytea, p_capability_version integer, p_isolation text, p_runtimes text[]); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.register_node(p_token_hash bytea, p_node_key_hash bytea, p_api_url text, p_sealed_api_key bytea, p_capability_version integer, p_isolation text, p_runtimes text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.register_node(p_token_hash bytea, p_node_key_hash bytea, p_api_url text, p_sealed_api_key bytea, p_capability_version integer, p_isolation text, p_runtimes text[]) TO weir_engine;


--
-- Name: FUNCTION release_chat_turn(p_replica_id uuid, p_agent_id uuid, p_message_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.release_chat_turn(p_replica_id uuid, p_agent_id uuid, p_message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.release_chat_turn(p_replica_id uuid, p_agent_id uuid, p_message_id uuid) TO weir_engine;


--
-- Name: FUNCTION remember_removal(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.remember_removal() FROM PUBLIC;


--
-- Name: FUNCTION reopen_embeddings(p_model text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.reopen_embeddings(p_model text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.reopen_embeddings(p_model text) TO weir_engine;


--
-- Name: FUNCTION replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) TO weir_engine;


--
-- Name: FUNCTION report_closed_node(p_node_id uuid, p_api_url text, p_ago interval, p_quiet interval); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.report_closed_node(p_node_id uuid, p_api_url text, p_ago interval, p_quiet interval) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.report_closed_node(p_node_id uuid, p_api_url text, p_ago interval, p_quiet interval) TO weir_engine;


--
-- Name: FUNCTION request_hash(p_action text, p_server_config jsonb, p_server_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.request_hash(p_action text, p_server_config jsonb, p_server_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.request_hash(p_action text, p_server_config jsonb, p_server_id uuid) TO weir_writer;


--
-- Name: FUNCTION request_operation(p_organization_id uuid, p_instance_id uuid, p_action text); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.request_operation(p_organization_id uuid, p_instance_id uuid, p_action text) FROM PUBLIC;


--
-- Name: FUNCTION require_sign_in(); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.require_sign_in() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.require_sign_in() TO weir_writer;
GRANT ALL ON FUNCTION weir.require_sign_in() TO weir_system;


--
-- Name: FUNCTION resolve_identity(p_issuer text, p_subject text, p_email text, p_email_verified boolean); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.resolve_identity(p_issuer text, p_subject text, p_email text, p_email_verified boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.resolve_identity(p_issuer text, p_subject text, p_email text, p_email_verified boolean) TO weir_engine;


--
-- Name: FUNCTION revoke_again(p_kind text, p_key text, p_state text, p_organization_id uuid, p_label text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.revoke_again(p_kind text, p_key text, p_state text, p_organization_id uuid, p_label text) FROM PUBLIC;


--
-- Name: FUNCTION rewrap_user_data_key(p_user_id uuid, p_version integer, p_wrapped_key bytea); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.rewrap_user_data_key(p_user_id uuid, p_version integer, p_wrapped_key bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.rewrap_user_data_key(p_user_id uuid, p_version integer, p_wrapped_key bytea) TO weir_engine;


--
-- Name: FUNCTION roll_up_usage(p_grace interval); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.roll_up_usage(p_grace interval) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.roll_up_usage(p_grace interval) TO weir_engine;


--
-- Name: FUNCTION rule_error(p_rule jsonb, p_path text, p_depth integer); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.rule_error(p_rule jsonb, p_path text, p_depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.rule_error(p_rule jsonb, p_path text, p_depth integer) TO weir_writer;
GRANT ALL ON FUNCTION weir.rule_error(p_rule jsonb, p_path text, p_depth integer) TO weir_system;


--
-- Name: FUNCTION rule_failure(p_rule jsonb, p_value jsonb, p_path text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.rule_failure(p_rule jsonb, p_value jsonb, p_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.rule_failure(p_rule jsonb, p_value jsonb, p_path text) TO weir_writer;
GRANT ALL ON FUNCTION weir.rule_failure(p_rule jsonb, p_value jsonb, p_path text) TO weir_system;


--
-- Name: FUNCTION schema_error(p_schema jsonb, p_value jsonb, p_path text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.schema_error(p_schema jsonb, p_value jsonb, p_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.schema_error(p_schema jsonb, p_value jsonb, p_path text) TO weir_writer;
GRANT ALL ON FUNCTION weir.schema_error(p_schema jsonb, p_value jsonb, p_path text) TO weir_system;


--
-- Name: FUNCTION search_documents(p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.search_documents(p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.search_documents(p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer) TO weir_engine;


--
-- Name: FUNCTION search_vectors(p_user_id uuid, p_agent_id uuid, p_model text, p_vector real[], p_limit integer); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.search_vectors(p_user_id uuid, p_agent_id uuid, p_model text, p_vector real[], p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.search_vectors(p_user_id uuid, p_agent_id uuid, p_model text, p_vector real[], p_limit integer) TO weir_engine;


--
-- Name: FUNCTION search_words(p_text text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.search_words(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.search_words(p_text text) TO weir_system;
GRANT ALL ON FUNCTION weir.search_words(p_text text) TO weir_writer;


--
-- Name: FUNCTION server_config_error(p_config jsonb, p_is_whole boolean); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.server_config_error(p_config jsonb, p_is_whole boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.server_config_error(p_config jsonb, p_is_whole boolean) TO weir_writer;


--
-- Name: FUNCTION servers_of(p_organization_id uuid); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.servers_of(p_organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.servers_of(p_organization_id uuid) TO weir_system;


--
-- Name: FUNCTION set_setting(p_name text, p_value jsonb); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.set_setting(p_name text, p_value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.set_setting(p_name text, p_value jsonb) TO weir_owner;


--
-- Name: FUNCTION sign_up(p_email text, p_password_hash text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.sign_up(p_email text, p_password_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.sign_up(p_email text, p_password_hash text) TO weir_engine;


--
-- Name: FUNCTION signed_in_user(p_user_id uuid, p_sign_in_id uuid); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.signed_in_user(p_user_id uuid, p_sign_in_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.signed_in_user(p_user_id uuid, p_sign_in_id uuid) TO weir_engine;


--
-- Name: FUNCTION sweep_nodes(p_stale interval); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.sweep_nodes(p_stale interval) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.sweep_nodes(p_stale interval) TO weir_engine;


--
-- Name: FUNCTION template_is_granted(p_permissions jsonb, p_template text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.template_is_granted(p_permissions jsonb, p_template text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.template_is_granted(p_permissions jsonb, p_template text) TO weir_system;


--
-- Name: FUNCTION tool_grant_error(p_entry jsonb, p_path text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.tool_grant_error(p_entry jsonb, p_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.tool_grant_error(p_entry jsonb, p_path text) TO weir_writer;
GRANT ALL ON FUNCTION weir.tool_grant_error(p_entry jsonb, p_path text) TO weir_system;


--
-- Name: FUNCTION tool_terms(p_kind text, p_name text, p_definition text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.tool_terms(p_kind text, p_name text, p_definition text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.tool_terms(p_kind text, p_name text, p_definition text) TO weir_system;
GRANT ALL ON FUNCTION weir.tool_terms(p_kind text, p_name text, p_definition text) TO weir_writer;


--
-- Name: FUNCTION tools_error(p_tools jsonb); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.tools_error(p_tools jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.tools_error(p_tools jsonb) TO weir_writer;
GRANT ALL ON FUNCTION weir.tools_error(p_tools jsonb) TO weir_system;


--
-- Name: FUNCTION trigrams(p_text text); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.trigrams(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.trigrams(p_text text) TO weir_system;
GRANT ALL ON FUNCTION weir.trigrams(p_text text) TO weir_writer;


--
-- Name: FUNCTION try_lock_organization(p_organization_id uuid, p_until timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.try_lock_organization(p_organization_id uuid, p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.try_lock_organization(p_organization_id uuid, p_until timestamp with time zone) TO weir_system;


--
-- Name: FUNCTION update_mcp_server(p_organization_id uuid, p_instance_id uuid, p_config jsonb); Type: ACL; Schema: weir; Owner: weir_writer
--

REVOKE ALL ON FUNCTION weir.update_mcp_server(p_organization_id uuid, p_instance_id uuid, p_config jsonb) FROM PUBLIC;


--
-- Name: FUNCTION usage_of(p_organization_id uuid, p_since timestamp with time zone, p_until timestamp with time zone); Type: ACL; Schema: weir; Owner: weir_owner
--

REVOKE ALL ON FUNCTION weir.usage_of(p_organization_id uuid, p_since timestamp with time zone, p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.usage_of(p_organization_id uuid, p_since timestamp with time zone, p_until timestamp with time zone) TO weir_system;


--
-- Name: FUNCTION user_data_key(p_user_id uuid, p_wrapped_key bytea); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.user_data_key(p_user_id uuid, p_wrapped_key bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.user_data_key(p_user_id uuid, p_wrapped_key bytea) TO weir_engine;


--
-- Name: FUNCTION user_of_token(p_issuer text, p_subject text, p_email text, p_email_verified boolean); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.user_of_token(p_issuer text, p_subject text, p_email text, p_email_verified boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.user_of_token(p_issuer text, p_subject text, p_email text, p_email_verified boolean) TO weir_engine;


--
-- Name: FUNCTION vector_schema(); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.vector_schema() FROM PUBLIC;
GRANT ALL ON FUNCTION weir.vector_schema() TO weir_engine;


--
-- Name: FUNCTION withdraw_catalog_server(p_slug text, p_version text); Type: ACL; Schema: weir; Owner: weir_system
--

REVOKE ALL ON FUNCTION weir.withdraw_catalog_server(p_slug text, p_version text) FROM PUBLIC;
GRANT ALL ON FUNCTION weir.withdraw_catalog_server(p_slug text, p_version text) TO weir_owner;


--
-- Name: TABLE users; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT ON TABLE auth.users TO weir_backup;


--
-- Name: COLUMN users.id; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT(id),INSERT(id) ON TABLE auth.users TO weir_system;


--
-- Name: COLUMN users.email; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT(email),INSERT(email) ON TABLE auth.users TO weir_system;


--
-- Name: COLUMN users.email_confirmed_at; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT(email_confirmed_at),INSERT(email_confirmed_at) ON TABLE auth.users TO weir_system;


--
-- Name: COLUMN users.encrypted_password; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT(encrypted_password),INSERT(encrypted_password) ON TABLE auth.users TO weir_system;


--
-- Name: COLUMN users.banned_until; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT(banned_until) ON TABLE auth.users TO weir_system;


--
-- Name: COLUMN users.created_at; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE auth.users TO weir_system;


--
-- Name: COLUMN users.updated_at; Type: ACL; Schema: auth; Owner: weir_owner
--

GRANT SELECT(updated_at) ON TABLE auth.users TO weir_system;


--
-- Name: TABLE agent_api_keys; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.agent_api_keys TO weir_backup;


--
-- Name: COLUMN agent_api_keys.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(id) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(id),INSERT(id) ON TABLE public.agent_api_keys TO weir_writer;


--
-- Name: COLUMN agent_api_keys.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(organization_id) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE public.agent_api_keys TO weir_writer;
GRANT SELECT(organization_id) ON TABLE public.agent_api_keys TO weir_system;


--
-- Name: COLUMN agent_api_keys.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(agent_id) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(agent_id),INSERT(agent_id) ON TABLE public.agent_api_keys TO weir_writer;
GRANT SELECT(agent_id) ON TABLE public.agent_api_keys TO weir_system;


--
-- Name: COLUMN agent_api_keys.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(name) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(name),INSERT(name) ON TABLE public.agent_api_keys TO weir_writer;


--
-- Name: COLUMN agent_api_keys.key_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(key_id) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(key_id),INSERT(key_id) ON TABLE public.agent_api_keys TO weir_writer;
GRANT SELECT(key_id) ON TABLE public.agent_api_keys TO weir_system;


--
-- Name: COLUMN agent_api_keys.secret_hash; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(secret_hash) ON TABLE public.agent_api_keys TO weir_writer;
GRANT SELECT(secret_hash) ON TABLE public.agent_api_keys TO weir_system;


--
-- Name: COLUMN agent_api_keys.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_by) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(created_by),INSERT(created_by) ON TABLE public.agent_api_keys TO weir_writer;


--
-- Name: COLUMN agent_api_keys.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(created_at) ON TABLE public.agent_api_keys TO weir_writer;


--
-- Name: COLUMN agent_api_keys.expires_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(expires_at) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE public.agent_api_keys TO weir_writer;
GRANT SELECT(expires_at) ON TABLE public.agent_api_keys TO weir_system;


--
-- Name: COLUMN agent_api_keys.revoked_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(revoked_at) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE public.agent_api_keys TO weir_writer;
GRANT SELECT(revoked_at) ON TABLE public.agent_api_keys TO weir_system;


--
-- Name: COLUMN agent_api_keys.revoked_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(revoked_by) ON TABLE public.agent_api_keys TO authenticated;
GRANT SELECT(revoked_by),UPDATE(revoked_by) ON TABLE public.agent_api_keys TO weir_writer;


--
-- Name: TABLE agent_datastores; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.agent_datastores TO authenticated;
GRANT SELECT,DELETE ON TABLE public.agent_datastores TO weir_writer;
GRANT SELECT ON TABLE public.agent_datastores TO weir_backup;


--
-- Name: COLUMN agent_datastores.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.agent_datastores TO weir_writer;
GRANT SELECT(organization_id) ON TABLE public.agent_datastores TO weir_system;


--
-- Name: COLUMN agent_datastores.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(agent_id) ON TABLE public.agent_datastores TO weir_writer;
GRANT SELECT(agent_id) ON TABLE public.agent_datastores TO weir_system;


--
-- Name: COLUMN agent_datastores.datastore_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(datastore_id) ON TABLE public.agent_datastores TO weir_writer;
GRANT SELECT(datastore_id) ON TABLE public.agent_datastores TO weir_system;


--
-- Name: COLUMN agent_datastores.linked_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(linked_by) ON TABLE public.agent_datastores TO weir_writer;


--
-- Name: TABLE agent_mcp_permissions; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.agent_mcp_permissions TO authenticated;
GRANT SELECT ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT ON TABLE public.agent_mcp_permissions TO weir_backup;


--
-- Name: COLUMN agent_mcp_permissions.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(id) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(organization_id) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(agent_id) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(agent_id) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.mcp_server_instance_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(mcp_server_instance_id) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(mcp_server_instance_id) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.permissions; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(permissions) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(permissions) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.not_before; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(not_before) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(not_before) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.expires_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(expires_at) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(expires_at) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.granted_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(granted_by) ON TABLE public.agent_mcp_permissions TO weir_writer;


--
-- Name: COLUMN agent_mcp_permissions.granted_by_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(granted_by_id) ON TABLE public.agent_mcp_permissions TO weir_writer;


--
-- Name: COLUMN agent_mcp_permissions.revoked_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(revoked_at) ON TABLE public.agent_mcp_permissions TO weir_writer;
GRANT SELECT(revoked_at) ON TABLE public.agent_mcp_permissions TO weir_system;


--
-- Name: COLUMN agent_mcp_permissions.revoked_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(revoked_by) ON TABLE public.agent_mcp_permissions TO weir_writer;


--
-- Name: COLUMN agent_mcp_permissions.updated_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(updated_at) ON TABLE public.agent_mcp_permissions TO weir_writer;


--
-- Name: TABLE agents; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.agents TO authenticated;
GRANT SELECT ON TABLE public.agents TO weir_writer;
GRANT SELECT ON TABLE public.agents TO weir_backup;


--
-- Name: COLUMN agents.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.agents TO weir_writer;
GRANT SELECT(id) ON TABLE public.agents TO weir_system;


--
-- Name: COLUMN agents.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.agents TO weir_writer;
GRANT SELECT(organization_id) ON TABLE public.agents TO weir_system;


--
-- Name: COLUMN agents.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(name) ON TABLE public.agents TO weir_writer;
GRANT SELECT(name) ON TABLE public.agents TO weir_system;


--
-- Name: COLUMN agents.instructions; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(instructions) ON TABLE public.agents TO weir_writer;


--
-- Name: COLUMN agents.owner_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(owner_id) ON TABLE public.agents TO weir_writer;
GRANT SELECT(owner_id) ON TABLE public.agents TO weir_system;


--
-- Name: COLUMN agents.is_active; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(is_active) ON TABLE public.agents TO weir_system;


--
-- Name: COLUMN agents.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(created_by) ON TABLE public.agents TO weir_writer;


--
-- Name: TABLE chat_channels; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.chat_channels TO authenticated;
GRANT SELECT ON TABLE public.chat_channels TO weir_writer;
GRANT SELECT ON TABLE public.chat_channels TO weir_backup;


--
-- Name: COLUMN chat_channels.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.chat_channels TO weir_writer;


--
-- Name: COLUMN chat_channels.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.chat_channels TO weir_writer;


--
-- Name: COLUMN chat_channels.workspace_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(workspace_id) ON TABLE public.chat_channels TO weir_writer;


--
-- Name: COLUMN chat_channels.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(name) ON TABLE public.chat_channels TO weir_writer;


--
-- Name: COLUMN chat_channels.user_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE public.chat_channels TO weir_writer;


--
-- Name: COLUMN chat_channels.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(agent_id) ON TABLE public.chat_channels TO weir_writer;


--
-- Name: COLUMN chat_channels.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(created_by) ON TABLE public.chat_channels TO weir_writer;


--
-- Name: TABLE chat_messages; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.chat_messages TO authenticated;
GRANT SELECT ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT ON TABLE public.chat_messages TO weir_backup;


--
-- Name: COLUMN chat_messages.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT(id),INSERT(id) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.workspace_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(workspace_id) ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT(workspace_id),INSERT(workspace_id) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.channel_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(channel_id) ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT(channel_id),INSERT(channel_id) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.sender; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(sender) ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT(sender),INSERT(sender) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.user_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT(user_id),INSERT(user_id) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(agent_id),INSERT(agent_id) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.content; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(content),UPDATE(content) ON TABLE public.chat_messages TO weir_writer;
GRANT INSERT(content) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.client_message_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(client_message_id) ON TABLE public.chat_messages TO weir_writer;


--
-- Name: COLUMN chat_messages.reply_to; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(reply_to),INSERT(reply_to) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.tool_calls; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(tool_calls) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.usage; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(usage) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.degraded; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(degraded) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.chat_messages TO weir_system;


--
-- Name: COLUMN chat_messages.deleted_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(deleted_at) ON TABLE public.chat_messages TO weir_writer;
GRANT SELECT(deleted_at) ON TABLE public.chat_messages TO weir_system;


--
-- Name: TABLE datastores; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.datastores TO authenticated;
GRANT SELECT ON TABLE public.datastores TO weir_writer;
GRANT SELECT,DELETE ON TABLE public.datastores TO weir_system;
GRANT SELECT ON TABLE public.datastores TO weir_backup;


--
-- Name: COLUMN datastores.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.datastores TO weir_writer;


--
-- Name: COLUMN datastores.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.datastores TO weir_writer;


--
-- Name: COLUMN datastores.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(name) ON TABLE public.datastores TO weir_writer;


--
-- Name: COLUMN datastores.backend; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(backend) ON TABLE public.datastores TO weir_writer;


--
-- Name: COLUMN datastores.settings; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(settings) ON TABLE public.datastores TO weir_writer;


--
-- Name: COLUMN datastores.document_count; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(document_count) ON TABLE public.datastores TO weir_system;


--
-- Name: COLUMN datastores.size_bytes; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(size_bytes) ON TABLE public.datastores TO weir_system;


--
-- Name: COLUMN datastores.chunk_count; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(chunk_count) ON TABLE public.datastores TO weir_system;


--
-- Name: COLUMN datastores.version; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(version) ON TABLE public.datastores TO weir_system;


--
-- Name: COLUMN datastores.removal_version; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(removal_version) ON TABLE public.datastores TO weir_system;


--
-- Name: COLUMN datastores.deleted_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(deleted_at) ON TABLE public.datastores TO weir_writer;


--
-- Name: COLUMN datastores.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(created_by) ON TABLE public.datastores TO weir_writer;


--
-- Name: TABLE documents; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.documents TO authenticated;
GRANT SELECT,DELETE ON TABLE public.documents TO weir_writer;
GRANT SELECT,DELETE ON TABLE public.documents TO weir_system;
GRANT SELECT ON TABLE public.documents TO weir_backup;


--
-- Name: COLUMN documents.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.datastore_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(datastore_id) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.title; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(title) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.source; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(source) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.media_type; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(media_type) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.content_hash; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(content_hash) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.size_bytes; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(size_bytes) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.chunk_count; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(chunk_count) ON TABLE public.documents TO weir_writer;


--
-- Name: COLUMN documents.status; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(status) ON TABLE public.documents TO weir_system;


--
-- Name: COLUMN documents.status_detail; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(status_detail) ON TABLE public.documents TO weir_system;


--
-- Name: COLUMN documents.embedding_model; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(embedding_model) ON TABLE public.documents TO weir_system;


--
-- Name: COLUMN documents.embed_after; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(embed_after) ON TABLE public.documents TO weir_system;


--
-- Name: COLUMN documents.embed_attempts; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(embed_attempts) ON TABLE public.documents TO weir_system;


--
-- Name: COLUMN documents.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(created_by) ON TABLE public.documents TO weir_writer;


--
-- Name: TABLE mcp_server_catalog; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.mcp_server_catalog TO weir_writer;
GRANT SELECT ON TABLE public.mcp_server_catalog TO weir_system;
GRANT SELECT ON TABLE public.mcp_server_catalog TO weir_backup;


--
-- Name: COLUMN mcp_server_catalog.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(id) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(id) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.slug; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(slug) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(slug) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.version; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(version) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(version) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(name) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(name),UPDATE(name) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.description; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(description) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(description),UPDATE(description) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.transport; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(transport) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(transport),UPDATE(transport) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.runtime; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(runtime) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(runtime),UPDATE(runtime) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.package; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(package),UPDATE(package) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.bin; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(bin),UPDATE(bin) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.args; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(args),UPDATE(args) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.env; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(env),UPDATE(env) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.configuration_schema; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(configuration_schema) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(configuration_schema),UPDATE(configuration_schema) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.default_share; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(default_share) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(default_share),UPDATE(default_share) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.calls_at_once; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(calls_at_once) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT INSERT(calls_at_once),UPDATE(calls_at_once) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.is_published; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(is_published) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT UPDATE(is_published) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: COLUMN mcp_server_catalog.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.mcp_server_catalog TO authenticated;


--
-- Name: COLUMN mcp_server_catalog.updated_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(updated_at) ON TABLE public.mcp_server_catalog TO authenticated;
GRANT UPDATE(updated_at) ON TABLE public.mcp_server_catalog TO weir_system;


--
-- Name: TABLE mcp_server_tools; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.mcp_server_tools TO weir_writer;
GRANT SELECT,DELETE ON TABLE public.mcp_server_tools TO weir_system;
GRANT SELECT ON TABLE public.mcp_server_tools TO weir_backup;


--
-- Name: COLUMN mcp_server_tools.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(organization_id) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(organization_id) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.instance_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(instance_id) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(instance_id) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.kind; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(kind) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(kind) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(name) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(name) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.definition_hash; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(definition_hash) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(definition_hash) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.definition; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(definition) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(definition) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.status; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(status) ON TABLE public.mcp_server_tools TO authenticated;
GRANT UPDATE(status) ON TABLE public.mcp_server_tools TO weir_writer;
GRANT INSERT(status) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.warning; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(warning) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(warning) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.announced; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(announced) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(announced),UPDATE(announced) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.eras; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(eras) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(eras),UPDATE(eras) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.needs; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(needs) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(needs),UPDATE(needs) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.fault; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(fault) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(fault),UPDATE(fault) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.fault_path; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(fault_path) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(fault_path),UPDATE(fault_path) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.fault_reason; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(fault_reason) ON TABLE public.mcp_server_tools TO authenticated;
GRANT INSERT(fault_reason),UPDATE(fault_reason) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.first_seen_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(first_seen_at) ON TABLE public.mcp_server_tools TO authenticated;


--
-- Name: COLUMN mcp_server_tools.approved_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(approved_at) ON TABLE public.mcp_server_tools TO authenticated;
GRANT UPDATE(approved_at) ON TABLE public.mcp_server_tools TO weir_writer;
GRANT INSERT(approved_at) ON TABLE public.mcp_server_tools TO weir_system;


--
-- Name: COLUMN mcp_server_tools.approved_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(approved_by) ON TABLE public.mcp_server_tools TO authenticated;
GRANT UPDATE(approved_by) ON TABLE public.mcp_server_tools TO weir_writer;


--
-- Name: TABLE model_settings; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.model_settings TO authenticated;
GRANT SELECT ON TABLE public.model_settings TO weir_system;
GRANT SELECT,DELETE ON TABLE public.model_settings TO weir_writer;
GRANT SELECT ON TABLE public.model_settings TO weir_backup;


--
-- Name: COLUMN model_settings.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(agent_id) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.provider; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(provider),UPDATE(provider) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.model; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(model),UPDATE(model) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.fallback_provider; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(fallback_provider),UPDATE(fallback_provider) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.fallback_model; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(fallback_model),UPDATE(fallback_model) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.temperature; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(temperature),UPDATE(temperature) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.max_tokens; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(max_tokens),UPDATE(max_tokens) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.timeout_ms; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(timeout_ms),UPDATE(timeout_ms) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.retries; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(retries),UPDATE(retries) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.owners_may_choose; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(owners_may_choose),UPDATE(owners_may_choose) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.updated_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(updated_by),UPDATE(updated_by) ON TABLE public.model_settings TO weir_writer;


--
-- Name: COLUMN model_settings.updated_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(updated_at) ON TABLE public.model_settings TO weir_writer;


--
-- Name: TABLE model_usage_hourly; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.model_usage_hourly TO authenticated;
GRANT SELECT,INSERT ON TABLE public.model_usage_hourly TO weir_system;
GRANT SELECT ON TABLE public.model_usage_hourly TO weir_backup;


--
-- Name: COLUMN model_usage_hourly.turns; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(turns) ON TABLE public.model_usage_hourly TO weir_system;


--
-- Name: COLUMN model_usage_hourly.requests; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(requests) ON TABLE public.model_usage_hourly TO weir_system;


--
-- Name: COLUMN model_usage_hourly.failures; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(failures) ON TABLE public.model_usage_hourly TO weir_system;


--
-- Name: COLUMN model_usage_hourly.input_tokens; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(input_tokens) ON TABLE public.model_usage_hourly TO weir_system;


--
-- Name: COLUMN model_usage_hourly.output_tokens; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(output_tokens) ON TABLE public.model_usage_hourly TO weir_system;


--
-- Name: COLUMN model_usage_hourly.cost_micros; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(cost_micros) ON TABLE public.model_usage_hourly TO weir_system;


--
-- Name: COLUMN model_usage_hourly.unpriced_turns; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(unpriced_turns) ON TABLE public.model_usage_hourly TO weir_system;


--
-- Name: TABLE organization_api_keys; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.organization_api_keys TO weir_backup;


--
-- Name: COLUMN organization_api_keys.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(id) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(id),INSERT(id) ON TABLE public.organization_api_keys TO weir_writer;


--
-- Name: COLUMN organization_api_keys.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(organization_id) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE public.organization_api_keys TO weir_writer;
GRANT SELECT(organization_id) ON TABLE public.organization_api_keys TO weir_system;


--
-- Name: COLUMN organization_api_keys.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(name) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(name),INSERT(name) ON TABLE public.organization_api_keys TO weir_writer;
GRANT SELECT(name) ON TABLE public.organization_api_keys TO weir_system;


--
-- Name: COLUMN organization_api_keys.key_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(key_id) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(key_id),INSERT(key_id) ON TABLE public.organization_api_keys TO weir_writer;
GRANT SELECT(key_id) ON TABLE public.organization_api_keys TO weir_system;


--
-- Name: COLUMN organization_api_keys.secret_hash; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(secret_hash) ON TABLE public.organization_api_keys TO weir_writer;
GRANT SELECT(secret_hash) ON TABLE public.organization_api_keys TO weir_system;


--
-- Name: COLUMN organization_api_keys.scopes; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(scopes) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(scopes),INSERT(scopes) ON TABLE public.organization_api_keys TO weir_writer;
GRANT SELECT(scopes) ON TABLE public.organization_api_keys TO weir_system;


--
-- Name: COLUMN organization_api_keys.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_by) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(created_by),INSERT(created_by) ON TABLE public.organization_api_keys TO weir_writer;


--
-- Name: COLUMN organization_api_keys.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(created_at) ON TABLE public.organization_api_keys TO weir_writer;


--
-- Name: COLUMN organization_api_keys.expires_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(expires_at) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE public.organization_api_keys TO weir_writer;
GRANT SELECT(expires_at) ON TABLE public.organization_api_keys TO weir_system;


--
-- Name: COLUMN organization_api_keys.revoked_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(revoked_at) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE public.organization_api_keys TO weir_writer;
GRANT SELECT(revoked_at) ON TABLE public.organization_api_keys TO weir_system;


--
-- Name: COLUMN organization_api_keys.revoked_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(revoked_by) ON TABLE public.organization_api_keys TO authenticated;
GRANT SELECT(revoked_by),UPDATE(revoked_by) ON TABLE public.organization_api_keys TO weir_writer;


--
-- Name: TABLE organization_invitations; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.organization_invitations TO weir_system;
GRANT SELECT ON TABLE public.organization_invitations TO weir_backup;


--
-- Name: COLUMN organization_invitations.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(id) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(id),INSERT(id) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(organization_id) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.email; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(email) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(email),INSERT(email) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.role; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(role) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(role),INSERT(role) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.token_hash; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(token_hash) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.invited_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(invited_by) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(invited_by),INSERT(invited_by) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(created_at) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.expires_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(expires_at) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: COLUMN organization_invitations.accepted_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(accepted_at) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(accepted_at) ON TABLE public.organization_invitations TO weir_writer;
GRANT UPDATE(accepted_at) ON TABLE public.organization_invitations TO weir_system;


--
-- Name: COLUMN organization_invitations.revoked_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(revoked_at) ON TABLE public.organization_invitations TO authenticated;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE public.organization_invitations TO weir_writer;


--
-- Name: TABLE organization_members; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.organization_members TO authenticated;
GRANT SELECT ON TABLE public.organization_members TO weir_writer;
GRANT SELECT ON TABLE public.organization_members TO weir_backup;


--
-- Name: COLUMN organization_members.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.organization_members TO weir_writer;
GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE public.organization_members TO weir_system;


--
-- Name: COLUMN organization_members.user_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE public.organization_members TO weir_writer;
GRANT SELECT(user_id),INSERT(user_id) ON TABLE public.organization_members TO weir_system;


--
-- Name: COLUMN organization_members.role; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(role),UPDATE(role) ON TABLE public.organization_members TO weir_writer;
GRANT SELECT(role),INSERT(role),UPDATE(role) ON TABLE public.organization_members TO weir_system;


--
-- Name: COLUMN organization_members.status; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(status),UPDATE(status) ON TABLE public.organization_members TO weir_writer;
GRANT SELECT(status),INSERT(status),UPDATE(status) ON TABLE public.organization_members TO weir_system;


--
-- Name: COLUMN organization_members.invited_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(invited_by),UPDATE(invited_by) ON TABLE public.organization_members TO weir_system;


--
-- Name: COLUMN organization_members.updated_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(updated_at) ON TABLE public.organization_members TO weir_writer;
GRANT UPDATE(updated_at) ON TABLE public.organization_members TO weir_system;


--
-- Name: TABLE organizations; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.organizations TO authenticated;
GRANT SELECT ON TABLE public.organizations TO weir_writer;
GRANT SELECT ON TABLE public.organizations TO weir_backup;


--
-- Name: COLUMN organizations.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.organizations TO weir_writer;
GRANT SELECT(id) ON TABLE public.organizations TO weir_system;


--
-- Name: COLUMN organizations.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(name) ON TABLE public.organizations TO weir_writer;


--
-- Name: COLUMN organizations.slug; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(slug) ON TABLE public.organizations TO weir_writer;


--
-- Name: COLUMN organizations.is_active; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(is_active) ON TABLE public.organizations TO weir_system;


--
-- Name: COLUMN organizations.max_members; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(max_members) ON TABLE public.organizations TO weir_system;


--
-- Name: COLUMN organizations.max_concurrent_connections; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(max_concurrent_connections) ON TABLE public.organizations TO weir_system;


--
-- Name: COLUMN organizations.chat_tools; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(chat_tools) ON TABLE public.organizations TO weir_writer;
GRANT SELECT(chat_tools) ON TABLE public.organizations TO weir_system;


--
-- Name: COLUMN organizations.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(created_by) ON TABLE public.organizations TO weir_writer;
GRANT SELECT(created_by) ON TABLE public.organizations TO weir_system;


--
-- Name: TABLE permission_requests; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.permission_requests TO authenticated;
GRANT SELECT ON TABLE public.permission_requests TO weir_writer;
GRANT SELECT ON TABLE public.permission_requests TO weir_backup;


--
-- Name: COLUMN permission_requests.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(agent_id) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.mcp_server_instance_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(mcp_server_instance_id) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.permissions; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(permissions) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.message; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(message) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.status; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(status) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.requested_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(requested_by) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.grant_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(grant_id) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.decided_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(decided_by) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: COLUMN permission_requests.decided_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(decided_at) ON TABLE public.permission_requests TO weir_writer;


--
-- Name: TABLE usage_hourly; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.usage_hourly TO authenticated;
GRANT SELECT,INSERT ON TABLE public.usage_hourly TO weir_system;
GRANT SELECT ON TABLE public.usage_hourly TO weir_backup;


--
-- Name: TABLE user_profiles; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.user_profiles TO authenticated;
GRANT SELECT ON TABLE public.user_profiles TO weir_writer;
GRANT SELECT ON TABLE public.user_profiles TO weir_backup;


--
-- Name: COLUMN user_profiles.user_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE public.user_profiles TO weir_writer;


--
-- Name: COLUMN user_profiles.display_name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(display_name),UPDATE(display_name) ON TABLE public.user_profiles TO weir_writer;


--
-- Name: COLUMN user_profiles.updated_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT UPDATE(updated_at) ON TABLE public.user_profiles TO weir_writer;


--
-- Name: TABLE user_secrets; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.user_secrets TO weir_system;
GRANT SELECT ON TABLE public.user_secrets TO weir_backup;


--
-- Name: COLUMN user_secrets.user_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(user_id) ON TABLE public.user_secrets TO authenticated;
GRANT INSERT(user_id) ON TABLE public.user_secrets TO weir_system;


--
-- Name: COLUMN user_secrets.wrapped_key; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(wrapped_key),UPDATE(wrapped_key) ON TABLE public.user_secrets TO weir_system;


--
-- Name: COLUMN user_secrets.version; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(version) ON TABLE public.user_secrets TO authenticated;
GRANT UPDATE(version) ON TABLE public.user_secrets TO weir_system;


--
-- Name: COLUMN user_secrets.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.user_secrets TO authenticated;


--
-- Name: COLUMN user_secrets.updated_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(updated_at) ON TABLE public.user_secrets TO authenticated;
GRANT UPDATE(updated_at) ON TABLE public.user_secrets TO weir_system;


--
-- Name: TABLE user_ssh_keys; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT DELETE ON TABLE public.user_ssh_keys TO weir_writer;
GRANT SELECT ON TABLE public.user_ssh_keys TO weir_backup;


--
-- Name: COLUMN user_ssh_keys.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(id) ON TABLE public.user_ssh_keys TO authenticated;
GRANT SELECT(id),INSERT(id) ON TABLE public.user_ssh_keys TO weir_writer;


--
-- Name: COLUMN user_ssh_keys.user_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(user_id) ON TABLE public.user_ssh_keys TO authenticated;
GRANT SELECT(user_id),INSERT(user_id) ON TABLE public.user_ssh_keys TO weir_writer;


--
-- Name: COLUMN user_ssh_keys.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(name) ON TABLE public.user_ssh_keys TO authenticated;
GRANT SELECT(name),INSERT(name) ON TABLE public.user_ssh_keys TO weir_writer;


--
-- Name: COLUMN user_ssh_keys.public_key; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(public_key) ON TABLE public.user_ssh_keys TO authenticated;
GRANT SELECT(public_key),INSERT(public_key) ON TABLE public.user_ssh_keys TO weir_writer;


--
-- Name: COLUMN user_ssh_keys.fingerprint; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(fingerprint) ON TABLE public.user_ssh_keys TO authenticated;
GRANT SELECT(fingerprint),INSERT(fingerprint) ON TABLE public.user_ssh_keys TO weir_writer;


--
-- Name: COLUMN user_ssh_keys.created_at; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT(created_at) ON TABLE public.user_ssh_keys TO authenticated;
GRANT SELECT(created_at) ON TABLE public.user_ssh_keys TO weir_writer;


--
-- Name: TABLE workspace_members; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.workspace_members TO authenticated;
GRANT SELECT,DELETE ON TABLE public.workspace_members TO weir_writer;
GRANT SELECT ON TABLE public.workspace_members TO weir_backup;


--
-- Name: COLUMN workspace_members.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.workspace_members TO weir_writer;
GRANT SELECT(organization_id) ON TABLE public.workspace_members TO weir_system;


--
-- Name: COLUMN workspace_members.workspace_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(workspace_id) ON TABLE public.workspace_members TO weir_writer;
GRANT SELECT(workspace_id) ON TABLE public.workspace_members TO weir_system;


--
-- Name: COLUMN workspace_members.user_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE public.workspace_members TO weir_writer;
GRANT SELECT(user_id) ON TABLE public.workspace_members TO weir_system;


--
-- Name: COLUMN workspace_members.agent_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(agent_id) ON TABLE public.workspace_members TO weir_writer;
GRANT SELECT(agent_id) ON TABLE public.workspace_members TO weir_system;


--
-- Name: TABLE workspaces; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT SELECT ON TABLE public.workspaces TO authenticated;
GRANT SELECT ON TABLE public.workspaces TO weir_writer;
GRANT SELECT ON TABLE public.workspaces TO weir_backup;


--
-- Name: COLUMN workspaces.id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE public.workspaces TO weir_writer;
GRANT SELECT(id) ON TABLE public.workspaces TO weir_system;


--
-- Name: COLUMN workspaces.organization_id; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE public.workspaces TO weir_writer;
GRANT SELECT(organization_id) ON TABLE public.workspaces TO weir_system;


--
-- Name: COLUMN workspaces.name; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(name) ON TABLE public.workspaces TO weir_writer;


--
-- Name: COLUMN workspaces.created_by; Type: ACL; Schema: public; Owner: weir_owner
--

GRANT INSERT(created_by) ON TABLE public.workspaces TO weir_writer;


--
-- Name: TABLE audit_checkpoints; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.audit_checkpoints TO weir_backup;


--
-- Name: TABLE audit_seals; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.audit_seals TO weir_backup;


--
-- Name: TABLE change_versions; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.change_versions TO weir_system;
GRANT SELECT ON TABLE weir.change_versions TO weir_backup;


--
-- Name: COLUMN change_versions.organization_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE weir.change_versions TO weir_system;


--
-- Name: COLUMN change_versions.version; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(version) ON TABLE weir.change_versions TO weir_system;


--
-- Name: COLUMN change_versions.changed_in; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(changed_in) ON TABLE weir.change_versions TO weir_system;


--
-- Name: TABLE chat_rates; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,INSERT ON TABLE weir.chat_rates TO weir_writer;
GRANT SELECT ON TABLE weir.chat_rates TO weir_backup;


--
-- Name: COLUMN chat_rates.used_until; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(used_until) ON TABLE weir.chat_rates TO weir_writer;


--
-- Name: TABLE chat_turns; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE weir.chat_turns TO weir_system;
GRANT SELECT ON TABLE weir.chat_turns TO weir_backup;


--
-- Name: COLUMN chat_turns.replica_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(replica_id) ON TABLE weir.chat_turns TO weir_system;


--
-- Name: COLUMN chat_turns.leased_until; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(leased_until) ON TABLE weir.chat_turns TO weir_system;


--
-- Name: COLUMN chat_turns.calls; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(calls) ON TABLE weir.chat_turns TO weir_system;


--
-- Name: TABLE denial_counts; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE weir.denial_counts TO weir_system;
GRANT SELECT ON TABLE weir.denial_counts TO weir_backup;


--
-- Name: COLUMN denial_counts.occurrences; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(occurrences) ON TABLE weir.denial_counts TO weir_system;


--
-- Name: COLUMN denial_counts.last_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(last_at) ON TABLE weir.denial_counts TO weir_system;


--
-- Name: TABLE grant_usage; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE weir.grant_usage TO weir_system;
GRANT SELECT ON TABLE weir.grant_usage TO weir_backup;


--
-- Name: COLUMN grant_usage.window_start; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(window_start) ON TABLE weir.grant_usage TO weir_system;


--
-- Name: COLUMN grant_usage.used; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(used) ON TABLE weir.grant_usage TO weir_system;


--
-- Name: TABLE idempotency_keys; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.idempotency_keys TO weir_writer;
GRANT SELECT,DELETE ON TABLE weir.idempotency_keys TO weir_system;
GRANT SELECT ON TABLE weir.idempotency_keys TO weir_backup;


--
-- Name: COLUMN idempotency_keys.organization_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE weir.idempotency_keys TO weir_writer;


--
-- Name: COLUMN idempotency_keys.key; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(key) ON TABLE weir.idempotency_keys TO weir_writer;


--
-- Name: COLUMN idempotency_keys.request_hash; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(request_hash) ON TABLE weir.idempotency_keys TO weir_writer;


--
-- Name: COLUMN idempotency_keys.answer; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(answer) ON TABLE weir.idempotency_keys TO weir_writer;


--
-- Name: TABLE identities; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.identities TO weir_system;
GRANT SELECT ON TABLE weir.identities TO weir_backup;


--
-- Name: COLUMN identities.issuer; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(issuer) ON TABLE weir.identities TO weir_system;


--
-- Name: COLUMN identities.subject; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(subject) ON TABLE weir.identities TO weir_system;


--
-- Name: COLUMN identities.user_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE weir.identities TO weir_system;


--
-- Name: COLUMN identities.email; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(email),UPDATE(email) ON TABLE weir.identities TO weir_system;


--
-- Name: COLUMN identities.email_verified; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(email_verified),UPDATE(email_verified) ON TABLE weir.identities TO weir_system;


--
-- Name: COLUMN identities.updated_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(updated_at) ON TABLE weir.identities TO weir_system;


--
-- Name: TABLE instance_moves; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.instance_moves TO weir_writer;
GRANT SELECT ON TABLE weir.instance_moves TO weir_system;
GRANT SELECT ON TABLE weir.instance_moves TO weir_backup;


--
-- Name: TABLE platform_admins; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.platform_admins TO weir_system;
GRANT SELECT ON TABLE weir.platform_admins TO weir_backup;


--
-- Name: COLUMN platform_admins.user_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE weir.platform_admins TO weir_system;


--
-- Name: TABLE replicas; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,DELETE ON TABLE weir.replicas TO weir_system;
GRANT SELECT ON TABLE weir.replicas TO weir_backup;


--
-- Name: COLUMN replicas.id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE weir.replicas TO weir_system;


--
-- Name: COLUMN replicas.internal_url; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(internal_url),UPDATE(internal_url) ON TABLE weir.replicas TO weir_system;


--
-- Name: COLUMN replicas.version; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(version),UPDATE(version) ON TABLE weir.replicas TO weir_system;


--
-- Name: COLUMN replicas.heartbeat_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(heartbeat_at) ON TABLE weir.replicas TO weir_system;


--
-- Name: TABLE security_events; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE weir.security_events TO weir_system;
GRANT SELECT ON TABLE weir.security_events TO weir_backup;


--
-- Name: COLUMN security_events.occurrences; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(occurrences) ON TABLE weir.security_events TO weir_system;


--
-- Name: TABLE settings; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.settings TO weir_system;
GRANT SELECT ON TABLE weir.settings TO weir_backup;


--
-- Name: COLUMN settings.name; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(name) ON TABLE weir.settings TO weir_system;


--
-- Name: COLUMN settings.value; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(value),UPDATE(value) ON TABLE weir.settings TO weir_system;


--
-- Name: COLUMN settings.updated_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(updated_at) ON TABLE weir.settings TO weir_system;


--
-- Name: TABLE sign_in_attempts; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE weir.sign_in_attempts TO weir_system;
GRANT SELECT ON TABLE weir.sign_in_attempts TO weir_backup;


--
-- Name: COLUMN sign_in_attempts.window_ends; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(window_ends) ON TABLE weir.sign_in_attempts TO weir_system;


--
-- Name: COLUMN sign_in_attempts.attempts; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(attempts) ON TABLE weir.sign_in_attempts TO weir_system;


--
-- Name: TABLE sign_ins; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,DELETE ON TABLE weir.sign_ins TO weir_system;
GRANT SELECT ON TABLE weir.sign_ins TO weir_backup;


--
-- Name: COLUMN sign_ins.id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(id) ON TABLE weir.sign_ins TO weir_system;


--
-- Name: COLUMN sign_ins.user_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(user_id) ON TABLE weir.sign_ins TO weir_system;


--
-- Name: COLUMN sign_ins.counter; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(counter) ON TABLE weir.sign_ins TO weir_system;


--
-- Name: COLUMN sign_ins.used_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(used_at) ON TABLE weir.sign_ins TO weir_system;


--
-- Name: COLUMN sign_ins.expires_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(expires_at),UPDATE(expires_at) ON TABLE weir.sign_ins TO weir_system;


--
-- Name: COLUMN sign_ins.revoked_at; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(revoked_at) ON TABLE weir.sign_ins TO weir_system;


--
-- Name: COLUMN sign_ins.revoked_by; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(revoked_by) ON TABLE weir.sign_ins TO weir_system;


--
-- Name: TABLE usage_progress; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT ON TABLE weir.usage_progress TO weir_system;
GRANT SELECT ON TABLE weir.usage_progress TO weir_backup;


--
-- Name: COLUMN usage_progress.rolled_up_to; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(rolled_up_to),UPDATE(rolled_up_to) ON TABLE weir.usage_progress TO weir_system;


--
-- Name: TABLE vector_removals; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT SELECT,DELETE ON TABLE weir.vector_removals TO weir_system;
GRANT SELECT ON TABLE weir.vector_removals TO weir_backup;


--
-- Name: COLUMN vector_removals.organization_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(organization_id) ON TABLE weir.vector_removals TO weir_system;


--
-- Name: COLUMN vector_removals.vector_index; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(vector_index) ON TABLE weir.vector_removals TO weir_system;


--
-- Name: COLUMN vector_removals.chunk_id; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT INSERT(chunk_id) ON TABLE weir.vector_removals TO weir_system;


--
-- Name: COLUMN vector_removals.remove_after; Type: ACL; Schema: weir; Owner: weir_owner
--

GRANT UPDATE(remove_after) ON TABLE weir.vector_removals TO weir_system;


--
-- Name: DEFAULT PRIVILEGES FOR FUNCTIONS; Type: DEFAULT ACL; Schema: -; Owner: weir_system
--

ALTER DEFAULT PRIVILEGES FOR ROLE weir_system REVOKE ALL ON FUNCTIONS  FROM PUBLIC;


--
-- Name: DEFAULT PRIVILEGES FOR FUNCTIONS; Type: DEFAULT ACL; Schema: -; Owner: weir_writer
--

ALTER DEFAULT PRIVILEGES FOR ROLE weir_writer REVOKE ALL ON FUNCTIONS  FROM PUBLIC;


--
-- PostgreSQL database dump complete
--
