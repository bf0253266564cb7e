-- Messages. Only the members of a channel's workspace read and write them. An admin who is not a member of the workspace does not.

-- A person's message, or an agent's answer to one. The unique index on (channel_id, user_id, client_message_id) makes a person's retry
-- harmless, and the one on (reply_to, agent_id) an agent's.
create table public.chat_messages (
  id uuid not null default weir.uuid_v7(),
  -- Copied from the channel, so that a policy and an index can begin with them; the composite foreign key keeps the copies correct.
  organization_id uuid not null,
  workspace_id uuid not null,
  channel_id uuid not null,
  sender text not null,
  user_id uuid,
  agent_id uuid,
  content text not null,
  -- The sender's own id for a retry; null if the client sends none.
  client_message_id text,
  reply_to uuid,
  -- Only for an answer: the calls that were made for it, what the model used, and the degradations.
  tool_calls jsonb,
  usage jsonb,
  degraded jsonb,
  -- By the clock and not the transaction's start, so that messages of one transaction have an order.
  created_at timestamptz not null default clock_timestamp(),
  -- Null: not deleted.
  deleted_at timestamptz,
  constraint chat_messages_pkey primary key (id),
  -- The targets of composite foreign keys: from chat turns, and from an answer, whose message is in the same channel.
  constraint chat_messages_organization_id_id_key unique (organization_id, id),
  constraint chat_messages_channel_id_id_key unique (channel_id, id),
  constraint chat_messages_sender_is_user_or_agent check (sender in ('user', 'agent')),
  -- user_id and agent_id may become null when the person or the agent is deleted; the content stays. So this says which columns must be
  -- empty, and not which must be set.
  constraint chat_messages_has_no_other_sender
    check ((sender = 'user' and agent_id is null) or (sender = 'agent' and client_message_id is null)),
  constraint chat_messages_content_is_at_most_64_kib check (octet_length(content) <= 65536),
  constraint chat_messages_client_message_id_is_short check (length(client_message_id) between 1 and 100),
  constraint chat_messages_deleted_says_nothing check (deleted_at is null or content = ''),
  constraint chat_messages_channel_of_the_workspace
    foreign key (organization_id, workspace_id, channel_id)
    references public.chat_channels (organization_id, workspace_id, id) on delete cascade,
  constraint chat_messages_user foreign key (user_id) references auth.users (id) on delete set null,
  constraint chat_messages_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete set null (agent_id),
  constraint chat_messages_reply_in_the_channel
    foreign key (channel_id, reply_to) references public.chat_messages (channel_id, id) on delete set null (reply_to)
);
alter table public.chat_messages enable row level security, force row level security;
revoke all on public.chat_messages from public, anon, authenticated, service_role;
comment on table public.chat_messages is 'tenant: messages of people and agents in a channel';
create index chat_messages_channel_idx on public.chat_messages (organization_id, workspace_id, channel_id);
create index chat_messages_workspace_id_idx on public.chat_messages (workspace_id);
create index chat_messages_user_idx on public.chat_messages (user_id);
create index chat_messages_agent_idx on public.chat_messages (organization_id, agent_id);
create index chat_messages_reply_idx on public.chat_messages (channel_id, reply_to);
create unique index chat_messages_client_message_id_key on public.chat_messages (channel_id, user_id, client_message_id)
  where client_message_id is not null;
-- An agent answers a message once, however many replicas try.
create unique index chat_messages_answer_key on public.chat_messages (reply_to, agent_id)
  where sender = 'agent' and reply_to is not null;

-- A person who sees the channel sees its messages: the subquery runs under the channels' own policy. It does not need the organization,
-- because chat_messages_channel_of_the_workspace binds a message to its channel's.
create policy messages_are_seen_by_workspace_members on public.chat_messages for select to authenticated, weir_writer
  using (channel_id = any(array(select c.id from public.chat_channels c)));
-- People write in their own name only, and never an agent's answer. Viewers write nothing.
create policy messages_are_written_by_workspace_members on public.chat_messages for insert to weir_writer
  with check (channel_id = any(array(select c.id from public.chat_channels c))
              and organization_id = any(array(select weir.my_organizations('member')))
              and sender = 'user' and user_id = (select weir.actor_id()));
-- weir.record_chat_answer writes answers and checks the person, the channel and the agent itself. It need not read contents, so it may not.
create policy messages_are_answered_by_the_engine on public.chat_messages for all to weir_system using (true) with check (true);
-- In a channel that the author still sees, which chat_channels' own policy decides. Deleting is the only change: the granted columns are
-- content, which must become empty, and deleted_at.
create policy messages_are_deleted_by_their_author on public.chat_messages for update to weir_writer
  using (sender = 'user' and user_id = (select weir.actor_id())
         and channel_id = any(array(select c.id from public.chat_channels c)))
  with check (sender = 'user' and user_id = (select weir.actor_id()) and deleted_at is not null);
grant select on public.chat_messages to authenticated;
grant select,
      insert (id, organization_id, workspace_id, channel_id, sender, user_id, content, client_message_id),
      update (content, deleted_at) on public.chat_messages to weir_writer;
-- created_at, because a chat turn's age is its message's.
grant select (id, organization_id, workspace_id, channel_id, sender, user_id, agent_id, reply_to, created_at, deleted_at),
      insert (id, organization_id, workspace_id, channel_id, sender, user_id, agent_id, content, reply_to, tool_calls, usage, degraded)
  on public.chat_messages to weir_system;
-- For weir.purge_deleted.
grant delete on public.chat_messages to weir_system;

-- How much of its messages per minute an organization has used. A table of its own, because an update of the organization's row takes the
-- organization's lock, which blocks its calls. There is no row before the first message.
create table weir.chat_rates (
  organization_id uuid not null,
  -- Each message adds its share of a minute, from now or from the stored time, whichever is later. It is never more than a minute in the
  -- future.
  used_until timestamptz not null,
  constraint chat_rates_pkey primary key (organization_id),
  constraint chat_rates_organization foreign key (organization_id) references public.organizations (id) on delete cascade
);
alter table weir.chat_rates enable row level security, force row level security;
revoke all on weir.chat_rates from public, anon, authenticated, service_role;
comment on table weir.chat_rates is 'tenant: how much of its chat messages a minute an organization has used';

-- For weir.post_chat_message, which takes the share under the claims of the person who writes: a viewer writes nothing and uses nothing.
create policy rates_are_used_by_who_may_write on weir.chat_rates for all to weir_writer
  using (organization_id = any(array(select weir.my_organizations('member'))))
  with check (organization_id = any(array(select weir.my_organizations('member'))));
grant select, insert, update (used_until) on weir.chat_rates to weir_writer;

set local role weir_writer;

-- A member who sees the channel may write in it (policy messages_are_written_by_workspace_members); a viewer gets WR003. A channel that the
-- caller does not see is WR004. The same client_message_id again is the same message: with the same content the answer is its id, with
-- other content WR005. It does not count again against max_chat_messages_per_minute. A message beyond that limit is WR008 with the seconds
-- to wait. Neither a message nor WR008 leaves a row in the audit log: a person who floods a channel must not fill that too.
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
  -- Before the message is written, because its indexes cost more. Not recorded, so that nobody fills the audit log by flooding a channel.
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
      return weir.error('WR008', 'the organization has reached its limit of chat messages a minute (max_chat_messages_per_minute = '
                          || (select o.max_chat_messages_per_minute from public.organizations o where o.id = v_act.organization_id) || ')',
                        format('Retry in %s s.', v_wait)) || jsonb_build_object('retry_after', v_wait);
    end if;
  end if;
  insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content, client_message_id)
  values (v_id, v_act.organization_id, v_workspace_id, p_channel_id, 'user', v_actor, p_content, p_client_message_id)
  on conflict (channel_id, user_id, client_message_id) where client_message_id is not null do nothing;
  if found then
    return jsonb_build_object('id', v_id, 'created', true);
  end if;
  -- The first message may have been committed without waiting for the disk (docs/decisions/0059). This call gets a transaction number of
  -- its own, so its commit waits for both.
  perform pg_current_xact_id();
  select m.id, m.content, m.deleted_at into v_message from public.chat_messages m
  where m.channel_id = p_channel_id and m.user_id = v_actor and m.client_message_id = p_client_message_id;
  if v_message.deleted_at is not null then
    return weir.refuse(v_act, 'WR005', 'the message with this client_message_id was deleted');
  elsif v_message.content is distinct from p_content then
    return weir.refuse(v_act, 'WR005', 'client_message_id was used for another message');
  end if;
  return jsonb_build_object('id', v_message.id, 'created', false);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_client_message_id);
end;
$$;
grant execute on function weir.post_chat_message to authenticated;

-- For the author only, in a channel that they still see; another person who sees the message gets WR003, and everybody else WR004. Answers
-- to it stay, because they are the agent's messages. A turn that is answering the message makes no further call (weir.record_chat_call). A
-- repeated call returns the time of the first and leaves no row in the audit log; the first leaves one, with the message's id.
create function weir.delete_chat_message(p_message_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
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
    return weir.refuse(v_act, 'WR003', 'only its author deletes a message');
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
grant execute on function weir.delete_chat_message to authenticated;

-- Messages of a channel that the caller sees (policy messages_are_seen_by_workspace_members), newest first. p_before: those before that
-- message; ids are in the order of time, to the millisecond. A deleted message has an empty content. The channel is looked up only if no
-- message was found: a person who sees a message sees its channel. Definer, because API roles have no USAGE on weir; it writes nothing and
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
grant execute on function weir.get_chat_messages_with_details to authenticated;

-- The agent's answer to a message, so that a repeated request gets the answer that was stored. No row if there is none, or the caller does
-- not see it.
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
grant execute on function weir.get_chat_answer to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.post_chat_message(channel_id uuid, content text, client_message_id text default null) returns jsonb
language sql volatile begin atomic select weir.post_chat_message($1, $2, $3); end;
create function public.delete_chat_message(message_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_chat_message($1); end;
create function public.get_chat_messages_with_details(p_channel_id uuid, before uuid default null, "limit" integer default 50)
returns table (id uuid, channel_id uuid, sender text, user_id uuid, agent_id uuid, agent_name text, content text, reply_to uuid,
               tool_calls jsonb, usage jsonb, degraded jsonb, created_at timestamptz, user_name text, deleted_at timestamptz)
language sql stable begin atomic select * from weir.get_chat_messages_with_details($1, $2, $3); end;
create function public.get_chat_answer(message_id uuid, agent_id uuid)
returns table (id uuid, content text, tool_calls jsonb, usage jsonb, degraded jsonb)
language sql stable begin atomic select * from weir.get_chat_answer($1, $2); end;

revoke all on function public.post_chat_message, public.delete_chat_message, public.get_chat_messages_with_details, public.get_chat_answer
  from public, anon, authenticated, service_role;
grant execute on function public.post_chat_message, public.delete_chat_message, public.get_chat_messages_with_details,
  public.get_chat_answer to authenticated;
