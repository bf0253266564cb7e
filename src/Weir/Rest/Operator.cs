using System.Collections.Frozen;

namespace Weir.Rest;

/// <summary>How an operator reads what stands behind it.</summary>
internal enum OperatorKind
{
    /// <summary>One value; with <c>any</c> or <c>all</c> an array of such.</summary>
    Value,

    /// <summary>A pattern, whose length is bounded.</summary>
    Pattern,

    /// <summary>One value, never an array of such.</summary>
    Single,

    /// <summary><c>(a,b,c)</c></summary>
    List,

    /// <summary><c>null</c>, <c>true</c>, …</summary>
    Is,
}

/// <summary>The closed list of operators: what a client writes, and what the statement says instead.</summary>
internal sealed record Operator(string Name, string Sql, OperatorKind Kind)
{
    private static readonly Operator[] All =
    [
        new("eq", "=", OperatorKind.Value), new("neq", "<>", OperatorKind.Single),
        new("gt", ">", OperatorKind.Value), new("gte", ">=", OperatorKind.Value), new("lt", "<", OperatorKind.Value),
        new("lte", "<=", OperatorKind.Value),
        new("like", "~~", OperatorKind.Pattern), new("ilike", "~~*", OperatorKind.Pattern),
        new("in", "= any", OperatorKind.List), new("is", "is", OperatorKind.Is), new("isdistinct", "is distinct from", OperatorKind.Single),
        new("cs", "@>", OperatorKind.Single), new("cd", "<@", OperatorKind.Single), new("ov", "&&", OperatorKind.Single),
    ];

    private static readonly FrozenDictionary<string, Operator> ByName = All.ToFrozenDictionary(o => o.Name, StringComparer.Ordinal);

    public static string Names { get; } = string.Join(", ", All.Select(o => o.Name));

    public static Operator? Find(string name) => ByName.GetValueOrDefault(name);

    public bool IsLike => Name is "like" or "ilike";

    public bool MayHaveQuantifier => Kind is OperatorKind.Value or OperatorKind.Pattern;
}
