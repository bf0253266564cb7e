-- Chat turns: an agent's answer to one message. One replica at a time holds a turn. The calls that a turn has made are stored, so that
-- another replica knows them if the first one dies, and no call is made twice.

-- Turns without an answer. Foreign keys are composite, so a turn cannot join a message and an agent of two organizations; both cascade,
-- because without message or agent there is nothing to answer.
create table weir.chat_turns (
  organization_id uuid not null,
  message_id uuid not null,
  agent_id uuid not null,
  replica_id uuid not null,
  -- The replica's lease. After its end another replica may begin the turn again if it made no call.
  leased_until timestamptz not null,
  -- Keyed by the call's index among the turn's calls: they do not end in the order in which they begin.
  calls jsonb not null default '{}',
  constraint chat_turns_pkey primary key (message_id, agent_id),
  constraint chat_turns_calls_is_an_object check (jsonb_typeof(calls) = 'object'),
  constraint chat_turns_message_of_the_organization
    foreign key (organization_id, message_id) references public.chat_messages (organization_id, id) on delete cascade,
  constraint chat_turns_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade
);
alter table weir.chat_turns enable row level security, force row level security;
revoke all on weir.chat_turns from public, anon, authenticated, service_role;
comment on table weir.chat_turns is 'tenant: turns that wait for their answer, and the calls that they have made';
-- For the foreign key's cascade, when a message is deleted.
create index chat_turns_message_idx on weir.chat_turns (organization_id, message_id);
-- For the foreign key's cascade, when an agent is deleted.
create index chat_turns_agent_idx on weir.chat_turns (organization_id, agent_id);

-- Only the engine's functions see turns; people see messages.
create policy turns_are_kept_by_the_engine on weir.chat_turns for all to weir_system using (true) with check (true);
grant select, insert, update (replica_id, leased_until, calls), delete on weir.chat_turns to weir_system;

set local role weir_system;

-- The settings of a turn besides the agent's tools: whether it may use tools; and for each granted server that runs, what it adds to the
-- turn and how long to wait for it, by priority. They only say what to request: each request is admitted separately. WR004 if the person
-- may not act through the agent. Definer, for the engine only: a turn acts for a person and an agent at once, and weir.principal_agent
-- decides whether it may.
create function weir.chat_turn_settings(p_user_id uuid, p_agent_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent_id constant uuid := weir.principal_agent(null, null, p_user_id, p_agent_id);
begin
  if v_agent_id is null then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
  return (
    select jsonb_build_object('tools', weir.chat_has_tools(a.organization_id), 'servers', coalesce((
      select jsonb_agg(jsonb_build_object(
               'id', i.id, 'name', i.instance_name, 'priority', i.priority, 'resources', i.context_resources, 'prompts', i.context_prompts,
               'timeoutMs', i.timeout_ms, 'maxRetries', i.max_retries, 'retryBackoffMs', i.retry_backoff_ms) order by i.priority, i.id)
      from public.agent_mcp_permissions g
      join public.mcp_server_instances i on i.id = g.mcp_server_instance_id and i.organization_id = g.organization_id
      left join public.mcp_server_catalog c on c.id = i.catalog_server_id
      where g.agent_id = a.id and g.organization_id = a.organization_id and g.revoked_at is null
        and (g.not_before is null or g.not_before <= clock_timestamp())
        and (g.expires_at is null or g.expires_at > clock_timestamp())
        and i.status in ('running', 'degraded') and i.is_active and c.blocked_at is null), '[]'))
    from public.agents a
    where a.id = v_agent_id);
end;
$$;
grant execute on function weir.chat_turn_settings to weir_engine;

-- Begins a turn for one replica. Returns `begun`, or `stopped` (the agent, its organization or the platform is switched off), `running`
-- (another replica has it), `answered`, or `cut_off` (the lease ended after calls, which are returned; they must not be made again). A turn
-- without a call is begun again, because it has done nothing. Definer: replicas share turns of all organizations. The message must be that
-- person's and not deleted, and the agent must be in its workspace and usable by the person; else WR004.
create function weir.begin_chat_turn(p_replica_id uuid, p_user_id uuid, p_agent_id uuid, p_message_id uuid, p_lease interval)
returns table (state text, calls jsonb)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_begun boolean;
begin
  if exists (select from public.agents a
             where a.id = p_agent_id and a.deleted_at is null and weir.may_use_agent(p_user_id, a.id, a.user_id)
               and (weir.switched_off(array[a.id], array[null::uuid]))[1]) then
    return query select 'stopped', '[]'::jsonb;
    return;
  end if;
  -- The insert decides the race: of two replicas one inserts, the other waits for it and finds the row.
  insert into weir.chat_turns as t (organization_id, message_id, agent_id, replica_id, leased_until)
  select m.organization_id, m.id, a.id, p_replica_id, clock_timestamp() + p_lease
  from public.chat_messages m
  join public.agents a on a.id = p_agent_id and a.organization_id = m.organization_id and a.deleted_at is null
  where m.id = p_message_id and m.sender = 'user' and m.user_id = p_user_id and m.deleted_at is null
    and weir.may_use_agent(p_user_id, a.id, a.user_id)
    and exists (select from public.workspace_members w where w.workspace_id = m.workspace_id and w.agent_id = a.id)
  on conflict (message_id, agent_id) do update set replica_id = excluded.replica_id, leased_until = excluded.leased_until
    where t.leased_until < clock_timestamp() and t.calls = '{}';
  v_begun := found;
  -- Checked after the insert, which waits for a replica that is storing the answer.
  if exists (select from public.chat_messages m
             join public.chat_messages question on question.id = m.reply_to and question.user_id = p_user_id
             where m.reply_to = p_message_id and m.agent_id = p_agent_id and m.sender = 'agent') then
    delete from weir.chat_turns t where t.message_id = p_message_id and t.agent_id = p_agent_id;
    return query select 'answered', '[]'::jsonb;
  elsif v_begun then
    return query select 'begun', '[]'::jsonb;
  -- Another replica has the turn, or the message does not exist for this person: then WR004.
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
grant execute on function weir.begin_chat_turn to weir_engine;

-- Records a call of a turn before it is made, and again when it has ended. A replica that has lost the turn gets WR005 and must not call.
-- Before a call it also refuses if tools are switched off (WR003), the message was deleted, or the agent has left the workspace (WR005). So
-- the switch stops a turn at its next call. Definer: it updates the turn that this replica has begun, and no other.
create function weir.record_chat_call(p_replica_id uuid, p_agent_id uuid, p_message_id uuid, p_place integer, p_call jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if weir.bounds_error(p_call, 4194304) is not null then
    raise exception using errcode = 'WR001', message = 'call ' || weir.bounds_error(p_call, 4194304);
  end if;
  update weir.chat_turns t set calls = t.calls || jsonb_build_object(p_place::text, p_call)
  from public.chat_messages m
  where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id and m.id = t.message_id
    and t.leased_until >= clock_timestamp()
    -- The end of a call that has begun may always be recorded: its outcome is known and belongs to the turn.
    and (t.calls ? p_place::text
         or weir.chat_has_tools(m.organization_id) and m.deleted_at is null
            and exists (select from public.workspace_members w where w.workspace_id = m.workspace_id and w.agent_id = t.agent_id));
  if found then
    return;
  -- Tells the two refusals apart.
  elsif exists (select from weir.chat_turns t
                where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id
                  and t.leased_until >= clock_timestamp() and not weir.chat_has_tools(t.organization_id)) then
    raise exception using errcode = 'WR003',
      message = 'tools are switched off in chat, by the operator (chat.tools) or the organization (set_chat_tools)';
  else
    raise exception using errcode = 'WR005', message = 'the turn is over, or another replica has it';
  end if;
end;
$$;
grant execute on function weir.record_chat_call to weir_engine;

-- Releases a turn that could not be answered, so that a retry need not wait for the lease. Only the replica that holds it may do so.
create function weir.release_chat_turn(p_replica_id uuid, p_agent_id uuid, p_message_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update weir.chat_turns t set leased_until = '-infinity'
  where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id;
end;
$$;
grant execute on function weir.release_chat_turn to weir_engine;

-- Stores the agent's answer to a person's message. The message must be that person's, in that channel and not deleted, and the agent must
-- be in its workspace and usable by the person; else WR004. There is one answer: a repeated call returns the id of the first with is_new
-- false. p_end ({outcome, detail, duration_ms}) becomes the turn's row in the audit log, in the same transaction. The answer ends the turn.
-- Definer: an agent answers, and no agent is a person who could write.
create function weir.record_chat_answer(
  p_user_id uuid, p_agent_id uuid, p_channel_id uuid, p_reply_to uuid, p_content text, p_tool_calls jsonb, p_usage jsonb,
  p_degraded jsonb, p_end jsonb) returns table (id uuid, is_new boolean)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
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
  join public.agents a on a.id = p_agent_id and a.organization_id = m.organization_id and a.deleted_at is null
  where m.id = p_reply_to and m.channel_id = p_channel_id and m.sender = 'user' and m.user_id = p_user_id
    and m.deleted_at is null and weir.may_use_agent(p_user_id, a.id, a.user_id)
    and exists (select from public.workspace_members w where w.workspace_id = m.workspace_id and w.agent_id = a.id)
  on conflict (reply_to, agent_id) where sender = 'agent' and reply_to is not null do nothing
  returning answer.organization_id into v_organization_id;
  v_is_new := found;
  if v_is_new then
    perform weir.audit_mcp_interactions(jsonb_build_array(p_end || jsonb_build_object(
      'interaction_type', 'chat', 'organization_id', v_organization_id, 'user_id', p_user_id, 'agent_id', p_agent_id, 'item', p_channel_id,
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
grant execute on function weir.record_chat_answer to weir_engine;

reset role;

set local role weir_writer;

-- The context that a chat turn starts with. Agent, workspace and channel must be seen by the caller and belong together. Whatever is
-- missing, the error is the same, so that another tenant's id reveals nothing. Null p_channel_id and p_workspace_id: the turn belongs to
-- the agent's organization. Null p_agent_id: no agent answers. In a direct conversation no other agent answers. It writes nothing and
-- raises its refusals.
create function weir.chat_context(p_agent_id uuid, p_workspace_id uuid, p_channel_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
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
    where a.id = p_agent_id and a.deleted_at is null
      and (v_workspace_id is null or a.organization_id = v_organization_id)
      and case when v_workspace_id is null then weir.may_use_agent(v_actor, a.id, a.user_id)
               else exists (select from public.workspace_members m where m.workspace_id = v_workspace_id and m.agent_id = a.id) end;
    v_organization_id := coalesce(v_organization_id, v_agent.organization_id);
  end if;
  select m.role into v_role from public.organization_members m where m.organization_id = v_organization_id and m.user_id = v_actor;
  if v_role is null or (p_agent_id is not null and v_agent.id is null) then
    raise exception using errcode = 'WR004', message = 'there is no such agent, workspace or channel';
  elsif not v_agent.is_active then
    -- The same text that Weir gives for everything that is switched off (Denials.SwitchedOffText).
    raise exception using errcode = 'WR003',
      message = 'The agent, the server, the organization or all of Weir is switched off, so no call is made.';
  end if;
  return jsonb_build_object(
    'organization_id', v_organization_id,
    'agent', case when v_agent.id is not null
                  then jsonb_build_object('id', v_agent.id, 'name', v_agent.name, 'instructions', v_agent.instructions) end,
    'workspace_id', v_workspace_id, 'channel_id', p_channel_id, 'role', v_role);
end;
$$;
grant execute on function weir.chat_context to authenticated;

reset role;

-- The published name; parameter names are API.
create function public.chat_context(agent_id uuid, workspace_id uuid default null, channel_id uuid default null) returns jsonb
language sql stable begin atomic select weir.chat_context($1, $2, $3); end;

revoke all on function public.chat_context from public, anon, authenticated, service_role;
grant execute on function public.chat_context to authenticated;
