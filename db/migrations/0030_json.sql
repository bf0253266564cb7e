-- Limits and checks for JSON that comes from outside.

-- Which bound a value exceeds, as the end of a sentence; null if it is within all of them. Everything that /mcp and /rest/v1 accept (64
-- levels, numbers of 400 characters, exponents up to 400) is within the bounds, also after Weir has wrapped it.
-- The order of the checks matters: size first, because it costs nothing; then nesting; then numbers.
--   pg_column_size   of the value as it is, which may be compressed if it comes from a table, and then of `#> '{}'`, which is the value
--                    decompressed. Each member and element takes at least four bytes, so the size bounds their number too.
--   strict $.**      walks the value in place and copies only what it finds; with a level it stops at that level
--   ::numeric        extracts a number; comparing it and reading its scale do not print it
create function weir.bounds_error(p_value jsonb, p_max_bytes integer) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_column_size(p_value) > p_max_bytes or pg_column_size(p_value #> '{}') > p_max_bytes then
    return format('is larger than %s KiB', p_max_bytes / 1024);
  elsif jsonb_path_exists(p_value, 'strict $.**{257}') then
    return 'is nested deeper than 256 levels';
  -- All numbers are first collected in one array: returned as a set, the results of jsonb_path_query take time quadratic in their number.
  elsif exists (select from jsonb_array_elements(jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')) n
                where abs(n::numeric) >= 1e800 or scale(n::numeric) > 800) then
    return 'has a number of more than 800 digits before or after the decimal point';
  end if;
  return null;
end;
$$;

-- Where a value violates a JSON Schema, or null. Only a subset of JSON Schema is supported. An unknown keyword is an error, so a catalog
-- entry cannot rely on a check that is never made. Properties that are not declared are refused. A pattern must match the whole value and
-- belong to the closed grammar of patterns (weir.pattern_error), whose cost is bounded.
create function weir.schema_error(p_schema jsonb, p_value jsonb, p_path text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_type constant text := jsonb_typeof(p_value);
  v_key text;
  v_rule jsonb;
  v_error text;
begin
  if jsonb_typeof(p_schema) is distinct from 'object' then
    return p_path || ': the schema is not an object';
  end if;
  for v_key, v_rule in select e.key, e.value from jsonb_each(p_schema) e loop
    v_error := case
      when v_key in ('title', 'description', 'default', 'examples', '$schema', 'additionalProperties', 'writeOnly') then null
      when v_key = 'type' then
        case when v_rule #>> '{}' = v_type
               or (v_rule = '"integer"' and v_type = 'number' and (p_value #>> '{}')::numeric % 1 = 0) then null
             else 'must be of type ' || (v_rule #>> '{}') end
      when v_key = 'enum' then
        case when exists (select from jsonb_array_elements(v_rule) i where i = p_value) then null
             else 'is not one of the allowed values' end
      when v_key = 'const' then case when p_value = v_rule then null else 'is not the allowed value' end
      when v_key = 'minLength' then
        case when v_type <> 'string' or length(p_value #>> '{}') >= (v_rule #>> '{}')::integer then null else 'is too short' end
      when v_key = 'maxLength' then
        case when v_type <> 'string' or length(p_value #>> '{}') <= (v_rule #>> '{}')::integer then null else 'is too long' end
      when v_key = 'pattern' then
        case when v_type <> 'string' or (length(p_value #>> '{}') <= 4096 and weir.pattern_error(v_rule #>> '{}') is null
                                         and (p_value #>> '{}') ~ ('^(?:' || (v_rule #>> '{}') || ')$')) then null
             else 'does not have the required form' end
      when v_key = 'minimum' then
        case when v_type <> 'number' or (p_value #>> '{}')::numeric >= (v_rule #>> '{}')::numeric then null else 'is too small' end
      when v_key = 'maximum' then
        case when v_type <> 'number' or (p_value #>> '{}')::numeric <= (v_rule #>> '{}')::numeric then null else 'is too large' end
      when v_key = 'minItems' then
        case when v_type <> 'array' or jsonb_array_length(p_value) >= (v_rule #>> '{}')::integer then null else 'has too few items' end
      when v_key = 'maxItems' then
        case when v_type <> 'array' or jsonb_array_length(p_value) <= (v_rule #>> '{}')::integer then null else 'has too many items' end
      when v_key = 'required' and v_type = 'object' then
        (select 'is missing ' || r.name from jsonb_array_elements_text(v_rule) r(name) where not p_value ? r.name limit 1)
      when v_key in ('properties', 'required', 'items') then null
      else 'cannot be checked: the schema has the unknown keyword ' || left(v_key, 64)
    end;
    if v_error is not null then
      return p_path || ': ' || v_error;
    end if;
  end loop;
  if v_type = 'object' then
    for v_key, v_rule in select e.key, e.value from jsonb_each(p_value) e loop
      v_error := case when p_schema -> 'properties' ? v_key
                      then weir.schema_error(p_schema -> 'properties' -> v_key, v_rule, p_path || '.' || v_key)
                      else p_path || '.' || left(v_key, 64) || ': is not a known setting' end;
      exit when v_error is not null;
    end loop;
  elsif v_type = 'array' and p_schema ? 'items' then
    select e.error into v_error
    from jsonb_array_elements(p_value) with ordinality a(item, n),
         lateral (select weir.schema_error(p_schema -> 'items', a.item, p_path || '[' || (a.n - 1) || ']') as error) e
    where e.error is not null limit 1;
  end if;
  return v_error;
end;
$$;

revoke all on function weir.bounds_error, weir.schema_error from public;
grant execute on function weir.bounds_error, weir.schema_error to weir_writer, weir_system;
