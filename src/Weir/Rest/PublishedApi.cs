using System.Collections.Frozen;

namespace Weir.Rest;

/// <param name="Type">As PostgreSQL writes it.</param>
internal sealed record PublishedColumn(string Name, string Type)
{
    public bool IsJson => Type is "json" or "jsonb";
}

/// <summary>A table, a view, or the rows of a function: what can be selected, filtered and ordered.</summary>
/// <param name="Columns">In the catalog's order.</param>
/// <param name="ForAnon">Whether PostgreSQL lets <c>anon</c> read any of them.</param>
internal sealed record PublishedRelation(string Name, IReadOnlyList<PublishedColumn> Columns, bool ForAnon = false)
{
    /// <exception cref="RestException">42703: no column of that name, or nobody may read it.</exception>
    public PublishedColumn Column(string name) => Columns.FirstOrDefault(c => c.Name == name) ?? throw RestErrors.Column(Name, name);
}

/// <param name="Required">How many of the arguments, from the first, have no default.</param>
/// <param name="Rows">The columns of a table function; null where it answers with a value.</param>
/// <param name="ForAnon">Whether PostgreSQL lets <c>anon</c> execute it.</param>
internal sealed record PublishedFunction(
    string Name, IReadOnlyList<PublishedColumn> Arguments, int Required, bool ReturnsSet, string ResultType, PublishedRelation? Rows,
    bool ForAnon = false)
{
    public bool Takes(IReadOnlyCollection<string> names) =>
        names.All(name => Arguments.Any(a => a.Name == name)) && Arguments.Take(Required).All(a => names.Contains(a.Name));
}

/// <summary>
/// The names that <c>/rest/v1</c> knows, read at one moment and never changed. They are where every identifier in a statement
/// comes from; who may use them is PostgreSQL's to say, each time.
/// </summary>
internal sealed class PublishedApi(IEnumerable<PublishedRelation> relations, IEnumerable<PublishedFunction> functions)
{
    private readonly FrozenDictionary<string, PublishedRelation> _relations =
        relations.ToFrozenDictionary(r => r.Name, StringComparer.Ordinal);
    private readonly FrozenDictionary<string, PublishedFunction[]> _functions =
        functions.GroupBy(f => f.Name, StringComparer.Ordinal).ToFrozenDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal);

    public IReadOnlyCollection<PublishedRelation> AllRelations => _relations.Values;

    public IEnumerable<PublishedFunction> AllFunctions => _functions.Values.SelectMany(f => f);

    public PublishedRelation? Relation(string name) => _relations.GetValueOrDefault(name);

    /// <summary>All of that name; there may be several with different parameters.</summary>
    public IReadOnlyList<PublishedFunction> Functions(string name) => _functions.GetValueOrDefault(name) ?? [];
}
