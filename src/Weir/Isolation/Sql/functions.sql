select f.schema, f.name, f.object, coalesce(p.proargnames[1:p.pronargs], '{}') as names,
       array(select format_type(a.type, null) from unnest(p.proargtypes::oid[]) with ordinality a(type, n) order by a.n) as types,
       p.pronargs - p.pronargdefaults as required
from our_functions f
join pg_proc p on p.oid = f.oid
where f.schema in ('public', 'weir') and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
order by f.object;
