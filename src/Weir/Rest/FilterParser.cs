using System.Text;
using System.Text.Json;
using Weir.Mcp;

namespace Weir.Rest;

/// <summary>Filters: <c>column=op.value</c>, and trees of them, <c>or=(a.eq.1,and(b.gt.2,c.not.is.null))</c>.</summary>
internal sealed class FilterParser(PublishedRelation relation)
{
    private static readonly string[] IsValues = ["null", "not_null", "true", "false", "unknown"];

    private int _conditions;

    /// <summary>One parameter of the query string.</summary>
    public Condition Parse(string key, string value) => key switch
    {
        "and" or "or" => Tree(value, isOr: key == "or", negated: false),
        "not.and" or "not.or" => Tree(value, isOr: key == "not.or", negated: true),
        _ when !key.Contains('"') && key.IndexOf('.', StringComparison.Ordinal) is var dot and > 0 =>
            throw RestErrors.NotEmbedded(key[..dot]),
        _ => Comparison(FieldParser.Parse(relation, key), new TextCursor(value), inTree: false),
    };

    private Junction Tree(string value, bool isOr, bool negated)
    {
        var cursor = new TextCursor(value);
        var tree = Junction(cursor, isOr, negated, depth: 1);
        return cursor.AtEnd ? tree : throw Unreadable(cursor);
    }

    private Junction Junction(TextCursor cursor, bool isOr, bool negated, int depth)
    {
        if (depth > RestLimits.Depth)
        {
            throw RestErrors.TooMuch($"and and or can be nested {RestLimits.Depth} deep.");
        }

        if (!cursor.Take('('))
        {
            throw Unreadable(cursor);
        }

        var parts = new List<Condition>();
        do
        {
            cursor.SkipSpaces();
            parts.Add(Part(cursor, depth));
            cursor.SkipSpaces();
        }
        while (cursor.Take(','));
        return cursor.Take(')') ? new Junction(negated, isOr, parts) : throw Unreadable(cursor);
    }

    private Condition Part(TextCursor cursor, int depth)
    {
        foreach (var (word, isOr, negated) in new[]
        {
            ("and(", false, false),
            ("or(", true, false),
            ("not.and(", false, true),
            ("not.or(", true, true),
        })
        {
            if (cursor.StartsWith(word))
            {
                cursor.Skip(word.Length - 1);
                return Junction(cursor, isOr, negated, depth + 1);
            }
        }

        var field = FieldParser.Parse(relation, cursor.UntilUnquoted(".,()"));
        return cursor.Take('.') ? Comparison(field, cursor, inTree: true) : throw Unreadable(cursor);
    }

    /// <param name="inTree">Whether the value ends at a comma or a bracket, and not with the text.</param>
    private Comparison Comparison(Field field, TextCursor cursor, bool inTree)
    {
        if (++_conditions > RestLimits.Conditions)
        {
            throw RestErrors.TooMuch($"At most {RestLimits.Conditions} conditions can be given.");
        }

        var negated = cursor.StartsWith("not.");
        cursor.Skip(negated ? 4 : 0);
        var @operator = Operator.Find(cursor.Until(".(,)")) ?? throw Unreadable(cursor);
        var quantifier = @operator.MayHaveQuantifier && cursor.Take('(') ? cursor.Until(")") : null;
        if ((quantifier is not null && (quantifier is not ("any" or "all") || !cursor.Take(')'))) || !cursor.Take('.'))
        {
            throw Unreadable(cursor);
        }

        var value = @operator.Kind == OperatorKind.List ? List(cursor) : inTree ? TreeValue(cursor) : cursor.Rest();
        if (@operator.Kind == OperatorKind.List && !inTree && !cursor.AtEnd)
        {
            throw Unreadable(cursor);
        }

        // What is compared with JSON is read as JSON.
        if (field.Column.IsJson && !field.Path.Any(step => step.AsText) && HasHugeNumber(value))
        {
            throw RestErrors.TooMuch(NumberBounds.Description);
        }

        if (@operator.Kind == OperatorKind.Is)
        {
            // PostgREST reads these words in any case.
            value = value.ToLowerInvariant();
        }

        return new Comparison(negated, field, @operator, quantifier, Check(@operator, value));
    }

    private static bool HasHugeNumber(string value)
    {
        try
        {
            return !NumberBounds.ContainAllOf(Encoding.UTF8.GetBytes(value));
        }
        catch (JsonException)
        {
            // PostgreSQL refuses what is no JSON.
            return false;
        }
    }

    private static string Check(Operator @operator, string value)
    {
        if (value.Contains('\0'))
        {
            throw RestErrors.NullByte();
        }

        return @operator.Kind switch
        {
            OperatorKind.Is when !IsValues.Contains(value, StringComparer.Ordinal) =>
                throw RestErrors.Parse("filter", "is." + value, $"One of {string.Join(", ", IsValues)} was expected."),
            OperatorKind.Pattern when value.Length > RestLimits.Pattern =>
                throw RestErrors.TooMuch($"A pattern can have {RestLimits.Pattern} characters."),
            _ when @operator.IsLike => value.Replace('*', '%'),
            _ => value,
        };
    }

    /// <summary><c>(a,"b,c")</c> as the literal of an array. Each item is quoted in it, so that none can be null or end it.</summary>
    private static string List(TextCursor cursor)
    {
        if (!cursor.Take('('))
        {
            throw Unreadable(cursor);
        }

        var literal = new StringBuilder("{");
        var count = 0;
        if (!cursor.Take(')'))
        {
            do
            {
                if (++count > RestLimits.ListValues)
                {
                    throw RestErrors.TooMuch($"A list can have {RestLimits.ListValues} values.");
                }

                var item = cursor.Take('"') ? cursor.Quoted() ?? throw Unreadable(cursor) : cursor.Until(",)");
                literal.Append(count > 1 ? "," : "").Append('"')
                    .Append(item.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal))
                    .Append('"');
            }
            while (cursor.Take(','));
            if (!cursor.Take(')'))
            {
                throw Unreadable(cursor);
            }
        }

        return literal.Append('}').ToString();
    }

    private static string TreeValue(TextCursor cursor) =>
        cursor.Take('"') ? cursor.Quoted() ?? throw Unreadable(cursor)
        : cursor.StartsWith("{") ? cursor.Braces() ?? throw Unreadable(cursor)
        : cursor.Until(",)");

    private static RestException Unreadable(TextCursor cursor) =>
        RestErrors.Parse("filter", cursor.Text,
            $"Not understood from character {cursor.Position + 1} on. Operators are {Operator.Names}, each perhaps after not.");
}
