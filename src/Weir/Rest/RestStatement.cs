using System.Globalization;
using System.Text;
using Npgsql;
using Weir.Postgres;

namespace Weir.Rest;

/// <summary>How the rows become one JSON text.</summary>
internal enum RestShape
{
    Array,
    Object,
}

/// <param name="StripNulls">Leave out members that are null.</param>
internal sealed record RestFormat(RestShape Shape, bool StripNulls);

/// <summary>
/// A statement and its values. Every identifier in the text is quoted and comes from the catalog (an alias, from a closed alphabet), every
/// operator and type from a closed list, every value is bound. It answers row by row, so that neither PostgreSQL nor this process ever
/// holds the whole: how many rows fit (null: not asked), whether this one is too large to be said, and its JSON (null: there is no row).
/// </summary>
internal sealed class RestStatement
{
    // With a space, which no column and no alias can have.
    private const string Page = "\"the page\"";
    private const string IsThere = "\"is there\"";
    private const string Setting = "\"the setting\"";

    private readonly StringBuilder _text = new();
    private readonly List<NpgsqlParameter> _parameters = [];

    private RestStatement(RestShape shape) => Shape = shape;

    /// <summary>How the rows become one text.</summary>
    public RestShape Shape { get; }

    public string Text => _text.ToString();

    public NpgsqlParameter[] Parameters => [.. _parameters];

    /// <summary>Rows of a table or view.</summary>
    public static RestStatement Read(PublishedRelation relation, ReadRequest request, RestFormat format, bool count)
    {
        var statement = new RestStatement(format.Shape);
        statement._text.Append("with ");
        statement.Rows($"public.{Quote(relation.Name)}", request, format, count);
        return statement;
    }

    /// <summary>Rows of a table function, which is called once.</summary>
    public static RestStatement CallRows(
        PublishedFunction function, CallArguments arguments, ReadRequest request, RestFormat format, bool count)
    {
        var statement = new RestStatement(format.Shape);
        statement._text.Append("with \"the call\" as materialized (select r.* from ");
        statement.Call(function, arguments, "r");
        statement._text.Append("), ");
        statement.Rows("\"the call\"", request, format, count);
        return statement;
    }

    /// <summary>
    /// The value of any other function, or its values. One that is too large is measured and not sent: what the function did is committed.
    /// </summary>
    /// <param name="setting">
    /// A setting that is switched on in the transaction before the function is called. The function must have an argument. Null: none.
    /// </param>
    public static RestStatement CallValue(
        PublishedFunction function, CallArguments arguments, long maxRows, long maxBytes, string? setting = null)
    {
        var statement = new RestStatement(function.ReturnsSet ? RestShape.Array : RestShape.Object);
        var value = function.ResultType == "void" ? "null" : "coalesce(to_json(r.value)::text, 'null')";
        statement._text.Append("with ");
        if (setting is not null)
        {
            statement._text.Append(CultureInfo.InvariantCulture,
                $"{Setting} as materialized (select set_config({statement.Bind(Sql.Text(setting))}, 'on', true) as value), ");
        }

        statement._text.Append(CultureInfo.InvariantCulture, $"\"the call\" as materialized (select {value} as value from ");
        statement.Call(function, arguments, "r(value)", afterSetting: setting is not null);
        statement._text.Append(CultureInfo.InvariantCulture, $" limit {statement.Bind(Sql.Bigint(maxRows))}), ")
            .Append(
            CultureInfo.InvariantCulture,
            $"\"the size\" as (select value, coalesce(octet_length(value) > {statement.Bind(Sql.Bigint(maxBytes))}, false) as is_too_large "
                + $"from \"the call\") ")
            .Append("select null::bigint, is_too_large, case when not is_too_large then value end from \"the size\"");
        return statement;
    }

    /// <param name="afterSetting">Makes the arguments depend on the setting, so that PostgreSQL cannot call the function before it.</param>
    private void Call(PublishedFunction function, CallArguments arguments, string alias, bool afterSetting = false)
    {
        if (arguments.Names.Count > 0)
        {
            var types = function.Arguments.ToDictionary(a => a.Name, a => a.Type, StringComparer.Ordinal);
            var json = Bind(Sql.Json(arguments.Json));
            _text.Append(
                afterSetting ? $"{Setting} s, json_to_record(case when s.value is not null then {json} end) as a("
                    : $"json_to_record({json}) as a(");
            _text.AppendJoin(", ", arguments.Names.Select(n => $"{Quote(n)} {types[n]}")).Append("), ");
        }

        _text.Append("public.").Append(Quote(function.Name)).Append('(');
        _text.AppendJoin(", ", arguments.Names.Select(n => $"{Quote(n)} => a.{Quote(n)}")).Append(") as ").Append(alias);
    }

    /// <summary>
    /// The page holds columns as they are stored; what is asked of them is computed above it, for one row after the other. Else a hundred
    /// copies of each row would be sorted.
    /// </summary>
    private void Rows(string source, ReadRequest request, RestFormat format, bool count)
    {
        var columns = string.Concat(
            request.Select.Select(s => s.Field.Column.Name).Distinct(StringComparer.Ordinal).Select(name => $"t.{Quote(name)}, "));
        var where = request.Conditions.Count == 0 ? "" : " where " + string.Join(" and ", request.Conditions.Select(Write));
        var order = request.Order.Count == 0 ? "" : " order by " + string.Join(", ", request.Order.Select(Write));
        var items =
            string.Join(", ", request.Select.Select(s => $"{Write(s.Field)}{(s.Cast is null ? "" : "::" + s.Cast)} as {Quote(s.Alias)}"));
        var row = format.StripNulls ? "json_strip_nulls(row_to_json(r))" : "row_to_json(r)";
        _text.Append(CultureInfo.InvariantCulture, $"{Page} as (select {columns}true as {IsThere} from {source} t{where}{order} ")
            .Append(CultureInfo.InvariantCulture,
            $"limit {Bind(Sql.Bigint(request.Range.Limit))} offset {Bind(Sql.Bigint(request.Range.Offset))}) ")
            .Append(CultureInfo.InvariantCulture,
            $"select n.total, false, case when t.{IsThere} then (select {row} from (select {items}) r)::text end ")
            .Append(CultureInfo.InvariantCulture,
                $"from (select {(count ? $"(select count(*) from {source} t{where})" : "null::bigint")} as total) n left join {Page} t on "
                    + $"true");
    }

    private string Write(Condition condition) => (condition.Negated ? "not " : "") + condition switch
    {
        Junction junction => $"({string.Join(junction.IsOr ? " or " : " and ", junction.Parts.Select(Write))})",
        Comparison { Operator.Kind: OperatorKind.Is } c => $"({Write(c.Field)} is {(c.Value == "not_null" ? "not null" : c.Value)})",
        Comparison { Operator.Kind: OperatorKind.List } c => $"({Write(c.Field)} {c.Operator.Sql}({Bind(Sql.Literal(c.Value))}))",
        Comparison { Quantifier: { } quantifier } c => $"({Write(c.Field)} {c.Operator.Sql} {quantifier}({Bind(Sql.Literal(c.Value))}))",
        Comparison c => $"({Write(c.Field)} {c.Operator.Sql} {Bind(Sql.Literal(c.Value))})",
        _ => throw new InvalidOperationException("There is no other condition."),
    };

    private string Write(Ordering ordering) =>
        Write(ordering.Field) + (ordering.Descending ? " desc" : " asc")
            + (ordering.NullsFirst switch { true => " nulls first", false => " nulls last", null => "" });

    private string Write(Field field) => field.Path.Aggregate(
        $"t.{Quote(field.Column.Name)}", (inner, step) => $"({inner} {(step.AsText ? "->>" : "->")} {Bind(Key(step.Key))})");

    /// <summary>A number is a place in an array, anything else a member's name.</summary>
    private static NpgsqlParameter Key(string key) =>
        int.TryParse(key, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index) ? Sql.Integer(index) : Sql.Text(key);

    private string Bind(NpgsqlParameter parameter)
    {
        _parameters.Add(parameter);
        return $"${_parameters.Count}";
    }

    private static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
