-- How many messages of people an organization may save in a minute, at all replicas and over SQL together. All of a minute's messages
-- may come at once; after that each waits until there is room for one more.

alter table public.organizations
  -- Zero: no messages at all.
  add column max_chat_messages_per_minute integer not null default 2400,
  add constraint organizations_chat_limit_is_0_to_a_million check (max_chat_messages_per_minute between 0 and 1000000);

-- How much of its minute an organization has used. A table of its own, because an update of the organization's row takes the
-- organization's lock, which blocks its calls. There is no row before the first message.
create table weir.chat_rates (
  organization_id uuid not null,
  -- Each message moves it on by its share of a minute, from now or from where it is. It is never more than a minute ahead.
  used_until timestamptz not null,
  constraint chat_rates_pkey primary key (organization_id),
  constraint chat_rates_organization foreign key (organization_id) references public.organizations (id) on delete cascade
);
alter table weir.chat_rates enable row level security, force row level security;
revoke all on weir.chat_rates from public, anon, authenticated, service_role;
comment on table weir.chat_rates is 'tenant: how much of its chat messages a minute an organization has used';
-- For weir.post_chat_message, which takes the share under the claims of whoever writes: a viewer writes nothing and uses nothing.
create policy rates_are_used_by_who_may_write on weir.chat_rates for all to weir_writer
  using (organization_id = any(array(select weir.my_organizations('member'))))
  with check (organization_id = any(array(select weir.my_organizations('member'))));
grant select, insert, update (used_until) on weir.chat_rates to weir_writer;
