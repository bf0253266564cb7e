-- Channels of a workspace, and direct conversations of one person with one agent.

-- A channel of a workspace has no user_id. With a user_id it is the direct conversation of that person with the agent: nobody else sees it,
-- so it is deleted with the person, and it stays when the agent is deleted.
create table public.chat_channels (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  workspace_id uuid not null,
  name text not null,
  user_id uuid,
  -- The agent of a direct conversation; null in a channel of the workspace, and after the agent was deleted.
  agent_id uuid,
  created_by uuid,
  created_at timestamptz not null default now(),
  -- Nobody sees a deleted channel; its messages are deleted in small statements (weir.purge_deleted).
  deleted_at timestamptz,
  constraint chat_channels_pkey primary key (id),
  -- The target of the messages' composite foreign key: a message's organization and workspace are its channel's.
  constraint chat_channels_organization_workspace_id_key unique (organization_id, workspace_id, id),
  -- One direct conversation of a person with an agent in a workspace. Nulls are distinct, so channels of the workspace never conflict here.
  -- It also serves look-ups of a workspace's channels.
  constraint chat_channels_workspace_id_user_id_agent_id_key unique (workspace_id, user_id, agent_id),
  constraint chat_channels_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint chat_channels_direct_one_has_a_person check (agent_id is null or user_id is not null),
  constraint chat_channels_workspace_of_the_organization
    foreign key (organization_id, workspace_id) references public.workspaces (organization_id, id) on delete cascade,
  constraint chat_channels_user foreign key (user_id) references auth.users (id) on delete cascade,
  -- Only the agent's column becomes null: the person keeps the messages.
  constraint chat_channels_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete set null (agent_id),
  constraint chat_channels_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.chat_channels enable row level security, force row level security;
revoke all on public.chat_channels from public, anon, authenticated, service_role;
comment on table public.chat_channels is 'tenant: a channel of a workspace, or the direct conversation of a person with an agent';
-- Names are unique among the channels that a workspace shares. Each person's direct conversation is named after its agent.
create unique index chat_channels_name_key on public.chat_channels (workspace_id, lower(name))
  where user_id is null and deleted_at is null;
create index chat_channels_deleted_idx on public.chat_channels (deleted_at) where deleted_at is not null;
create index chat_channels_user_idx on public.chat_channels (user_id);
create index chat_channels_agent_idx on public.chat_channels (organization_id, agent_id);
create index chat_channels_created_by_idx on public.chat_channels (created_by);

-- Only its person sees and creates a direct conversation. Viewers read and do not create.
create policy channels_are_seen_by_workspace_members on public.chat_channels for select to authenticated, weir_writer
  using (workspace_id = any(array(select weir.my_workspaces())) and deleted_at is null
         and (user_id is null or user_id = (select weir.actor_id())));
create policy channels_are_created_by_workspace_members on public.chat_channels for insert to weir_writer
  with check (workspace_id = any(array(select weir.my_workspaces()))
              and organization_id = any(array(select weir.my_organizations('member')))
              and created_by = (select weir.actor_id())
              and (user_id is null or user_id = (select weir.actor_id())));
-- For weir.bury_channel and weir.purge_deleted. An answer finds its channel by the message that it answers.
create policy channels_are_deleted_by_the_engine on public.chat_channels for all to weir_system using (true) with check (true);
grant select (id, organization_id, workspace_id, deleted_at), update (deleted_at), delete on public.chat_channels to weir_system;
grant select on public.chat_channels to authenticated;
grant select, insert (id, organization_id, workspace_id, name, user_id, agent_id, created_by) on public.chat_channels to weir_writer;

set local role weir_writer;

-- For members who belong to the workspace (policy channels_are_created_by_workspace_members). An admin who does not belong to it gets WR004
-- as everybody else, because only its members see a workspace's chat. A workspace has at most 1,000 channels besides direct conversations,
-- because its members see all of them. The advisory lock is the workspace's, and no call waits for it.
create function weir.create_channel(p_workspace_id uuid, p_name text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
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
  -- One at a time in a workspace, so that the limit holds. No call waits for this lock.
  perform pg_advisory_xact_lock(hashtextextended('weir.chat_channels ' || p_workspace_id, 0));
  if (select count(*) from public.chat_channels c where c.workspace_id = p_workspace_id and c.user_id is null
        and c.deleted_at is null) >= 1000 then
    return weir.refuse(v_act, 'WR006', 'a workspace may have 1000 channels: delete one first');
  end if;
  insert into public.chat_channels (id, organization_id, workspace_id, name, created_by)
  values (v_id, v_act.organization_id, p_workspace_id, btrim(p_name), weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'workspace_id', p_workspace_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_name);
end;
$$;
grant execute on function weir.create_channel to authenticated;

-- For a turn that names no channel: the caller's direct conversation with the agent, which nobody else sees. It is in p_workspace_id; if
-- that is null, in a workspace that both belong to, where they have a conversation already, else in the oldest. WR004 if they share none,
-- because a direct conversation needs a shared workspace. The conversation is created on first use, by a member (policy
-- channels_are_created_by_workspace_members), and only then there is a row in the audit log. Two concurrent first requests get the same
-- one. Returns the same as chat_context.
create function weir.open_direct_channel(p_agent_id uuid, p_workspace_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id uuid := weir.uuid_v7();
  v_name text;
  v_is_active boolean;
  v_place record;
  v_refusal jsonb;
  v_constraint text;
begin
  -- Without an agent there is nothing to see: everybody who is signed in gets the error that it is missing.
  v_act := weir.act('chat', 'open_direct_channel', case when p_agent_id is null then 'signed_in' else 'see' end);
  select a.organization_id, a.name, a.is_active into v_act.organization_id, v_name, v_is_active
  from public.agents a where a.id = p_agent_id and a.deleted_at is null;
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
    return weir.refuse(v_act, 'WR001', 'agent_id is required for a direct conversation');
  elsif not v_is_active then
    return weir.refuse(v_act, 'WR003', 'The agent, the server, the organization or all of Weir is switched off, so no call is made.');
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
grant execute on function weir.open_direct_channel to authenticated;

-- For the person who made the channel, and for admins who belong to its workspace; nobody else sees it. A direct conversation cannot be
-- deleted (WR005).
create function weir.delete_channel(p_channel_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_channel public.chat_channels;
  v_refusal jsonb;
begin
  select c.* into v_channel from public.chat_channels c where c.id = p_channel_id;
  v_act := weir.act('lifecycle', 'delete_channel', case when v_channel.created_by = weir.actor_id() then 'member' else 'admin' end,
                    'only the person who made a channel, or an admin, deletes it', v_channel.organization_id);
  v_refusal := weir.authorize(v_act, 'there is no such channel', v_channel.id is not null);
  if v_refusal is not null then
    return v_refusal;
  elsif v_channel.user_id is not null then
    return weir.refuse(v_act, 'WR005', 'a direct conversation cannot be deleted: delete its messages');
  end if;
  perform weir.bury_channel(p_channel_id);
  perform weir.record_act(v_act, p_channel_id::text);
  return jsonb_build_object('id', p_channel_id, 'deleted', true);
end;
$$;
grant execute on function weir.delete_channel to authenticated;

reset role;

set local role weir_system;

-- As weir.bury_workspace, for weir.delete_channel.
create function weir.bury_channel(p_channel_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.chat_channels c set deleted_at = clock_timestamp() where c.id = p_channel_id and c.deleted_at is null;
end;
$$;
grant execute on function weir.bury_channel to weir_writer;

reset role;

-- The published names; parameter names are API.
create function public.create_channel(workspace_id uuid, name text) returns jsonb
language sql volatile begin atomic select weir.create_channel($1, $2); end;
create function public.open_direct_channel(agent_id uuid, workspace_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.open_direct_channel($1, $2); end;
create function public.delete_channel(channel_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_channel($1); end;

revoke all on function public.create_channel, public.open_direct_channel, public.delete_channel
  from public, anon, authenticated, service_role;
grant execute on function public.create_channel, public.open_direct_channel, public.delete_channel to authenticated;
