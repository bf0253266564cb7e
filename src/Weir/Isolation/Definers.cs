using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Isolation;

/// <summary>A function that runs with its owner's rights, as <c>db/DEFINERS.md</c> lists it.</summary>
internal sealed record Definer(string Name, string Owner, IReadOnlyList<string> Executors);

/// <summary>
/// The list inside the executable: a table for each owner. <c>the owner</c> owns the schema; that role has another name in every database.
/// </summary>
internal static partial class Definers
{
    public static IReadOnlyList<Definer> Embedded { get; } = Parse(IsolationSql.Read("DEFINERS.md"));

    /// <summary>What the checks take as their one parameter.</summary>
    public static string Json { get; } = JsonSerializer.Serialize(Embedded, JsonSerializerOptions.Web);

    public static IReadOnlyList<Definer> Parse(string page) =>
    [
        .. Row().Matches(page)
            .Select(row => new Definer(row.Groups["name"].Value, row.Groups["owner"].Value, row.Groups["executors"].Value.Split(", "))),
    ];

    [GeneratedRegex(@"^\| `(?<name>[a-z0-9_.]+)` \| (?<owner>weir_[a-z]+|the owner) \| (?<executors>[^|]+?) \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Row();
}
