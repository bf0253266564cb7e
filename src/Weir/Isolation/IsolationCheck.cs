using System.Text.RegularExpressions;

namespace Weir.Isolation;

/// <summary>One promise, and the query that answers the objects which break it.</summary>
/// <param name="Id">As in docs/isolation.md. Never reused.</param>
/// <param name="Promise">What should be.</param>
/// <param name="Fix">With <c>{column}</c> where a column of the answer goes.</param>
/// <param name="IsNote">What is told, but is no finding.</param>
/// <param name="Query">Answers <c>object</c>, <c>found</c>, and what the fix needs.</param>
internal sealed partial record IsolationCheck(string Id, string Promise, string Fix, bool IsNote, string Query)
{
    public static IReadOnlyList<IsolationCheck> Embedded { get; } =
        [.. Form().Matches(IsolationSql.Read("checks.sql")).Select(m => new IsolationCheck(
            m.Groups["id"].Value, m.Groups["promise"].Value, m.Groups["fix"].Value, m.Groups["note"].Success, m.Groups["query"].Value))];

    /// <param name="broken">A row of the query's answer, by its columns.</param>
    public Finding Report(IReadOnlyDictionary<string, string> broken) =>
        new(Id, broken["object"], broken["found"], Promise, Column().Replace(Fix, column => broken[column.Groups["name"].Value]));

    [GeneratedRegex(
        @"^-- id: (?<id>[a-z-]+)\n(?<note>-- note\n)?-- promise: (?<promise>.+)\n-- fix: (?<fix>.+)\n(?<query>(?s:.+?));\n(?=\n-- id: |\z)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Form();

    [GeneratedRegex(@"\{(?<name>[a-z]+)\}", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Column();
}
