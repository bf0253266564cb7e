namespace Weir.Rest;

/// <summary>One step into a JSON column: <c>-&gt;key</c>, or <c>-&gt;&gt;key</c> for its text.</summary>
internal sealed record PathStep(string Key, bool AsText);

/// <summary>A column, or what is inside a JSON column.</summary>
internal sealed record Field(PublishedColumn Column, IReadOnlyList<PathStep> Path);

/// <param name="Alias">The name in the answer.</param>
/// <param name="Cast">A type of the closed list, or null.</param>
internal sealed record Selected(Field Field, string Alias, string? Cast);

internal sealed record Ordering(Field Field, bool Descending, bool? NullsFirst);

/// <summary>Something that holds for a row or does not.</summary>
internal abstract record Condition(bool Negated);

internal sealed record Junction(bool Negated, bool IsOr, IReadOnlyList<Condition> Parts) : Condition(Negated);

/// <param name="Quantifier"><c>any</c> or <c>all</c> of an array of values; null: one value.</param>
/// <param name="Value">Bound, never part of the statement; the array's literal where there is a quantifier or a list.</param>
internal sealed record Comparison(bool Negated, Field Field, Operator Operator, string? Quantifier, string Value) : Condition(Negated)
{
    /// <summary>Whether the value, or each of its list, can be of the column's type.</summary>
    public bool Fits() => Field.Path.Any(step => step.AsText) || Operator.Kind == OperatorKind.Pattern
        || (Operator.Kind == OperatorKind.List || Quantifier is not null
            ? Items().All(item => ValueForms.Fits(Type, item)) : ValueForms.Fits(Type, Value));

    private string Type => Field.Path.Count > 0 ? "jsonb" : Field.Column.Type;

    private IEnumerable<string> Items()
    {
        if (!Value.StartsWith('{') || !Value.EndsWith('}'))
        {
            yield return Value;
            yield break;
        }

        var cursor = new TextCursor(Value[1..^1]);
        while (!cursor.AtEnd)
        {
            yield return cursor.Take('"') ? cursor.Quoted() ?? "" : cursor.Until(",");
            cursor.Take(',');
        }
    }
}

/// <summary>Which rows of all that fit.</summary>
internal sealed record RowRange(long Offset, long Limit)
{
    /// <summary><c>Content-Range</c>, as PostgREST writes it.</summary>
    public string Header(long rows, long? total) =>
        $"{(rows > 0 && total != 0 ? $"{Offset}-{Offset + rows - 1}" : "*")}/{(total is { } all ? $"{all}" : "*")}";

    /// <summary>206 where there is more than this, which only a count can tell.</summary>
    public static int Status(long rows, long? total) => total is { } all && rows < all ? 206 : 200;
}

/// <summary>What a query string asks of a relation.</summary>
internal sealed record ReadRequest(
    IReadOnlyList<Selected> Select, IReadOnlyList<Condition> Conditions, IReadOnlyList<Ordering> Order, RowRange Range)
{
    /// <summary>
    /// Which filters have a value that cannot be of their column's type, once PostgreSQL has refused one of them without saying which; all
    /// filters where none can be told. Null: it is about no filter, or may be about a cast.
    /// </summary>
    public string? Misfits()
    {
        var all = Conditions.SelectMany(Comparisons).Where(c => c.Operator.Kind != OperatorKind.Is).ToArray();
        var odd = all.Where(c => !c.Fits()).ToArray();
        var named =
            (odd.Length > 0 ? odd : Select.Any(s => s.Cast is not null) ? [] : all).Select(
                c => $"{c.Field.Column.Name} ({c.Field.Column.Type})").Distinct(StringComparer.Ordinal).ToArray();
        return named.Length == 0
            ? null : $"It is about {(odd.Length > 0 || named.Length == 1 ? "" : "one of ")}{string.Join(", ", named)}.";
    }

    private static IEnumerable<Comparison> Comparisons(Condition condition) => condition switch
    {
        Junction junction => junction.Parts.SelectMany(Comparisons),
        Comparison comparison => [comparison],
        _ => [],
    };
}
