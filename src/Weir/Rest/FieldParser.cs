using System.Text.RegularExpressions;

namespace Weir.Rest;

/// <summary>Columns and paths into JSON columns, as <c>select</c>, <c>order</c> and filters name them.</summary>
internal static partial class FieldParser
{
    /// <summary>
    /// The types that <c>::</c> may name, and what the statement says. Never jsonb: a text of 64 KiB that somebody wrote can be gigabytes
    /// as the text of a jsonb, which prints 1e131000 in full. As json it stays what it is.
    /// </summary>
    private static readonly Dictionary<string, string> Casts = new(StringComparer.Ordinal)
    {
        ["text"] = "text", ["varchar"] = "text", ["uuid"] = "uuid", ["bool"] = "boolean", ["boolean"] = "boolean",
        ["int"] = "integer", ["int4"] = "integer", ["integer"] = "integer", ["int8"] = "bigint", ["bigint"] = "bigint",
        ["numeric"] = "numeric", ["float8"] = "double precision", ["date"] = "date", ["timestamptz"] = "timestamptz", ["json"] = "json",
        ["jsonb"] = "json",
    };

    public static Field Parse(PublishedRelation relation, string text)
    {
        var form = FieldForm().Match(text);
        if (!form.Success)
        {
            throw RestErrors.Parse("column", text,
                "A column, perhaps in double quotes, or a path into a JSON column such as data->name or data->>name, was expected.");
        }

        var column = relation.Column(form.Groups["column"].Value);
        var path = form.Groups["arrow"].Captures.Zip(
            form.Groups["key"].Captures, (arrow, key) => new PathStep(Unquoted(key.Value), arrow.Length == 3)).ToArray();
        return path.Length == 0 || column.IsJson ? new Field(column, path)
            : throw RestErrors.Parse("column", text, $"{column.Name} is not a JSON column.");
    }

    public static IReadOnlyList<Selected> Select(PublishedRelation relation, string text)
    {
        if (HasParenthesis(text))
        {
            throw AggregateForm().IsMatch(text) ? RestErrors.Aggregates() : RestErrors.Embedding();
        }

        var items = Split(text);
        var selected = items.SelectMany(item => item == "*" ? Everything(relation) : [Item(relation, item)]).ToArray();
        if (selected.Length > RestLimits.Columns)
        {
            throw RestErrors.TooMuch($"At most {RestLimits.Columns} columns can be selected.");
        }

        if (selected.CountBy(s => (s.Field.Column, string.Join('\0', s.Field.Path))).Any(f => f.Value > RestLimits.SameField))
        {
            throw RestErrors.TooMuch($"One column, or one path into it, can be selected {RestLimits.SameField} times.");
        }

        // PostgREST answers with the name twice, of which every reader of JSON takes the last: here it is there once, with that value.
        return [.. selected.Reverse().DistinctBy(s => s.Alias, StringComparer.Ordinal).Reverse()];
    }

    /// <summary>At commas that are not in double quotes.</summary>
    private static string[] Split(string text)
    {
        var items = new List<string>();
        var cursor = new TextCursor(text);
        do
        {
            items.Add(cursor.UntilUnquoted(",").Trim(' '));
        }
        while (cursor.Take(','));
        return [.. items];
    }

    /// <summary>
    /// Whether one stands outside of double quotes. Each character is looked at once, or twice behind a quote that is not closed.
    /// </summary>
    private static bool HasParenthesis(string text)
    {
        var cursor = new TextCursor(text);
        while (!cursor.AtEnd)
        {
            if (cursor.Take('"'))
            {
                var start = cursor.Position;
                if (cursor.Quoted() is null)
                {
                    return text.IndexOf('(', start) >= 0;
                }
            }
            else if (cursor.Take('('))
            {
                return true;
            }
            else
            {
                cursor.Skip(1);
            }
        }

        return false;
    }

    private static string Unquoted(string text) =>
        text.StartsWith('"') && new TextCursor(text[1..]).Quoted() is { } name ? name : text;

    public static IEnumerable<Selected> Everything(PublishedRelation relation) =>
        relation.Columns.Select(c => new Selected(new Field(c, []), c.Name, Cast: null));

    public static IReadOnlyList<Ordering> Order(PublishedRelation relation, string text)
    {
        if (HasParenthesis(text))
        {
            throw RestErrors.Embedding();
        }

        var items = Split(text);
        return items.Length > RestLimits.Orderings
            ? throw RestErrors.TooMuch($"At most {RestLimits.Orderings} columns can order the rows.")
            : items.Select(item =>
            {
                var form = OrderForm().Match(item);
                return form.Success
                    ? new Ordering(
                        Parse(relation, form.Groups["field"].Value),
                        form.Groups["direction"].Value == "desc",
                        form.Groups["nulls"] is { Success: true, Value: var nulls } ? nulls == "nullsfirst" : null)
                    : throw RestErrors.Parse(
                        "order", item, "column, then perhaps .asc or .desc, then perhaps .nullsfirst or .nullslast, was expected.");
            }).ToArray();
    }

    private static Selected Item(PublishedRelation relation, string text)
    {
        var form = SelectForm().Match(text);
        if (!form.Success)
        {
            throw RestErrors.Parse("select parameter", text, "column, alias:column or column::type was expected.");
        }

        var field = Parse(relation, form.Groups["field"].Value);
        var cast = form.Groups["cast"] is { Success: true, Value: var type }
            ? Casts.GetValueOrDefault(type)
                ?? throw RestErrors.Parse("select parameter", text, $"A type of {string.Join(", ", Casts.Keys)} was expected.")
            : null;
        // Of a path the last key that is a name, as PostgREST does it.
        var name = form.Groups["alias"] is { Success: true, Value: var alias } ? Unquoted(alias.Trim(' '))
            : field.Path.LastOrDefault(step => !int.TryParse(step.Key, out _))?.Key ?? field.Column.Name;
        return AliasForm().IsMatch(name) ? new Selected(field, name, cast)
            : throw RestErrors.Parse("select parameter", text,
                "An alias is of at most 63 letters, digits, spaces and _ $ -, and begins with a letter or an underscore.");
    }

    [GeneratedRegex(@"^ *(""(?<column>[A-Za-z_][A-Za-z0-9_]{0,62})""|(?<column>[A-Za-z_][A-Za-z0-9_]{0,62}))"
        + @"((?<arrow>->>?)(?<key>""([^""\\]|\\.){1,100}""|([^->.,():""]|-(?!>)){1,100})){0,8} *\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FieldForm();

    [GeneratedRegex(@"^((?<alias>[^:()]{1,100}):(?!:))?(?<field>(""([^""\\]|\\.)*""|[^:()""]){1,1000})(::(?<cast>\w{1,20}))?\z",
        RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SelectForm();

    [GeneratedRegex(
        @"^(?<field>[^.()]{1,1000})(\.(?<direction>asc|desc))?(\.(?<nulls>nullsfirst|nullslast))?\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex OrderForm();

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_$ -]{0,62}\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AliasForm();

    [GeneratedRegex(@"(^|[,.:])(count|sum|avg|min|max)\(\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AggregateForm();
}
