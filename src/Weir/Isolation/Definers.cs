using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Isolation;

/// <summary>A function that runs with its owner's rights, as <c>db/DEFINERS.md</c> lists it.</summary>
internal sealed record Definer(string Name, string Owner, IReadOnlyList<string> Executors);

/// <summary>The list inside the executable. It has a table for each of Weir's own roles, and sentences for what the migrator owns.</summary>
internal static partial class Definers
{
    /// <summary>How the list calls who owns the schema: the role has another name in every database.</summary>
    private const string Owner = "the owner";

    public static IReadOnlyList<Definer> Embedded { get; } = Parse(IsolationSql.Read("DEFINERS.md"));

    /// <summary>What the checks take as their one parameter.</summary>
    public static string Json { get; } = JsonSerializer.Serialize(Embedded, JsonSerializerOptions.Web);

    public static IReadOnlyList<Definer> Parse(string page) =>
    [
        .. Row().Matches(page).Select(row => new Definer(row.Groups["name"].Value, row.Groups["owner"].Value, row.Groups["executors"].Value.Split(", "))),
        .. Sentence().Matches(page).SelectMany(s => s.Groups["name"].Captures.Select(name => new Definer(name.Value, Owner, [s.Groups["executor"].Value]))),
    ];

    [GeneratedRegex(@"^\| `(?<name>[a-z_.]+)` \| (?<owner>weir_[a-z]+) \| (?<executors>[^|]+?) \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Row();

    [GeneratedRegex(@"^`(?<name>[a-z_.]+)`((, | and )`(?<name>[a-z_.]+)`)*, executed by `(?<executor>\w+)`",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Sentence();
}
