select t.schema, t.object, t.name, coalesce(t.class, 'tenant') as class,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
               and has_column_privilege('authenticated', t.oid, a.attnum, 'SELECT')
             order by a.attnum) as readable,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
             order by has_column_privilege('authenticated', t.oid, a.attnum, 'UPDATE') desc, a.attnum) as columns
from our_tables t
where t.schema in ('public', 'weir')
order by t.object;
