-- Messages of a channel, as people write and read them. The functions belong to weir_writer: row-level security decides.

-- A member who sees the channel may write in it (policy messages_are_written_by_workspace_members); a viewer gets WR003. A channel that
-- the caller does not see is WR004. The same client_message_id again is the same message: with the same content the answer is its id,
-- with other content WR005. It does not count again against max_chat_messages_per_minute. A message too many is WR008 with the seconds to
-- wait. Neither a message nor WR008 leaves a row in the audit log: whoever floods a channel must not fill that too.
create function weir.post_chat_message(p_channel_id uuid, p_content text, p_client_message_id text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
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
  -- Before the message is written, because its indexes cost more. Not recorded, so that nobody fills the record by flooding a channel.
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

-- Messages of a channel that the caller sees (policy messages_are_seen_by_workspace_members), newest first. p_before: those before that
-- message; ids are in the order of time. A deleted message has an empty content. Whether the channel is there is asked only where no
-- message was found: whoever sees a message sees its channel. Definer, because API roles have no USAGE of weir; it writes nothing and
-- raises its refusals.
create function weir.get_chat_messages_with_details(p_channel_id uuid, p_before uuid, p_limit integer)
returns table (id uuid, channel_id uuid, sender text, user_id uuid, agent_id uuid, agent_name text, content text, reply_to uuid,
               tool_calls jsonb, usage jsonb, degraded jsonb, created_at timestamptz, user_name text, deleted_at timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  if p_limit is not null and p_limit not between 1 and 200 then
    raise exception using errcode = 'WR001', message = 'limit must be 1 to 200';
  end if;
  return query
  select m.id, m.channel_id, m.sender, m.user_id, m.agent_id, a.name, m.content, m.reply_to, m.tool_calls, m.usage, m.degraded, m.created_at,
         p.display_name, m.deleted_at
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

-- The agent's answer to a message, so that a repeated request gets the answer that was saved. No row where there is none, or the caller
-- does not see it.
create function weir.get_chat_answer(p_message_id uuid, p_agent_id uuid)
returns table (id uuid, content text, tool_calls jsonb, usage jsonb, degraded jsonb)
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  return query
  select m.id, m.content, m.tool_calls, m.usage, m.degraded
  from public.chat_messages m
  where m.reply_to = p_message_id and m.agent_id = p_agent_id and m.sender = 'agent';
end;
$$;
revoke all on function weir.post_chat_message(uuid, text, text), weir.get_chat_messages_with_details(uuid, uuid, integer),
  weir.get_chat_answer(uuid, uuid) from public;
grant execute on function weir.post_chat_message(uuid, text, text), weir.get_chat_messages_with_details(uuid, uuid, integer),
  weir.get_chat_answer(uuid, uuid) to authenticated;
grant create on schema weir to weir_writer;
alter function weir.post_chat_message(uuid, text, text) owner to weir_writer;
alter function weir.get_chat_messages_with_details(uuid, uuid, integer) owner to weir_writer;
alter function weir.get_chat_answer(uuid, uuid) owner to weir_writer;
revoke create on schema weir from weir_writer;

-- The published names; parameter names are API.
create function public.post_chat_message(channel_id uuid, content text, client_message_id text default null) returns jsonb
language sql volatile begin atomic select weir.post_chat_message($1, $2, $3); end;

create function public.get_chat_messages_with_details(p_channel_id uuid, before uuid default null, "limit" integer default 50)
returns table (id uuid, channel_id uuid, sender text, user_id uuid, agent_id uuid, agent_name text, content text, reply_to uuid,
               tool_calls jsonb, usage jsonb, degraded jsonb, created_at timestamptz, user_name text, deleted_at timestamptz)
language sql stable begin atomic select * from weir.get_chat_messages_with_details($1, $2, $3); end;

create function public.get_chat_answer(message_id uuid, agent_id uuid)
returns table (id uuid, content text, tool_calls jsonb, usage jsonb, degraded jsonb)
language sql stable begin atomic select * from weir.get_chat_answer($1, $2); end;
revoke all on function public.post_chat_message(uuid, text, text), public.get_chat_messages_with_details(uuid, uuid, integer),
  public.get_chat_answer(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.post_chat_message(uuid, text, text), public.get_chat_messages_with_details(uuid, uuid, integer),
  public.get_chat_answer(uuid, uuid) to authenticated;
