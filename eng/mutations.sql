-- The mutations that eng/mutate-policies tries: each removes one policy, check or trigger, one at a time. They are read from the system
-- catalogs, so that a new policy, function or trigger is included without a change here.
--
--   policy    one clause of a policy becomes true
--   function  one comparison that names an organization becomes true (false for <> and `is distinct from`); or one call of a helper that
--             checks permission (weir.authorize, weir.lock_for, weir.require_sign_in) refuses nothing; or one call of weir.may returns true
--   trigger   is dropped
create table tap.mutations (name text primary key, subject text not null, sql text not null);

insert into tap.mutations
select format('policy %s.%s %s', c.oid::regclass, p.polname, clause.word), c.relname,
  format('alter policy %I on %s %s (true)', p.polname, c.oid::regclass, clause.word)
from pg_policy p
join pg_class c on c.oid = p.polrelid
cross join lateral (values ('using', pg_get_expr(p.polqual, c.oid)), ('with check', pg_get_expr(p.polwithcheck, c.oid)))
  clause(word, expression)
where c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace) and clause.expression <> 'true';

-- The operands are a name, (...)::type, or any(...) with up to three more pairs of parentheses inside. Rows, (a, b) = (c, d), are compared
-- for foreign keys only, which db/tests/0020_schema.sql tests.
with form as (
  select format('(\([^()]*\)::)?\m[a-z_][a-z0-9_.]*\s*(%1$s)\s*(any\s*(%2$s)|[a-z_][a-z0-9_.]*)', '=|<>|\mis\s+distinct\s+from\M',
    replace(replace(replace('\((X)*\)', 'X', '[^()]|\((Y)*\)'), 'Y', '[^()]|\((Z)*\)'), 'Z', '[^()]|\([^()]*\)')) as comparison
), source as (
  select p.oid, p.proname, pg_get_functiondef(p.oid) as definition
  from pg_proc p join pg_language l on l.oid = p.prolang
  where p.pronamespace in ('public'::regnamespace, 'weir'::regnamespace) and l.lanname in ('sql', 'plpgsql') and p.prokind = 'f'
), found as (
  select s.*, n, f.comparison, regexp_substr(s.definition, f.comparison, 1, n, 'i') as predicate
  from form f cross join source s
  cross join lateral generate_series(1, regexp_count(s.definition, f.comparison, 1, 'i')) n
), named as (
  select f.*, regexp_replace(predicate, '\s+', ' ', 'g') as text
  from found f where predicate ~ 'organization(_id|s)\M'
)
insert into tap.mutations
select format('function %s: %s%s', n.oid::regproc, n.text,
    case row_number() over (partition by n.oid, n.text order by n.n) when 1 then ''
      else ' (' || row_number() over (partition by n.oid, n.text order by n.n) || ')' end),
  n.proname,
  regexp_replace(n.definition, n.comparison, case when n.predicate ~ '<>|distinct' then 'false' else 'true' end, 1, n.n, 'i')
from named n;

-- The helpers are called in a statement of their own, with the act as first argument; their own definitions do not match.
with found as (
  select p.oid, p.proname, pg_get_functiondef(p.oid) as definition, c.*, n
  from pg_proc p join pg_language l on l.oid = p.prolang
  cross join (values (':= (weir\.(authorize|lock_for))\([^;]*', ':= null'), ('perform (weir\.require_sign_in)\(\)', 'null'),
              ('(weir\.may\([pv]_act, [^()]*\))', 'true')) c(call, becomes)
  cross join lateral generate_series(1, regexp_count(pg_get_functiondef(p.oid), c.call)) n
  where p.pronamespace = 'weir'::regnamespace and l.lanname = 'plpgsql' and p.prokind = 'f'
)
insert into tap.mutations
select format('function %s: %s', f.oid::regproc, regexp_substr(f.definition, f.call, 1, f.n, '', 1)), f.proname,
  regexp_replace(f.definition, f.call, f.becomes, 1, f.n)
from found f;

-- A partition's copy of a row trigger is dropped with its parent's.
insert into tap.mutations
select format('trigger %s.%s', t.tgrelid::regclass, t.tgname), regexp_replace(c.relname, '_\d{4}_\d\d$', ''),
  format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and t.tgparentid = 0 and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace);

-- Raises if a mutated function would fail for every call: a test would notice that, and prove nothing.
create function tap.invalid(p_name text) returns void language plpgsql set search_path = tap as $$
declare
  v_error text;
begin
  select min(c.line) into v_error
  from pg_proc p join pg_language l on l.oid = p.prolang
  cross join lateral plpgsql_check_function(p.oid, other_warnings => false, performance_warnings => false, extra_warnings => false,
    security_warnings => false) c(line)
  where p.proname = p_name and p.pronamespace in ('public'::regnamespace, 'weir'::regnamespace) and l.lanname = 'plpgsql'
    and p.prorettype <> 'trigger'::regtype and c.line like 'error:%';
  if v_error is not null then
    raise exception '%', v_error;
  end if;
end;
$$;
