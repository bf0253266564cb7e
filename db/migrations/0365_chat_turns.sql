-- A turn while it is answered, for the engine: which replica works on it, until when it may, and which calls it has made.
-- Kept from before the first call until the answer is saved, so that what a turn that was cut off may have done is known, and
-- is not done again.
create table weir.chat_turns (
  organization_id uuid not null,
  message_id uuid not null,
  agent_id uuid not null,
  replica_id uuid not null,
  leased_until timestamptz not null,
  -- by the call's place among the turn's calls, which do not end in the order in which they begin
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
comment on table weir.chat_turns is 'tenant: turns that wait for their answer, and what they have called';
create index chat_turns_message_idx on weir.chat_turns (organization_id, message_id);
create index chat_turns_agent_idx on weir.chat_turns (organization_id, agent_id);
create policy turns_are_kept_by_the_engine on weir.chat_turns for all to weir_system using (true) with check (true);
grant select, insert, update (replica_id, leased_until, calls), delete on weir.chat_turns to weir_system;

-- Who may answer: a replica begins a turn, or hears that another one has (`running`), that it is `answered`, or that it was
-- `cut_off` after calls, which are returned. A turn without a call is begun anew: it has done nothing.
-- The message must be that person's and still there, and the agent one of its workspace that the person may use.
create function weir.begin_chat_turn(p_replica_id uuid, p_user_id uuid, p_agent_id uuid, p_message_id uuid, p_lease interval)
returns table (state text, calls jsonb)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_begun boolean;
begin
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
  -- asked after the insert, which waits for whoever is saving the answer
  if exists (select from public.chat_messages m
             join public.chat_messages question on question.id = m.reply_to and question.user_id = p_user_id
             where m.reply_to = p_message_id and m.agent_id = p_agent_id and m.sender = 'agent') then
    delete from weir.chat_turns t where t.message_id = p_message_id and t.agent_id = p_agent_id;
    return query select 'answered', '[]'::jsonb;
  elsif v_begun then
    return query select 'begun', '[]'::jsonb;
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

-- A call of a turn, before it is made and once more when it has ended. Refused to who has lost the turn, who then must not call; and
-- before a call, where tools are switched off, the message was deleted, or the agent has left the workspace.
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
    and (t.calls ? p_place::text
         or weir.chat_has_tools(m.organization_id) and m.deleted_at is null
            and exists (select from public.workspace_members w where w.workspace_id = m.workspace_id and w.agent_id = t.agent_id));
  if found then
    return;
  elsif exists (select from weir.chat_turns t
                where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id
                  and t.leased_until >= clock_timestamp() and not weir.chat_has_tools(t.organization_id)) then
    raise exception using errcode = 'WR003', message = 'tools are switched off';
  else
    raise exception using errcode = 'WR005', message = 'the turn is over';
  end if;
end;
$$;

-- Whoever could not answer says so, and nobody waits for them.
create function weir.release_chat_turn(p_replica_id uuid, p_agent_id uuid, p_message_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update weir.chat_turns t set leased_until = '-infinity'
  where t.message_id = p_message_id and t.agent_id = p_agent_id and t.replica_id = p_replica_id;
end;
$$;

-- The agent's answer to a person's message. The message must be that person's, in that channel and still there, and the agent one
-- of its workspace that the person may use. It is written once, and with it how the turn ended into the record
-- ({outcome, detail, duration_us}): asked again, the id of the one that is there. With its answer a turn is over.
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
revoke all on function weir.begin_chat_turn(uuid, uuid, uuid, uuid, interval), weir.record_chat_call(uuid, uuid, uuid, integer, jsonb),
  weir.release_chat_turn(uuid, uuid, uuid), weir.record_chat_answer(uuid, uuid, uuid, uuid, text, jsonb, jsonb, jsonb, jsonb) from public;
grant execute on function weir.begin_chat_turn(uuid, uuid, uuid, uuid, interval), weir.record_chat_call(uuid, uuid, uuid, integer, jsonb),
  weir.release_chat_turn(uuid, uuid, uuid), weir.record_chat_answer(uuid, uuid, uuid, uuid, text, jsonb, jsonb, jsonb, jsonb) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.begin_chat_turn(uuid, uuid, uuid, uuid, interval) owner to weir_system;
alter function weir.record_chat_call(uuid, uuid, uuid, integer, jsonb) owner to weir_system;
alter function weir.release_chat_turn(uuid, uuid, uuid) owner to weir_system;
alter function weir.record_chat_answer(uuid, uuid, uuid, uuid, text, jsonb, jsonb, jsonb, jsonb) owner to weir_system;
revoke create on schema weir from weir_system;
