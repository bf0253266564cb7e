-- Chat: channels of a workspace, and what is said in them. Only the workspace's members read and write; the organization's
-- admins do not, for they have the audit log.

-- A channel of a workspace has no user_id. With a user_id it is the direct conversation of that person with the agent:
-- nobody else sees it, so it is deleted with the person, and it stays when the agent goes.
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
  constraint chat_channels_pkey primary key (id),
  -- The target of the messages' composite foreign key: a message's organization and workspace are its channel's.
  constraint chat_channels_organization_workspace_id_key unique (organization_id, workspace_id, id),
  -- One direct conversation of a person with an agent in a workspace. Nulls are distinct, so channels of the workspace
  -- never conflict here. It also finds a workspace's channels.
  constraint chat_channels_workspace_id_user_id_agent_id_key unique (workspace_id, user_id, agent_id),
  constraint chat_channels_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint chat_channels_direct_one_has_a_person check (agent_id is null or user_id is not null),
  constraint chat_channels_workspace_of_the_organization
    foreign key (organization_id, workspace_id) references public.workspaces (organization_id, id) on delete cascade,
  constraint chat_channels_user foreign key (user_id) references auth.users (id) on delete cascade,
  -- Only the agent's column becomes null: what was said stays with the person.
  constraint chat_channels_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete set null (agent_id),
  constraint chat_channels_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.chat_channels enable row level security, force row level security;
revoke all on public.chat_channels from public, anon, authenticated, service_role;
comment on table public.chat_channels is 'tenant: a channel of a workspace, or the direct conversation of a person with an agent';
-- Names are unique among the channels that a workspace shares. A direct conversation is named after its agent, for each
-- person.
create unique index chat_channels_name_key on public.chat_channels (workspace_id, lower(name)) where user_id is null;
create index chat_channels_user_idx on public.chat_channels (user_id);
create index chat_channels_agent_idx on public.chat_channels (organization_id, agent_id);
create index chat_channels_created_by_idx on public.chat_channels (created_by);

-- A direct conversation is seen, and made, by its person only. Viewers read and do not create.
create policy channels_are_seen_by_workspace_members on public.chat_channels for select to authenticated, weir_writer
  using (workspace_id = any(array(select weir.my_workspaces()))
         and (user_id is null or user_id = (select weir.actor_id())));
create policy channels_are_created_by_workspace_members on public.chat_channels for insert to weir_writer
  with check (workspace_id = any(array(select weir.my_workspaces()))
              and organization_id = any(array(select weir.my_organizations('member')))
              and created_by = (select weir.actor_id())
              and (user_id is null or user_id = (select weir.actor_id())));
-- weir_system gets no privilege: an answer finds its channel by the message that it answers.
grant select on public.chat_channels to authenticated;
grant select, insert (id, organization_id, workspace_id, name, user_id, agent_id, created_by) on public.chat_channels to weir_writer;

-- A person's message, or an agent's answer to one. (channel_id, user_id, client_message_id) makes a person's retry
-- harmless, and (reply_to, agent_id) an agent's.
create table public.chat_messages (
  id uuid not null default weir.uuid_v7(),
  -- Copied from the channel, so that a policy and an index can begin with them; the composite foreign key keeps the copies
  -- true.
  organization_id uuid not null,
  workspace_id uuid not null,
  channel_id uuid not null,
  sender text not null,
  user_id uuid,
  agent_id uuid,
  content text not null,
  -- The sender's own id for a retry; null where the client sends none.
  client_message_id text,
  reply_to uuid,
  -- Of an answer only: the calls it was made with, what the model used, and what was missing when it was written.
  tool_calls jsonb,
  usage jsonb,
  degraded jsonb,
  -- By the clock and not the transaction's start, so that messages of one transaction have an order.
  created_at timestamptz not null default clock_timestamp(),
  constraint chat_messages_pkey primary key (id),
  -- The targets of composite foreign keys: of chat turns, and of an answer, whose question is in the same channel.
  constraint chat_messages_organization_id_id_key unique (organization_id, id),
  constraint chat_messages_channel_id_id_key unique (channel_id, id),
  constraint chat_messages_sender_is_user_or_agent check (sender in ('user', 'agent')),
  -- user_id and agent_id may become null when the person or the agent is deleted; what was said stays. So this says which
  -- columns must be empty, and not which must be set.
  constraint chat_messages_has_no_other_sender
    check ((sender = 'user' and agent_id is null) or (sender = 'agent' and client_message_id is null)),
  constraint chat_messages_content_is_at_most_64_kib check (octet_length(content) <= 65536),
  constraint chat_messages_client_message_id_is_short check (length(client_message_id) between 1 and 100),
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
comment on table public.chat_messages is 'tenant: what people and agents said in a channel';
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

-- Whoever sees the channel sees its messages: the subquery runs under the channels' own policy. It can do without the
-- organization, because chat_messages_channel_of_the_workspace binds a message to its channel's.
create policy messages_are_seen_by_workspace_members on public.chat_messages for select to authenticated, weir_writer
  using (channel_id = any(array(select c.id from public.chat_channels c)));
-- People write in their own name only, and never an agent's answer. Viewers write nothing.
create policy messages_are_written_by_workspace_members on public.chat_messages for insert to weir_writer
  with check (channel_id = any(array(select c.id from public.chat_channels c))
              and organization_id = any(array(select weir.my_organizations('member')))
              and sender = 'user' and user_id = (select weir.actor_id()));
-- Answers are written by weir.record_chat_answer, which checks the person, the channel and the agent itself. It has no need
-- to read what was said, so it may not.
create policy messages_are_answered_by_the_engine on public.chat_messages for all to weir_system using (true) with check (true);
grant select on public.chat_messages to authenticated;
grant select, insert (id, organization_id, workspace_id, channel_id, sender, user_id, content, client_message_id)
  on public.chat_messages to weir_writer;
grant select (id, organization_id, workspace_id, channel_id, sender, user_id, agent_id, reply_to),
      insert (id, organization_id, workspace_id, channel_id, sender, user_id, agent_id, content, reply_to, tool_calls, usage, degraded)
  on public.chat_messages to weir_system;
