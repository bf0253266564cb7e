-- Counts of failures that belong to no organization's audit log: unknown keys, and refusals of people who are not members.

-- Failures before an organization is known, such as unknown keys: counted for each minute, reason, beginning of the key's id and network (a
-- /64 of IPv6). weir.record_security_events limits the rows of a minute, so that guessing keys cannot fill the disk. Purged after a time
-- (weir.purge).
create table weir.security_events (
  minute timestamptz not null,
  reason text not null,
  -- Not null, so that they can be in the key; '' and 0.0.0.0 stand for unknown, and for everything beyond the limit.
  key_prefix text not null default '',
  address inet not null default '0.0.0.0',
  occurrences bigint not null,
  constraint security_events_pkey primary key (minute, reason, key_prefix, address),
  constraint security_events_reason_is_short check (length(reason) between 1 and 64),
  constraint security_events_key_prefix_is_short check (length(key_prefix) <= 8),
  constraint security_events_are_counted check (occurrences > 0)
);
alter table weir.security_events enable row level security, force row level security;
revoke all on weir.security_events from public, anon, authenticated, service_role;
comment on table weir.security_events is 'platform: counted failures of callers without a known organization';

-- No person reads these: they tell about callers of all organizations.
create policy security_events_are_counted_by_the_engine on weir.security_events for all to weir_system using (true) with check (true);
grant select, insert, update (occurrences), delete on weir.security_events to weir_system;

set local role weir_system;

-- Counts failures of callers without a known organization. A minute has at most 100 different rows; beyond that, all failures of one reason
-- share a row. Anybody can cause these failures, from any number of addresses, so IPv6 addresses are stored as their /64 network, and key
-- ids by their first eight characters. Definer: the engine has no privilege on the table.
create function weir.record_security_events(p_reasons text[], p_key_prefixes text[], p_addresses inet[], p_counts integer[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_minute constant timestamptz := date_trunc('minute', clock_timestamp());
  -- How many new rows this minute may still get. Two replicas at once can exceed this by one batch each.
  v_free constant bigint := 100 - (select count(*) from (
    select from weir.security_events s where s.minute = v_minute limit 100) t);
begin
  insert into weir.security_events as s (minute, reason, key_prefix, address, occurrences)
  -- Existing rows may always be incremented. Of new ones the most frequent get the remaining rows; the others are counted in the row of
  -- their reason.
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
grant execute on function weir.record_security_events to weir_engine;

reset role;
